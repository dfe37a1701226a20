//! Tab: what does not fit is counted, and what was typed another way is found.

use chatroom_proto::Request;
use integration_tests::program::{BUSY, ServerProgram};
use integration_tests::screen::{Screen, Size};
use integration_tests::terminal::{Key, Terminal};
use integration_tests::test_client::{TestClient, group, public};

async fn groups(server: &ServerProgram, names: impl Iterator<Item = String>) -> TestClient {
    let mut ann = TestClient::come(server.address(), "Ann").await;
    for name in names {
        ann.do_(Request::Create { group: group(&name) }).await;
    }
    ann
}

/// Now Tab knows what is there.
fn look(jim: &mut Terminal, last: &str) {
    jim.type_line("groups");
    jim.wait_for_line(last);
}

#[tokio::test]
async fn of_300_groups_some_are_shown_and_the_rest_is_counted() {
    let server = ServerProgram::start_with(&BUSY);
    let mut ann = groups(&server, (0..300).map(|number| format!("group{number:03}"))).await;
    let mut jim = Terminal::sit_down(&server, "Jim");
    look(&mut jim, "group299");
    jim.type_text("join gr");
    jim.press(Key::Tab);
    let counted = |screen: &Screen| screen.lines.iter().any(|line| line.contains("(261 more)"));
    jim.wait_for("how many more", |screen| counted(screen) && screen.before_cursor == "join group");
    // Also in a low window nothing is asked, and what arrives is shown.
    jim.resize(Size { rows: 6, columns: 40 });
    jim.press(Key::Tab);
    jim.wait_for("how many more", |screen| {
        screen.lines.iter().any(|line| line.contains("more)") && !line.contains("261"))
    });
    ann.do_(public("General", 1, "hi")).await;
    jim.wait_for_line("In group General, Ann: hi");
    jim.type_text("042");
    jim.press(Key::Tab);
    jim.wait_for("the group", |screen| screen.before_cursor == "join group042");
}

#[tokio::test]
async fn a_beginning_with_its_accents_apart_is_completed() {
    let server = ServerProgram::start();
    let _ann = groups(&server, ["\u{e9}tude".to_owned()].into_iter()).await;
    let mut jim = Terminal::sit_down(&server, "Jim");
    look(&mut jim, "\u{e9}tude");
    jim.type_text("join e\u{301}t");
    jim.press(Key::Tab);
    jim.wait_for("the group", |screen| screen.before_cursor == "join \u{e9}tude");
}

#[tokio::test]
async fn the_group_of_a_search_is_completed() {
    let server = ServerProgram::start();
    let mut jim = Terminal::sit_down(&server, "Jim");
    look(&mut jim, "General");
    jim.type_text("search x in Gen");
    jim.press(Key::Tab);
    jim.wait_for("the group", |screen| screen.before_cursor == "search x in General");
}
