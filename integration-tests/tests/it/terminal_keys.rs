//! Whatever comes from a keyboard or a paste, the line being typed goes on, what arrives is shown,
//! and nothing that was pasted is carried out.

use chatroom_proto::Notification;
use integration_tests::program::{Home, ServerProgram};
use integration_tests::screen::Screen;
use integration_tests::terminal::{Key, Terminal};
use integration_tests::test_client::{TestClient, public};

async fn jim_and_ann() -> (ServerProgram, Terminal, TestClient) {
    let server = ServerProgram::start();
    let ann = TestClient::come(server.address(), "Ann").await;
    let jim = Terminal::sit_down(&server, "Jim");
    (server, jim, ann)
}

async fn hear_jim(ann: &mut TestClient) -> String {
    loop {
        match ann.hear().await {
            Notification::GroupPost { post, .. } if post.from.as_str() == "Jim" => {
                return post.body.as_str().to_owned();
            }
            _ => {}
        }
    }
}

/// Ann says something, and Jim sees it without pressing a key.
async fn is_shown(ann: &mut TestClient, jim: &Terminal, number: u64) {
    ann.do_(public("General", number, &format!("number {number}"))).await;
    jim.wait_for_line(&format!("In group General, Ann: number {number}"));
}

#[tokio::test]
async fn a_byte_that_is_not_utf_8_is_replaced_and_the_line_goes_on() {
    let (_server, mut jim, mut ann) = jim_and_ann().await;
    for (typed, said) in [
        (&b"long draft caf\xe9 go on"[..], "long draft caf\u{FFFD} go on"),
        (b"8-bit Meta \xe2b", "8-bit Meta \u{FFFD}b"),
        (b"\xff\xfe\x80", "\u{FFFD}\u{FFFD}\u{FFFD}"),
        (b"half \xf0\x9f", "half \u{FFFD}"),
    ] {
        jim.type_text("public General ");
        jim.type_bytes(typed);
        jim.type_bytes(b"\r");
        assert_eq!(hear_jim(&mut ann).await, said);
    }
}

#[test]
fn at_the_question_for_a_name_it_is_one_more_bad_name() {
    let server = ServerProgram::start();
    let port = server.port().to_string();
    let mut jim = Terminal::chatroom(&["127.0.0.1", &port], &Home::new());
    jim.wait_for("the question", |screen| screen.before_cursor == "Choose username: ");
    jim.type_bytes(b"J\xe9r\xf4me Kern\r");
    jim.wait_for("what is wrong", |screen| {
        screen.lines.iter().any(|line| line.contains("can't be your name"))
    });
    jim.type_line("Jim");
    jim.wait_for_line("You joined the room 'General'");
}

#[tokio::test]
async fn nothing_of_a_paste_is_carried_out_here_or_in_the_shell() {
    let (_server, mut jim, mut ann) = jim_and_ann().await;
    jim.type_text("public General ");
    jim.wait_for("pastes are marked", Screen::is_typing);
    jim.type_bytes(b"\x1b[200~caf\xe9\rexit\r\x03\rexit\r\x1b[201~");
    jim.press(Key::Enter);
    assert_eq!(hear_jim(&mut ann).await, "caf\u{FFFD}\nexit\n\u{FFFD}\nexit\n");
    is_shown(&mut ann, &jim, 1).await;
}

#[tokio::test]
async fn what_arrives_is_shown_whatever_key_was_pressed_before() {
    let (_server, mut jim, mut ann) = jim_and_ann().await;
    let keys: [&[u8]; 14] = [
        b"\x1b",     // Esc
        b"\x18",     // Ctrl-X
        b"\x16",     // Ctrl-V
        b"\x1d",     // Ctrl-]
        b"\x1b5",    // Alt-5
        b"\x1b\x1d", // Alt-Ctrl-]
        b"\x1b[",    // Alt-[, or a key that does not go on
        b"\x1b[1;",
        b"\x1bO",
        b"\x1b]11;rgb:", // an answer that has no end
        b"\xc3",         // half a letter
        b"\x1b[M !",     // half a click
        b"\x12",         // Ctrl-R
        b"\x1b[200~half a paste",
    ];
    jim.type_line("groups");
    jim.wait_for_line("General");
    for (number, key) in (0..).zip(keys) {
        jim.type_bytes(key);
        is_shown(&mut ann, &jim, 2 * number).await;
        is_shown(&mut ann, &jim, 2 * number + 1).await;
        jim.press(Key::Control('g'));
        jim.press(Key::Control('u'));
    }
}

#[tokio::test]
async fn a_search_in_the_history_shows_what_arrives_and_stays_open() {
    let (_server, mut jim, mut ann) = jim_and_ann().await;
    jim.type_line("public General remember this");
    hear_jim(&mut ann).await;
    jim.type_text("draft");
    jim.press(Key::Control('r'));
    jim.type_text("mem");
    let is_open = |screen: &Screen| {
        screen.before_cursor.starts_with("(reverse-i-search)`mem': public General re")
            && screen.after_cursor == "member this"
    };
    jim.wait_for("what was found", is_open);
    for number in 0..5 {
        is_shown(&mut ann, &jim, number).await;
        jim.wait_for("the search", is_open);
    }
    jim.press(Key::Escape);
    jim.wait_for("the draft", |screen| screen.before_cursor == "draft");
}

#[tokio::test]
async fn a_paste_without_its_end_ends_with_a_pause_or_control_c() {
    let (_server, mut jim, mut ann) = jim_and_ann().await;
    jim.type_text("public General ");
    jim.type_bytes(b"\x1b[200~half of it");
    is_shown(&mut ann, &jim, 1).await;
    jim.wait_for("what was pasted", |screen| screen.before_cursor.ends_with("half of it"));
    jim.type_bytes(b"\x1b[201~\r");
    assert_eq!(hear_jim(&mut ann).await, "half of it");
    jim.type_text("public General ");
    jim.wait_for("a line", |screen| screen.before_cursor == "public General ");
    jim.type_bytes(b"\x1b[200~another");
    // It is read by itself when what was before it is: a paste may have it, too.
    is_shown(&mut ann, &jim, 2).await;
    jim.wait_for("the line", |screen| screen.before_cursor.starts_with("public General "));
    jim.press(Key::Control('c'));
    jim.wait_for("an empty line", |screen| screen.before_cursor.is_empty());
    jim.type_line("users");
    jim.wait_for_line("online users:");
}

#[tokio::test]
async fn a_paste_that_stalls_is_carried_out_neither_before_nor_behind_the_pause() {
    let (_server, mut jim, mut ann) = jim_and_ann().await;
    jim.type_text("public General ");
    jim.type_bytes(b"\x1b[200~one\r");
    // It is given up then.
    jim.wait_for("what has come", |screen| screen.lines.iter().any(|line| line.ends_with("one")));
    jim.type_bytes(b"exit\rgroups\rtwo\x1b[201~");
    jim.wait_for("the rest", |screen| screen.before_cursor.ends_with("two"));
    jim.press(Key::Enter);
    assert_eq!(hear_jim(&mut ann).await, "one\nexit\ngroups\ntwo");
    assert!(!jim.screen().has("available groups:"));
    jim.type_line("users");
    jim.wait_for_line("online users:");
}

#[tokio::test]
async fn what_terminals_say_unasked_does_not_come_into_the_line() {
    let (_server, mut jim, mut ann) = jim_and_ann().await;
    jim.type_text("public General a");
    for said in [&b"\x1b[<0;10;10M"[..], b"\x1b[I", b"\x1b[97;7u", b"\x1b]11;rgb:00/00/00\x07"] {
        jim.type_bytes(said);
    }
    jim.type_line("b");
    assert_eq!(hear_jim(&mut ann).await, "ab");
}

#[test]
fn a_draft_is_kept_after_somebody_has_looked_at_the_history_before() {
    let server = ServerProgram::start();
    let mut jim = Terminal::sit_down(&server, "Jim");
    jim.type_line("groups");
    jim.wait_for_line("General");
    jim.type_line("users");
    jim.wait_for_line("online users:");
    let line = |jim: &Terminal, text: &str| {
        jim.wait_for(text, |screen| screen.before_cursor == text && screen.after_cursor.is_empty());
    };
    jim.press(Key::Up);
    line(&jim, "users");
    jim.press(Key::Control('c'));
    line(&jim, "");
    jim.type_text("my draft");
    jim.press(Key::Up);
    line(&jim, "users");
    jim.press(Key::Down);
    line(&jim, "my draft");
    jim.press(Key::Down);
    jim.type_text("!");
    line(&jim, "my draft!");
    assert!(
        !jim.screen().lines.iter().any(|line| line.contains("'exit'")),
        "nobody wants to leave"
    );
}

#[tokio::test]
async fn what_controls_a_terminal_is_shown_harmlessly_in_ones_own_paste_too() {
    let (_server, mut jim, mut ann) = jim_and_ann().await;
    jim.type_text("public General ");
    jim.paste("bell\u{7} back\u{8} \u{9b}31m \u{1b}[31mred\u{202e}");
    jim.press(Key::Enter);
    let said = hear_jim(&mut ann).await;
    assert_eq!(said, "bell\u{FFFD} back\u{FFFD} \u{FFFD}31m \u{FFFD}[31mred\u{FFFD}");
    assert_eq!(jim.screen().bells, 0);
    let raw = String::from_utf8_lossy(&jim.raw()).into_owned();
    assert!(!raw.contains(['\u{7}', '\u{8}', '\u{9b}', '\u{202e}']), "{raw:?}");
}
