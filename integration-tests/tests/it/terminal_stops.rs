//! A client that is stopped and called back by its shell: the terminal is its own again, and so is
//! the line.

use std::fs;
use std::path::Path;

use chatroom_proto::Notification;
use integration_tests::program::{Home, ServerProgram, programs};
use integration_tests::screen::{Screen, Size};
use integration_tests::terminal::{Key, Modes, Terminal};
use integration_tests::test_client::TestClient;
use rustix::process::{Pid, Signal, kill_process};

/// A shell with jobs: when the client stops, it takes the terminal into a mode of its own and says
/// so, and Enter brings the client back.
const SHELL: &str = r#"
set -m
sh -c 'echo $$ >client; exec "$0" "$@"' "$@"
while [ $? -gt 128 ]; do
    stty sane; echo "[stopped]"; read -r _; fg >/dev/null
done
exit 0
"#;

struct Job {
    home: Home,
    jim: Terminal,
    ann: TestClient,
    _server: ServerProgram,
}

impl Job {
    async fn start() -> Job {
        let server = ServerProgram::start();
        let ann = TestClient::come(server.address(), "Ann").await;
        let client = programs().client.to_str().expect("a path of ordinary characters");
        let home = Home::new();
        let port = server.port().to_string();
        let arguments = ["-c", SHELL, "sh", client, "127.0.0.1", &port, "Jim"];
        let jim = Terminal::run(Path::new("/bin/sh"), &arguments, &home, Size::default());
        jim.wait_for("a line to type in", |screen| screen.lines.len() == 3 && screen.is_typing());
        Job { home, jim, ann, _server: server }
    }

    fn signal(&self, signal: Signal) {
        let pid = fs::read_to_string(self.home.path().join("client")).expect("it has started");
        let pid = pid.trim().parse().ok().and_then(Pid::from_raw).expect("a number");
        kill_process(pid, signal).expect("it runs");
    }

    /// The shell has the terminal, so many times now.
    fn is_stopped(&self, times: usize) {
        self.jim.wait_for("the shell", |screen| {
            screen.lines.iter().filter(|line| line.contains("[stopped]")).count() == times
        });
    }

    async fn hears(&mut self, text: &str) {
        loop {
            if let Notification::GroupPost { post, .. } = self.ann.hear().await {
                assert_eq!(post.body.as_str(), text);
                return;
            }
        }
    }
}

#[tokio::test]
async fn stopped_by_a_signal_it_comes_back_with_its_line() {
    for signal in [Signal::STOP, Signal::TSTP] {
        let mut job = Job::start().await;
        job.jim.type_text("public General keepa");
        job.jim.wait_for("a line", |screen| screen.before_cursor.ends_with("keepa"));
        job.signal(signal);
        job.is_stopped(1);
        job.jim.press(Key::Enter);
        let is_there = |screen: &Screen| screen.before_cursor == "public General keepa";
        job.jim.wait_for("the line again", is_there);
        assert!(!job.jim.modes().canonical && !job.jim.modes().echo, "its terminal is its own");
        job.jim.type_text("b");
        job.jim.press(Key::Left);
        job.jim.type_line("!");
        job.hears("keepa!b").await;
    }
}

#[tokio::test]
async fn a_line_of_several_rows_begins_anew_below_the_shells() {
    let mut job = Job::start().await;
    let draft = format!("public General {}", "long ".repeat(30));
    job.jim.type_text(&draft);
    job.jim.press(Key::Home);
    job.jim.wait_for("the line", |screen| screen.after_cursor == draft.trim_end());
    job.signal(Signal::STOP);
    job.is_stopped(1);
    job.jim.press(Key::Enter);
    job.jim.wait_for("the line again", |screen| {
        screen.lines.iter().any(|line| line.contains("[stopped]"))
            && screen.before_cursor.is_empty()
            && screen.after_cursor == draft.trim_end()
    });
    job.jim.press(Key::Control('e'));
    job.jim.type_line("!");
    job.hears(&format!("{}!", &draft["public General ".len()..])).await;
}

#[tokio::test]
async fn control_z_works_again_and_again() {
    let mut job = Job::start().await;
    job.jim.type_text("public General half");
    for times in 1..=3 {
        job.jim.wait_for("the line", |screen| screen.before_cursor == "public General half");
        job.jim.press(Key::Control('z'));
        job.is_stopped(times);
        assert_eq!(job.jim.modes(), Modes::USABLE);
        job.jim.press(Key::Enter);
    }
    job.jim.wait_for("the line", |screen| screen.before_cursor == "public General half");
    job.jim.type_line("");
    job.hears("half").await;
}

#[test]
fn control_z_does_nothing_where_no_shell_would_bring_it_back() {
    let server = ServerProgram::start();
    let mut jim = Terminal::sit_down(&server, "Jim");
    // Its shell is in the same group, and nobody is there who would see that it is stopped.
    jim.type_text("gro");
    jim.wait_for("a line", |screen| screen.before_cursor == "gro");
    jim.press(Key::Control('z'));
    jim.press(Key::Left);
    jim.type_text("x");
    jim.wait_for("the line, edited", |screen| {
        screen.before_cursor == "grx" && screen.after_cursor == "o"
    });
    assert!(!jim.modes().canonical && !jim.modes().echo, "its terminal is its own");
}
