//! The accept loop: who gets a connection, and what happens to those who don't.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use chatroom_proto::CloseReason;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::chat::effect::ConnectionId;
use crate::config::{ACCEPT_BACKOFF, Config, LISTEN_BACKLOG, TURNED_AWAY_MAX};
use crate::connection::{Common, Connection, Life};
use crate::dispatch::Door;
use crate::outbox::{self, Bounds};

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

/// Who is let in, and who is there.
pub(crate) struct Listener {
    common: Arc<Common>,
    permits: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
    connections_max: u32,
}

impl Listener {
    pub(crate) fn new(
        door: Door,
        config: Config,
        bounds: Arc<Bounds>,
        shutdown: CancellationToken,
    ) -> Listener {
        let connections_max = u32::try_from(config.connections_max).unwrap_or(u32::MAX);
        Listener {
            common: Arc::new(Common { door, config, bounds, shutdown }),
            permits: Arc::new(Semaphore::new(connections_max as usize)),
            connections_max,
            turned_away: Arc::new(Semaphore::new(TURNED_AWAY_MAX as usize)),
        }
    }

    /// Accepts until shutdown.
    pub(crate) async fn run(&self, socket: TcpListener) {
        let mut number = 0;
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                () = self.common.shutdown.cancelled() => return,
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
                        () = self.common.shutdown.cancelled() => return,
                    }
                }
            }
        }
    }

    /// Takes in streams as they come, until shutdown or until there are no more. They have no address.
    pub(crate) async fn run_on<S>(&self, mut streams: mpsc::Receiver<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let mut number = 0;
        loop {
            let stream = tokio::select! {
                stream = streams.recv() => stream,
                () = self.common.shutdown.cancelled() => return,
            };
            let Some(stream) = stream else { return };
            let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else { continue };
            number += 1;
            let connection = Connection::new(ConnectionId(number), nowhere, Arc::clone(&self.common));
            tokio::spawn(Life::new(connection, stream, Some(permit)));
        }
    }

    /// Waits for all connections to end, as long as the configuration says.
    pub(crate) async fn wait_for_connections(&self) {
        let gone = async {
            // They are never closed, so what was given is given back.
            let _ = self.permits.acquire_many(self.connections_max).await;
            let _ = self.turned_away.acquire_many(TURNED_AWAY_MAX).await;
        };
        if time::timeout(self.common.config.shutdown_deadline, gone).await.is_err() {
            let connections = self.connections_max as usize - self.permits.available_permits();
            warn!(connections, "some connections did not end in time");
        }
    }

    fn welcome(&self, stream: TcpStream, peer: SocketAddr, id: ConnectionId) {
        // Small frames shall not wait for each other; it fails on dead connections only.
        let _ = stream.set_nodelay(true);
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return self.turn_away(stream, peer);
        };
        let connection = Connection::new(id, peer, Arc::clone(&self.common));
        tokio::spawn(Life::new(connection, stream, Some(permit)));
    }

    fn turn_away(&self, mut stream: TcpStream, peer: SocketAddr) {
        debug!(%peer, "turned away: the server is full");
        let Ok(permit) = Arc::clone(&self.turned_away).try_acquire_owned() else { return };
        let deadline = self.common.config.linger_deadline;
        tokio::spawn(async move {
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
