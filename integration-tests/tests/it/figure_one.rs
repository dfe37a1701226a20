//! Figure 1 of the assignment, to the letter, against the real binaries.

use std::collections::BTreeMap;

use integration_tests::piped::Piped;
use integration_tests::process::Exit;
use integration_tests::program::{Finished, Home, ServerProgram};
use integration_tests::terminal::Terminal;

/// What the three type (`$`) and what their terminals show (`|`), in an order in which it can have
/// happened. The lines of one person are that person's terminal in the figure, complete and in its
/// order.
const FIGURE: &str = "
Jim     $ Choose username: Jim
Jim     | Connected to the server!
Jim     | You joined the room 'General'
George  $ Choose username: George
George  | Connected to the server!
George  | You joined the room 'General'
Jim     | George joined the room 'General'
Michael $ Choose username: Michael
Michael | Connected to the server!
Michael | You joined the room 'General'
Jim     | Michael joined the room 'General'
George  | Michael joined the room 'General'
George  $ users
George  | online users:
George  | Jim
George  | George
George  | Michael
Michael $ create G1
Michael | New group chat with name 'G1' has created successfully!
Jim     $ join G1
Jim     | You have joined in group chat 'G1' successfully!
Michael $ join G1
Michael | You have joined in group chat 'G1' successfully!
Jim     | Michael has joined in group chat 'G1'.
George  $ private Michael Could you help me join a group chat?
Michael | Private message from George: Could you help me join a group chat?
Michael $ private George sure
George  | Private message from Michael: sure
Jim     $ public G1 Hey Michael, What's up?
Michael | In group G1, Jim: Hey Michael, What's up?
Michael $ public G1 Not much!
Jim     | In group G1, Michael: Not much!
George  $ groups
George  | available groups:
George  | General
George  | G1
George  $ join G1
George  | You have joined in group chat 'G1' successfully!
Jim     | George has joined in group chat 'G1'.
Michael | George has joined in group chat 'G1'.
Jim     $ leave G1
Jim     | You have left group chat 'G1' successfully!
George  | Jim has left group chat 'G1'.
Michael | Jim has left group chat 'G1'.
Jim     $ exit
";

const QUESTION: &str = "Choose username: ";

/// The figure ends before the line that tells the others of this.
const JIM_IS_GONE: &str = "Jim has left the chat.";

/// The eight commands, which the one line that the figure does not have must name.
const COMMANDS: [&str; 8] =
    ["create", "join", "leave", "groups", "users", "public", "private", "exit"];

#[derive(Clone, Copy)]
enum Line {
    Typed(&'static str),
    Shown(&'static str),
}

fn script() -> impl Iterator<Item = (&'static str, Line)> {
    FIGURE.lines().filter(|line| !line.is_empty()).map(|line| {
        let (who, text) = line.split_at(8);
        let line = match text.split_at(2) {
            ("$ ", typed) => Line::Typed(typed),
            (_, shown) => Line::Shown(shown),
        };
        (who.trim_end(), line)
    })
}

#[test]
fn figure_one_at_three_terminals() {
    at_three_terminals(ServerProgram::start());
}

#[test]
fn figure_one_at_three_terminals_of_a_server_that_keeps_everything() {
    let data = tempfile::tempdir().expect("a temporary directory can be made");
    at_three_terminals(ServerProgram::start_with(&["--data", data.path().to_str().expect("text")]));
}

fn at_three_terminals(server: ServerProgram) {
    let mut terminals = BTreeMap::new();
    let mut transcripts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (who, line) in script() {
        let terminal = terminals.entry(who).or_insert_with(|| {
            Terminal::chatroom(&["127.0.0.1", &server.port().to_string()], &Home::new())
        });
        let transcript = transcripts.entry(who).or_default();
        let (Line::Typed(text) | Line::Shown(text)) = line;
        transcript.push(text);
        if let Line::Typed(typed) = line {
            let question = if typed.starts_with(QUESTION) { QUESTION } else { "" };
            terminal.wait_for("a line to type in", |screen| {
                screen.is_typing() && screen.before_cursor == question
            });
            terminal.type_line(&typed[question.len()..]);
        }
        terminal.wait_for(text, |screen| without_help(&screen.lines).starts_with(transcript));
    }

    let left = terminals["Jim"].wait_exit();
    assert_eq!(left.code, 0);
    transcripts.get_mut("Jim").expect("Jim is there").push("[left with 0]");
    for who in ["George", "Michael"] {
        terminals[who].wait_for_line(JIM_IS_GONE);
        transcripts.get_mut(who).expect("both are there").push(JIM_IS_GONE);
    }
    for (who, terminal) in &terminals {
        let lines = terminal.screen().lines;
        assert_eq!(without_help(&lines), transcripts[who], "{who}");
        assert_eq!(lines.len(), transcripts[who].len() + 1, "one line of help for {who}");
    }
    drop(terminals);
    server_said_what_the_figure_shows(&server.stop());
}

/// The lines without the one that names the commands, which comes after the welcome.
fn without_help(lines: &[String]) -> Vec<&str> {
    let is_help =
        |line: &str| COMMANDS.iter().all(|command| line.contains(command)) && line.contains("Tab");
    let is_extra = |&(number, line): &(usize, &str)| number == 3 && is_help(line);
    lines
        .iter()
        .map(String::as_str)
        .enumerate()
        .filter(|line| !is_extra(line))
        .map(|(_, line)| line)
        .collect()
}

#[test]
fn figure_one_through_pipes() {
    let server = ServerProgram::start();
    let port = server.port().to_string();
    let mut pipes = BTreeMap::new();
    let mut transcripts: BTreeMap<&str, String> = BTreeMap::new();
    for (who, line) in script() {
        match line {
            // A name can be an argument or the first line.
            Line::Typed(typed) if typed.starts_with(QUESTION) => {
                let mut pipe = match who {
                    "Jim" => Piped::run(&["127.0.0.1", &port]),
                    _ => Piped::connect(server.port(), who),
                };
                if who == "Jim" {
                    pipe.say(who);
                }
                pipes.insert(who, pipe);
            }
            Line::Typed(typed) => pipes.get_mut(who).expect("they came").say(typed),
            Line::Shown(shown) => {
                pipes.get_mut(who).expect("they came").hear(shown);
                let transcript = transcripts.entry(who).or_default();
                transcript.push_str(shown);
                transcript.push('\n');
            }
        }
    }

    let finished = |pipe: Piped, transcript: String| {
        let expected =
            Finished { exit: Exit::Code(0), output: transcript, diagnostics: String::new() };
        assert_eq!(pipe.finish(), expected);
    };
    finished(pipes.remove("Jim").expect("Jim is there"), transcripts["Jim"].clone());
    for who in ["George", "Michael"] {
        let mut pipe = pipes.remove(who).expect("both are there");
        pipe.hear(JIM_IS_GONE);
        let mut transcript = format!("{}{JIM_IS_GONE}\n", transcripts[who]);
        if who == "Michael" {
            pipe.hear("George has left the chat.");
            transcript.push_str("George has left the chat.\n");
        }
        finished(pipe, transcript);
    }
    server_said_what_the_figure_shows(&server.stop());
}

fn server_said_what_the_figure_shows(server: &Finished) {
    let mut lines = server.output.lines();
    assert_eq!(lines.next(), Some("Server is listening!"));
    let ports: Vec<u16> = lines
        .map(|line| {
            let port = line
                .strip_prefix("Connected with ('127.0.0.1', ")
                .and_then(|line| line.strip_suffix(')'));
            port.and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("{line}"))
        })
        .collect();
    assert_eq!(ports.len(), 3, "{}", server.output);
    assert!(
        ports[0] != ports[1] && ports[1] != ports[2] && ports[2] != ports[0],
        "{}",
        server.output
    );
    assert_eq!(server.exit, Exit::Code(0));
}
