//! Certificates that have run out, or soon will.

use chatroom_proto::UnixMillis;
use chatroom_server::clock::Clock;
use integration_tests::program::ServerProgram;
use integration_tests::tls::Identity;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

fn wait_for(server: &ServerProgram, wanted: &str, times: usize) {
    let found =
        server.diagnostics().find(|said| (said.matches(wanted).count() == times).then_some(()));
    assert!(found.is_some(), "{wanted} is not there {times} times: {}", server.diagnostics());
}

#[test]
fn a_certificate_that_runs_out_is_told_at_the_start_and_when_it_is_read_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let now = Clock::default().now().0;
    let make = |until| Identity::until(directory.path(), "chatroom", UnixMillis(until));
    let arguments = make(now + 3 * DAY_MS + DAY_MS / 2).arguments();
    let server = ServerProgram::start_with(&arguments.each_ref().map(String::as_str));
    let said = server.diagnostics();
    wait_for(&server, "WARN chatroom_server::cli::certificate: the TLS certificate runs out at", 1);
    wait_for(&server, "Z, in 3 days: renew it\n", 1);

    make(now - DAY_MS);
    server.signal_reload();
    wait_for(&server, "the TLS certificate ran out at 20", 1);

    make(now + 30 * DAY_MS);
    server.signal_reload();
    wait_for(&server, "read the certificate again", 2);
    // A signal later, so that whatever was to be said of the new one has been said.
    server.signal_reload();
    wait_for(&server, "read the certificate again", 3);
    assert_eq!(said.to_string().matches("the TLS certificate r").count(), 2, "{said}");
    drop(server);
}

#[test]
fn the_server_s_own_certificate_does_not_run_out() {
    let server = ServerProgram::start();
    server.signal_reload();
    wait_for(&server, "read the certificate again", 1);
    let said = server.stop().diagnostics;
    assert!(!said.contains("the TLS certificate"), "{said}");
}
