//! Is it sent? Nothing is said about a message that is accepted at once.

use std::net::Ipv4Addr;

use integration_tests::piped::Piped;
use integration_tests::process::Exit;
use integration_tests::program::{ServerProgram, quiet_port};
use integration_tests::proxy::{Fate, Proxy};
use integration_tests::terminal::Terminal;
use integration_tests::test_client::TestClient;

/// Where nobody listens.
fn nowhere() -> std::net::SocketAddr {
    (Ipv4Addr::LOCALHOST, quiet_port()).into()
}

// With a thread for the proxy: this one waits for the screen.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_message_that_waits_is_marked_once_and_unmarked_when_it_is_accepted() {
    let server = ServerProgram::start();
    let proxy = Proxy::to(server.address(), usize::MAX).await;
    let mut ann = TestClient::come(server.address(), "Ann").await;
    let mut jim = Terminal::sit_down_at(proxy.address.port(), "Jim");
    jim.type_line("public General at once");
    assert_eq!(ann.hear_body().await, "at once");
    proxy.go_to(nowhere());
    proxy.cut_now();
    jim.wait_for("the loss", |screen| !screen.lines_beginning("Connection lost").is_empty());
    jim.type_line("public General this one waits for the server to be back");
    let (waits, sent) = (
        "  (not yet sent: \"this one waits for the server…\")",
        "  (sent: \"this one waits for the server…\")",
    );
    let screen = jim.wait_for_line(waits);
    assert!(!screen.has(sent), "{screen}");
    // The way back is cut once more, before anything is said on it.
    let mut fates = vec![Fate::IsCut { after: 64 }];
    proxy.decide(move || fates.pop().unwrap_or(Fate::Lives));
    proxy.go_to(server.address());
    let screen = jim.wait_for_line(sent);
    assert!(proxy.cuts() > 1, "the line was cut meanwhile");
    assert_eq!(ann.hear_body().await, "this one waits for the server to be back");
    assert_eq!([waits, sent].map(|line| screen.lines_beginning(line).len()), [1, 1], "{screen}");
    assert_eq!(screen.lines_beginning("  (").len(), 2, "the first was accepted at once: {screen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_pipe_is_told_what_it_always_was() {
    let server = ServerProgram::start();
    let proxy = Proxy::to(server.address(), usize::MAX).await;
    let mut ann = TestClient::come(server.address(), "Ann").await;
    let mut bob = Terminal::sit_down_at(proxy.address.port(), "Bob");
    let mut jim = Piped::connect(proxy.address.port(), "Jim");
    bob.wait_for_line("Jim joined the room 'General'");
    proxy.go_to(nowhere());
    proxy.cut_now();
    jim.wait_for_diagnostics("Connection lost");
    bob.wait_for("the loss", |screen| !screen.lines_beginning("Connection lost").is_empty());
    jim.say("public General from a pipe");
    bob.type_line("public General from a person");
    // A second has passed.
    bob.wait_for_line("  (not yet sent: \"from a person\")");
    proxy.go_to(server.address());
    let mut heard = [ann.hear_body().await, ann.hear_body().await];
    heard.sort_unstable();
    assert_eq!(heard, ["from a person", "from a pipe"]);
    let said = jim.finish();
    assert_eq!(said.exit, Exit::Code(0));
    assert!(!said.diagnostics.contains("sent"), "{}", said.diagnostics);
}
