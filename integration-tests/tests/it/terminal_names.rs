//! Names at the prompt, and the lines that are kept between runs.

use std::os::unix::fs::PermissionsExt;

use chatroom_proto::Notification;
use integration_tests::program::{Home, ServerProgram};
use integration_tests::terminal::{Key, Terminal};
use integration_tests::test_client::TestClient;

const QUESTION: &str = "Choose username: ";

#[track_caller]
fn wait_for_question(terminal: &Terminal, times: usize) {
    terminal.wait_for("the question", |screen| {
        screen.is_typing()
            && screen.before_cursor == QUESTION
            && screen.lines_beginning(QUESTION.trim()).len() == times
    });
}

#[tokio::test]
async fn a_name_that_is_taken_or_no_name_is_asked_for_again() {
    let server = ServerProgram::start();
    let _ann = TestClient::come(server.address(), "Ann").await;
    let mut jim = Terminal::chatroom(&["127.0.0.1", &server.port().to_string()], &Home::new());
    wait_for_question(&jim, 1);
    jim.type_line("ANN");
    jim.wait_for("why not", |screen| {
        screen.lines.iter().any(|line| line.starts_with("The name 'Ann' is taken"))
    });
    wait_for_question(&jim, 2);
    jim.type_line("two words");
    jim.wait_for("why not", |screen| {
        screen.lines.iter().any(|line| line.contains("can't be your name"))
    });
    wait_for_question(&jim, 3);
    jim.type_line("@Jim");
    jim.wait_for("why not", |screen| {
        screen.lines.iter().any(|line| line.starts_with("No new name begins with '@' or '/'"))
    });
    wait_for_question(&jim, 4);
    jim.type_line("Jim");
    let screen = jim.wait_for("the welcome", |screen| screen.has("You joined the room 'General'"));
    assert!(
        screen.lines[2].starts_with("    "),
        "folded, and not broken where the row ends: {screen}"
    );
    let lines = screen.unfolded();
    assert_eq!(lines[0], "Choose username: ANN");
    assert!(lines[1].starts_with("The name 'Ann' is taken"), "{screen}");
    assert_eq!(lines[2], "Choose username: two words");
    assert!(lines[3].starts_with("'two words' can't be your name"), "{screen}");
    assert_eq!(lines[4], "Choose username: @Jim");
    assert!(lines[5].starts_with("No new name begins with '@'"), "{screen}");
    assert_eq!(lines[6..8], ["Choose username: Jim", "Connected to the server!"]);
}

#[tokio::test]
async fn what_is_typed_before_the_question_comes_is_not_lost() {
    let server = ServerProgram::start();
    let mut ann = TestClient::come(server.address(), "Ann").await;
    let mut jim = Terminal::chatroom(&["127.0.0.1", &server.port().to_string()], &Home::new());
    jim.type_line("Jim");
    jim.type_line("public General one");
    jim.type_line("public General two");
    for expected in ["one", "two"] {
        loop {
            if let Notification::GroupPost { post, .. } = ann.hear().await {
                assert_eq!((post.from.as_str(), post.body.as_str()), ("Jim", expected));
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_taken_name_as_an_argument_ends_with_code_4() {
    let server = ServerProgram::start();
    let _ann = TestClient::come(server.address(), "Ann").await;
    let left = Terminal::chatroom(&["127.0.0.1", &server.port().to_string(), "ann"], &Home::new())
        .wait_exit();
    assert_eq!(left.code, 4);
    assert!(left.screen.lines[0].starts_with("The name 'Ann' is taken"), "{}", left.screen);
}

#[test]
fn control_d_at_the_question_for_the_name_leaves() {
    let server = ServerProgram::start();
    let mut terminal = Terminal::chatroom(&["127.0.0.1", &server.port().to_string()], &Home::new());
    wait_for_question(&terminal, 1);
    terminal.press(Key::Control('d'));
    assert_eq!(terminal.wait_exit().code, 0);
}

#[test]
fn the_lines_of_one_run_are_there_in_the_next_and_nobody_else_can_read_them() {
    let server = ServerProgram::start();
    let home = Home::new();
    let port = server.port().to_string();
    let run = || {
        let terminal = Terminal::chatroom(&["127.0.0.1", &port], &home);
        wait_for_question(&terminal, 1);
        terminal
    };
    let mut first = run();
    first.type_line("Jim");
    first.wait_for("a line to type in", |screen| {
        screen.is_typing() && screen.before_cursor.is_empty()
    });
    first.type_line("public General do you remember?");
    first.wait_for("a line to type in", |screen| {
        screen.is_typing()
            && screen.lines_beginning("public").len() == 1
            && screen.before_cursor.is_empty()
    });
    first.type_line("exit");
    assert_eq!(first.wait_exit().code, 0);

    let file = home.path().join("state/chatroom/history");
    let mode = file.metadata().expect("there is a history").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else reads it");

    let mut second = run();
    second.press(Key::Up);
    second.type_line("Jim");
    let screen =
        second.wait_for("the welcome", |screen| screen.lines.len() == 4 && screen.is_typing());
    assert_eq!(screen.lines[0], "Choose username: Jim", "commands are no names");
    second.wait_for("a line to type in", |screen| {
        screen.is_typing() && screen.before_cursor.is_empty()
    });
    second.press(Key::Up);
    second.wait_for("the last line, but for the one that left", |screen| {
        screen.before_cursor == "public General do you remember?"
    });
}
