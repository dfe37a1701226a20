//! A terminal on which nothing can be painted over.

use std::path::Path;

use chatroom_proto::Notification;
use integration_tests::program::{Home, ServerProgram, programs};
use integration_tests::screen::Size;
use integration_tests::terminal::{Key, Modes, Terminal};
use integration_tests::test_client::{TestClient, public};

#[tokio::test]
async fn what_arrives_in_the_middle_of_a_line_gets_its_own() {
    let server = ServerProgram::start();
    let mut ann = TestClient::come(server.address(), "Ann").await;
    let client = programs().client.to_str().expect("a path of ordinary characters");
    let port = server.port().to_string();
    let arguments = ["TERM=dumb", client, "127.0.0.1", &port, "Jim"];
    let mut jim =
        Terminal::run(Path::new("/usr/bin/env"), &arguments, &Home::new(), Size::default());
    jim.wait_for_line("You joined the room 'General'");
    jim.type_text("public General hex");
    jim.press(Key::Backspace);
    jim.wait_for("half a line", |screen| screen.before_cursor == "public General he");
    for number in 0..2 {
        ann.do_(public("General", number, &format!("number {number}"))).await;
        jim.wait_for_line(&format!("In group General, Ann: number {number}"));
    }
    jim.wait_for("the line again", |screen| screen.before_cursor == "public General he");
    jim.type_bytes(b"\xe9\x1b[Dllo");
    jim.press(Key::Enter);
    loop {
        if let Notification::GroupPost { post, .. } = ann.hear().await
            && post.from.as_str() == "Jim"
        {
            assert_eq!(post.body.as_str(), "he\u{FFFD}llo");
            break;
        }
    }
    ann.do_(public("General", 3, "between two lines")).await;
    jim.wait_for_line("In group General, Ann: between two lines");
    jim.type_line("exit");
    let left = jim.wait_exit();
    assert_eq!((left.code, left.modes), (0, Modes::USABLE), "{}", left.screen);
    assert!(!jim.raw().contains(&0x1b), "it knows no sequences: {}", left.screen);
    assert_eq!(
        left.screen.lines[2..],
        [
            "public General he",
            "In group General, Ann: number 0",
            "public General he",
            "In group General, Ann: number 1",
            "public General hello",
            "In group General, Ann: between two lines",
            "exit",
            "[left with 0]"
        ],
        "the emulator does not draw U+FFFD"
    );
}
