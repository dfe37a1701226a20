//! Taking back what one said, at the terminal and in a pipe.

use chatroom_proto::{Notification, Request, Response, Seq};
use integration_tests::piped::Piped;
use integration_tests::process::Exit;
use integration_tests::program::{Home, ServerProgram};
use integration_tests::screen::Screen;
use integration_tests::terminal::{Key, Terminal};
use integration_tests::test_client::{TestClient, public};

/// The next post that somebody is told was deleted.
async fn deleted(who: &mut TestClient) -> Seq {
    loop {
        if let Notification::Deleted { post, .. } = who.hear().await {
            return post;
        }
    }
}

/// Whether a line of the screen has this in it.
fn has(screen: &Screen, text: &str) -> bool {
    screen.unfolded().iter().any(|line| line.contains(text))
}

/// The place of the next thing that somebody hears.
async fn said(who: &mut TestClient) -> Seq {
    loop {
        if let Notification::GroupPost { post, .. } = who.hear().await {
            return post.seq;
        }
    }
}

#[tokio::test]
async fn what_one_said_last_is_taken_back_one_after_the_other_and_by_its_number() {
    let home = Home::new();
    let server = ServerProgram::start_at_home(&home);
    let mut ann = TestClient::come(server.address(), "Ann").await;
    let mut jim = Terminal::sit_down(&server, "Jim");
    jim.type_line("delete last");
    jim.wait_for("the refusal", |screen| has(screen, "You have said nothing here"));
    let mut places = Vec::new();
    for text in ["one", "two", "hunter2"] {
        jim.type_line(&format!("public General {text}"));
        places.push(said(&mut ann).await);
    }
    // Tab knows the word.
    jim.type_text("delete l");
    jim.press(Key::Tab);
    jim.wait_for("the word", |screen| screen.before_cursor.trim_end() == "delete last");
    jim.press(Key::Enter);
    assert_eq!(deleted(&mut ann).await, places[2]);
    jim.wait_for_line("The message is removed.");
    jim.type_line("delete last");
    assert_eq!(deleted(&mut ann).await, places[1], "the one before");
    jim.type_line("history General");
    let left = format!("#{} In group General, Jim: one", places[0]);
    let gone = format!("#{} A message of Jim in group chat 'General', removed by Jim.", places[2]);
    let screen = jim.wait_for("the history", |screen| has(screen, &left) && has(screen, &gone));
    assert_eq!(screen.lines_beginning("[").len(), 3, "{screen}");
    assert!(!screen.lines_beginning("[").iter().any(|line| line.contains("hunter2")), "{screen}");
    jim.type_line(&format!("delete #{}", places[0]));
    assert_eq!(deleted(&mut ann).await, places[0]);
    jim.type_line(&format!("delete {}", places[0]));
    jim.wait_for_line("That message was removed before, by Jim.");
    jim.type_line("delete everything");
    jim.wait_for("the mistake", |screen| has(screen, "'everything' is no number of a message."));
}

#[tokio::test]
async fn what_others_take_back_is_said_above_the_line_and_what_was_printed_stays() {
    let home = Home::new();
    let server = ServerProgram::start_at_home(&home);
    let mut ann = TestClient::come(server.address(), "Ann").await;
    let mut jim = Terminal::sit_down(&server, "Jim");
    let Response::Posted { seq, .. } = ann.do_(public("General", 1, "hunter2")).await else {
        panic!("not posted")
    };
    jim.wait_for_line("In group General, Ann: hunter2");
    jim.type_text("half a li");
    ann.do_(Request::Delete { post: seq }).await;
    jim.wait_for_line("Ann has removed a message of theirs in group chat 'General'.");
    let screen = jim.wait_for("the draft", |screen| screen.before_cursor == "half a li");
    assert!(screen.has("In group General, Ann: hunter2"), "what is printed stays");
}

#[tokio::test]
async fn a_pipe_takes_back_what_it_said_and_shows_no_numbers() {
    let home = Home::new();
    let server = ServerProgram::start_at_home(&home);
    let mut jim = Piped::connect(server.port(), "Jim");
    jim.say_all("public General kept\npublic General hunter2\ndelete last\nhistory General\n");
    let said = jim.finish();
    assert_eq!(said.exit, Exit::Code(0), "{}", said.diagnostics);
    let lines: Vec<&str> = said.output.lines().collect();
    assert!(lines.contains(&"The message is removed."), "{lines:?}");
    let after_time = |line: &&str| line.split_once("] ").map(|(_, text)| text.to_owned());
    let history: Vec<String> = lines.iter().filter_map(after_time).collect();
    assert_eq!(
        history,
        [
            "In group General, Jim: kept",
            "A message of Jim in group chat 'General', removed by Jim."
        ]
    );
    let mut again = Piped::connect(server.port(), "Jim");
    again.say("delete last");
    let said = again.finish();
    assert_eq!(said.exit, Exit::Code(1), "it was said in another run");
}
