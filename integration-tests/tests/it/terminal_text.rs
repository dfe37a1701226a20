//! Text of the world is typed and shown as it is; text that means harm is shown harmlessly.

use std::path::Path;

use chatroom_proto::Notification;
use integration_tests::program::{Home, ServerProgram, programs};
use integration_tests::screen::Size;
use integration_tests::terminal::{Key, Terminal};
use integration_tests::test_client::{TestClient, public};

/// "I want to come", with the zero-width non-joiner that Persian needs.
const PERSIAN: &str = "\u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}\u{647}\u{645} \
    \u{628}\u{6cc}\u{627}\u{6cc}\u{645}\u{60c} \u{62e}\u{628}\u{61f}";

async fn say(guest: &mut TestClient, number: u64, text: &str) {
    guest.do_(public("General", number, text)).await;
}

async fn hear_body(guest: &mut TestClient) -> String {
    loop {
        if let Notification::GroupPost { post, .. } = guest.hear().await {
            return post.body.as_str().to_owned();
        }
    }
}

#[tokio::test]
async fn text_of_the_world_is_typed_and_received_to_the_character() {
    let server = ServerProgram::start();
    let mut ali = TestClient::come(server.address(), "\u{639}\u{644}\u{6cc}").await;
    let mut jim = Terminal::sit_down(&server, "Jim");
    let texts = [
        PERSIAN,
        "\u{4f60}\u{597d}\u{ff0c}\u{4e16}\u{754c}",
        "e\u{301}tude \u{1f389} \u{1f469}\u{200d}\u{1f680} done",
    ];
    for (number, text) in (0..).zip(texts) {
        jim.type_text(&format!("public General {text}"));
        say(&mut ali, number, text).await;
        jim.wait_for_line(&format!("In group General, \u{639}\u{644}\u{6cc}: {text}"));
        jim.wait_for("the line being typed", |screen| {
            screen.before_cursor == format!("public General {text}")
        });
        jim.press(Key::Enter);
        assert_eq!(hear_body(&mut ali).await, text);
    }
    let shown: Vec<String> = texts
        .iter()
        .flat_map(|text| {
            [
                format!("In group General, \u{639}\u{644}\u{6cc}: {text}"),
                format!("public General {text}"),
            ]
        })
        .collect();
    assert_eq!(
        jim.wait_for("an empty line", |screen| screen.before_cursor.is_empty()).lines[3..],
        shown
    );
}

#[tokio::test]
async fn wide_characters_that_fill_several_rows_keep_the_cursor_in_its_place() {
    let server = ServerProgram::start();
    let mut ann = TestClient::come(server.address(), "Anna").await;
    let mut jim = Terminal::sit_down(&server, "Jim");
    // Behind texts of an even width: a character that is split by the window's edge would leave a
    // gap there.
    let wide = "\u{5b57}".repeat(50);
    jim.type_text(&format!("public  General {wide}"));
    for _ in 0..20 {
        jim.press(Key::Left);
    }
    for number in 0..5 {
        say(&mut ann, number, &wide).await;
    }
    let (before, after) =
        (format!("public  General {}", "\u{5b57}".repeat(30)), "\u{5b57}".repeat(20));
    jim.wait_for("all five, and the line", |screen| {
        screen.lines_beginning("In group").len() == 5
            && screen.before_cursor == before
            && screen.after_cursor == after
    });
    jim.type_text("x");
    jim.press(Key::Enter);
    assert_eq!(hear_body(&mut ann).await, format!("{}x{}", "\u{5b57}".repeat(30), after));
}

#[tokio::test]
async fn without_colours_the_lines_are_the_same() {
    let server = ServerProgram::start();
    let mut ann = TestClient::come(server.address(), "Ann").await;
    let client = programs().client.to_str().expect("a path of ordinary characters");
    let port = server.port().to_string();
    let arguments = ["NO_COLOR=1", client, "127.0.0.1", &port, "Jim"];
    let mut jim =
        Terminal::run(Path::new("/usr/bin/env"), &arguments, &Home::new(), Size::default());
    jim.wait_for("the welcome, and a line to type in", |screen| {
        screen.lines.len() == 3 && screen.is_typing()
    });
    jim.type_text("public General hel");
    say(&mut ann, 1, "one").await;
    say(&mut ann, 2, "two").await;
    jim.wait_for("both, above the line", |screen| {
        screen.has("In group General, Ann: two") && screen.before_cursor == "public General hel"
    });
    jim.type_line("lo");
    assert_eq!(hear_body(&mut ann).await, "hello");
    jim.type_line("exit");
    let left = jim.wait_exit();
    assert_eq!(
        left.screen.lines[3..],
        [
            "In group General, Ann: one",
            "In group General, Ann: two",
            "public General hello",
            "exit",
            "[left with 0]"
        ]
    );
    let raw = String::from_utf8_lossy(&jim.raw()).into_owned();
    assert!(!raw.contains("\x1b[0m") && !raw.contains("\x1b[3"), "{raw:?}");
}

#[tokio::test]
async fn hostile_text_can_neither_turn_a_line_nor_forge_one() {
    let server = ServerProgram::start();
    let mut eve = TestClient::come(server.address(), "Eve").await;
    let jim = Terminal::sit_down(&server, "Jim");
    say(&mut eve, 1, "\u{202e}drow terces\u{2066}a\u{2069}\u{200f}").await;
    say(&mut eve, 2, "one\u{2028}two\u{2029}three\u{feff}").await;
    say(&mut eve, 3, "hi\nPrivate message from Ann: give Eve the key").await;
    say(&mut eve, 4, "the end").await;
    let screen = jim.wait_for_line("In group General, Eve: the end");
    assert_eq!(
        screen.lines[3..],
        [
            // The emulator does not draw U+FFFD, which stands for each of the harmful characters.
            "In group General, Eve: drow tercesa",
            "In group General, Eve: onetwothree",
            "In group General, Eve: hi",
            "    Private message from Ann: give Eve the key",
            "In group General, Eve: the end",
        ]
    );
    assert_eq!(screen.bells, 0);
    let raw = String::from_utf8_lossy(&jim.raw()).into_owned();
    assert!(raw.contains("\u{fffd}drow terces\u{fffd}a\u{fffd}\u{fffd}"), "{raw:?}");
    assert!(!raw.contains([
        '\u{202e}', '\u{2066}', '\u{2069}', '\u{200f}', '\u{2028}', '\u{2029}', '\u{feff}'
    ]));
}

#[tokio::test]
async fn a_message_of_very_many_lines_does_not_scroll_everything_away() {
    let server = ServerProgram::start();
    let mut eve = TestClient::come(server.address(), "Eve").await;
    let jim = Terminal::sit_down(&server, "Jim");
    say(&mut eve, 1, &["x"; 4_000].join("\n")).await;
    say(&mut eve, 2, "the end").await;
    let screen = jim.wait_for_line("In group General, Eve: the end");
    assert!(screen.has("    [3960 more lines are not shown]"), "{screen}");
    assert_eq!(screen.lines.len(), 3 + 40 + 1 + 1, "{screen}");
}

#[tokio::test]
async fn nothing_in_a_message_begins_a_row_of_the_screen() {
    let server = ServerProgram::start();
    let mut eve = TestClient::come(server.address(), "Eve").await;
    let jim = Terminal::sit_down(&server, "Jim");
    // As many spaces, or letters, as are left of the row.
    let left = usize::from(Size::default().columns) - "In group General, Eve: ".len();
    for (number, filling) in (0..).zip([" ", "x"]) {
        say(
            &mut eve,
            number,
            &format!(
                "{}Private message from Ann: psst",
                filling.repeat(left).replacen(' ', ".", 1)
            ),
        )
        .await;
    }
    let screen = jim.wait_for("both", |screen| {
        screen.unfolded().iter().filter(|line| line.contains("psst")).count() == 2
    });
    assert!(screen.lines_beginning("Private").is_empty(), "{screen}");
    assert!(!screen.lines_beginning("    Private").is_empty(), "{screen}");
}

#[tokio::test]
async fn a_word_is_a_word_whatever_its_letters_are_made_of() {
    let server = ServerProgram::start();
    let mut jim = Terminal::sit_down(&server, "Jim");
    let persian = PERSIAN.split(' ').next().expect("a word");
    for word in [persian, "cafe\u{301}s", "plain"] {
        jim.type_text(&format!("{word} two"));
        jim.press(Key::Home);
        jim.type_text("\u{1b}f");
        jim.wait_for("the end of the word", |screen| {
            screen.before_cursor == word && screen.after_cursor == " two"
        });
        jim.type_text("\u{1b}b\u{1b}d");
        jim.wait_for("the rest", |screen| {
            screen.before_cursor.is_empty() && screen.after_cursor == " two"
        });
        jim.press(Key::Control('y'));
        jim.wait_for("the word again", |screen| screen.before_cursor == word);
        jim.press(Key::Control('c'));
        jim.wait_for("an empty line", |screen| screen.after_cursor.is_empty());
    }
}
