//! Ctrl-C while a line is typed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustyline::{Cmd, Movement};

use super::password_input::PasswordInput;
use crate::app::keyboard::on_line::LineKey;
use crate::app::screen::Aside;
use crate::app::view::View;

/// Whether there was a line to clear when Ctrl-C was pressed. Clones share it.
#[derive(Clone, Default)]
pub(super) struct HadText(Arc<AtomicBool>);

/// Comes before Ctrl-C. Somebody may have gone back in the history: what they had typed before is
/// the line again, and then that is cleared. Otherwise the next line would be taken for one of the
/// history, and Up would lose it.
pub(super) struct BeforeInterrupt(pub(super) HadText);

impl LineKey for BeforeInterrupt {
    fn command(&self, line: &str, _: usize) -> Option<Cmd> {
        self.0.0.store(!line.is_empty(), Ordering::Relaxed);
        Some(Cmd::EndOfHistory)
    }
}

/// Ctrl-C: clears the line; on an empty one, says how to leave.
pub(super) struct ClearLine {
    pub(super) aside: Aside,
    pub(super) view: View,
    pub(super) password_input: PasswordInput,
    pub(super) had_text: HadText,
}

impl LineKey for ClearLine {
    fn command(&self, line: &str, _: usize) -> Option<Cmd> {
        if self.password_input.is_asked_for() {
            // Whoever does not want to give a password wants out of that.
            return Some(Cmd::Interrupt);
        }
        let had_text = self.had_text.0.swap(false, Ordering::Relaxed);
        if line.is_empty() && !had_text {
            self.aside.note(self.view.how_to_leave());
            return Some(Cmd::Noop);
        }
        Some(Cmd::Kill(Movement::WholeBuffer))
    }
}
