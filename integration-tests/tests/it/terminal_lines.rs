//! The lines that are kept between runs: whole ones, and none that may hold a secret.

use std::fs;

use integration_tests::program::{Home, ServerProgram};
use integration_tests::terminal::{Key, Terminal};

fn jim(server: &ServerProgram, home: &Home) -> Terminal {
    let terminal = Terminal::chatroom(&["127.0.0.1", &server.port().to_string(), "Jim"], home);
    terminal.wait_for("the welcome", |screen| {
        screen.has("You joined the room 'General'") && screen.is_typing()
    });
    terminal
}

fn leave(mut terminal: Terminal) {
    terminal.type_line("exit");
    terminal.wait_exit();
}

#[test]
fn a_torn_or_damaged_file_is_repaired_and_kept() {
    let (server, home) = (ServerProgram::start(), Home::new());
    let file = home.path().join("state/chatroom/history");
    fs::create_dir_all(file.parent().expect("a directory")).expect("there is room");
    fs::write(&file, b"#V2\nusers\npublic General caf\xe9\npublic General torn wi").expect("room");
    let mut terminal = jim(&server, &home);
    terminal.type_line("groups");
    terminal.wait_for_line("available groups:");
    let screen = terminal.screen();
    assert!(screen.lines_beginning("The history is not kept").is_empty(), "{screen}");
    let mut back = |line: &str| {
        terminal.press(Key::Up);
        terminal.wait_for(line, |screen| screen.before_cursor == line);
    };
    back("groups");
    back("public General torn wi");
    terminal.press(Key::Control('c'));
    leave(terminal);
    let kept = fs::read_to_string(&file).expect("a text");
    assert_eq!(kept, "#V2\nusers\npublic General caf\u{FFFD}\npublic General torn wi\ngroups\n");
}

#[test]
fn what_may_hold_a_secret_is_kept_nowhere() {
    let (server, home) = (ServerProgram::start(), Home::new());
    let mut terminal = jim(&server, &home);
    for line in [
        "/register hunter2",
        "regsiter hunter2",
        "password hunter2",
        "passwd hunter2 hunter3",
        "/operator 7F3A-hunter2",
        "oper hunter2",
        "login Jim hunter2",
    ] {
        terminal.type_line(line);
    }
    terminal.type_line("users");
    terminal.wait_for_line("online users:");
    terminal.press(Key::Up);
    terminal.wait_for("the last line", |screen| screen.before_cursor == "users");
    terminal.press(Key::Control('c'));
    leave(terminal);
    let kept = fs::read_to_string(home.path().join("state/chatroom/history")).expect("a history");
    assert_eq!(kept, "#V2\nusers\n");
}
