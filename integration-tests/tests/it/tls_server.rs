//! TLS as the server speaks it: its files, its signals, where it listens, and peers that mean it no
//! good.

use std::collections::HashSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use chatroom_client::{Client, Events, KnownHosts, Options, TlsMode};
use chatroom_proto::Request;
use chatroom_server::Config;
use chatroom_server::net::tls::{self, TlsSource};
use integration_tests::piped::Piped;
use integration_tests::process::Exit;
use integration_tests::program::{Home, ServerProgram};
use integration_tests::terminal::Terminal;
use integration_tests::test_client::{DEADLINE, TestClient, body, group, user};
use integration_tests::test_server::TestServer;
use integration_tests::tls::{Identity, elsewhere, shake_hands_from};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time;

async fn come(at: SocketAddr, name: &str, known: &KnownHosts) -> (Client, Events) {
    let options = Options {
        tls: TlsMode::Always,
        known_hosts: known.clone(),
        ..Options::new(at.ip().to_string(), at.port(), user(name))
    };
    time::timeout(DEADLINE, Client::connect(options)).await.expect("in time").expect("welcome")
}

/// The key that a client meets there.
async fn key_at(at: SocketAddr, name: &str) -> String {
    let known = KnownHosts::in_memory();
    let (client, _events) = come(at, name, &known).await;
    client.exit().await.expect("goodbye");
    known.take_news()[0].fingerprint.to_string()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn the_key_is_made_once_for_nobody_elses_eyes_and_its_fingerprint_is_told() {
    let (home, data) = (Home::new(), tempfile::tempdir().expect("a directory"));
    let data_text = data.path().to_str().expect("text");
    let fingerprint = || ServerProgram::run(&home, &["fingerprint", "--data", data_text]);
    let not_yet = fingerprint();
    assert_eq!((not_yet.exit, &*not_yet.output), (Exit::Code(1), ""), "{not_yet:?}");
    assert!(not_yet.diagnostics.contains("the server makes it when it starts"), "{not_yet:?}");

    let server = ServerProgram::start_with(&["--data", data_text]);
    let told = server.fingerprint();
    let own = Identity::of_server(data.path());
    assert_eq!((mode(&own.key), mode(&own.certificate)), (0o600, 0o600));
    assert_eq!(fingerprint().output, format!("{told}\n"), "also while it runs");
    assert_eq!(
        server.stop().output,
        "Server is listening!\n",
        "nobody else can reach it, so nobody needs to know"
    );
    let server = ServerProgram::start_with(&["--data", data_text]);
    assert_eq!(server.fingerprint(), told);
    server.kill();

    // Clients go by the key: a certificate that is lost is made again for it.
    fs::remove_file(&own.certificate).expect("removed");
    let server = ServerProgram::start_with(&["--data", data_text]);
    assert_eq!(server.fingerprint(), told);
}

#[test]
fn who_can_be_reached_by_others_says_the_fingerprint_on_standard_output() {
    let Some(elsewhere) = elsewhere() else { return };
    let server =
        ServerProgram::start_with(&["--listen", &SocketAddr::new(elsewhere, 0).to_string()]);
    let line = format!("Fingerprint: {}", server.fingerprint());
    assert_eq!(server.output().line(1), Some(line));
    let warned =
        server.diagnostics().find(|said| said.contains("a new one at every start").then_some(()));
    assert!(warned.is_some(), "{}", server.diagnostics());
}

#[test]
fn a_key_that_is_not_what_it_was_is_a_clear_error() {
    let data = tempfile::tempdir().expect("a directory");
    let data_text = data.path().to_str().expect("text");
    ServerProgram::start_with(&["--data", data_text]).kill();
    let own = Identity::of_server(data.path());
    let (key, certificate) =
        (fs::read(&own.key).expect("a key"), fs::read(&own.certificate).expect("a certificate"));
    let stranger = tempfile::tempdir().expect("a directory");
    let other_key = fs::read(Identity::new(stranger.path(), "x").key).expect("a key");

    let fails = |wanted: &str| {
        let failed = ServerProgram::fail_with(&["--data", data_text]);
        assert_eq!((failed.exit, &*failed.output), (Exit::Code(1), ""), "{failed:?}");
        assert!(failed.diagnostics.contains(wanted), "no {wanted} in {failed:?}");
        assert!(
            failed.diagnostics.contains("put it back from a copy, or delete tls-key.pem"),
            "{failed:?}"
        );
    };
    fs::write(&own.key, &key[..key.len() / 2]).expect("written");
    fails("tls-key.pem has no key in it");
    fs::write(&own.key, other_key).expect("written");
    fails("tls-key.pem has no key that can be used with the certificate");
    fs::remove_file(&own.key).expect("removed");
    fails("tls-key.pem is missing");
    fs::write(&own.key, &key).expect("written");
    fs::write(&own.certificate, &certificate[..certificate.len() / 2]).expect("written");
    fails("tls-cert.pem");
    fs::write(&own.certificate, certificate).expect("written");
    ServerProgram::start_with(&["--data", data_text]).kill();
}

#[tokio::test]
async fn sighup_reads_the_certificate_again_and_a_broken_one_changes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let files = Identity::new(directory.path(), "chatroom");
    let arguments = files.arguments();
    let server = ServerProgram::start_with(&arguments.each_ref().map(String::as_str));
    let (at, before) = (server.address(), server.fingerprint());
    assert_eq!(key_at(at, "eve").await, before);
    let (jim, _events) = come(at, "jim", &KnownHosts::in_memory()).await;

    fs::write(&files.certificate, "-----BEGIN CERTIFICATE-----\n").expect("written");
    let server = reload(server, "the certificate stays what it was").await;
    assert_eq!(key_at(at, "eve").await, before);

    Identity::new(directory.path(), "chatroom");
    let server = reload(server, "read the certificate again").await;
    let now = key_at(at, "eve").await;
    assert_ne!(now, before);
    jim.ping().await.expect("who was there stays");
    assert!(
        server.diagnostics().to_string().contains(&format!("again fingerprint={now}")),
        "{}",
        server.diagnostics()
    );
}

/// Has it read its certificate again, and waits until it says this.
async fn reload(server: ServerProgram, wanted: &'static str) -> ServerProgram {
    let reloaded = tokio::task::spawn_blocking(move || {
        server.signal_reload();
        let found = server.diagnostics().find(|said| said.contains(wanted).then_some(()));
        assert!(found.is_some(), "no {wanted} in {}", server.diagnostics());
        server
    });
    reloaded.await.expect("no panic")
}

#[test]
fn a_server_whose_terminal_is_closed_stops() {
    let home = Home::new();
    let server = integration_tests::program::programs().server.clone();
    let said = home.path().join("said");
    let script = format!("exec \"$0\" --in-memory --listen 127.0.0.1:0 2>{}", said.display());
    let arguments = ["-c", &*script, server.to_str().expect("text")];
    let terminal = Terminal::run(
        Path::new("/bin/sh"),
        &arguments,
        &home,
        integration_tests::screen::Size::default(),
    );
    terminal.wait_for_line("Server is listening!");
    terminal.close_window();
    let said = fs::read_to_string(said).expect("a text");
    assert!(said.ends_with("stopped\n"), "{said}");
}

#[test]
fn it_listens_wherever_it_is_told_to() {
    let server =
        ServerProgram::start_with(&["--listen", "[::1]:0,127.0.0.1:0", "--listen", "localhost:0"]);
    let addresses = server.addresses();
    // One more is where the kit has it listen.
    let of_the_name = ("localhost", 0).to_socket_addrs().expect("every machine has it");
    let of_the_name: HashSet<SocketAddr> = of_the_name.collect();
    assert_eq!(addresses.len(), 3 + of_the_name.len(), "{addresses:?}");
    for at in addresses {
        let (host, port) = (at.ip().to_string(), at.port().to_string());
        for tls in ["--tls", "--plaintext"] {
            let mut jim = Piped::run(&[tls, &host, &port, "Jim"]);
            jim.say("exit");
            let left = jim.finish();
            assert_eq!(left.exit, Exit::Code(0), "{at}: {left:?}");
        }
    }
    let named = server.output().find(|said| said.contains("Connected with ('::1', ").then_some(()));
    assert!(named.is_some(), "{}", server.output());
}

#[test]
fn it_listens_at_every_address_of_a_name() {
    let hosts = tempfile::NamedTempFile::new().expect("a file");
    fs::write(hosts.path(), "127.0.0.1 both.example\n::1 both.example\n").expect("written");
    // Only for this program, and only where that is allowed.
    let script = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
    let hosts = hosts.path().to_str().expect("a plain path");
    let names = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, hosts];
    if !ServerProgram::start_under(&[&names[..], &["true"]].concat(), &[])
        .is_err_and(|said| said.is_empty())
    {
        return;
    }
    let server = ServerProgram::start_under(&names, &["--listen", "both.example:0"])
        .unwrap_or_else(|said| panic!("it did not start: {said}"));
    let mut at: Vec<_> = server.addresses().iter().map(|at| at.ip().to_string()).collect();
    at.sort();
    // One of them is where the kit has it listen.
    assert_eq!(at, ["127.0.0.1", "127.0.0.1", "::1"]);
}

#[test]
fn all_addresses_of_both_kinds_can_have_one_port() {
    let port = integration_tests::program::quiet_port();
    let (four, six) = (format!("0.0.0.0:{port}"), format!("[::]:{port}"));
    let server = ServerProgram::start_with(&["--listen", &four, "--listen", &six]);
    for host in ["127.0.0.1", "::1"] {
        let mut jim = Piped::run(&[host, &port.to_string(), "Jim"]);
        jim.say("exit");
        assert_eq!(jim.finish().exit, Exit::Code(0));
    }
    drop(server);
}

/// A server in this process that gives up on a handshake soon.
async fn hasty_host() -> TestServer {
    let tls = tls::ServerTls::open(TlsSource::Memory).expect("a key");
    TestServer::start_with(Config {
        tls: Some(tls),
        handshake_deadline: HASTE,
        ..Config::default()
    })
}

const HASTE: Duration = Duration::from_millis(500);

/// The beginning of a ClientHello, whose end never comes.
const HALF_A_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

#[tokio::test]
async fn half_a_handshake_is_hung_up_on_and_disturbs_nobody() {
    const HALVES: usize = 100;
    let host = hasty_host().await;
    let (jim, _events) = come(host.address, "jim", &KnownHosts::in_memory()).await;
    let began = time::Instant::now();
    let mut halves = Vec::new();
    for number in 0..HALVES {
        let mut half = TcpStream::connect(host.address).await.expect("it listens");
        half.write_all(&HALF_A_HELLO[..=number % HALF_A_HELLO.len().min(10)])
            .await
            .expect("it reads");
        halves.push(half);
        jim.ping().await.expect("an answer");
    }
    // One who sends a byte now and then gets no more time.
    for half in &mut halves {
        let mut heard = Vec::new();
        let ended =
            time::timeout(DEADLINE, half.read_to_end(&mut heard)).await.expect("it hangs up");
        // Whether what was not read of it resets the connection is the kernel's affair; it hears
        // nothing in plain.
        assert!(ended.is_err() || heard.is_empty(), "{heard:?}");
    }
    assert!(began.elapsed() >= HASTE);
    jim.ping().await.expect("an answer");
}

#[tokio::test]
async fn a_handshake_that_is_none_costs_its_own_connection() {
    let host = hasty_host().await;
    let mut garbled = TcpStream::connect(host.address).await.expect("it listens");
    garbled.write_all(b"\x16\x03\x01\x00\x05hello").await.expect("it reads");
    let mut heard = Vec::new();
    time::timeout(DEADLINE, garbled.read_to_end(&mut heard))
        .await
        .expect("it hangs up")
        .expect("politely");
    const ALERT: u8 = 0x15;
    assert!(heard.is_empty() || heard[0] == ALERT, "it hears nothing in plain: {heard:?}");
    let mut jim = TestClient::come(host.address, "jim").await;
    jim.do_(Request::Ping).await;
}

#[tokio::test]
async fn strangers_who_fail_at_tls_write_nothing_into_the_usual_diagnostics() {
    let server = ServerProgram::start();
    for _ in 0..10 {
        let mut garbled = TcpStream::connect(server.address()).await.expect("it listens");
        garbled.write_all(b"\x16\x03\x01\x00\x05hello").await.expect("it reads");
        let _ = garbled.read_to_end(&mut Vec::new()).await;
    }
    let said =
        tokio::task::spawn_blocking(move || server.stop()).await.expect("no panic").diagnostics;
    let is_usual =
        |line: &&str| line.contains("chatroom_server") || line.starts_with("To become an operator");
    assert_eq!(said.lines().find(|line| !is_usual(line)), None, "{said}");
    assert!(!said.contains("handshake") && !said.contains("alert"), "{said}");
}

#[tokio::test]
async fn what_is_said_through_tls_is_in_no_log_either() {
    let server = ServerProgram::start_with(&["--log", "trace"]);
    let (jim, _events) = come(server.address(), "jim", &KnownHosts::in_memory()).await;
    jim.public(group("General"), body("the-secret-of-the-soup")).await.expect("posted");
    jim.exit().await.expect("goodbye");
    let said = tokio::task::spawn_blocking(move || server.stop()).await.expect("no panic");
    assert!(said.diagnostics.contains("rustls"), "also what TLS does is in it");
    assert!(!said.diagnostics.contains("of-the-soup"), "{}", said.diagnostics);
}

#[tokio::test]
async fn handshakes_of_one_address_are_made_as_often_as_it_may_come_and_no_more() {
    let (far, elsewhere) = (Ipv4Addr::new(127, 0, 0, 5), Ipv4Addr::new(127, 0, 0, 6));
    let tls = tls::ServerTls::open(TlsSource::Memory).expect("a key");
    let host = TestServer::start_with(Config {
        tls: Some(tls),
        // Sixty in a minute.
        connections_per_address_max: 30,
        ..Config::default()
    });
    let mut made = 0;
    while made < 1_000 && shake_hands_from(far, host.address).await {
        made += 1;
    }
    assert!((60..120).contains(&made), "{made} were made");
    assert!(shake_hands_from(elsewhere, host.address).await);
    come(host.address, "jim", &KnownHosts::in_memory()).await.0.ping().await.expect("an answer");
}

#[tokio::test]
async fn a_full_server_says_so_by_tls_too() {
    let tls = tls::ServerTls::open(TlsSource::Memory).expect("a key");
    let host =
        TestServer::start_with(Config { tls: Some(tls), connections_max: 1, ..Config::default() });
    let _jim = TestClient::come(host.address, "jim").await;
    let options = Options {
        tls: TlsMode::Always,
        ..Options::new(host.address.ip().to_string(), host.address.port(), user("ann"))
    };
    let refused = time::timeout(DEADLINE, Client::connect(options)).await.expect("in time").err();
    assert!(
        matches!(
            &refused,
            Some(chatroom_client::ConnectError::Closed(chatroom_proto::CloseReason::ServerFull))
        ),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_operator_sees_who_speaks_tls() {
    let server = ServerProgram::start();
    let (_jim, _events) = come(server.address(), "jim", &KnownHosts::in_memory()).await;
    let _ann = TestClient::come(server.address(), "ann").await;
    let listed = tokio::task::spawn_blocking(move || {
        server.signal_clients();
        let found = server.diagnostics().find(|said| {
            let line =
                |name: &str| said.lines().find(|line| line.contains(name) && line.ends_with(['e']));
            Some((
                line("name=jim")?.ends_with("tls=true"),
                line("name=ann")?.ends_with("tls=false"),
            ))
        });
        assert_eq!(found, Some((true, true)), "{}", server.diagnostics());
    });
    listed.await.expect("no panic");
}

#[tokio::test]
async fn one_who_is_hung_up_on_is_told_by_tls_too_that_it_is_the_end() {
    let host = hasty_host().await;
    let mut eve = integration_tests::tls::connect(host.address).await;
    eve.write_all(&[0, 0, 0, 1, 0xee]).await.expect("it reads");
    let mut heard = Vec::new();
    // An end that TLS does not tell of could be made by anybody, and is an error here.
    let ended = time::timeout(DEADLINE, eve.read_to_end(&mut heard)).await.expect("it hangs up");
    assert!(ended.is_ok() && !heard.is_empty(), "{ended:?} after {heard:?}");
}
