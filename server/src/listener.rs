//! The accept loop: who gets a connection, and what happens to those who don't.

use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use chatroom_proto::CloseReason;
use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, warn};

use crate::chat::effect::{ConnectionId, Input};
use crate::config::{ACCEPT_BACKOFF, Config, LISTEN_BACKLOG, TURNED_AWAY_MAX};
use crate::connection::Connection;
use crate::dispatch::{Door, Message};
use crate::outbox::{self, Outbox};

/// A socket that listens at this address, with a backlog that holds a storm of clients.
///
/// # Errors
/// When the address can't be listened at, such as one in use.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restarted server shall not wait for the old one's connections to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(LISTEN_BACKLOG)
}

/// Everything that the tasks of connections share.
pub(crate) struct Listener {
    door: Door,
    config: Config,
    permits: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
    shutdown: CancellationToken,
    connections: TaskTracker,
}

impl Listener {
    pub(crate) fn new(door: Door, config: Config, shutdown: CancellationToken) -> Arc<Listener> {
        let permits = config.connections_max.min(Semaphore::MAX_PERMITS);
        Arc::new(Listener {
            door,
            permits: Arc::new(Semaphore::new(permits)),
            turned_away: Arc::new(Semaphore::new(TURNED_AWAY_MAX)),
            shutdown,
            connections: TaskTracker::new(),
            config,
        })
    }

    /// Accepts until shutdown.
    pub(crate) async fn run(self: &Arc<Self>, socket: TcpListener) {
        let mut number = 0;
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                () = self.shutdown.cancelled() => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    number += 1;
                    self.welcome(stream, peer, ConnectionId(number));
                }
                // The peer was gone before we got to it: its affair.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    warn!(%error, "can't accept a connection");
                    tokio::select! {
                        () = time::sleep(ACCEPT_BACKOFF) => {}
                        () = self.shutdown.cancelled() => return,
                    }
                }
            }
        }
    }

    /// Waits for all connections to end, as long as the configuration says.
    pub(crate) async fn wait_for_connections(&self) {
        self.connections.close();
        if time::timeout(self.config.shutdown_deadline, self.connections.wait()).await.is_err() {
            warn!(connections = self.connections.len(), "some connections did not end in time");
        }
    }

    fn welcome(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, id: ConnectionId) {
        // Small frames shall not wait for each other; it fails on dead connections only.
        let _ = stream.set_nodelay(true);
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return self.turn_away(stream, peer);
        };
        let listener = Arc::clone(self);
        self.connections.spawn(async move {
            listener.attend(stream, peer, id).await;
            drop(permit);
        });
    }

    /// Lives with a connection from its beginning to its end, which the dispatch task hears of whatever happens.
    pub(crate) async fn attend<S: AsyncRead + AsyncWrite>(
        &self,
        stream: S,
        peer: SocketAddr,
        id: ConnectionId,
    ) {
        let outbox = Outbox::new(self.config.outbox_bytes_max);
        let Listener { door, config, shutdown, .. } = self;
        let connection = Connection { id, peer, outbox, door, config, shutdown };
        // A bug that one peer hits must not take the others down.
        if AssertUnwindSafe(connection.run(stream)).catch_unwind().await.is_err() {
            error!(%connection, "this connection's task panicked");
        }
        // When the dispatch task has stopped, there is nobody left to tell.
        let _ = door.send(Message::Input(Input::Gone { connection: id })).await;
    }

    fn turn_away(self: &Arc<Self>, mut stream: TcpStream, peer: SocketAddr) {
        debug!(%peer, "turned away: the server is full");
        let Ok(permit) = Arc::clone(&self.turned_away).try_acquire_owned() else { return };
        let deadline = self.config.linger_deadline;
        self.connections.spawn(async move {
            let farewell = async {
                let frame = outbox::closing(CloseReason::ServerFull).ok()?;
                stream.write_all(&frame).await.ok()?;
                stream.shutdown().await.ok()?;
                // Until the peer has closed, too: its Hello, unread, would make the kernel reset the connection.
                tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.ok()
            };
            let _ = time::timeout(deadline, farewell).await;
            drop(permit);
        });
    }
}
