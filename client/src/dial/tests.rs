//! Servers that are not what they say, on sockets: what a client sends them, and what it makes of
//! them.

use std::io;
use std::net::Ipv4Addr;

use chatroom_proto::codec::encode;
use chatroom_proto::{CloseReason, Misbehaviour, Notification, ServerFrame, UserName};
use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion};

use super::*;
use crate::client::Client;
use crate::error::Ended;
use crate::event::Event;
use crate::options::{Options, Reconnect};
use crate::trust::{Known, Met};
use chatroom_proto::Fingerprint;

/// What a TLS connection begins with; a frame begins with 0.
const TLS_HANDSHAKE: u8 = 0x16;

/// A key, and a certificate that it has signed for itself.
struct Identity {
    key: KeyPair,
    certificate: CertificateDer<'static>,
}

impl Identity {
    fn new() -> Identity {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["chatroom".to_owned()]).expect("a name");
        let certificate = params.self_signed(&key).expect("a certificate").der().clone();
        Identity { key, certificate }
    }

    fn fingerprint(&self) -> Fingerprint {
        let parsed = ParsedCertificate::try_from(&self.certificate).expect("a certificate");
        Fingerprint::of(&parsed.subject_public_key_info())
    }
}

/// Shows a certificate and signs with a key, whether or not they belong together.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesServerCert for Shows {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn acceptor(
    shown: &Identity,
    key: &Identity,
    version: &'static SupportedProtocolVersion,
) -> TlsAcceptor {
    let provider = Arc::new(ring::default_provider());
    let secret = PrivateKeyDer::try_from(key.key.serialize_der()).expect("a key");
    let key = provider.key_provider.load_private_key(secret).expect("a key that can sign");
    let shows = Shows(Arc::new(CertifiedKey::new(vec![shown.certificate.clone()], key)));
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(shows));
    TlsAcceptor::from(Arc::new(config))
}

async fn listen() -> (TcpListener, u16) {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let port = socket.local_addr().expect("an address").port();
    (socket, port)
}

fn net(port: u16, known: &KnownHosts) -> Net {
    Net::new("127.0.0.1".to_owned(), port, TlsMode::Always, known.clone())
}

/// Somebody has met a server with this key there.
fn knows(known: &KnownHosts, port: u16, key: Fingerprint) {
    let expected = known.expected("127.0.0.1", port).expect("it can be read");
    known.meet("127.0.0.1", port, expected, Met::Key(key)).expect("nobody else was met there");
}

/// What a server gets that answers one client by TLS, after the handshake.
fn served(socket: TcpListener, acceptor: TlsAcceptor) -> JoinHandle<Vec<u8>> {
    served_after(socket, acceptor, || {})
}

/// The same, of a server that does something else between the client's first word and its own.
fn served_after(
    socket: TcpListener,
    acceptor: TlsAcceptor,
    meanwhile: impl FnOnce() + Send + 'static,
) -> JoinHandle<Vec<u8>> {
    tokio::spawn(async move {
        let (stream, _) = socket.accept().await.expect("a client");
        stream.readable().await.expect("a first word");
        meanwhile();
        let mut heard = Vec::new();
        if let Ok(mut stream) = acceptor.accept(stream).await {
            let _ = stream.read_to_end(&mut heard).await;
        }
        heard
    })
}

/// What a server gets that answers one client with these bytes, and no TLS.
fn recorded(socket: TcpListener, answer: Vec<u8>) -> JoinHandle<Vec<u8>> {
    tokio::spawn(async move {
        let (mut stream, _) = socket.accept().await.expect("a client");
        let mut heard = vec![0; 16 * 1024];
        let count = stream.read(&mut heard).await.expect("something");
        heard.truncate(count);
        let _ = stream.write_all(&answer).await;
        let _ = stream.read_to_end(&mut heard).await;
        heard
    })
}

fn untrusted<S>(dialled: Result<Dialled<S>, ConnectError>) -> Untrusted {
    match dialled {
        Err(ConnectError::Untrusted(untrusted)) => untrusted,
        Err(error) => panic!("another error: {error}"),
        Ok(_) => panic!("it is trusted"),
    }
}

#[tokio::test]
async fn whoever_shows_a_stolen_certificate_without_its_key_is_not_believed() {
    for version in [&TLS13, &TLS12] {
        let (honest, thief) = (Identity::new(), Identity::new());
        // Neither to be the server that is known, nor to be a new one.
        for is_known in [true, false] {
            let (socket, port) = listen().await;
            let known = KnownHosts::in_memory();
            if is_known {
                knows(&known, port, honest.fingerprint());
            }
            let heard = served(socket, acceptor(&honest, &thief, version));
            known.take_news();
            assert_eq!(
                untrusted(net(port, &known).dial().await),
                Untrusted::NoProof,
                "{version:?}"
            );
            assert_eq!(known.take_news(), [], "nothing was learned from it");
            assert_eq!(heard.await.expect("no panic"), b"", "nothing was said to it");
        }
    }
}

#[tokio::test]
async fn whoever_has_the_key_is_believed_in_both_versions() {
    for version in [&TLS13, &TLS12] {
        let (honest, known) = (Identity::new(), KnownHosts::in_memory());
        let (socket, port) = listen().await;
        let _heard = served(socket, acceptor(&honest, &honest, version));
        let dialled =
            net(port, &known).dial().await.unwrap_or_else(|error| panic!("{version:?}: {error}"));
        assert!(dialled.is_private);
        assert_eq!(known.take_news()[0].fingerprint, honest.fingerprint());
    }
}

#[tokio::test]
async fn another_key_is_refused_before_anything_is_said() {
    let (before, now, known) = (Identity::new(), Identity::new(), KnownHosts::in_memory());
    let (socket, port) = listen().await;
    knows(&known, port, before.fingerprint());
    let heard = served(socket, acceptor(&now, &now, &TLS13));
    let changed = Untrusted::KeyChanged {
        known: Known::Key(before.fingerprint()),
        offered: now.fingerprint(),
    };
    assert_eq!(untrusted(net(port, &known).dial().await), changed);
    assert_eq!(heard.await.expect("no panic"), b"");
}

#[tokio::test]
async fn a_server_that_shows_two_clients_two_keys_at_once_is_believed_by_one() {
    let (one, other) = (Identity::new(), Identity::new());
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("known_hosts");
    let (socket, port) = listen().await;
    let (first, key) = (KnownHosts::in_file(&file), one.fingerprint());
    let heard =
        served_after(socket, acceptor(&other, &other, &TLS13), move || knows(&first, port, key));
    let known = KnownHosts::in_file(&file);
    let changed = Untrusted::KeyChanged { known: Known::Key(key), offered: other.fingerprint() };
    assert_eq!(untrusted(net(port, &known).dial().await), changed);
    assert_eq!((heard.await.expect("no panic"), known.take_news()), (vec![], vec![]));
}

#[tokio::test]
async fn one_that_answers_in_plain_gets_no_plain_byte() {
    let misbehaved = CloseReason::Misbehaved(Misbehaviour::FrameTooLong { limit: 4096 });
    let frame =
        encode(&ServerFrame::Notification(Notification::Closing(misbehaved))).expect("a frame");
    for answer in [frame.to_vec(), b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), vec![0; 100]] {
        let (socket, port) = listen().await;
        let heard = recorded(socket, answer);
        assert_eq!(untrusted(net(port, &KnownHosts::in_memory()).dial().await), Untrusted::NotTls);
        only_tls(&heard.await.expect("no panic"));
    }
}

#[tokio::test]
async fn one_that_hangs_up_on_tls_is_not_asked_in_plain() {
    let (socket, port) = listen().await;
    let heard = tokio::spawn(async move {
        let (stream, _) = socket.accept().await.expect("a client");
        drop(stream);
        // The client does not come again.
        timeout(std::time::Duration::from_millis(200), socket.accept()).await.is_err()
    });
    let dialled = net(port, &KnownHosts::in_memory()).dial().await;
    assert!(matches!(dialled, Err(ConnectError::Cut)));
    assert!(heard.await.expect("no panic"));
}

/// All records are TLS's: none is plain.
fn only_tls(heard: &[u8]) {
    const HEADER_BYTES: usize = 5;
    const KINDS: std::ops::RangeInclusive<u8> = 0x14..=0x17;
    assert_eq!(heard.first(), Some(&TLS_HANDSHAKE));
    let mut rest = heard;
    while let Some((header, records)) = rest.split_first_chunk::<HEADER_BYTES>() {
        assert!(KINDS.contains(&header[0]), "a record of kind {:#x}", header[0]);
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        rest = records.get(length..).expect("whole records");
    }
    assert!(rest.is_empty());
}

/// A server that lets one client in, and hangs up.
async fn let_in(socket: &TcpListener, acceptor: &TlsAcceptor) {
    use chatroom_proto::codec::{FRAME_BYTES_MAX, FrameReader};
    use chatroom_proto::{ClientFrame, Page, Response, Retention, Seq, Token, Welcome};
    let (stream, _) = socket.accept().await.expect("a client");
    let stream = acceptor.accept(stream).await.expect("a client that speaks TLS");
    let mut frames = FrameReader::<_, ClientFrame>::new(stream, FRAME_BYTES_MAX);
    let hello = frames.next().await.expect("hello").expect("a frame");
    let welcome = Welcome {
        version: 1,
        name: jim(),
        token: Token([7; 32]),
        resumed: false,
        grace_ms: 0,
        seq: Seq(1),
        groups: Page::fill([]),
        retention: Retention::Nothing,
    };
    let result = Ok(Response::Welcome(welcome));
    let frame = encode(&ServerFrame::Response { tag: hello.tag, result }).expect("a frame");
    frames.stream_mut().write_all(&frame).await.expect("the client reads");
    frames.stream_mut().flush().await.expect("the client reads");
}

fn jim() -> UserName {
    UserName::parse("Jim").expect("a name")
}

/// A client whose connection was lost after it was let in by this server, and how it ends when
/// others answer then.
async fn come_back_to(others: impl AsyncFnOnce(TcpListener, &Identity)) -> Option<Event> {
    let identity = Identity::new();
    let (socket, port) = listen().await;
    let options = Options {
        tls: TlsMode::Always,
        reconnect: Reconnect::Forever,
        ..Options::new("127.0.0.1", port, jim())
    };
    let acceptor = acceptor(&identity, &identity, &TLS13);
    let (connected, ()) = tokio::join!(Client::connect(options), let_in(&socket, &acceptor));
    let (client, mut events) = connected.expect("let in");
    assert!(client.is_private());
    others(socket, &identity).await;
    assert!(matches!(events.next().await, Some(Event::Lost(_))));
    let ended = events.next().await;
    assert_eq!(events.next().await, None, "it is over");
    ended
}

#[tokio::test]
async fn a_client_that_spoke_tls_never_says_a_plain_byte_when_a_plain_server_answers_later() {
    let ended = come_back_to(async |socket, _| {
        only_tls(&recorded(socket, vec![0; 100]).await.expect("no panic"));
    });
    assert_eq!(ended.await, Some(Event::Ended(Ended::Untrusted(Untrusted::NotTls))));
}

#[tokio::test]
async fn a_key_that_has_changed_on_the_way_back_ends_the_client() {
    let ended = come_back_to(async |socket, _| {
        let other = Identity::new();
        assert_eq!(served(socket, acceptor(&other, &other, &TLS13)).await.expect("no panic"), b"");
    });
    let ended = ended.await;
    let is_changed = |ended: &Event| {
        matches!(ended, Event::Ended(Ended::Untrusted(Untrusted::KeyChanged { .. })))
    };
    assert!(ended.as_ref().is_some_and(is_changed), "{ended:?}");
}

#[tokio::test]
async fn a_connection_that_was_private_is_never_remade_as_one_that_is_not() {
    let net = Net::new("127.0.0.1".to_owned(), 1, TlsMode::Never, KnownHosts::in_memory());
    net.was_private.store(true, Ordering::Relaxed);
    let net = Net { host: elsewhere().await, ..net };
    let (socket, port) = (TcpListener::bind((net.host.as_str(), 0)).await.expect("a free port"), 0);
    let net = Net { port: socket.local_addr().map_or(port, |address| address.port()), ..net };
    let dialled = net.dial().await;
    match dialled {
        Err(ConnectError::Unreachable(error)) if net.host != "127.0.0.1" => {
            assert!(error.to_string().contains("this machine"), "{error}");
        }
        Ok(dialled) => assert!(dialled.is_private && net.host == "127.0.0.1"),
        Err(error) => panic!("another error: {error}"),
    }
}

/// An address of this machine that is not loopback, if it has one.
async fn elsewhere() -> String {
    let found = async {
        // Nothing is sent: it is only asked which way that would go.
        let socket = tokio::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        socket.connect((Ipv4Addr::new(203, 0, 113, 1), 9)).await?;
        io::Result::Ok(socket.local_addr()?.ip().to_string())
    };
    found.await.unwrap_or_else(|_| "127.0.0.1".to_owned())
}
