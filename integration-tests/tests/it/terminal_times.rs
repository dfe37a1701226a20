//! The time before what arrives, a line between days, and the bell.

use std::path::PathBuf;

use integration_tests::piped::Piped;
use integration_tests::program::{BUSY, Home, ServerProgram, programs};
use integration_tests::screen::{Screen, Size};
use integration_tests::terminal::Terminal;
use integration_tests::test_client::{TestClient, private, public};

/// Jim's terminal, where his client finds what it kept the last time.
fn jim(server: &ServerProgram, home: &Home, options: &[&str]) -> Terminal {
    let port = server.port().to_string();
    let jim = Terminal::chatroom(&[&["127.0.0.1", &port, "Jim"], options].concat(), home);
    jim.wait_for("the welcome", |screen| screen.is_typing() && screen.lines.len() > 2);
    jim
}

fn leave(mut jim: Terminal) {
    jim.type_line("exit");
    assert_eq!(jim.wait_exit().code, 0);
}

/// The line that ends so, when it is there.
fn line_ending<'a>(screen: &'a Screen, end: &str) -> Option<&'a str> {
    screen.lines.iter().map(String::as_str).find(|line| line.ends_with(end))
}

/// Types a line and waits for what is said about it.
fn choose(jim: &mut Terminal, line: &str, answer: &str) {
    jim.type_line(line);
    jim.wait_for(answer, |screen| !screen.lines_beginning(answer).is_empty());
}

/// Whether that line has a time in front: `[12:34] `.
fn has_time(terminal: &Terminal, end: &str) -> bool {
    let screen = terminal.wait_for(end, |screen| line_ending(screen, end).is_some());
    let line = line_ending(&screen, end).unwrap_or_default();
    let before: Vec<char> = line.strip_suffix(end).unwrap_or_default().chars().collect();
    match before[..] {
        [] => false,
        ['[', a, b, ':', c, d, ']', ' '] => [a, b, c, d].iter().all(char::is_ascii_digit),
        _ => panic!("what is that? {line}"),
    }
}

#[tokio::test]
async fn the_time_stands_before_what_arrives_for_those_who_want_it_also_the_next_time() {
    let (server, home) = (ServerProgram::start(), Home::new());
    let mut ann = TestClient::come(server.address(), "Ann").await;
    let mut first = jim(&server, &home, &[]);
    ann.do_(public("General", 1, "one")).await;
    assert!(!has_time(&first, "In group General, Ann: one"), "nobody asked for it");
    choose(&mut first, "times on", "What arrives has the time in front of it.");
    ann.do_(public("General", 2, "two")).await;
    assert!(has_time(&first, "In group General, Ann: two"));
    let _bob = TestClient::come(server.address(), "Bob").await;
    assert!(has_time(&first, "Bob joined the room 'General'"), "not only messages");
    leave(first);
    let mut second = jim(&server, &home, &[]);
    ann.do_(public("General", 3, "three")).await;
    assert!(has_time(&second, "In group General, Ann: three"));
    choose(&mut second, "times off", "What arrives has no time in front of it.");
    ann.do_(public("General", 4, "four")).await;
    assert!(!has_time(&second, "In group General, Ann: four"));
    leave(second);
    let asked = jim(&server, &home, &["--times"]);
    ann.do_(public("General", 5, "five")).await;
    assert!(has_time(&asked, "In group General, Ann: five"));
    leave(asked);
}

#[tokio::test]
async fn what_a_pipe_is_told_has_no_time_and_no_bell() {
    let (server, home) = (ServerProgram::start(), Home::new());
    let mut ann = TestClient::come(server.address(), "Ann").await;
    let mut first = jim(&server, &home, &[]);
    choose(&mut first, "times on", "What arrives has the time in front of it.");
    choose(&mut first, "bell all", "The bell rings for every message.");
    leave(first);
    let port = server.port().to_string();
    let set = [("CHATROOM_TIMES", "yes")];
    let mut pipe = Piped::run_with(&home, &set, &["127.0.0.1", &port, "Jim", "--times"]);
    pipe.hear("Connected to the server!");
    pipe.hear("You joined the room 'General'");
    ann.do_(public("General", 1, "hello Jim")).await;
    pipe.hear("In group General, Ann: hello Jim");
    pipe.say("bell off");
    pipe.wait_for_diagnostics("what a pipe is told does not change");
    assert!(!pipe.finish().output.contains('\u{7}'));
}

/// Runs Jim's client shortly before midnight, where the program is there that sets a clock.
fn jim_at_night(server: &ServerProgram) -> Option<Terminal> {
    let faketime = PathBuf::from("/usr/bin/faketime");
    if !faketime.exists() {
        eprintln!("left out: there is no faketime");
        return None;
    }
    let client = programs().client.to_str().expect("text");
    let port = server.port().to_string();
    let before = ["--exclude-monotonic", "2026-11-30 23:59:57"];
    let arguments = [&before[..], &[client, "127.0.0.1", &port, "Jim", "--times"]].concat();
    let jim = Terminal::run(&faketime, &arguments, &Home::new(), Size::default());
    jim.wait_for("the welcome", |screen| screen.is_typing() && screen.lines.len() > 2);
    Some(jim)
}

#[tokio::test]
async fn the_first_that_arrives_after_midnight_begins_a_day() {
    const DAY: &str = "--- Tuesday, 1 December 2026 ---";
    let server = ServerProgram::start_with(&BUSY);
    let mut ann = TestClient::come(server.address(), "Ann").await;
    let Some(jim) = jim_at_night(&server) else { return };
    let mut said = 0;
    let screen = loop {
        said += 1;
        ann.do_(public("General", said, &format!("message {said}"))).await;
        let end = format!("Ann: message {said}");
        let screen = jim.wait_for(&end, |screen| line_ending(screen, &end).is_some());
        if screen.has(DAY) {
            break screen;
        }
    };
    let at = screen.lines.iter().position(|line| line == DAY).expect("it is there");
    assert!(screen.lines[at - 1].starts_with("[23:59] "), "{screen}");
    assert!(screen.lines[at + 1].starts_with("[00:00] "), "{screen}");
    ann.do_(public("General", said + 1, "and on")).await;
    let screen = jim.wait_for("the next", |screen| line_ending(screen, "Ann: and on").is_some());
    assert_eq!(screen.lines_beginning("---").len(), 1, "{screen}");
}

#[tokio::test]
async fn the_bell_rings_once_for_what_was_chosen_and_never_for_what_was_missed() {
    let data = tempfile::tempdir().expect("a temporary directory can be made");
    let data = data.path().to_str().expect("text");
    let (server, home) = (ServerProgram::start_with(&["--data", data]), Home::new());
    let mut ann = TestClient::come(server.address(), "Ann").await;
    let mut first = jim(&server, &home, &[]);
    let bells = |terminal: &Terminal, line: &str| terminal.wait_for_line(line).bells;
    ann.do_(private("Jim", 1, "a")).await;
    assert_eq!(bells(&first, "Private message from Ann: a"), 0, "nobody asked for it");
    choose(&mut first, "bell mentions", "The bell rings for private messages");
    ann.do_(public("General", 2, "jimmy is well")).await;
    assert_eq!(bells(&first, "In group General, Ann: jimmy is well"), 0);
    ann.do_(public("General", 3, "is JIM well?")).await;
    assert_eq!(bells(&first, "In group General, Ann: is JIM well?"), 1);
    ann.do_(private("Jim", 4, "well?")).await;
    assert_eq!(bells(&first, "Private message from Ann: well?"), 2);
    leave(first);
    ann.do_(private("Jim", 5, "Jim?")).await;
    let mut second = jim(&server, &home, &[]);
    let missed = second.wait_for("what was missed", |screen| line_ending(screen, "Jim?").is_some());
    assert_eq!(missed.bells, 0);
    ann.do_(private("Jim", 6, "now?")).await;
    assert_eq!(bells(&second, "Private message from Ann: now?"), 1, "the choice is kept");
    choose(&mut second, "bell all", "The bell rings for every message.");
    ann.do_(public("General", 7, "hello all")).await;
    assert_eq!(bells(&second, "In group General, Ann: hello all"), 2);
}
