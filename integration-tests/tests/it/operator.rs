//! The server as its operator sees it: the real program, its output, its signals.

use std::fs;
use std::net::TcpListener;

use chatroom_proto::{CloseReason, Notification, Request};
use integration_tests::piped::Piped;
use integration_tests::process::Exit;
use integration_tests::program::{BUSY, ServerProgram};
use integration_tests::test_client::{TestClient, group, public};

#[tokio::test]
async fn told_to_stop_it_says_goodbye_to_everyone_and_exits_with_0() {
    let server = ServerProgram::start();
    let mut jim = TestClient::come(server.address(), "jim").await;
    let goodbye = tokio::spawn(async move { jim.hear_why_closed().await });
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await.expect("stops");
    assert_eq!(stopped.exit, Exit::Code(0), "{}", stopped.diagnostics);
    assert_eq!(goodbye.await.expect("heard"), Some(CloseReason::Shutdown));
}

#[tokio::test]
async fn its_log_names_who_comes_and_never_what_they_say() {
    let server = ServerProgram::start_with(&["--log", "trace"]);
    let mut jim = TestClient::come(server.address(), "jim").await;
    let mut ann = TestClient::come(server.address(), "ann").await;
    jim.do_(public("General", 1, "the-secret-of-the-soup")).await;
    assert!(matches!(ann.hear().await, Notification::GroupPost { .. }));
    jim.do_(integration_tests::test_client::private("ann", 2, "the-secret-of-the-bread")).await;
    drop((jim, ann));
    let said = tokio::task::spawn_blocking(move || server.stop()).await.expect("stops");
    assert!(said.diagnostics.contains("jim"), "{}", said.diagnostics);
    assert!(!said.diagnostics.contains("secret"), "{}", said.diagnostics);
    assert!(!said.output.contains("secret"), "{}", said.output);
}

#[test]
fn a_port_that_is_taken_is_a_clear_error() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = taken.local_addr().expect("an address").port();
    let said = ServerProgram::fail_on(port);
    assert_eq!(said.exit, Exit::Code(1));
    assert!(
        said.diagnostics.contains(&format!("can't listen on 127.0.0.1:{port}")),
        "{}",
        said.diagnostics
    );
    assert_eq!(said.output, "");
}

#[tokio::test]
async fn on_sigusr1_it_lists_each_clients_address_name_and_groups() {
    let server = ServerProgram::start();
    let mut jim = TestClient::come(server.address(), "jim").await;
    jim.do_(Request::Create { group: group("tea") }).await;
    jim.do_(Request::Join { group: group("tea") }).await;
    let address = jim.address();
    server.signal_clients();
    let wanted = format!("address={address} name=jim groups=[\"General\", \"tea\"]");
    let found = tokio::task::spawn_blocking(move || {
        let found = server.diagnostics().find(|said| said.contains(&wanted).then_some(()));
        assert!(found.is_some(), "no {wanted} in {}", server.diagnostics());
    });
    found.await.expect("listed");
}

#[tokio::test]
async fn an_output_that_nobody_reads_stops_nobody() {
    // A pipe holds 64 KiB, which is some 1,600 lines of who connects; these are 2,000.
    let server = ServerProgram::start_unheard();
    for number in 0..2_000 {
        let mut guest = TestClient::come(server.address(), &format!("guest{number}")).await;
        guest.do_(Request::Exit).await;
    }
    TestClient::come(server.address(), "jim").await.do_(Request::Ping).await;
}

#[tokio::test]
async fn its_memory_is_bounded_whoever_does_not_read() {
    const MIB: u64 = 1024 * 1024;
    let server = ServerProgram::start_with(&BUSY);
    let mut slow = Vec::new();
    for number in 0..10 {
        slow.push(
            TestClient::come_with_small_ears(server.address(), &format!("slow{number}")).await,
        );
    }
    let mut speaker = TestClient::come(server.address(), "speaker").await;
    let text = "x".repeat(8_000);
    // 5,000 messages of 8,000 bytes are 40 MB for each of the ten, and 40 MB for a log that would
    // keep all.
    for number in 0..5_000 {
        speaker.do_(public("General", number, &text)).await;
    }
    let status =
        fs::read_to_string(format!("/proc/{}/status", server.id())).expect("the server runs");
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak of memory");
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number of KiB");
    // The log keeps 32 MiB, an outbox 1 MiB, twice while it is written; the rest is the program
    // itself.
    assert!(kib * 1024 < 100 * MIB, "the server took {} MiB", kib / 1024);
    for guest in &mut slow {
        // Who does not even read why within 30 s isn't told.
        let why = guest.hear_why_closed().await;
        assert!(why.is_none_or(|why| why == CloseReason::TooSlow), "{why:?}");
    }
}

#[test]
fn a_client_that_comes_is_named_on_standard_output() {
    let server = ServerProgram::start();
    Piped::connect(server.port(), "jim").finish();
    let line = server.output().line(1).expect("a second line");
    assert!(line.starts_with("Connected with ('127.0.0.1', ") && line.ends_with(')'), "{line}");
}
