//! A window that becomes wider and narrower under a line of several rows, where the terminal joins
//! and breaks its rows anew: nothing that arrived is erased.

use chatroom_proto::Notification;
use integration_tests::program::{BUSY, Home, ServerProgram};
use integration_tests::screen::Size;
use integration_tests::test_client::{TestClient, public};
use integration_tests::tmux::{self, Tmux};

struct Scene {
    jim: Tmux,
    bo: TestClient,
    said: u64,
    _server: ServerProgram,
}

impl Scene {
    async fn open(columns: u16) -> Scene {
        let server = ServerProgram::start_with(&BUSY);
        let bo = TestClient::come(server.address(), "Bo").await;
        let port = server.port().to_string();
        let size = Size { rows: 24, columns };
        let mut jim = Tmux::chatroom(&["127.0.0.1", &port, "Jim"], &Home::new(), size);
        jim.wait_for("the welcome", |lines| has(lines, "You joined the room 'General'"));
        Scene { jim, bo, said: 0, _server: server }
    }

    /// Bo says something, and Jim sees it.
    async fn message(&mut self) {
        self.bo.do_(public("General", self.said, &format!("n{}", self.said))).await;
        let line = self.line(self.said);
        self.jim.wait_for(&line, |lines| has(lines, &line));
        self.said += 1;
    }

    fn line(&self, number: u64) -> String {
        format!("In group General, Bo: n{number}")
    }

    /// Everything that Bo said is there once, and in order.
    fn nothing_is_lost(&mut self) {
        let expected: Vec<_> = (0..self.said).map(|number| self.line(number)).collect();
        let mut lines = self.jim.lines();
        let all = lines.clone();
        lines.retain(|line| line.starts_with("In group General, Bo:"));
        assert_eq!(lines, expected, "{all:#?}");
    }

    async fn hear_jim(&mut self) -> String {
        loop {
            if let Notification::GroupPost { post, .. } = self.bo.hear().await {
                return post.body.as_str().to_owned();
            }
        }
    }
}

fn has(lines: &[String], line: &str) -> bool {
    lines.iter().any(|shown| shown == line)
}

/// Of 111 columns with its command: three rows of 40, one of 120, five of 25.
const DRAFT: &str = "this line needs three rows of a narrow window, and one of a wide one, and \
    more of a phone's";

#[tokio::test]
async fn a_window_that_changes_under_a_line_of_several_rows_loses_nothing() {
    if !tmux::is_installed() {
        return;
    }
    for widths in [[40, 120, 40], [40, 25, 40], [40, 80, 26], [80, 40, 120]] {
        let mut scene = Scene::open(widths[0]).await;
        for _ in 0..5 {
            scene.message().await;
        }
        scene.jim.type_text(&format!("public General {DRAFT}"));
        scene.jim.wait_for("the line", |lines| lines.iter().any(|line| line.ends_with("phone's")));
        for columns in widths {
            scene.jim.resize(columns);
            for _ in 0..3 {
                scene.message().await;
            }
        }
        scene.nothing_is_lost();
        scene.jim.type_text("\r");
        assert_eq!(scene.hear_jim().await, DRAFT);
        scene.nothing_is_lost();
    }
}

#[tokio::test]
async fn a_window_that_is_dragged_while_messages_arrive_loses_nothing() {
    if !tmux::is_installed() {
        return;
    }
    let mut scene = Scene::open(80).await;
    scene.jim.type_text(&format!("public General {DRAFT}"));
    scene.jim.wait_for("the line", |lines| lines.iter().any(|line| line.ends_with("phone's")));
    for columns in (41..80).rev().step_by(3).chain((40..120).step_by(7)) {
        scene.jim.resize(columns);
        scene.message().await;
    }
    scene.nothing_is_lost();
}

#[tokio::test]
async fn a_line_that_was_sent_is_one_line_of_the_window() {
    if !tmux::is_installed() {
        return;
    }
    let mut scene = Scene::open(40).await;
    scene.jim.type_text(&format!("public General {DRAFT}\r"));
    assert_eq!(scene.hear_jim().await, DRAFT);
    scene.message().await;
    scene.jim.resize(120);
    let line = format!("public General {DRAFT}");
    scene.jim.wait_for("the line in one row", |lines| has(lines, &line));
}

#[tokio::test]
async fn nothing_begins_a_row_that_has_columns_in_this_terminal_and_none_elsewhere() {
    if !tmux::is_installed() {
        return;
    }
    let mut scene = Scene::open(80).await;
    let fillings = [
        '\u{3164}',
        '\u{FFA0}',
        '\u{AD}',
        '\u{70F}',
        '\u{8E2}',
        '\u{302E}',
        '\u{16FF0}',
        '\u{9BE}',
    ];
    for (number, filling) in (0..).zip(fillings) {
        // As many as the row has room for, for those who count one or two columns.
        let left = 80 - "In group General, Bo: .".len();
        for (half, count) in (0..).zip([left, left / 2]) {
            let filling = filling.to_string().repeat(count);
            let text = format!(".{filling}Private message from Ann: psst {number}");
            scene.bo.do_(public("General", 1_000 + 2 * number + half, &text)).await;
        }
    }
    scene.message().await;
    let rows = scene.jim.rows();
    assert_eq!(rows.iter().filter(|row| row.contains("psst")).count(), 16, "{rows:#?}");
    assert!(!rows.iter().any(|row| row.starts_with("Private")), "{rows:#?}");
}
