//! What outlives the program at a terminal: who one is, and what was typed and not answered.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use chatroom_proto::Notification;
use integration_tests::program::{Home, ServerProgram};
use integration_tests::screen::Screen;
use integration_tests::terminal::{Key, Terminal};
use integration_tests::test_client::{DEADLINE, TestClient, public};
use rustix::process::Signal;
use tokio::time;

/// Jim at a terminal of this home.
fn jim(port: u16, home: &Home, more: &[&str]) -> Terminal {
    let port = port.to_string();
    let arguments: Vec<&str> = more.iter().copied().chain(["127.0.0.1", &port, "Jim"]).collect();
    let jim = Terminal::chatroom(&arguments, home);
    jim.wait_for("the welcome, and a line to type in", |screen| {
        screen.has("You joined the room 'General'")
            && screen.is_typing()
            && screen.before_cursor.is_empty()
    });
    jim
}

/// What Jim says in General next.
async fn hear_jim(guest: &mut TestClient) -> String {
    loop {
        if let Notification::GroupPost { post, .. } = guest.hear().await {
            assert_eq!(post.from.as_str(), "Jim");
            return post.body.as_str().to_owned();
        }
    }
}

/// Waits until Jim's client has written this down; the line is gone from the screen a moment before
/// that.
async fn wait_until_kept(port: u16, home: &Home, text: &str) {
    let file = home.path().join(format!("state/chatroom/clients/127.0.0.1_{port}/jim"));
    let is_kept = || {
        let bytes = fs::read(&file).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    let kept = async {
        while !is_kept() {
            tokio::task::yield_now().await;
        }
    };
    time::timeout(DEADLINE, kept).await.expect("it is written down");
}

fn kill(terminal: &Terminal) {
    terminal.signal(Signal::KILL);
    terminal.wait_exit();
}

#[tokio::test]
async fn what_was_typed_before_the_program_was_killed_is_sent_by_its_next_run() {
    let server = ServerProgram::start_where_it_can_come_back();
    let (port, home) = (server.port(), Home::new());
    let mut before = jim(port, &home, &[]);
    server.kill();
    before.wait_for("the loss", |screen| !screen.lines_beginning("Connection lost").is_empty());
    for line in ["public General one", "public General two", "private Ann three"] {
        before.type_line(line);
        before
            .wait_for("it is taken", |screen| screen.has(line) && screen.before_cursor.is_empty());
    }
    wait_until_kept(port, &home, "three").await;
    kill(&before);

    let server = ServerProgram::start_on(port);
    let mut ann = TestClient::come(server.address(), "Ann").await;
    let mut after = jim(port, &home, &[]);
    after.wait_for_line("3 messages from last time are sent again.");
    assert_eq!((hear_jim(&mut ann).await, hear_jim(&mut ann).await), ("one".into(), "two".into()));
    let heard = ann.hear().await;
    let Notification::PrivatePost { post, .. } = &heard else { panic!("heard {heard:?}") };
    assert_eq!(post.body.as_str(), "three");
    // Answers come in the order of asking: behind this one all three are here.
    after.type_line("users");
    after.wait_for_line("online users:");
    kill(&after);
    let again = jim(port, &home, &[]);
    assert!(again.screen().lines_beginning("3 messages").is_empty(), "once: {}", again.screen());
}

#[tokio::test]
async fn one_who_was_killed_is_back_at_once_under_the_same_name_and_in_the_same_groups() {
    let server = ServerProgram::start();
    let mut ann = TestClient::come(server.address(), "Ann").await;
    let home = Home::new();
    let mut before = jim(server.port(), &home, &[]);
    before.type_line("create tea");
    before.type_line("join tea");
    before.wait_for_line("You have joined in group chat 'tea' successfully!");
    kill(&before);
    let mut after = jim(server.port(), &home, &[]);
    after.wait_for_line("You joined the room 'tea'");
    ann.do_(public("General", 1, "hi")).await;
    after.wait_for_line("In group General, Ann: hi");
    assert!(matches!(ann.hear().await, Notification::Arrived { .. }));
    after.type_line("public General back");
    let next = ann.hear().await;
    assert!(matches!(next, Notification::GroupPost { .. }), "nobody came or went: {next:?}");
}

#[test]
fn who_one_is_is_kept_where_nobody_else_can_read_it_or_not_at_all() {
    let server = ServerProgram::start();
    let port = server.port();
    let home = Home::new();
    drop(jim(port, &home, &[]));
    let clients = home.path().join("state/chatroom/clients");
    let file = clients.join(format!("127.0.0.1_{port}/jim"));
    for (path, mode) in [(&file, 0o600), (&clients, 0o700)] {
        assert_eq!(fs::metadata(path).expect("it is there").permissions().mode() & 0o777, mode);
    }
    let home = Home::new();
    let server = ServerProgram::start();
    drop(jim(server.port(), &home, &["--no-state"]));
    assert!(!home.path().join("state/chatroom/clients").exists());
}

#[test]
fn a_file_that_cannot_be_used_is_a_warning_and_no_more() {
    let server = ServerProgram::start();
    let home = Home::new();
    fs::write(home.path().join("diary"), "dear diary").expect("there is room");
    let mut jim = jim(server.port(), &home, &["--state", "diary"]);
    let warned = |screen: &Screen| {
        screen
            .lines
            .iter()
            .any(|line| line.starts_with("What comes while you are away can't be kept"))
    };
    jim.wait_for("the warning", warned);
    jim.type_line("users");
    jim.wait_for_line("online users:");
    jim.press(Key::Control('d'));
    assert_eq!(jim.wait_exit().code, 0);
    assert_eq!(fs::read(home.path().join("diary")).expect("it is there"), b"dear diary");
}

#[test]
fn where_nothing_is_kept_there_is_no_history_and_that_is_said() {
    let server = ServerProgram::start();
    let mut jim = jim(server.port(), &Home::new(), &[]);
    jim.type_line("history General 5");
    jim.wait_for_line("This server keeps nothing of what was said.");
    jim.type_line("history General 0");
    jim.wait_for("a mistake", |screen| {
        screen.lines.iter().any(|line| line.starts_with("'0' is no number of messages"))
    });
    jim.type_text("hist");
    jim.press(Key::Tab);
    jim.wait_for("a command", |screen| screen.before_cursor == "history ");
    jim.type_text("Gen");
    jim.press(Key::Tab);
    jim.wait_for("a group", |screen| screen.before_cursor == "history General");
}
