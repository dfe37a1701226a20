//! The accept loop: who gets a connection, and what happens to those who don't.

use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;

use chatroom_proto::CloseReason;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::chat::entry::{Address, ConnectionId};
use crate::client_network::ClientNetwork;
use crate::config::{ACCEPT_BACKOFF, Config, LISTEN_BACKLOG, REJECTED_AT_ONCE_MAX};
use crate::dispatch::handle::DispatchHandle;
use crate::dispatch::outbox::{self, Bounds};
use crate::net::connection::task::ConnectionTask;
use crate::net::connection::{Common, Connection};
use crate::net::permits::Permits;
use crate::net::stream::{Offer, Stream};
use crate::net::tls_handshakes::Handshakes;

/// A socket that listens at this address, with a backlog that holds a storm of clients. At `[::]`
/// it hears IPv4, too.
///
/// # Errors
/// When the address can't be listened at, such as one in use.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    bind_beside(address, &[])
}

/// The same, where others listen at these addresses: `[::]` leaves IPv4 to them when one of them
/// has its port.
///
/// # Errors
/// As [`bind`].
pub fn bind_beside(address: SocketAddr, others: &[SocketAddr]) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    let has_its_port = |other: &SocketAddr| other.is_ipv4() && other.port() == address.port();
    if address.is_ipv6() && address.ip().is_unspecified() && others.iter().any(has_its_port) {
        rustix::net::sockopt::set_ipv6_v6only(&socket, true)?;
    }
    // A restarted server shall not wait for the old one's connections to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(LISTEN_BACKLOG)
}

/// Who is let in, and who is there.
pub(crate) struct Listener {
    common: Arc<Common>,
    permits: Arc<Permits>,
    handshakes: Handshakes,
    /// Permits to tell one that is rejected why.
    rejecting: Arc<Semaphore>,
}

impl Listener {
    pub(crate) fn new(
        handle: DispatchHandle,
        config: Config,
        bounds: Arc<Bounds>,
        shutdown: CancellationToken,
    ) -> Listener {
        Listener {
            permits: Permits::new(&config),
            handshakes: Handshakes::new(&config),
            common: Arc::new(Common { handle, config, bounds, shutdown }),
            rejecting: Arc::new(Semaphore::new(REJECTED_AT_ONCE_MAX as usize)),
        }
    }

    /// Accepts at all of these until shutdown.
    pub(crate) async fn run(&self, sockets: &[TcpListener]) {
        let mut number = 0;
        loop {
            let accepted = tokio::select! {
                accepted = accept(sockets, number) => accepted,
                () = self.common.shutdown.cancelled() => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    number += 1;
                    self.welcome(stream, peer.into(), ConnectionId(number));
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

    /// Takes in streams as they come, until shutdown or until there are no more. They come from
    /// this machine, and from nowhere in particular there.
    pub(crate) async fn run_on(&self, mut streams: mpsc::Receiver<DuplexStream>) {
        let here = Address::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let mut number = 0;
        loop {
            let stream = tokio::select! {
                biased;
                stream = streams.recv() => stream,
                () = self.common.shutdown.cancelled() => return,
            };
            let Some(stream) = stream else { return };
            let Ok(permit) = self.permits.take(ClientNetwork::THIS_MACHINE) else { continue };
            number += 1;
            let connection = Connection::new(ConnectionId(number), here, Arc::clone(&self.common));
            tokio::spawn(ConnectionTask::new(connection, stream, Some(permit)));
        }
    }

    /// Waits for all connections to end, as long as the configuration says.
    pub(crate) async fn wait_for_connections(&self) {
        let gone = async {
            // They are never closed, so what was given is given back.
            self.permits.all_given_back().await;
            let _ = self.rejecting.acquire_many(REJECTED_AT_ONCE_MAX).await;
        };
        if time::timeout(self.common.config.shutdown_deadline, gone).await.is_err() {
            let connections = self.permits.taken();
            warn!(connections, "some connections did not end in time");
        }
    }

    fn welcome(&self, stream: TcpStream, peer: Address, id: ConnectionId) {
        // Small frames shall not wait for each other; it fails on dead connections only.
        let _ = stream.set_nodelay(true);
        let permit = match self.permits.take(ClientNetwork::of(peer.ip())) {
            Ok(permit) => permit,
            Err(reason) => return self.reject(stream, peer, reason),
        };
        let stream = self.stream(stream, peer);
        let connection = Connection::new(id, peer, Arc::clone(&self.common));
        tokio::spawn(ConnectionTask::new(connection, stream, Some(permit)));
    }

    fn stream(&self, stream: TcpStream, peer: Address) -> Stream {
        let Config { tls, allow_plaintext, .. } = &self.common.config;
        let offer = match tls {
            None => Offer::Plain,
            // Whether it wants to speak TLS is known when it has begun: whoever comes may.
            Some(tls) if self.handshakes.may_begin(ClientNetwork::of(peer.ip())) => {
                Offer::Tls(tls.acceptor())
            }
            Some(_) => Offer::Later,
        };
        Stream::new(stream, offer, *allow_plaintext || peer.ip().is_loopback())
    }

    fn reject(&self, stream: TcpStream, peer: Address, reason: CloseReason) {
        debug!(%peer, ?reason, "turned away");
        let Ok(permit) = Arc::clone(&self.rejecting).try_acquire_owned() else { return };
        let mut stream = self.stream(stream, peer);
        let deadline = self.common.config.linger_deadline;
        tokio::spawn(async move {
            // It is told as it speaks, in plain or by TLS. One who says nothing is told in plain.
            let _ = time::timeout(deadline, stream.read_u8()).await;
            let farewell = async {
                let frame = outbox::closing(reason).ok()?;
                stream.write_all(&frame).await.ok()?;
                stream.shutdown().await.ok()?;
                // Until the peer has closed, too: its Hello, unread, would make the kernel reset
                // the connection.
                tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.ok()
            };
            let _ = time::timeout(deadline, farewell).await;
            drop(permit);
        });
    }
}

/// The next connection at any of these. Where it looks first changes with the number, so that a
/// storm at one of them does not leave the others unheard.
async fn accept(sockets: &[TcpListener], number: u64) -> io::Result<(TcpStream, SocketAddr)> {
    let first = usize::try_from(number).unwrap_or_default() % sockets.len().max(1);
    let (before, from) = sockets.split_at(first);
    poll_fn(|cx| {
        let mut accepted = from.iter().chain(before).map(|socket| socket.poll_accept(cx));
        accepted.find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
}
