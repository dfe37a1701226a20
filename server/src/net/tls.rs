//! TLS: the key that clients recognize the server by, and the certificate that it shows.
//!
//! - `source`: where the two come from, and what can be wrong with them.
//! - `files`: reads them, and makes the server's own. `validity`: when a certificate is valid.
//! - this file: what a connection is accepted with, and how the certificate is read again.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use chatroom_proto::Fingerprint;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

mod files;
mod source;
#[cfg(test)]
mod tests;
mod validity;

pub(crate) use source::OWN_FILES;
use source::{CERTIFICATE, fingerprint};
pub use source::{TlsError, TlsSource};
pub use validity::Validity;

/// TLS as the server speaks it. Cheap to clone; the clones show the same certificate.
#[derive(Clone)]
pub struct ServerTls {
    acceptor: TlsAcceptor,
    shown: Arc<Shown>,
    source: TlsSource,
}

/// The certificate that new connections are shown.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl Shown {
    fn current(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl ServerTls {
    /// With the key and the certificate from there, which are made if that is the place where the
    /// server keeps its own.
    ///
    /// # Errors
    /// [`TlsError`]
    pub fn open(source: TlsSource) -> Result<ServerTls, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let certified = files::load(&source, files::Missing::IsMade, &provider)?;
        let shown = Arc::new(Shown(RwLock::new(Arc::new(certified))));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
        // A client comes seldom, and stays: what would be kept to make its next handshake cheaper
        // costs more.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(ServerTls { acceptor: TlsAcceptor::from(Arc::new(config)), shown, source })
    }

    /// The fingerprint of the key that clients are shown now.
    ///
    /// # Errors
    /// [`TlsError`] when the certificate can't be understood.
    pub fn fingerprint(&self) -> Result<Fingerprint, TlsError> {
        Ok(fingerprint(self.shown.current().end_entity_cert()?)?)
    }

    /// From when until when the certificates that clients are shown now are valid, all of them;
    /// nothing when they do not say so.
    pub fn validity(&self) -> Option<Validity> {
        validity::validity(&self.shown.current().cert)
    }

    /// Reads the files again: clients that come from now on are shown what is there. Those that are
    /// there stay as they are. After an error everything is as it was.
    ///
    /// # Errors
    /// [`TlsError`]
    pub fn reload(&self) -> Result<(), TlsError> {
        if matches!(self.source, TlsSource::Memory) {
            return Ok(());
        }
        let certified =
            files::load(&self.source, files::Missing::IsAnError, &provider_of(&self.acceptor))?;
        *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
        Ok(())
    }

    /// What accepts connections.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.source).finish()
    }
}

fn provider_of(acceptor: &TlsAcceptor) -> Arc<CryptoProvider> {
    Arc::clone(acceptor.config().crypto_provider())
}

/// The fingerprint of the certificate in this place. Nothing is made, and the key is not looked at.
///
/// # Errors
/// [`TlsError`]
pub fn fingerprint_at(source: &TlsSource) -> Result<Fingerprint, TlsError> {
    let chain = match source {
        TlsSource::Files { certificate, .. } => files::chain(certificate)?,
        TlsSource::Directory(path) => match files::chain(&path.join(CERTIFICATE)) {
            Err(TlsError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                Vec::new()
            }
            chain => chain?,
        },
        TlsSource::Memory => Vec::new(),
    };
    let first = chain.first().ok_or_else(|| TlsError::NotYet { place: source.to_string() })?;
    Ok(fingerprint(first)?)
}
