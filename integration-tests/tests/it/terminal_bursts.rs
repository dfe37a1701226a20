//! What is being typed and what arrives don't disturb each other.

use chatroom_proto::{Notification, Post, ServerFrame};
use integration_tests::program::{BUSY, ServerProgram};
use integration_tests::screen::{Screen, Size};
use integration_tests::terminal::{Key, Terminal};
use integration_tests::test_client::{TestClient, public};

/// So narrow is the narrowest window.
const NARROW: u16 = 45;

/// Jim at a terminal, Robot who talks a lot, and Ann who hears what Jim says, as the server has it.
struct Scene {
    jim: Terminal,
    robot: TestClient,
    ann: TestClient,
    /// What Robot says next, by its number.
    message: fn(usize) -> String,
    said: usize,
    _server: ServerProgram,
}

impl Scene {
    async fn open() -> Scene {
        let server = ServerProgram::start_with(&BUSY);
        let ann = TestClient::come(server.address(), "Ann").await;
        let robot = TestClient::come(server.address(), "Robot").await;
        let jim = Terminal::sit_down(&server, "Jim");
        Scene { jim, robot, ann, message: long_and_short, said: 0, _server: server }
    }

    /// Robot says so many things, as fast as it can, and does not wait for anybody to have read
    /// them.
    async fn burst(&mut self, count: usize) {
        let numbers = self.said..self.said + count;
        for number in numbers.clone() {
            self.robot.say(public("General", number as u64, &(self.message)(number))).await;
        }
        let mut answers = 0;
        while answers < count {
            if let Some(ServerFrame::Response { result, .. }) = self.robot.frame().await {
                result.expect("Robot may speak");
                answers += 1;
            }
        }
        self.said = numbers.end;
    }

    /// Waits until Jim's screen has everything that was said: once, in order, and nothing inside of
    /// it.
    #[track_caller]
    fn everything_is_shown(&self) -> Screen {
        let expected: Vec<String> = (0..self.said).map(|number| self.shown(number)).collect();
        let last = expected.last().expect("something was said");
        let screen =
            self.jim.wait_for("the last message", |screen| screen.unfolded().contains(last));
        let mut shown = screen.unfolded();
        shown.retain(|line| line.starts_with("In group General, Robot:"));
        assert_eq!(shown, expected, "{screen}");
        screen
    }

    fn shown(&self, number: usize) -> String {
        format!("In group General, Robot: {}", (self.message)(number))
    }

    /// Everything is shown, and the line that is being typed is below it.
    #[track_caller]
    fn everything_is_shown_above(&self, before_cursor: &str, after_cursor: &str) {
        self.everything_is_shown();
        self.jim.wait_for("the line being typed", |screen| {
            (screen.before_cursor.as_str(), screen.after_cursor.as_str())
                == (before_cursor, after_cursor)
        });
    }

    /// What Jim says next, as the server tells Ann.
    async fn ann_hears_from_jim(&mut self) -> String {
        loop {
            match self.ann.hear().await {
                Notification::GroupPost { post: Post { from, body, .. }, .. }
                    if from.as_str() == "Jim" =>
                {
                    return body.as_str().to_owned();
                }
                _ => {}
            }
        }
    }

    /// Everything that Jim sees of this scene: nothing is missing, nothing is there twice, nothing
    /// is left over.
    #[track_caller]
    fn the_screen_is_the_messages_and(&self, typed: &[&str]) {
        self.everything_is_shown();
        let expected = (0..self.said)
            .map(|number| self.shown(number))
            .chain(typed.iter().map(|line| (*line).to_owned()));
        let expected: Vec<String> = expected.collect();
        // What was sent may be heard before it is painted for the last time.
        self.jim.wait_for("the messages and what was typed", |screen| {
            screen.unfolded().get(3..) == Some(&expected)
        });
    }
}

/// Some are wider than the window.
fn long_and_short(number: usize) -> String {
    let padding = if number % 7 == 3 {
        " that needs more than one row of the screen".repeat(2)
    } else {
        String::new()
    };
    format!("number {number}{padding}.")
}

/// All fit into a narrow window: what is cut off when a window shrinks is the terminal's affair.
fn short(number: usize) -> String {
    format!("number {number}.")
}

#[tokio::test]
async fn half_a_line_is_typed_500_messages_arrive_and_the_line_is_finished() {
    let mut scene = Scene::open().await;
    let line =
        "public General I type slowly, and in the end this line is longer than a row of my screen.";
    let pieces: Vec<&str> = line.split_inclusive(' ').collect();
    let bursts = 500_usize.div_ceil(pieces.len());
    for piece in pieces {
        scene.jim.type_text(piece);
        scene.burst(bursts.min(500 - scene.said)).await;
    }
    scene.everything_is_shown_above(line, "");
    scene.jim.press(Key::Enter);
    assert_eq!(scene.ann_hears_from_jim().await, line["public General ".len()..]);
    scene.the_screen_is_the_messages_and(&[line]);
}

#[tokio::test]
async fn the_cursor_stays_where_it_is_in_the_middle_of_the_line() {
    let mut scene = Scene::open().await;
    scene.jim.type_text("public General one three");
    for _ in 0.."three".len() {
        scene.jim.press(Key::Left);
    }
    scene.burst(60).await;
    scene.everything_is_shown_above("public General one ", "three");
    scene.jim.type_text("two ");
    scene.burst(60).await;
    scene.everything_is_shown_above("public General one two ", "three");
    scene.jim.press(Key::Enter);
    assert_eq!(scene.ann_hears_from_jim().await, "one two three");
    scene.the_screen_is_the_messages_and(&["public General one two three"]);
}

#[tokio::test]
async fn messages_that_arrive_while_lines_are_typed_ahead_come_between_the_lines() {
    let mut scene = Scene::open().await;
    let lines: Vec<String> = (0..100).map(|line| format!("public General line {line}")).collect();
    // One by one, so that some come while the editor is between two lines.
    for line in &lines {
        scene.jim.type_line(line);
        scene.burst(3).await;
    }
    for line in &lines {
        assert_eq!(scene.ann_hears_from_jim().await, line["public General ".len()..]);
    }
    let last = &lines[lines.len() - 1];
    scene.jim.wait_for("the last line", |screen| screen.has(last));
    scene.everything_is_shown_above("", "");
    let screen = scene.jim.screen();
    assert_eq!(screen.lines_beginning("public"), lines, "{screen}");
    assert_eq!(screen.unfolded().len(), 3 + scene.said + lines.len(), "{screen}");
}

#[tokio::test]
async fn tab_completes_while_messages_arrive() {
    let mut scene = Scene::open().await;
    scene.jim.type_text("pu");
    scene.burst(50).await;
    scene.jim.press(Key::Tab);
    scene.burst(50).await;
    scene.everything_is_shown_above("public ", "[group-name] [message]");
    scene.jim.type_text("Ge");
    scene.jim.press(Key::Tab);
    scene.burst(50).await;
    scene.everything_is_shown_above("public General ", "[message]");
    scene.jim.type_text("found");
    scene.burst(50).await;
    scene.everything_is_shown_above("public General found", "");
    scene.jim.press(Key::Enter);
    assert_eq!(scene.ann_hears_from_jim().await, "found");
    scene.the_screen_is_the_messages_and(&["public General found"]);
}

#[tokio::test]
async fn a_list_of_completions_is_shown_while_messages_arrive() {
    let mut scene = Scene::open().await;
    // Now the completer knows who is there.
    scene.jim.type_line("users");
    scene.jim.wait_for_line("Robot");
    scene.jim.type_text("private ");
    scene.jim.press(Key::Tab);
    scene.burst(100).await;
    scene.jim.wait_for("both names", |screen| {
        screen.lines.iter().any(|line| line.contains("Ann") && line.contains("Robot"))
    });
    scene.jim.type_text("Ro");
    scene.burst(100).await;
    scene.everything_is_shown_above("private Ro", "");
    scene.jim.press(Key::Tab);
    scene.jim.type_text("hello");
    scene.burst(100).await;
    scene.everything_is_shown_above("private Robot hello", "");
    scene.jim.press(Key::Enter);
    loop {
        if let Notification::PrivatePost { post, .. } = scene.robot.hear().await {
            assert_eq!(post.body.as_str(), "hello");
            break;
        }
    }
}

#[tokio::test]
async fn a_search_in_the_history_is_open_while_messages_arrive() {
    let mut scene = Scene::open().await;
    scene.jim.type_line("public General remember this");
    assert_eq!(scene.ann_hears_from_jim().await, "remember this");
    scene.burst(20).await;
    scene.everything_is_shown_above("", "");
    scene.jim.type_text("public General draft");
    scene.jim.press(Key::Control('r'));
    scene.jim.wait_for("the search", |screen| screen.before_cursor.contains("search"));
    scene.burst(200).await;
    scene.jim.type_text("remem");
    scene.jim.wait_for("what was found", |screen| {
        screen.lines.last().is_some_and(|line| line.ends_with("remember this"))
    });
    scene.burst(200).await;
    scene.jim.press(Key::Control('g'));
    scene.everything_is_shown_above("public General draft", "");
    scene.jim.type_text(" kept");
    scene.jim.press(Key::Enter);
    assert_eq!(scene.ann_hears_from_jim().await, "draft kept");
    let lines = scene.everything_is_shown().unfolded();
    assert_eq!(lines.len(), 3 + 420 + 2, "nothing is left of the search: {lines:#?}");
}

#[tokio::test]
async fn a_paste_of_20_lines_in_the_middle_of_a_line_is_one_message() {
    let mut scene = Scene::open().await;
    let pasted: Vec<String> = (1..=20).map(|line| format!("pasted line {line}")).collect();
    let pasted = pasted.join("\n");
    scene.jim.type_text("public General before-");
    scene.burst(100).await;
    scene.jim.paste(&pasted);
    scene.burst(100).await;
    scene.everything_is_shown_above("pasted line 20", "");
    scene.jim.type_text("-after");
    scene.burst(100).await;
    scene.everything_is_shown_above("pasted line 20-after", "");
    scene.jim.press(Key::Enter);
    let expected = format!("before-{pasted}-after");
    assert_eq!(scene.ann_hears_from_jim().await, expected);
    let typed = format!("public General {expected}");
    scene.the_screen_is_the_messages_and(&typed.lines().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_window_is_resized_while_a_line_is_typed_and_messages_arrive() {
    let mut scene = Scene { message: short, ..Scene::open().await };
    let line =
        "public General a line that needs two rows of a narrow window, and one of a wide one";
    let (first, second) = line.split_at(50);
    scene.jim.type_text(first);
    scene.burst(3).await;
    scene.everything_is_shown_above(first, "");
    for (rows, columns) in [(24, NARROW), (8, NARROW), (30, 120), (24, 60)] {
        scene.jim.resize(Size { rows, columns });
        scene.burst(3).await;
        scene.everything_is_shown_above(first, "");
    }
    scene.jim.type_text(second);
    scene.burst(3).await;
    scene.everything_is_shown_above(line, "");
    scene.jim.resize(Size { rows: 24, columns: 100 });
    scene.burst(3).await;
    scene.everything_is_shown_above(line, "");
    scene.jim.press(Key::Enter);
    assert_eq!(scene.ann_hears_from_jim().await, line["public General ".len()..]);
}
