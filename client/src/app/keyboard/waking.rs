//! What the line editor is woken for, and the line that it then keeps.
//!
//! Nothing can call the line editor back while it waits for a key. So it is woken by a key that
//! nobody can type. Its handler either has the line painted anew, or ends it as Enter does: then it
//! is read again from where it was, with another prompt, say.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustyline::Cmd;

use super::on_line::LineKey;
use crate::app::line_rows;

/// Shared by the thread that wakes, the line editor's, and whoever changes the prompt.
#[derive(Clone, Default)]
pub(crate) struct Waking(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// What stands before each command.
    prompt: String,
    /// What stands before the line that is being read.
    shown: String,
    /// Whether that is `prompt`, rather than a question.
    reads_commands: bool,
    was_stopped: bool,
    is_gone: bool,
    kept: Option<Kept>,
}

/// A line that was ended to be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    line: String,
    cursor: usize,
    /// So many rows above the cursor are to be cleared before.
    rows: usize,
}

impl Kept {
    /// What is before the cursor, and what is behind it.
    pub(crate) fn into_halves(mut self) -> (String, String) {
        let behind = self.line.split_off(self.cursor);
        (self.line, behind)
    }

    /// Moves the cursor to where the line began, and clears the screen below.
    pub(crate) fn clear(&self) -> Option<String> {
        (self.rows > 0).then(|| format!("\x1b[{}A\r\x1b[J", self.rows))
    }
}

impl Waking {
    /// What stands before each command from now on. Tells whether it has to be shown now.
    pub(crate) fn set_prompt(&self, prompt: &str) -> bool {
        let mut state = self.lock();
        state.prompt.replace_range(.., prompt);
        state.reads_commands && state.shown != prompt
    }

    /// The program was stopped, and goes on.
    pub(crate) fn stopped(&self) {
        self.lock().was_stopped = true;
    }

    /// The terminal is gone.
    pub(crate) fn gone(&self) {
        self.lock().is_gone = true;
    }

    /// Whether it is gone.
    pub(crate) fn is_gone(&self) -> bool {
        self.lock().is_gone
    }

    /// A line is read: behind this question, or behind the prompt for commands. Gives it.
    pub(crate) fn reads(&self, question: Option<&str>) -> String {
        let mut state = self.lock();
        state.reads_commands = question.is_none();
        state.shown = question.unwrap_or(&state.prompt).to_owned();
        state.shown.clone()
    }

    /// The line that was kept, if this is what came of it.
    pub(crate) fn kept(&self, line: &str) -> Option<Kept> {
        self.lock().kept.take().filter(|kept| kept.line == line)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wake(&mut self, line: &str, cursor: usize) -> Cmd {
        let was_stopped = std::mem::take(&mut self.was_stopped);
        if self.is_gone {
            return Cmd::Interrupt;
        }
        let rows = line_rows::rows(&self.shown, line);
        let has_other_prompt = self.reads_commands && self.shown != self.prompt;
        if !has_other_prompt && (rows == 1 || !was_stopped) {
            return if was_stopped { Cmd::Repaint } else { Cmd::Noop };
        }
        // What is above the cursor now is the shell's, when this program was stopped.
        let rows = if was_stopped { 0 } else { rows };
        self.kept = Some(Kept { line: line.to_owned(), cursor, rows });
        Cmd::AcceptLine
    }
}

impl LineKey for Waking {
    fn command(&self, line: &str, cursor: usize) -> Option<Cmd> {
        Some(self.lock().wake(line, cursor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_ended_only_when_its_prompt_is_another_one() {
        let waking = Waking::default();
        assert!(!waking.set_prompt("G1> "), "no line is read");
        assert_eq!(waking.reads(None), "G1> ");
        assert!(!waking.set_prompt("G1> "));
        assert_eq!(waking.lock().wake("draft", 2), Cmd::Noop);
        assert!(waking.set_prompt("tea> "));
        assert_eq!(waking.lock().wake("draft", 2), Cmd::AcceptLine);
        assert_eq!(waking.kept("something else"), None);
        assert_eq!(waking.lock().wake("draft", 2), Cmd::AcceptLine);
        let kept = waking.kept("draft").unwrap();
        assert_eq!(kept.clear().as_deref(), Some("\x1b[1A\r\x1b[J"));
        assert_eq!(kept.into_halves(), ("dr".to_owned(), "aft".to_owned()));
        assert_eq!(waking.reads(None), "tea> ");
        assert_eq!(waking.lock().wake("draft", 2), Cmd::Noop);
    }

    #[test]
    fn a_question_keeps_its_prompt() {
        let waking = Waking::default();
        assert_eq!(waking.reads(Some("Password: ")), "Password: ");
        assert!(!waking.set_prompt("G1> "));
        assert_eq!(waking.lock().wake("", 0), Cmd::Noop);
    }

    #[test]
    fn after_a_stop_one_row_is_painted_again_and_several_begin_anew() {
        let waking = Waking::default();
        waking.reads(None);
        waking.stopped();
        assert_eq!(waking.lock().wake("draft", 5), Cmd::Repaint);
        assert_eq!(waking.lock().wake("draft", 5), Cmd::Noop, "once");
        waking.stopped();
        let long = "x".repeat(200);
        assert_eq!(waking.lock().wake(&long, 5), Cmd::AcceptLine);
        assert_eq!(waking.kept(&long).unwrap().clear(), None, "it is the shell's screen");
    }

    #[test]
    fn without_a_terminal_the_line_is_over() {
        let waking = Waking::default();
        waking.gone();
        assert_eq!(waking.lock().wake("draft", 0), Cmd::Interrupt);
        assert!(waking.is_gone());
    }
}
