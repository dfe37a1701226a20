//! Outputs that can't be written: they end nothing that goes on without them, and panic nowhere.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use chatroom_proto::Request;
use integration_tests::piped::Piped;
use integration_tests::process::{Exit, Output, Process, spawn};
use integration_tests::program::{Finished, Home, ServerProgram, programs, quiet_port};
use integration_tests::test_client::{TestClient, public};
use rustix::process::Signal;
use tokio::net::TcpStream;

/// A full disk on standard output, and something that can be read on standard error.
const OUTPUT_FULL: &str = "> /dev/full";

/// A file on standard output that is longer than any may get. Others are shorter.
const OUTPUT_LIMITED: &str = "> \"$HOME/said\"; head -c 200K /dev/zero; ulimit -f 100";

/// Neither can be written.
const BOTH_FULL: &str = "> /dev/full 2>&1";

/// The same, because no file may get any longer.
const BOTH_LIMITED: &str = "> \"$HOME/said\" 2>&1; head -c 200K /dev/zero; ulimit -f 100";

/// There is neither.
const BOTH_CLOSED: &str = ">&- 2>&-";

/// Whoever read both is gone. (The shell has opened the pipe for reading, too, and closes that.)
const BOTH_UNHEARD: &str = "> >(exec true) 2>&1; wait $!";

/// A program in this home, with its outputs where the shell leads them.
fn start(home: &Home, file: &str, arguments: &[&str], outputs: &str) -> (Process, [Output; 2]) {
    // What stands behind the redirection is done before the program.
    let (outputs, first) = outputs.split_once("; ").unwrap_or((outputs, "true"));
    let script = format!("exec {outputs}; {first}; exec \"$0\" \"$@\"");
    let mut command = Command::new("bash");
    command.args(["-c", &script, file]).args(arguments);
    command.env_clear().envs(home.environment()).stdin(Stdio::piped());
    let spawned = spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let mut child = spawned.expect("bash can be run");
    let output = Output::gather(child.stdout.take().expect("a pipe"));
    let diagnostics = Output::gather(child.stderr.take().expect("a pipe"));
    (Process::watch(child), [output, diagnostics])
}

fn run(home: &Home, file: &str, arguments: &[&str], outputs: &str) -> Finished {
    let (process, [output, diagnostics]) = start(home, file, arguments, outputs);
    let exit = process.wait().unwrap_or_else(|| panic!("{file} {arguments:?} does not end"));
    Finished { exit, output: output.to_the_end(), diagnostics: diagnostics.to_the_end() }
}

fn server() -> &'static str {
    programs().server.to_str().expect("a path of ordinary characters")
}

fn client() -> &'static str {
    programs().client.to_str().expect("a path of ordinary characters")
}

/// A home with a server that has kept something.
fn home_with_a_log() -> Home {
    let home = Home::new();
    let server = ServerProgram::start_at_home(&home);
    let mut jim = Piped::connect(server.port(), "Jim");
    jim.say("public General hi");
    assert_eq!(jim.finish().exit, Exit::Code(0));
    server.kill();
    home
}

#[test]
fn a_tool_that_could_not_say_what_it_found_has_failed_and_says_so() {
    let home = home_with_a_log();
    let tools: [&[&str]; 5] =
        [&["verify"], &["fingerprint"], &["export", "General"], &["--help"], &["--version"]];
    let outputs = [
        (OUTPUT_FULL, BOTH_FULL, "No space left"),
        (OUTPUT_LIMITED, BOTH_LIMITED, "File too large"),
    ];
    for (output, both, why) in outputs {
        for tool in tools {
            let said = run(&home, server(), tool, output);
            assert_eq!(said.exit, Exit::Code(1), "{tool:?}: {said:?}");
            assert!(said.diagnostics.contains("can't write "), "{tool:?}: {said:?}");
            assert!(said.diagnostics.contains(why), "{tool:?}: {said:?}");
            let said = run(&home, server(), tool, both);
            assert_eq!(said.exit, Exit::Code(1), "{tool:?}, and nothing to say it on");
        }
        for tool in ["--help", "--version"] {
            let said = run(&home, client(), &[tool], output);
            assert_eq!(said.exit, Exit::Code(1), "{tool}: {said:?}");
            assert!(said.diagnostics.contains("can't write "), "{tool}: {said:?}");
            assert!(said.diagnostics.contains(why), "{tool}: {said:?}");
        }
    }
}

#[test]
fn who_reads_no_further_had_enough_of_many_lines_and_nothing_of_one() {
    let home = home_with_a_log();
    for (tool, code) in
        [(&["verify"][..], 1), (&["fingerprint"], 1), (&["export", "General"], 0), (&["--help"], 0)]
    {
        let said = ServerProgram::run_unheard(&home, tool);
        assert_eq!(said.exit, Exit::Code(code), "{tool:?}: {said:?}");
        let is_said = said.diagnostics.contains("can't write what was found");
        assert_eq!(is_said, code == 1, "{tool:?}: {said:?}");
    }
}

#[test]
fn what_is_wrong_ends_with_its_own_code_where_it_can_not_be_said() {
    let home = Home::new();
    for outputs in [BOTH_FULL, BOTH_LIMITED, BOTH_CLOSED, BOTH_UNHEARD] {
        for (file, arguments, code) in [
            (server(), &["--nonsense"][..], 2),
            (server(), &["--log", "a=b=c"], 2),
            (server(), &["verify"], 1),
            (server(), &["--in-memory", "--listen", "nowhere"], 1),
            (client(), &["--nonsense"], 2),
            (client(), &["--log", "a=b=c"], 2),
            // Nobody listens there.
            (client(), &["127.0.0.1", "1", "Jim"], 3),
        ] {
            let said = run(&home, file, arguments, outputs);
            assert_eq!(said.exit, Exit::Code(code), "{arguments:?} {outputs}: {said:?}");
        }
    }
}

/// Starts a server that can say nothing, and waits until it listens.
async fn mute_server(home: &Home, outputs: &str) -> (Process, SocketAddr) {
    let at = SocketAddr::from(([127, 0, 0, 1], quiet_port()));
    let listen = at.to_string();
    let data = home.path().join("data");
    let data = data.to_str().expect("a path of ordinary characters");
    let arguments = ["--listen", &listen, "--data", data, "--log", "trace"];
    let (server, _) = start(home, server(), &arguments, outputs);
    while TcpStream::connect(at).await.is_err() {
        assert_eq!(server.has_ended(), None, "{outputs}");
        tokio::task::yield_now().await;
    }
    (server, at)
}

#[tokio::test]
async fn a_server_serves_whatever_becomes_of_its_outputs() {
    for outputs in [BOTH_FULL, BOTH_CLOSED, BOTH_UNHEARD] {
        let home = Home::new();
        let (server, at) = mute_server(&home, outputs).await;
        let mut jim = TestClient::come(at, "jim").await;
        jim.do_(public("General", 1, "can you hear me?")).await;
        server.signal(Signal::HUP);
        server.signal(Signal::USR1);
        jim.do_(Request::Ping).await;
        drop(jim);
        server.signal(Signal::TERM);
        let ended = tokio::task::spawn_blocking(move || server.wait()).await.expect("waited");
        assert_eq!(ended, Some(Exit::Code(0)), "{outputs}");
    }
}

#[test]
fn a_client_does_what_it_is_told_whether_or_not_it_can_log() {
    let server = ServerProgram::start();
    let port = server.port().to_string();
    let logs: [(&[&str], &str); 3] = [
        (&["--log", "trace"], "2> /dev/full"),
        (&["--log", "trace", "--log-file", "/dev/full"], "2> /dev/full"),
        (&["--log", "trace", "--log-file", "log"], "2> /dev/full; cd; ulimit -f 0"),
    ];
    for (log, outputs) in logs {
        let home = Home::new();
        let file = format!("printf 'public General hi\\nusers\\n' | exec \"{}\" \"$@\"", client());
        let arguments = [&["-c", &file, "bash", "127.0.0.1", &port, "Jim"][..], log].concat();
        let said = run(&home, "bash", &arguments, outputs);
        assert_eq!(said.exit, Exit::Code(0), "{log:?}: {said:?}");
        assert!(said.output.ends_with("online users:\nJim\n"), "{log:?}: {said:?}");
    }
}
