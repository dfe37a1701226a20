//! What arrives where somebody does not look: dimmed, and counted until they look there.

use chatroom_proto::Request;
use integration_tests::program::{Home, ServerProgram};
use integration_tests::screen::Screen;
use integration_tests::terminal::Terminal;
use integration_tests::test_client::{TestClient, group, private, public};

const NOTHING: &str = "There is nothing that you have not seen.";

/// Jim's terminal, where his client finds what it kept the last time. He is in tea.
fn jim(server: &ServerProgram, home: &Home, options: &[&str]) -> Terminal {
    let port = server.port().to_string();
    let arguments = [&["127.0.0.1", &port, "Jim"], options].concat();
    let mut jim = Terminal::chatroom(&arguments, home);
    jim.wait_for("the welcome", |screen| screen.is_typing() && screen.lines.len() > 2);
    jim.type_line("/join tea");
    jim.wait_for("a membership", |screen| screen.lines.iter().any(|line| line.contains("'tea'")));
    jim
}

async fn ann_in_tea(server: &ServerProgram) -> TestClient {
    let mut ann = TestClient::come(server.address(), "Ann").await;
    ann.do_(Request::Create { group: group("tea") }).await;
    ann.do_(Request::Join { group: group("tea") }).await;
    ann
}

fn open(jim: &mut Terminal, place: &str) {
    let said = format!("What you type is said in group chat '{place}'.");
    let times = |screen: &Screen| screen.lines_beginning(&said).len();
    let before = times(&jim.screen());
    jim.type_line(&format!("/open {place}"));
    // The prompt may change before the line is there, and the line before the prompt.
    jim.wait_for("the prompt, and what is said of it", |screen| {
        screen.before_cursor == format!("{place}> ") && times(screen) == before + 1
    });
}

/// What `/unread` says the next time.
fn unread(jim: &mut Terminal) -> Vec<String> {
    let answers = |screen: &Screen| screen.lines_beginning("Usage: close").len();
    let before = answers(&jim.screen());
    jim.type_line("/unread");
    // Where its answer ends.
    jim.type_line("/help close");
    let screen = jim.wait_for("the answer", |screen| answers(screen) == before + 1);
    let typed = screen.lines.iter().rposition(|line| line.ends_with("/unread"));
    let lines = screen.lines[typed.expect("it was typed") + 1..].iter();
    let ours = lines.filter(|line| !line.contains("/help close"));
    ours.take_while(|line| *line != "Usage: close").cloned().collect()
}

#[tokio::test]
async fn what_arrives_elsewhere_is_dimmed_when_there_are_colours() {
    let server = ServerProgram::start();
    let mut ann = ann_in_tea(&server).await;
    for (options, is_dimmed) in [(&["--color", "always"][..], true), (&["--color", "never"], false)]
    {
        let mut jim = jim(&server, &Home::new(), options);
        open(&mut jim, "tea");
        ann.do_(public("General", 1 + u64::from(is_dimmed), "over there")).await;
        ann.do_(public("tea", 3 + u64::from(is_dimmed), "over here")).await;
        jim.wait_for_line("In group General, Ann: over there");
        jim.wait_for_line("In group tea, Ann: over here");
        let raw = String::from_utf8_lossy(&jim.raw()).into_owned();
        let dim = |text: &str| raw.contains(&format!("\x1b[2m{text}\x1b[0m"));
        assert_eq!(dim("In group General, Ann:") && dim("over there"), is_dimmed);
        assert!(!dim("In group tea, Ann:") && !dim("over here"), "it is what he looks at");
        jim.type_line("/exit");
        jim.wait_exit();
    }
}

#[tokio::test]
async fn what_was_said_elsewhere_is_unread_until_one_looks_there() {
    let (server, home) = (ServerProgram::start(), Home::new());
    let mut ann = ann_in_tea(&server).await;
    let mut jim = jim(&server, &home, &[]);
    ann.do_(public("General", 1, "seen, for nothing is open")).await;
    jim.wait_for_line("In group General, Ann: seen, for nothing is open");
    assert_eq!(unread(&mut jim), [NOTHING]);
    open(&mut jim, "tea");
    for (number, text) in [(2, "one"), (3, "two")] {
        ann.do_(public("General", number, text)).await;
    }
    ann.do_(private("Jim", 4, "psst")).await;
    ann.do_(public("tea", 5, "three")).await;
    jim.wait_for_line("In group tea, Ann: three");
    let both = [
        "unread messages:",
        "General: 2 (Ann 2)",
        "@Ann: 1",
        "To read them: /history [group-name|@username] [count]",
    ];
    assert_eq!(unread(&mut jim), both);
    // To speak there is to look there.
    jim.type_line("/private Ann yes?");
    assert_eq!(unread(&mut jim), [both[0], both[1], both[3]]);
    open(&mut jim, "General");
    assert_eq!(unread(&mut jim), [NOTHING]);
}

#[tokio::test]
async fn what_came_while_one_was_away_is_unread_until_its_history_is_read() {
    let data = tempfile::tempdir().expect("a temporary directory can be made");
    let data = data.path().to_str().expect("text");
    let (server, home) = (ServerProgram::start_with(&["--data", data]), Home::new());
    let mut ann = ann_in_tea(&server).await;
    let mut first = jim(&server, &home, &[]);
    first.type_line("exit");
    first.wait_exit();
    ann.do_(public("tea", 1, "anybody?")).await;
    let mut jim = jim(&server, &home, &[]);
    jim.wait_for("what was missed", |screen| {
        screen.lines.iter().any(|line| line.ends_with("In group tea, Ann: anybody?"))
    });
    assert_eq!(unread(&mut jim)[1], "tea: 1 (Ann 1)");
    jim.type_line("history tea");
    jim.wait_for("the history", |screen| {
        let said = |line: &&String| line.ends_with("In group tea, Ann: anybody?");
        screen.lines.iter().filter(said).count() == 2
    });
    assert_eq!(unread(&mut jim), [NOTHING]);
}
