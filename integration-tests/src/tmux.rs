//! A window of tmux in which the client runs. When a window gets another width, tmux joins and
//! breaks its rows anew, as most terminals do and the emulator of [`screen`](crate::screen) does
//! not.
//!
//! It is spoken to in tmux's control mode: commands go in a line each, and what is written in the
//! window is told, so that a scene waits for that and for no time.

use std::io::Write;
use std::process::{ChildStdin, Command, Stdio};

use crate::process::{Output, Process, spawn};
use crate::program::{Home, programs};
use crate::screen::Size;

/// Whether there is tmux. Who runs the tests without it is told what is left out; CI has it.
///
/// # Panics
/// Where `CI` is set, when there is none.
pub fn is_installed() -> bool {
    let mut command = Command::new("tmux");
    let said = spawn(command.arg("-V").stdout(Stdio::null())).and_then(|mut tmux| tmux.wait());
    let is_there = said.is_ok_and(|exit| exit.success());
    assert!(is_there || std::env::var_os("CI").is_none(), "tmux is installed");
    if !is_there {
        eprintln!("left out, as there is no tmux: apt-get install tmux");
    }
    is_there
}

/// A window of tmux. Everything in it is killed when this is dropped.
#[derive(Debug)]
pub struct Tmux {
    commands: ChildStdin,
    said: Output,
    asked: usize,
    control: Process,
    _home: Home,
}

impl Tmux {
    /// Opens a window and runs `chatroom` in it.
    ///
    /// # Panics
    /// When that can't be done: without tmux, say.
    pub fn chatroom(arguments: &[&str], home: &Home, size: Size) -> Tmux {
        let [columns, rows] = [size.columns, size.rows].map(|length| length.to_string());
        let mut command = Command::new("tmux");
        command.args(["-f", "/dev/null", "-C", "new-session", "-x", &columns, "-y", &rows, "--"]);
        command.arg(&programs().client).args(arguments);
        command.env_clear().envs(home.environment()).env("TMUX_TMPDIR", home.path());
        command.current_dir(home.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = spawn(&mut command).expect("tmux can be run: apt-get install tmux");
        let commands = child.stdin.take().expect("it is a pipe");
        let said = Output::gather(child.stdout.take().expect("it is a pipe"));
        let control = Process::watch(child);
        let mut tmux = Tmux { commands, said, asked: 0, control, _home: home.clone() };
        tmux.answer();
        // Nothing stays when the one who speaks to it is gone.
        tmux.ask("set-option destroy-unattached on");
        tmux.ask("set-option -g history-limit 10000");
        tmux
    }

    /// Types a text.
    ///
    /// # Panics
    /// When the window is gone.
    pub fn type_text(&mut self, text: &str) {
        let bytes: Vec<_> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.ask(&format!("send-keys -H {}", bytes.join(" ")));
    }

    /// Changes the window's width.
    ///
    /// # Panics
    /// When the window is gone.
    pub fn resize(&mut self, columns: u16) {
        self.ask(&format!("resize-window -x {columns}"));
    }

    /// Everything in the window and above it: lines, wherever tmux has broken them.
    ///
    /// # Panics
    /// When the window is gone.
    pub fn lines(&mut self) -> Vec<String> {
        self.ask("capture-pane -p -J -S -").lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// The same, row by row.
    ///
    /// # Panics
    /// When the window is gone.
    pub fn rows(&mut self) -> Vec<String> {
        self.ask("capture-pane -p -S -").lines().map(|row| row.trim_end().to_owned()).collect()
    }

    /// Waits until the lines are as they should be.
    ///
    /// # Panics
    /// When they do not become so.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str, ready: impl Fn(&[String]) -> bool) -> Vec<String> {
        loop {
            let heard = self.said.length();
            let lines = self.lines();
            if ready(&lines) {
                return lines;
            }
            // The answer itself is something that is said; what is written comes besides.
            let written = self.said.find(|said| {
                said.get(heard..)?.lines().find(|line| line.starts_with("%output")).map(drop)
            });
            assert!(written.is_some(), "waited for this in vain: {what}; the window:\n{lines:#?}");
        }
    }

    fn ask(&mut self, command: &str) -> String {
        writeln!(self.commands, "{command}").expect("tmux takes commands");
        self.answer()
    }

    /// Waits for the next answer.
    fn answer(&mut self) -> String {
        let number = self.asked;
        self.asked += 1;
        self.said.find(|said| nth_answer(said, number)).expect("tmux answers")
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = writeln!(self.commands, "kill-server");
        let _ = self.control.wait();
    }
}

/// What is between the lines that begin and end an answer.
fn nth_answer(said: &str, number: usize) -> Option<String> {
    let (_, from) = said.match_indices("%begin ").nth(number).map(|(at, _)| said.split_at(at))?;
    let (_, answer) = from.split_once('\n')?;
    let end = ["%end ", "%error "].iter().filter_map(|end| answer.find(end)).min()?;
    answer[end..].contains('\n').then(|| answer[..end].to_owned())
}
