//! Where a key and a certificate come from, and what can be wrong with them.

use std::fmt;
use std::path::PathBuf;

use chatroom_proto::Fingerprint;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::server::ParsedCertificate;

/// The server's own key.
pub(super) const KEY: &str = "tls-key.pem";

/// The certificate that it made for it.
pub(super) const CERTIFICATE: &str = "tls-cert.pem";

/// The files in a data directory that make a server the one that its clients know.
pub(crate) const OWN_FILES: [&str; 2] = [KEY, CERTIFICATE];

/// Where the key and the certificate are.
#[derive(Debug, Clone)]
pub enum TlsSource {
    /// In these files, in PEM: somebody else takes care of them.
    Files {
        /// The certificate, and those that lead from it to an authority.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
    },
    /// In a server's data directory, where the server makes them itself when they are not there.
    Directory(PathBuf),
    /// Nowhere: they are made anew, and gone with the server.
    Memory,
}

impl fmt::Display for TlsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsSource::Files { certificate, .. } => certificate.display().fmt(f),
            TlsSource::Directory(path) => path.display().fmt(f),
            TlsSource::Memory => f.write_str("memory"),
        }
    }
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read or written.
    #[error("can't {doing} {}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A file that the server made itself is gone or is not what it was.
    #[error(
        "{} {what}: put it back from a copy, or delete {} and {} there to have new ones made \
         (clients will be told then that the server's key has changed)",
        path.display(),
        KEY,
        CERTIFICATE
    )]
    Own {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file that was given can't be used.
    #[error("{} {what}", path.display())]
    Given {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// There is no certificate yet.
    #[error(
        "there is no certificate in {place} yet: the server makes it when it starts for the first \
         time"
    )]
    NotYet {
        /// Where it was looked for.
        place: String,
    },
    /// No key could be made.
    #[error("can't make a key and a certificate")]
    Make(#[from] rcgen::Error),
    /// The cryptography refuses.
    #[error("can't speak TLS")]
    Unusable(#[from] rustls::Error),
}

/// The fingerprint of the key that a certificate is for.
pub(super) fn fingerprint(certificate: &CertificateDer<'_>) -> Result<Fingerprint, rustls::Error> {
    let parsed = ParsedCertificate::try_from(certificate)?;
    Ok(Fingerprint::of(&parsed.subject_public_key_info()))
}
