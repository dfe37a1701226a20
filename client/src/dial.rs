//! The way to a server: a stream of bytes for each attempt, through TLS or not.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig};

use crate::error::ConnectError;
use crate::limits::{CONNECT_DEADLINE, HANDSHAKE_DEADLINE};
use crate::trust::{KnownHosts, TlsMode, Untrusted};
use verifier::{Authorities, Verifier};

mod race;
mod verifier;

/// A way to a server.
pub trait Dial: Send + Sync + 'static {
    /// What it gives.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin;

    /// One attempt, within its own deadlines.
    fn dial(&self) -> impl Future<Output = Result<Dialled<Self::Stream>, ConnectError>> + Send;
}

/// A stream to a server.
#[derive(Debug)]
pub struct Dialled<S> {
    /// The stream.
    pub stream: S,
    /// Whether nobody on the way can read along.
    pub is_private: bool,
}

/// A stream of bytes of either kind.
pub(crate) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Bytes for S {}

/// The way over the network.
pub(crate) struct Net {
    host: String,
    port: u16,
    tls: TlsMode,
    known: KnownHosts,
    authorities: OnceCell<Authorities>,
    /// Once TLS was spoken, nothing else is.
    has_spoken_tls: AtomicBool,
    /// Once nobody could read along, nobody ever may: what is to be said was asked for then.
    was_private: AtomicBool,
}

impl Net {
    pub(crate) fn new(host: String, port: u16, tls: TlsMode, known: KnownHosts) -> Net {
        Net {
            host,
            port,
            tls,
            known,
            authorities: OnceCell::new(),
            has_spoken_tls: AtomicBool::new(false),
            was_private: AtomicBool::new(false),
        }
    }

    /// Connects; also tells whether that does not leave this machine.
    async fn connect(&self) -> Result<(TcpStream, bool), ConnectError> {
        let addresses: Vec<_> = match lookup_host((self.host.as_str(), self.port)).await {
            Ok(addresses) => addresses.collect(),
            Err(error) => return Err(ConnectError::NoSuchHost(error)),
        };
        let is_here = addresses.iter().all(is_loopback);
        let attempts = race::in_turns(&addresses).into_iter().map(TcpStream::connect);
        let stream = race::first(attempts).await.map_err(ConnectError::Unreachable)?;
        stream.set_nodelay(true).map_err(ConnectError::Unreachable)?;
        Ok((stream, is_here))
    }

    /// Connects, within the deadline for that.
    async fn reach(&self) -> Result<(TcpStream, bool), ConnectError> {
        let late = || ConnectError::Unreachable(io::ErrorKind::TimedOut.into());
        timeout(CONNECT_DEADLINE, self.connect()).await.unwrap_or_else(|_| Err(late()))
    }

    fn speaks_tls(&self, is_here: bool) -> bool {
        match self.tls {
            TlsMode::Always => true,
            TlsMode::Never => false,
            TlsMode::Auto => !is_here || self.has_spoken_tls.load(Ordering::Relaxed),
        }
    }

    /// Makes sure who it is.
    async fn secure(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, ConnectError> {
        let expected =
            self.known.expected(&self.host, self.port).map_err(ConnectError::Untrusted)?;
        let authorities = self.authorities.get_or_init(Authorities::of_this_system).await;
        let name = self.name(&stream).map_err(ConnectError::Unreachable)?;
        let verifier = Arc::new(Verifier::new(authorities.clone(), expected));
        let config = config(Arc::clone(&verifier))
            .map_err(|error| ConnectError::Untrusted(Untrusted::Failed(error.to_string())))?;
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
        let connected =
            timeout(HANDSHAKE_DEADLINE, connecting).await.map_err(|_| ConnectError::Silent)?;
        let judgement = verifier.judgement();
        let stream = connected.map_err(|error| explain(&error, judgement.as_ref()))?;
        // Only now has the server proved that it has the key of what it showed.
        if let Some(Ok(met)) = judgement {
            self.known
                .meet(&self.host, self.port, expected, met)
                .map_err(ConnectError::Untrusted)?;
        }
        Ok(stream)
    }

    /// What an authority would have to vouch for: the host as it was given, or else its address.
    fn name(&self, stream: &TcpStream) -> io::Result<ServerName<'static>> {
        match ServerName::try_from(self.host.clone()) {
            Ok(name) => Ok(name),
            Err(_) => Ok(ServerName::IpAddress(stream.peer_addr()?.ip().into())),
        }
    }
}

impl Dial for Net {
    type Stream = Box<dyn Bytes>;

    async fn dial(&self) -> Result<Dialled<Self::Stream>, ConnectError> {
        let (stream, is_here) = self.reach().await?;
        if self.speaks_tls(is_here) {
            let stream = self.secure(stream).await?;
            self.has_spoken_tls.store(true, Ordering::Relaxed);
            self.was_private.store(true, Ordering::Relaxed);
            return Ok(Dialled { stream: Box::new(stream), is_private: true });
        }
        if self.was_private.fetch_or(is_here, Ordering::Relaxed) && !is_here {
            let moved = "its name does not lead to this machine any more";
            return Err(ConnectError::Unreachable(io::Error::other(moved)));
        }
        Ok(Dialled { stream: Box::new(stream), is_private: is_here })
    }
}

/// Whether there is something that takes connections. Nothing is said to it, so it need not be a
/// server.
///
/// # Errors
/// [`ConnectError::NoSuchHost`] or [`ConnectError::Unreachable`].
pub(crate) async fn reach(host: String, port: u16) -> Result<(), ConnectError> {
    let net = Net::new(host, port, TlsMode::Never, KnownHosts::in_memory());
    net.reach().await.map(drop)
}

fn is_loopback(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn config(verifier: Arc<Verifier>) -> Result<ClientConfig, rustls::Error> {
    let config = ClientConfig::builder_with_provider(Arc::clone(verifier.provider()))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(config)
}

/// Why there is no TLS, after what was thought of the server if it came to that.
fn explain(error: &io::Error, judgement: Option<&verifier::Judgement>) -> ConnectError {
    if let Some(Err(untrusted)) = judgement {
        return ConnectError::Untrusted(untrusted.clone());
    }
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match (inner, judgement) {
        (Some(rustls::Error::InvalidMessage(_)), None) => {
            ConnectError::Untrusted(Untrusted::NotTls)
        }
        (Some(rustls::Error::InvalidCertificate(_)), Some(_)) => {
            ConnectError::Untrusted(Untrusted::NoProof)
        }
        (Some(error), _) => ConnectError::Untrusted(Untrusted::Failed(error.to_string())),
        (None, _) => ConnectError::Cut,
    }
}

#[cfg(test)]
mod tests;
