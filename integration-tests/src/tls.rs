//! This machine as others see it; keys and certificates; and servers that are not what they say.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use chatroom_proto::UnixMillis;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, ServerConfig, ServerConnection, SignatureScheme,
    StreamOwned,
};

use crate::process::DEADLINE;

/// An address of this machine by which others reach it; nothing where it has none.
pub fn elsewhere() -> Option<IpAddr> {
    // Nothing is sent: it is only asked which way that would go.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(203, 0, 113, 1), 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

/// A key and its certificate, in files.
#[derive(Debug)]
pub struct Identity {
    /// The certificate, in PEM.
    pub certificate: PathBuf,
    /// The key, in PEM.
    pub key: PathBuf,
}

impl Identity {
    /// One that a server has made in its data directory.
    pub fn of_server(data: &Path) -> Identity {
        Identity { certificate: data.join("tls-cert.pem"), key: data.join("tls-key.pem") }
    }

    /// A new one for this host in this directory, signed by itself.
    ///
    /// # Panics
    /// When it can't be made.
    pub fn new(directory: &Path, host: &str) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![host.to_owned()]).expect("a host");
        let certificate = params.self_signed(&key).expect("a certificate");
        Identity::write(directory, &certificate.pem(), &key)
    }

    /// The same, valid until this moment.
    ///
    /// # Panics
    /// When it can't be made.
    pub fn until(directory: &Path, host: &str, until: UnixMillis) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![host.to_owned()]).expect("a host");
        params.not_after = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_millis(until.0);
        let certificate = params.self_signed(&key).expect("a certificate");
        Identity::write(directory, &certificate.pem(), &key)
    }

    /// A new one for this host in this directory, signed by an authority, whose own certificate is
    /// written to the other file.
    ///
    /// # Panics
    /// When it can't be made.
    pub fn vouched_for(directory: &Path, host: &str, authority: &Path) -> Identity {
        let mut params = CertificateParams::new(vec!["an authority".to_owned()]).expect("a name");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"))
            .expect("a certificate");
        fs::write(authority, issuer.pem()).expect("a file");
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![host.to_owned()]).expect("a host");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        Identity::write(directory, &certificate.pem(), &key)
    }

    fn write(directory: &Path, certificate: &str, key: &KeyPair) -> Identity {
        let files =
            Identity { certificate: directory.join("cert.pem"), key: directory.join("key.pem") };
        fs::write(&files.certificate, certificate).expect("a file");
        fs::write(&files.key, key.serialize_pem()).expect("a file");
        files
    }

    /// The arguments that give it to a server.
    ///
    /// # Panics
    /// When its path is no text.
    pub fn arguments(&self) -> [String; 4] {
        let text = |path: &Path| path.to_str().expect("a path of ordinary characters").to_owned();
        ["--tls-cert".to_owned(), text(&self.certificate), "--tls-key".to_owned(), text(&self.key)]
    }
}

/// A server that is not what it says. It ends with the test.
#[derive(Debug)]
pub struct Impostor {
    /// Where it listens.
    pub address: SocketAddr,
    heard: mpsc::Receiver<Vec<u8>>,
}

/// The most that an impostor notes before it is asked for it.
const VISITS_MAX: usize = 64;

/// The most bytes that an impostor listens to.
const HEARD_BYTES_MAX: u64 = 1024 * 1024;

impl Impostor {
    /// Answers everybody at this address with these bytes, once something was said to it, and notes
    /// what is said.
    ///
    /// # Panics
    /// When it can't listen there.
    pub fn answers(address: SocketAddr, answer: &'static [u8]) -> Impostor {
        Impostor::listen(address, move |mut stream| {
            let mut heard = vec![0; 16 * 1024];
            let count = stream.read(&mut heard).unwrap_or_default();
            heard.truncate(count);
            let _ = stream.write_all(answer);
            let _ = stream.take(HEARD_BYTES_MAX).read_to_end(&mut heard);
            heard
        })
    }

    /// Speaks TLS with a certificate that is not its own, and notes what is said inside.
    ///
    /// # Panics
    /// When it can't listen there, or has no certificate and key.
    pub fn shows(address: SocketAddr, certificate: &Path, own_key: &Path) -> Impostor {
        let pem = |path: &Path| fs::read(path).expect("a file");
        let chain = vec![CertificateDer::from_pem_slice(&pem(certificate)).expect("a certificate")];
        let secret = PrivateKeyDer::from_pem_slice(&pem(own_key)).expect("a key");
        let provider = Arc::new(ring::default_provider());
        let key = provider.key_provider.load_private_key(secret).expect("a key that can sign");
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Shows(Arc::new(CertifiedKey::new(chain, key)))));
        let config = Arc::new(config);
        Impostor::listen(address, move |stream| {
            let session = ServerConnection::new(Arc::clone(&config)).expect("a session");
            let mut heard = Vec::new();
            let _ = StreamOwned::new(session, stream).take(HEARD_BYTES_MAX).read_to_end(&mut heard);
            heard
        })
    }

    fn listen(
        address: SocketAddr,
        serve: impl Fn(std::net::TcpStream) -> Vec<u8> + Send + 'static,
    ) -> Impostor {
        let socket = TcpListener::bind(address).expect("a port that is free");
        let address = socket.local_addr().expect("an address");
        let (hears, heard) = mpsc::sync_channel(VISITS_MAX);
        thread::spawn(move || {
            while let Ok((stream, _)) = socket.accept() {
                if hears.send(serve(stream)).is_err() {
                    return;
                }
            }
        });
        Impostor { address, heard }
    }

    /// What the next one has said who came.
    ///
    /// # Panics
    /// When nobody comes.
    pub fn heard(&self) -> Vec<u8> {
        self.heard.recv_timeout(DEADLINE).expect("somebody comes")
    }
}

/// Shows a certificate, whether or not the key belongs to it.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesServerCert for Shows {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// Whether all of it is TLS's records.
pub fn is_only_tls(heard: &[u8]) -> bool {
    const HEADER_BYTES: usize = 5;
    const KINDS: std::ops::RangeInclusive<u8> = 0x14..=0x17;
    let mut rest = heard;
    while let Some((header, records)) = rest.split_first_chunk::<HEADER_BYTES>() {
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        match records.get(length..) {
            Some(next) if KINDS.contains(&header[0]) => rest = next,
            _ => return false,
        }
    }
    rest.is_empty() && !heard.is_empty()
}

/// What connects by TLS to anybody, and believes everything.
///
/// # Panics
/// When this machine has no cryptography.
pub fn credulous() -> TlsConnector {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous(provider)))
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// A connection by TLS to whoever listens there.
///
/// # Panics
/// When nobody does who speaks TLS.
pub async fn connect(address: SocketAddr) -> TlsStream<tokio::net::TcpStream> {
    let stream = tokio::net::TcpStream::connect(address).await.expect("the server listens");
    stream.set_nodelay(true).expect("a socket that takes options");
    let name = ServerName::IpAddress(address.ip().into());
    credulous().connect(name, stream).await.expect("the server speaks TLS")
}

/// A handshake of TLS with whoever listens there, from this address: whether it came to its end.
///
/// # Panics
/// When nobody listens, or the address is none of this machine.
pub async fn shake_hands_from(from: Ipv4Addr, address: SocketAddr) -> bool {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from((from, 0))).expect("an address of this machine");
    let stream = socket.connect(address).await.expect("the server listens");
    credulous().connect(ServerName::IpAddress(address.ip().into()), stream).await.is_ok()
}

/// Asks for no proof: for whoever measures, and not for who has something to lose.
#[derive(Debug)]
struct Credulous(Arc<CryptoProvider>);

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
