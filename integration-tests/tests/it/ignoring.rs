//! Whom one ignores is not heard: live, told again, or read back; and that stays so in the next
//! run.

use std::os::unix::fs::PermissionsExt;

use chatroom_proto::Request;
use integration_tests::piped::Piped;
use integration_tests::process::Exit;
use integration_tests::program::{Home, ServerProgram};
use integration_tests::test_client::{TestClient, private, public};

/// The text of a line, without the time before it.
fn text(line: &str) -> &str {
    line.split_once("] ").filter(|_| line.starts_with("[20")).map_or(line, |(_, text)| text)
}

#[tokio::test]
async fn what_somebody_says_who_is_ignored_is_shown_nowhere_and_in_no_later_run() {
    let data = tempfile::TempDir::with_prefix("chatroom-data-").expect("a temporary directory");
    let server =
        ServerProgram::start_with(&["--data", data.path().to_str().expect("a path that is text")]);
    let home = Home::new();
    let port = server.port().to_string();
    let arguments = ["127.0.0.1", &port, "Jim"];
    let mut eve = TestClient::come(server.address(), "Eve").await;
    let mut ann = TestClient::come(server.address(), "Ann").await;

    let mut jim = Piped::run_at(&home, &arguments);
    for line in ["Connected to the server!", "You joined the room 'General'"] {
        jim.hear(line);
    }
    eve.do_(public("General", 1, "you hear this")).await;
    jim.hear("In group General, Eve: you hear this");
    jim.say("ignore EVE");
    // What is answered behind it is carried out behind it.
    jim.say("groups");
    jim.hear("available groups:");
    jim.hear("General");
    eve.do_(public("General", 2, "and not this")).await;
    eve.do_(private("Jim", 3, "nor this")).await;
    ann.do_(public("General", 4, "but this")).await;
    jim.hear("In group General, Ann: but this");
    jim.say("history General");
    let line = jim.next_line().expect("a line");
    assert_eq!(text(&line), "In group General, Ann: but this");
    jim.hear("[2 messages are not shown, of those whom you ignore]");
    jim.say("search nor");
    jim.hear("[1 message is not shown, of those whom you ignore]");
    assert_eq!(jim.finish().exit, Exit::Code(0));

    let list = home.path().join(format!("state/chatroom/clients/127.0.0.1_{port}/jim_ignored"));
    let mode = list.metadata().expect("the list is kept").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "for nobody else's eyes");

    // While Jim is away they go on, and his next run shows what Ann said.
    eve.do_(private("Jim", 5, "still not")).await;
    ann.do_(private("Jim", 6, "are you there?")).await;
    let mut jim = Piped::run_at(&home, &arguments);
    for line in ["Connected to the server!", "You joined the room 'General'"] {
        jim.hear(line);
    }
    let line = jim.next_line().expect("a line");
    assert_eq!(text(&line), "Private message from Ann: are you there?");
    eve.do_(public("General", 7, "nobody listens")).await;
    ann.do_(public("General", 9, "I do")).await;
    jim.hear("In group General, Ann: I do");
    jim.say("unignore eve");
    jim.say("groups");
    jim.hear("available groups:");
    jim.hear("General");
    eve.do_(public("General", 8, "hello again")).await;
    jim.hear("In group General, Eve: hello again");
    jim.say("ignore jim");
    let finished = jim.finish();
    assert_eq!(finished.exit, Exit::Code(1), "nobody ignores themselves: {}", finished.diagnostics);
    eve.do_(Request::Ping).await;
}
