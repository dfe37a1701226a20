//! The accept loop: who gets a connection, and what happens to those who don't.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use chatroom_proto::CloseReason;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::chat::effect::ConnectionId;
use crate::config::{ACCEPT_BACKOFF, Config, LISTEN_BACKLOG, TURNED_AWAY_MAX};
use crate::connection::{Common, Connection, Life};
use crate::dispatch::Door;
use crate::outbox::{self, Bounds};
use crate::permits::Permits;
use crate::source::Source;

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
    permits: Arc<Permits>,
    turned_away: Arc<Semaphore>,
}

impl Listener {
    pub(crate) fn new(
        door: Door,
        config: Config,
        bounds: Arc<Bounds>,
        shutdown: CancellationToken,
    ) -> Listener {
        Listener {
            permits: Permits::new(&config),
            common: Arc::new(Common { door, config, bounds, shutdown }),
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

    /// Waits for all connections to end, as long as the configuration says.
    pub(crate) async fn wait_for_connections(&self) {
        let gone = async {
            // They are never closed, so what was given is given back.
            self.permits.all_given_back().await;
            let _ = self.turned_away.acquire_many(TURNED_AWAY_MAX).await;
        };
        if time::timeout(self.common.config.shutdown_deadline, gone).await.is_err() {
            let connections = self.permits.taken();
            warn!(connections, "some connections did not end in time");
        }
    }

    fn welcome(&self, stream: TcpStream, peer: SocketAddr, id: ConnectionId) {
        // Small frames shall not wait for each other; it fails on dead connections only.
        let _ = stream.set_nodelay(true);
        let permit = match self.permits.take(Source::of(peer.ip())) {
            Ok(permit) => permit,
            Err(reason) => return self.turn_away(stream, peer, reason),
        };
        let connection = Connection::new(id, peer, Arc::clone(&self.common));
        tokio::spawn(Life::new(connection, stream, Some(permit)));
    }

    fn turn_away(&self, mut stream: TcpStream, peer: SocketAddr, reason: CloseReason) {
        debug!(%peer, ?reason, "turned away");
        let Ok(permit) = Arc::clone(&self.turned_away).try_acquire_owned() else { return };
        let deadline = self.common.config.linger_deadline;
        tokio::spawn(async move {
            let farewell = async {
                let frame = outbox::closing(reason).ok()?;
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
