//! However the client ends, the terminal is usable afterwards, and the exit code tells what
//! happened.

use std::path::Path;
use std::time::Duration;

use chatroom_proto::codec::{FRAME_BYTES_MAX, FrameReader, FrameWriter};
use chatroom_proto::{
    ClientFrame, Membership, Notification, Page, Request, Response, Seq, ServerFrame, Token,
    Welcome,
};
use integration_tests::program::{Home, ServerProgram, programs, quiet_port};
use integration_tests::screen::{Screen, Size};
use integration_tests::terminal::{Key, Left, Modes, Terminal};
use integration_tests::test_client::{TestClient, group, user};
use rustix::process::Signal;
use tokio::net::TcpListener;
use tokio::time::Instant;

/// Far less than any deadline of the client's, for a busy machine.
const AT_ONCE: Duration = Duration::from_secs(4);

/// The client is gone with this code, and the terminal is as a shell wants it.
#[track_caller]
fn left_usable(terminal: &Terminal, code: i32) -> Left {
    let left = terminal.wait_exit();
    assert_eq!((left.code, left.modes), (code, Modes::USABLE), "{}", left.screen);
    assert!(!left.screen.bracketed_paste, "pastes are no longer marked");
    assert_eq!(left.screen.before_cursor, "", "the shell's prompt begins a line");
    left
}

/// One whose program has ended said goodbye: they are not there any more. A session that was only
/// cut off would be held for a while.
pub(crate) async fn has_said_goodbye(who: &str, witness: &mut TestClient) {
    let Response::Users { users, .. } = witness.do_(Request::Users { after: Seq::ZERO }).await
    else {
        panic!("a list of users is asked for")
    };
    assert!(!users.as_slice().contains(&user(who)), "{who} is still there: {users:?}");
    let who = user(who);
    loop {
        match witness.hear().await {
            Notification::Departed { user, .. } if user == who => return,
            _ => {}
        }
    }
}

async fn jim_and_ann() -> (ServerProgram, Terminal, TestClient) {
    let server = ServerProgram::start();
    let ann = TestClient::come(server.address(), "Ann").await;
    let jim = Terminal::sit_down(&server, "Jim");
    (server, jim, ann)
}

#[tokio::test]
async fn exit_leaves_a_usable_terminal() {
    let (_server, mut jim, mut ann) = jim_and_ann().await;
    assert_ne!(jim.modes(), Modes::USABLE, "while a line is edited, the terminal is not a shell's");
    jim.type_line("exit");
    let left = left_usable(&jim, 0);
    assert_eq!(left.screen.lines[3..], ["exit", "[left with 0]"]);
    has_said_goodbye("Jim", &mut ann).await;
}

#[tokio::test]
async fn control_d_on_an_empty_line_is_exit() {
    let (_server, mut jim, mut ann) = jim_and_ann().await;
    jim.type_text("text");
    jim.press(Key::Home);
    jim.press(Key::Control('d'));
    jim.wait_for("one letter less", |screen| screen.after_cursor == "ext");
    jim.press(Key::Control('c'));
    jim.wait_for("an empty line", |screen| screen.after_cursor.is_empty());
    jim.press(Key::Control('d'));
    left_usable(&jim, 0);
    has_said_goodbye("Jim", &mut ann).await;
}

#[tokio::test]
async fn control_c_clears_the_line_and_on_an_empty_one_says_how_to_leave() {
    let (_server, mut jim, mut ann) = jim_and_ann().await;
    jim.type_text("public General never mi");
    jim.press(Key::Control('c'));
    jim.wait_for("an empty line", |screen| {
        screen.before_cursor.is_empty() && screen.after_cursor.is_empty()
    });
    jim.press(Key::Control('c'));
    jim.wait_for("how to leave", |screen| screen.lines.iter().any(|line| line.contains("'exit'")));
    jim.type_line("exit");
    left_usable(&jim, 0);
    has_said_goodbye("Jim", &mut ann).await;
}

#[tokio::test]
async fn sigterm_in_the_middle_of_a_line_says_goodbye_and_leaves_a_usable_terminal() {
    let (_server, mut jim, mut ann) = jim_and_ann().await;
    jim.type_text("public General half");
    jim.wait_for("half a line", |screen| screen.before_cursor.ends_with("half"));
    jim.signal(Signal::TERM);
    left_usable(&jim, 128 + 15);
    has_said_goodbye("Jim", &mut ann).await;
}

#[tokio::test]
async fn sighup_leaves_a_usable_terminal() {
    let (_server, jim, mut ann) = jim_and_ann().await;
    jim.signal(Signal::HUP);
    left_usable(&jim, 128 + 1);
    has_said_goodbye("Jim", &mut ann).await;
}

#[tokio::test]
async fn control_z_gives_the_shell_its_terminal_and_fg_brings_back_the_line() {
    let server = ServerProgram::start();
    let mut ann = TestClient::come(server.address(), "Ann").await;
    let client = programs().client.to_str().expect("a path of ordinary characters");
    let script = format!(
        r#"set -m; "$0" 127.0.0.1 {} Jim; echo "[stopped with $?]"; read -r _
        fg >/dev/null; exit $?"#,
        server.port()
    );
    let shell = Path::new("/bin/sh");
    let mut jim = Terminal::run(shell, &["-c", &script, client], &Home::new(), Size::default());
    jim.wait_for("a line to type in", |screen| screen.lines.len() == 3 && screen.is_typing());
    jim.type_text("public General half");
    jim.wait_for("half a line", |screen| screen.before_cursor.ends_with("half"));
    jim.press(Key::Control('z'));
    jim.wait_for("the shell", |screen| {
        screen.lines.iter().any(|line| line.ends_with("[stopped with 148]"))
    });
    assert_eq!(jim.modes(), Modes::USABLE);
    jim.press(Key::Enter);
    jim.wait_for("the line again", Screen::is_typing);
    jim.type_line(" and half");
    loop {
        match ann.hear().await {
            Notification::GroupPost { post, .. } if post.body.as_str() == "half and half" => break,
            _ => {}
        }
    }
    jim.type_line("exit");
    left_usable(&jim, 0);
}

#[tokio::test]
async fn a_window_that_is_closed_takes_the_client_with_it() {
    let (_server, jim, mut ann) = jim_and_ann().await;
    jim.close_window();
    has_said_goodbye("Jim", &mut ann).await;
}

#[tokio::test]
async fn a_lost_server_and_then_exit_leaves_a_usable_terminal() {
    let (server, mut jim, _ann) = jim_and_ann().await;
    server.kill();
    jim.wait_for("the loss", |screen| !screen.lines_beginning("Connection lost").is_empty());
    jim.type_text("exit");
    let before = Instant::now();
    jim.press(Key::Enter);
    left_usable(&jim, 0);
    assert!(before.elapsed() < AT_ONCE, "there is nothing to wait for");
}

#[tokio::test]
async fn one_who_leaves_while_the_server_is_away_is_told_what_was_not_sent_and_does_not_wait() {
    // 140: more than may be on their way at once. Messages are not lost: the next run sends them.
    for (line, count) in
        [("users", 1), ("users", 140), ("public General hi", 1), ("public General hi", 140)]
    {
        let (server, mut jim, _ann) = jim_and_ann().await;
        server.kill();
        jim.wait_for("the loss", |screen| !screen.lines_beginning("Connection lost").is_empty());
        for _ in 0..count {
            jim.type_line(line);
        }
        jim.wait_for("all that was typed", |screen| {
            screen.lines_beginning(line).len() == count && screen.before_cursor.is_empty()
        });
        let before = Instant::now();
        jim.press(Key::Control('d'));
        let left = left_usable(&jim, 3);
        assert!(before.elapsed() < AT_ONCE, "there is nothing to wait for");
        let said = match (line, count) {
            ("users", 1) => "The connection is lost: 1 command was not sent.".to_owned(),
            ("users", _) => format!("The connection is lost: {count} commands were not sent."),
            (_, 1) => "1 message is kept, and sent when Jim is back.".to_owned(),
            _ => format!("{count} messages are kept, and sent when Jim is back."),
        };
        assert!(left.screen.has(&said), "{}", left.screen);
        assert_eq!(
            left.screen.lines_beginning("The connection is lost").len(),
            usize::from(line == "users")
        );
    }
}

// With a thread for the server: this one waits for the screen.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_who_has_left_a_server_that_does_not_answer_can_interrupt_the_waiting() {
    let mut jim = Terminal::sit_down_at(welcoming_and_no_more().await, "Jim");
    for number in 0..140 {
        jim.type_line(&format!("public General number {number}"));
    }
    jim.type_line("exit");
    jim.wait_for("the end of typing", |screen| screen.has("exit") && !screen.bracketed_paste);
    while !jim.modes().signals {
        tokio::task::yield_now().await;
    }
    jim.press(Key::Control('c'));
    left_usable(&jim, 128 + 2);
}

#[test]
fn one_who_waits_for_the_connection_sees_what_for_and_can_interrupt_the_waiting() {
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = silent.local_addr().expect("it has an address").port();
    let mut jim = Terminal::chatroom(&["127.0.0.1", &port.to_string(), "Jim"], &Home::new());
    let connecting = format!("Connecting to 127.0.0.1:{port}...");
    // With its end: an interrupt throws away what the terminal has not shown yet.
    let screen = jim.wait_for("a whole line", |screen| {
        screen.has(&connecting) && screen.before_cursor.is_empty()
    });
    assert_eq!(screen.lines[0], connecting, "{screen}");
    jim.press(Key::Control('c'));
    left_usable(&jim, 128 + 2);
}

/// The port of a server that welcomes one client, and then only listens.
async fn welcoming_and_no_more() -> u16 {
    let socket = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let port = socket.local_addr().expect("it has an address").port();
    tokio::spawn(async move {
        let (read, write) = socket.accept().await.expect("somebody comes").0.into_split();
        let mut frames = FrameReader::<_, ClientFrame>::new(read, FRAME_BYTES_MAX);
        let hello = frames.next().await.expect("a frame").expect("a hello");
        let welcome = Welcome {
            version: 1,
            name: user("Jim"),
            token: Token([0; 32]),
            resumed: false,
            grace_ms: 30_000,
            seq: Seq::ZERO,
            groups: Page::fill([Membership { group: group("General"), head: Seq::ZERO }]),
            retention: chatroom_proto::Retention::Nothing,
        };
        let mut writer = FrameWriter::new(write);
        let answer =
            ServerFrame::Response { tag: hello.tag, result: Ok(Response::Welcome(welcome)) };
        writer.feed(answer).await.expect("they listen");
        writer.flush().await.expect("they listen");
        while frames.next().await.is_some() {}
    });
    port
}

#[test]
fn without_a_server_the_client_says_so_and_how_to_start_one() {
    let port = quiet_port().to_string();
    let left = left_usable(&Terminal::chatroom(&["127.0.0.1", &port, "Jim"], &Home::new()), 3);
    let said = &left.screen.lines[0];
    assert!(
        said.starts_with("Cannot connect to 127.0.0.1:") && said.contains("chatroom-server"),
        "{said}"
    );
    assert_eq!(left.screen.lines.len(), 2);
}
