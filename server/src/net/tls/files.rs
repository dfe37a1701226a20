//! The files that hold a key and a certificate, and how the server makes its own.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, DnType, KeyPair};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use tracing::{info, warn};

use crate::private_file;

use super::source::{CERTIFICATE, KEY, TlsError, TlsSource, fingerprint};

/// The longest file that is read: a chain of certificates has some KiB.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What the certificate says whose it is. Clients go by the key.
const SUBJECT: &str = "chatroom-server";

/// What happens when the server's own files are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// They are made.
    IsMade,
    /// It is an error.
    IsAnError,
}

/// A key and its certificate, in PEM.
struct Pems {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// What is in this place.
pub(super) fn load(
    source: &TlsSource,
    missing: Missing,
    provider: &Arc<CryptoProvider>,
) -> Result<CertifiedKey, TlsError> {
    match source {
        TlsSource::Files { certificate, key } => {
            let given = |path: &Path, what: String| TlsError::Given { path: path.to_owned(), what };
            let pems = Pems { certificate: read(certificate)?, key: read(key)? };
            certified(&pems, (certificate, key), provider, given)
        }
        TlsSource::Directory(directory) => {
            let (certificate, key) = (directory.join(CERTIFICATE), directory.join(KEY));
            let own = |path: &Path, what: String| TlsError::Own { path: path.to_owned(), what };
            let pems = own_pems(&certificate, &key, missing)?;
            certified(&pems, (&certificate, &key), provider, own)
        }
        TlsSource::Memory => {
            let key = KeyPair::generate()?;
            let pems = Pems { certificate: signed(&key)?, key: key.serialize_pem().into_bytes() };
            let memory =
                |path: &Path, what: String| TlsError::Given { path: path.to_owned(), what };
            certified(&pems, (Path::new(CERTIFICATE), Path::new(KEY)), provider, memory)
        }
    }
}

/// The server's own files. A certificate that is missing is made for the key that is there: clients
/// go by the key.
fn own_pems(certificate: &Path, key: &Path, missing: Missing) -> Result<Pems, TlsError> {
    let gone = |path: &Path| TlsError::Own { path: path.to_owned(), what: "is missing".to_owned() };
    match (read_if_there(certificate)?, read_if_there(key)?) {
        (Some(certificate), Some(pem)) => {
            warn_of_readers(key);
            Ok(Pems { certificate, key: pem })
        }
        (Some(_), None) => Err(gone(key)),
        (None, None) if missing == Missing::IsMade => {
            let made = KeyPair::generate()?;
            let pem = made.serialize_pem().into_bytes();
            write(key, &pem)?;
            info!(path = %key.display(), "made a key");
            Ok(Pems { certificate: certify(certificate, &made)?, key: pem })
        }
        (None, Some(pem)) if missing == Missing::IsMade => {
            let text = String::from_utf8_lossy(&pem);
            let pair = KeyPair::from_pem(&text).map_err(|error| TlsError::Own {
                path: key.to_owned(),
                what: format!("has no key in it that can be used ({error})"),
            })?;
            Ok(Pems { certificate: certify(certificate, &pair)?, key: pem })
        }
        (None, _) => Err(gone(certificate)),
    }
}

fn certify(path: &Path, key: &KeyPair) -> Result<Vec<u8>, TlsError> {
    let pem = signed(key)?;
    write(path, &pem)?;
    info!(path = %path.display(), "made a certificate");
    Ok(pem)
}

/// A certificate that this key signs for itself, for as long as such a certificate can be valid.
fn signed(key: &KeyPair) -> Result<Vec<u8>, TlsError> {
    let mut params = CertificateParams::new(vec![SUBJECT.to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, SUBJECT);
    Ok(params.self_signed(key)?.pem().into_bytes())
}

/// The key and the certificates, if they belong together.
fn certified(
    pems: &Pems,
    (certificate, key): (&Path, &Path),
    provider: &Arc<CryptoProvider>,
    wrong: impl Fn(&Path, String) -> TlsError,
) -> Result<CertifiedKey, TlsError> {
    let chain = certificates(&pems.certificate).map_err(|what| wrong(certificate, what))?;
    let secret = PrivateKeyDer::from_pem_slice(&pems.key)
        .map_err(|error| wrong(key, format!("has no key in it ({error})")))?;
    CertifiedKey::from_der(chain, secret, provider).map_err(|error| {
        wrong(
            key,
            format!(
                "has no key that can be used with the certificate in {} ({error})",
                certificate.display()
            ),
        )
    })
}

/// The certificates in this file.
pub(super) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let given = |what: String| TlsError::Given { path: path.to_owned(), what };
    certificates(&read(path)?).map_err(given)
}

/// At least one certificate, the first of which can be used; or else what is wrong with it.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.map_err(|error| format!("is not PEM ({error})"))?;
    let first = chain.first().ok_or_else(|| "has no certificate in it".to_owned())?;
    fingerprint(first).map_err(|error| format!("has no certificate that can be used ({error})"))?;
    Ok(chain)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::File { doing: "read", path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    match read.map_err(failed)? as u64 {
        0..=FILE_BYTES_MAX => Ok(bytes),
        _ => Err(failed(io::ErrorKind::FileTooLarge.into())),
    }
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, TlsError> {
    match read(path) {
        Err(TlsError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// For nobody else's eyes: others who can read the key can be this server.
fn write(path: &Path, bytes: &[u8]) -> Result<(), TlsError> {
    let failed = |source| TlsError::File { doing: "write", path: path.to_owned(), source };
    private_file::replace(path, bytes).map_err(failed)
}

/// Others who can read the key can be this server.
fn warn_of_readers(key: &Path) {
    const OTHERS: u32 = 0o077;
    if fs::metadata(key).is_ok_and(|file| file.mode() & OTHERS != 0) {
        warn!(path = %key.display(), "others on this machine can read the server's key: chmod 600 \
            it");
    }
}
