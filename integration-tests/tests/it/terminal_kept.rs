//! A server that keeps what is said, as a person meets it: away, back, killed in between.

use chatroom_proto::{Request, Response};
use integration_tests::program::{Home, ServerProgram, quiet_port};
use integration_tests::screen::Screen;
use integration_tests::terminal::Terminal;
use integration_tests::test_client::{TestClient, group, private, public};
use tempfile::TempDir;

/// A server that keeps everything, on a port and in a directory where it can be started again.
struct ConnAddr {
    port: u16,
    data: TempDir,
}

impl ConnAddr {
    fn new() -> ConnAddr {
        ConnAddr {
            port: quiet_port(),
            data: tempfile::tempdir().expect("a temporary directory can be made"),
        }
    }

    fn start(&self) -> ServerProgram {
        let data = self.data.path().to_str().expect("text").to_owned();
        ServerProgram::start_again(self.port, &["--data".to_owned(), data])
    }
}

/// Jim sits down at his own terminal, where his client finds what it kept the last time.
fn jim_sits_down(place: &ConnAddr, home: &Home) -> Terminal {
    Terminal::chatroom(&["127.0.0.1", &place.port.to_string(), "Jim"], home)
}

fn is_ready(screen: &Screen) -> bool {
    screen.has("You joined the room 'General'")
        && screen.is_typing()
        && screen.before_cursor.is_empty()
}

/// Lines without the time in front, which is nobody's to foretell.
fn without_time(lines: &[String]) -> Vec<&str> {
    let strip = |line| {
        let line: &str = line;
        match line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
            Some((time, said)) if time.len() == 5 => said,
            _ => line,
        }
    };
    lines.iter().map(|line| strip(line)).collect()
}

#[tokio::test]
async fn one_who_was_away_is_shown_what_was_said_once_and_without_a_bell() {
    let (place, home) = (ConnAddr::new(), Home::new());
    let server = place.start();
    let mut ann = TestClient::come(server.address(), "Ann").await;
    ann.do_(Request::Create { group: group("tea") }).await;
    ann.do_(Request::Join { group: group("tea") }).await;
    let mut jim = jim_sits_down(&place, &home);
    jim.wait_for("the welcome", is_ready);
    jim.type_line("join tea");
    jim.wait_for_line("You have joined in group chat 'tea' successfully!");
    jim.type_line("exit");
    jim.wait_exit();

    ann.do_(public("tea", 1, "anybody?")).await;
    let kept = ann.do_(private("Jim", 2, "are you well?")).await;
    assert!(matches!(kept, Response::Kept { .. }), "{kept:?}");
    let jim = jim_sits_down(&place, &home);
    let screen = jim.wait_for("what was missed", |screen| {
        is_ready(screen) && screen.lines.iter().any(|line| line.contains("are you well?"))
    });
    let lines = without_time(&screen.lines);
    assert!(lines[4].starts_with("--- 2 new since "), "{screen}");
    assert_eq!(
        lines[1..3],
        ["You joined the room 'General'", "You joined the room 'tea'"],
        "{screen}"
    );
    assert_eq!(
        lines[5..],
        ["In group tea, Ann: anybody?", "Private message from Ann: are you well?"],
        "{screen}"
    );
    assert_eq!(screen.bells, 0, "{screen}");
}

#[tokio::test]
async fn a_server_that_is_killed_forgets_nobody_and_nothing_and_nobody_is_told() {
    let (place, home) = (ConnAddr::new(), Home::new());
    let server = place.start();
    let mut jim = jim_sits_down(&place, &home);
    jim.wait_for("the welcome", is_ready);
    let mut ann = TestClient::come(server.address(), "Ann").await;
    jim.wait_for_line("Ann joined the room 'General'");
    ann.do_(public("General", 1, "before")).await;
    jim.wait_for_line("In group General, Ann: before");
    jim.type_text("public General half of");
    server.kill();
    jim.wait_for("the loss", |screen| screen.lines_beginning("Connection lost").len() == 1);

    let _server = place.start();
    jim.wait_for("the return", |screen| {
        screen.lines_beginning("Connected again!").len() == 1
            && screen.before_cursor == "public General half of"
    });
    jim.type_line(" a line");
    jim.wait_for("an empty line", is_ready);
    jim.type_line("history General");
    let screen = jim.wait_for("what was said, the newest last", |screen| {
        is_ready(screen)
            && screen
                .lines
                .iter()
                .any(|line| line.ends_with("In group General, Jim: half of a line"))
    });
    let lines = without_time(&screen.lines);
    // Each begins with its number.
    let said = |line: &str| line.split_once(' ').map(|(_, said)| said.to_owned());
    let said: Vec<_> = lines[lines.len() - 2..].iter().filter_map(|line| said(line)).collect();
    assert_eq!(
        said,
        ["In group General, Ann: before", "In group General, Jim: half of a line"],
        "{screen}"
    );
    jim.type_line("search HALF");
    let screen = jim.wait_for("what was found", |screen| {
        is_ready(screen)
            && screen.lines.iter().filter(|line| line.contains("half of a line")).count() == 3
    });
    assert!(
        screen.lines_beginning("Jim").is_empty() && screen.lines_beginning("Ann has").is_empty(),
        "{screen}"
    );
}
