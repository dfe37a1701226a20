//! Two terminals of one person.

use std::fs;

use integration_tests::program::{Home, ServerProgram};
use integration_tests::screen::Screen;
use integration_tests::terminal::Terminal;

fn jim(server: &ServerProgram, home: &Home) -> Terminal {
    Terminal::chatroom(&["127.0.0.1", &server.port().to_string(), "Jim"], home)
}

fn is_in(screen: &Screen) -> bool {
    screen.has("You joined the room 'General'") && screen.is_typing()
}

fn says(screen: &Screen, text: &str) -> bool {
    screen.unfolded().join(" ").contains(text)
}

#[test]
fn one_who_is_here_already_is_told_that_it_is_them() {
    let (server, home) = (ServerProgram::start(), Home::new());
    let first = jim(&server, &home);
    first.wait_for("the welcome", is_in);
    let second = jim(&server, &home).wait_exit();
    assert_eq!(second.code, 4);
    let told = "You are here as 'Jim' already, in another terminal of yours.";
    assert!(second.screen.lines.join(" ").contains(told), "{}", second.screen);
    // Somebody else is told that the name is taken.
    let other = jim(&server, &Home::new()).wait_exit();
    assert!(!other.screen.lines.join(" ").contains("of yours"), "{}", other.screen);
}

#[test]
fn under_a_registered_name_the_second_terminal_says_why_it_asks() {
    let (server, home) = (ServerProgram::start(), Home::new());
    let mut first = jim(&server, &home);
    first.wait_for("the welcome", is_in);
    first.type_line("register");
    for question in ["New password:", "The same again:"] {
        first.wait_for(question, |screen| screen.before_cursor.trim_end() == question);
        first.type_line("correct horse");
    }
    first.wait_for("the name is Jim's", |screen| says(screen, "The name is yours now."));
    let mut second = jim(&server, &home);
    second.wait_for("the question, and why", |screen| {
        screen.before_cursor.trim_end() == "Password:"
            && says(screen, "You are here as 'Jim' already, in another terminal of yours")
    });
    second.type_line("correct horse");
    second.wait_for("the welcome", is_in);
}

#[test]
fn both_change_one_list_of_whom_they_ignore() {
    let (server, home) = (ServerProgram::start(), Home::new());
    let state = home.path().join("jim").to_string_lossy().into_owned();
    let port = server.port().to_string();
    let mut terminals = ["Jim", "James"].map(|name| {
        let arguments = ["127.0.0.1", &port, name, "--state", &state];
        let terminal = Terminal::chatroom(&arguments, &home);
        terminal.wait_for("the welcome", is_in);
        terminal
    });
    for (terminal, name) in terminals.iter_mut().zip(["Ann", "Eve"]) {
        terminal.type_line(&format!("ignore {name}"));
        terminal.wait_for("the answer", |screen| says(screen, &format!("of what {name} says")));
    }
    let list = fs::read_to_string(home.path().join("jim_ignored")).expect("a list");
    assert_eq!(list, "Ann\nEve\n");
}
