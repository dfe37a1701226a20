//! The client without a terminal, as scripts run it: one event a line, nothing else, and an exit
//! code.

use std::io::Read;
use std::path::Path;

use chatroom_proto::Notification;
use integration_tests::piped::Piped;
use integration_tests::process::Exit;
use integration_tests::program::{BUSY, Finished, Home, ServerProgram, programs, quiet_port};
use integration_tests::screen::Size;
use integration_tests::terminal::{Modes, Terminal};
use integration_tests::test_client::{DEADLINE, TestClient, public};
use rustix::process::Signal;

use crate::terminal_endings::has_said_goodbye;

const WELCOME: &str = "Connected to the server!\nYou joined the room 'General'\n";

/// Runs the client with this as its whole input.
fn run(server: &ServerProgram, name: &str, input: &str) -> Finished {
    let mut pipe = Piped::connect(server.port(), name);
    pipe.say_all(input);
    let finished = pipe.finish();
    for said in [&finished.output, &finished.diagnostics] {
        assert!(!said.contains('\x1b') && !said.contains("Choose username"), "{said}");
    }
    finished
}

#[track_caller]
fn assert_said(finished: &Finished, code: i32, output: &str) {
    assert_eq!(finished.output, format!("{WELCOME}{output}"), "{}", finished.diagnostics);
    assert_eq!(finished.exit, Exit::Code(code), "{}", finished.diagnostics);
}

#[test]
fn a_script_gets_the_wording_of_the_assignment() {
    let server = ServerProgram::start();
    let finished =
        run(&server, "Ann", "create G1\njoin G1\npublic G1 hello\ngroups\nusers\nexit\n");
    let output = "New group chat with name 'G1' has created successfully!\n\
                  You have joined in group chat 'G1' successfully!\n\
                  available groups:\nGeneral\nG1\n\
                  online users:\nAnn\n";
    assert_said(&finished, 0, output);
    assert_eq!(finished.diagnostics, "");
}

#[test]
fn a_refused_command_ends_with_code_1_and_says_why() {
    let server = ServerProgram::start();
    let finished = run(&server, "Ann", "join nope\n");
    let why = "There is no group chat with name 'nope'. \
               Type 'groups' to see what there is, or 'create nope' to make it.\n";
    assert_said(&finished, 1, why);
    let finished = run(&server, "Ann", "join Generl\ngroups\nexit\n");
    let output = "There is no group chat with name 'Generl'. Did you mean 'General'?\navailable \
        groups:\nGeneral\n";
    assert_said(&finished, 1, output);
}

#[tokio::test]
async fn an_unknown_command_is_sent_nowhere_and_ends_with_code_1() {
    let server = ServerProgram::start();
    let mut robot = TestClient::come(server.address(), "Robot").await;
    let finished = run(&server, "Ann", "jion General\nhello everybody\nusers\n");
    assert_said(&finished, 1, "online users:\nRobot\nAnn\n");
    assert_eq!(
        finished.diagnostics,
        "There is no command 'jion'. Did you mean 'join'?\n\
         There is no command 'hello'. Type 'help' to see the commands. To say something: \
         public [group-name] [message]\n"
    );
    // All that ever reached the others is that she came and went.
    assert!(matches!(robot.hear().await, Notification::Arrived { .. }));
    assert!(matches!(robot.hear().await, Notification::Departed { .. }));
}

#[tokio::test]
async fn at_the_end_of_the_input_the_client_leaves_properly() {
    let server = ServerProgram::start();
    let mut robot = TestClient::come(server.address(), "Robot").await;
    assert_said(&run(&server, "Ann", "public General bye"), 0, "");
    assert!(matches!(robot.hear().await, Notification::Arrived { .. }));
    assert!(matches!(robot.hear().await, Notification::GroupPost { .. }));
    has_said_goodbye("Ann", &mut robot).await;
}

#[tokio::test]
async fn what_arrives_is_one_line_each_and_comes_at_once() {
    let server = ServerProgram::start();
    let mut robot = TestClient::come(server.address(), "Robot").await;
    let mut ann = Piped::connect(server.port(), "Ann");
    ann.hear("Connected to the server!");
    ann.hear("You joined the room 'General'");
    for (number, text) in
        (0..).zip(["one", "two\nlines", "turned \u{202e}around", "\u{6af}\u{200c}\u{645}"])
    {
        robot.do_(public("General", number, text)).await;
    }
    ann.hear("In group General, Robot: one");
    ann.hear(r"In group General, Robot: two\nlines");
    ann.hear("In group General, Robot: turned \u{fffd}around");
    ann.hear("In group General, Robot: \u{6af}\u{200c}\u{645}");
    assert_eq!(ann.finish().exit, Exit::Code(0));
}

#[test]
fn the_name_is_an_argument_or_the_first_line() {
    let server = ServerProgram::start();
    let mut pipe = Piped::run(&["127.0.0.1", &server.port().to_string()]);
    pipe.say_all("Ann\nusers\n");
    assert_said(&pipe.finish(), 0, "online users:\nAnn\n");
    let nobody = Piped::run(&["127.0.0.1", &server.port().to_string()]).finish();
    assert_eq!((nobody.exit, nobody.output.as_str()), (Exit::Code(2), ""));
    assert!(nobody.diagnostics.contains("A name is needed"), "{}", nobody.diagnostics);
}

#[tokio::test]
async fn a_name_that_is_taken_or_none_at_all_ends_with_code_4() {
    let server = ServerProgram::start();
    let _ann = TestClient::come(server.address(), "Ann").await;
    for (name, why) in
        [("ann", "The name 'Ann' is taken"), ("two words", "'two words' can't be your name")]
    {
        let finished = run(&server, name, "users\n");
        assert_eq!((finished.exit, finished.output.as_str()), (Exit::Code(4), ""));
        assert!(finished.diagnostics.starts_with(why), "{}", finished.diagnostics);
    }
}

#[test]
fn without_a_server_it_ends_with_code_3() {
    let finished = Piped::connect(quiet_port(), "Ann").finish();
    assert_eq!((finished.exit, finished.output.as_str()), (Exit::Code(3), ""));
    assert!(
        finished.diagnostics.starts_with("Cannot connect to 127.0.0.1:"),
        "{}",
        finished.diagnostics
    );
}

#[test]
fn commands_from_a_pipe_look_the_same_at_a_terminal() {
    let server = ServerProgram::start();
    let script = format!(r#"printf 'users\nexit\n' | "$0" 127.0.0.1 {} Ann"#, server.port());
    let terminal = in_a_shell(&script);
    let left = terminal.wait_exit();
    assert_eq!(left.screen.lines.join("\n"), format!("{WELCOME}online users:\nAnn\n[left with 0]"));
    assert!(!terminal.raw().contains(&0x1b), "{}", terminal.raw().escape_ascii());
}

#[test]
fn lines_that_are_typed_into_a_pipe_s_program_are_plain_lines() {
    let server = ServerProgram::start();
    let mut terminal = in_a_shell(&format!(r#""$0" 127.0.0.1 {} | cat"#, server.port()));
    terminal.wait_for("the question", |screen| screen.before_cursor == "Choose username: ");
    assert_eq!(terminal.modes(), Modes::USABLE, "nothing edits the line but the kernel");
    terminal.type_line("Ann");
    terminal.wait_for_line("You joined the room 'General'");
    terminal.type_line("users");
    terminal.wait_for_line("Ann");
    terminal.type_line("exit");
    let left = terminal.wait_exit();
    let expected =
        format!("Choose username: Ann\n{WELCOME}users\nonline users:\nAnn\nexit\n[left with 0]");
    assert_eq!(left.screen.lines.join("\n"), expected);
    assert!(!terminal.raw().contains(&0x1b), "{}", terminal.raw().escape_ascii());
}

/// Runs a script at a terminal; the client is its `$0`.
fn in_a_shell(script: &str) -> Terminal {
    let client = programs().client.to_str().expect("a path of ordinary characters");
    Terminal::run(Path::new("/bin/sh"), &["-c", script, client], &Home::new(), Size::default())
}

#[tokio::test]
async fn what_does_not_speak_the_protocol_ends_with_code_5() {
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = stranger.local_addr().expect("it has an address").port();
    let answering = std::thread::spawn(move || {
        let (mut caller, _) = stranger.accept().expect("somebody calls");
        std::io::Write::write_all(&mut caller, b"SSH-2.0-OpenSSH_9.9\r\n").expect("they listen");
        // They hang up.
        std::io::copy(&mut caller, &mut std::io::sink())
    });
    let finished = Piped::connect(port, "Ann").finish();
    assert_eq!(
        (finished.exit, finished.output.as_str()),
        (Exit::Code(5), ""),
        "{}",
        finished.diagnostics
    );
    let _ = answering.join().expect("the stranger is fine");
}

#[test]
fn wrong_usage_ends_with_code_2() {
    for arguments in
        [&["--no-such-option"][..], &["127.0.0.1", "no-port", "Ann"], &["a", "1", "b", "c"]]
    {
        let finished = Piped::run(arguments).finish();
        assert_eq!((finished.exit, finished.output.as_str()), (Exit::Code(2), ""));
        assert!(finished.diagnostics.starts_with("error: "), "{}", finished.diagnostics);
    }
}

#[tokio::test]
async fn an_output_that_nobody_reads_any_more_ends_it_quietly() {
    let server = ServerProgram::start();
    let mut robot = TestClient::come(server.address(), "Robot").await;
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    drop(reader);
    let ann = Piped::run_into(writer, &["127.0.0.1", &server.port().to_string(), "Ann"]);
    let finished = ann.wait();
    assert_eq!((finished.exit, finished.diagnostics.as_str()), (Exit::Code(0), ""));
    has_said_goodbye("Ann", &mut robot).await;
}

#[tokio::test]
async fn an_output_that_can_not_be_written_ends_it_with_code_1_and_says_why() {
    let server = ServerProgram::start();
    let mut robot = TestClient::come(server.address(), "Robot").await;
    let full = std::fs::File::options().write(true).open("/dev/full").expect("every Linux has it");
    let mut ann = Piped::run_into(full, &["127.0.0.1", &server.port().to_string(), "Ann"]);
    ann.say("users");
    let finished = ann.finish();
    assert_eq!(finished.exit, Exit::Code(1), "{}", finished.diagnostics);
    assert!(finished.diagnostics.contains("can't be written"), "{}", finished.diagnostics);
    has_said_goodbye("Ann", &mut robot).await;
}

#[tokio::test]
async fn sigterm_says_goodbye() {
    let server = ServerProgram::start();
    let mut robot = TestClient::come(server.address(), "Robot").await;
    let mut ann = Piped::connect(server.port(), "Ann");
    ann.hear("Connected to the server!");
    ann.signal(Signal::TERM);
    let finished = ann.wait();
    assert_eq!((finished.exit, finished.diagnostics.as_str()), (Exit::Code(128 + 15), ""));
    has_said_goodbye("Ann", &mut robot).await;
}

#[test]
fn a_server_that_goes_down_and_comes_back_keeps_the_order_of_what_is_sent() {
    let server = ServerProgram::start_where_it_can_come_back();
    let port = server.port();
    let mut ann = Piped::connect(port, "Ann");
    ann.hear("Connected to the server!");
    ann.hear("You joined the room 'General'");
    let stopped = server.stop();
    assert_eq!(stopped.exit, Exit::Code(0));
    ann.say("create G1");
    ann.say("join G1");
    ann.say("groups");
    let _server = ServerProgram::start_on(port);
    ann.hear("New group chat with name 'G1' has created successfully!");
    ann.hear("You have joined in group chat 'G1' successfully!");
    for line in ["available groups:", "General", "G1"] {
        ann.hear(line);
    }
    let finished = ann.finish();
    assert_eq!(finished.exit, Exit::Code(0));
    assert!(
        finished.diagnostics.starts_with("Connection lost; reconnecting..."),
        "{}",
        finished.diagnostics
    );
}

#[tokio::test]
async fn what_was_not_read_before_a_client_was_killed_is_said_again_by_its_next_run() {
    const POSTS: u64 = 2_000;
    let data = tempfile::tempdir().expect("a temporary directory can be made");
    let path = data.path().to_str().expect("text");
    let server = ServerProgram::start_with(&[&BUSY[..], &["--data", path]].concat());
    let mut ann = TestClient::come(server.address(), "Ann").await;
    let home = Home::new();
    let arguments = ["127.0.0.1", &server.port().to_string(), "Jim"];
    let (mut reading, writing) = std::io::pipe().expect("a pipe");
    let stuck = Piped::run_into_at(&home, writing, &arguments);
    ann.hear().await;
    for number in 1..=POSTS {
        ann.do_(public("General", number, &format!("number {number} {}", "x".repeat(200)))).await;
    }
    // Nobody reads, so the client has more in its hands than it could say.
    let is_full = async {
        while rustix::io::ioctl_fionread(&reading).expect("a pipe") < 60_000 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, is_full).await.expect("it says what it hears");
    stuck.signal(Signal::KILL);
    drop(stuck);
    let mut said = String::new();
    reading.read_to_string(&mut said).expect("text");
    let number = |line: &str| line.split_once("number ")?.1.split(' ').next()?.parse::<u64>().ok();
    let before: Vec<u64> = said.lines().filter_map(number).collect();

    let mut again = Piped::run_at(&home, &arguments);
    let mut after: Vec<u64> = Vec::new();
    while after.last() != Some(&POSTS) {
        after.extend(number(&again.next_line().expect("more to say")));
    }
    assert!(after.is_sorted_by(|a, b| a < b), "in order, and once");
    let (last_before, first_after) = (before.last().copied().unwrap_or_default(), after[0]);
    assert!(
        before.len() < POSTS as usize && first_after <= last_before + 1,
        "{last_before}, {first_after}"
    );
}

#[tokio::test]
async fn one_who_leaves_at_once_is_shown_what_they_missed_before() {
    let data = tempfile::TempDir::with_prefix("chatroom-data-").expect("a temporary directory");
    let server =
        ServerProgram::start_with(&["--data", data.path().to_str().expect("a path that is text")]);
    let (home, port) = (Home::new(), server.port().to_string());
    let arguments = ["127.0.0.1", &port, "Jim"];
    let run = || {
        let mut jim = Piped::run_at(&home, &arguments);
        jim.say_all("exit\n");
        let finished = jim.wait();
        assert_eq!(finished.exit, Exit::Code(0), "{}", finished.diagnostics);
        finished.output
    };
    assert_eq!(run(), WELCOME);
    let mut ann = TestClient::come(server.address(), "Ann").await;
    for number in 0..60 {
        ann.do_(public("General", number, &format!("number {number}"))).await;
    }
    let output = run();
    let missed: Vec<_> =
        output.lines().filter_map(|line| line.split_once("] In group General, Ann: ")).collect();
    assert_eq!(missed.len(), 60, "{output}");
    assert!(!run().contains("number"), "they were shown");
}
