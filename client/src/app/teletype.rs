//! A terminal on which nothing can be painted over (`TERM=dumb`): what is typed is shown letter by
//! letter, and what arrives in the middle of a line gets a line of its own. Then the line is shown
//! again.
//!
//! It reads and shows by itself what the terminal would otherwise show: only so it knows whether
//! there is half a line. A terminal that shows nothing itself (a shell within Emacs) has somebody
//! else to care for that; there, lines are read as they come.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::mpsc;
use unicode_segmentation::UnicodeSegmentation;

use crate::app::keyboard::keys::{Keys, Typing};
use crate::app::lines::{LINE_BYTES_MAX, LINES_AHEAD_MAX, Typed};
use crate::app::open_conversation::OpenConversation;
use crate::app::terminal;

/// The line that is being typed. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Teletype(Arc<Mutex<String>>);

impl Teletype {
    /// Takes the terminal, and starts to read it. Nothing where that shows nothing itself.
    pub(crate) fn start(
        &self,
        open: OpenConversation,
    ) -> Option<io::Result<mpsc::Receiver<Typed>>> {
        if !terminal::take_plain() {
            return None;
        }
        let (typed, lines) = mpsc::channel(LINES_AHEAD_MAX);
        let teletype = self.clone();
        let started = thread::Builder::new().name("lines".to_owned()).spawn(move || {
            let mut keys = Keys::default();
            let mut bytes = [0; 1024];
            loop {
                let read = io::stdin().lock().read(&mut bytes).unwrap_or_default();
                let mut events = teletype.take(&keys.feed(&bytes[..read]));
                if read == 0 {
                    events.push(Typed::End);
                }
                for event in events {
                    let event = event.into_command(&open);
                    let is_end = event == Typed::End;
                    if typed.blocking_send(event).is_err() || is_end {
                        return;
                    }
                }
            }
        });
        Some(started.map(|_| lines))
    }

    /// Shows whole lines: not behind half a line that is being typed.
    pub(crate) fn show(&self, text: &str) -> io::Result<()> {
        let line = self.lock();
        let between = if line.is_empty() { "" } else { "\n" };
        let mut out = io::stdout().lock();
        out.write_all(format!("{between}{text}{line}").as_bytes())?;
        out.flush()
    }

    /// Takes keys, and shows what they do. Gives the lines that are whole.
    fn take(&self, typed: &[Typing]) -> Vec<Typed> {
        let (mut line, mut shown, mut lines) = (self.lock(), String::new(), Vec::new());
        for typing in typed {
            let Typing::Keys(keys) = typing else { continue };
            for c in without_sequences(&String::from_utf8_lossy(keys)).chars() {
                match c {
                    '\r' | '\n' => {
                        shown.push('\n');
                        lines.push(Typed::Line(std::mem::take(&mut *line)));
                    }
                    '\u{4}' if line.is_empty() => lines.push(Typed::End),
                    '\u{8}' | '\u{7f}' => {
                        if let Some((at, _)) = line.grapheme_indices(true).next_back() {
                            line.truncate(at);
                            shown.push_str("\u{8} \u{8}");
                        }
                    }
                    // Shown anew below: nothing can be taken away from a line.
                    '\u{15}' => {
                        line.clear();
                        shown.push('\n');
                    }
                    c if c.is_control() || line.len() >= LINE_BYTES_MAX => {}
                    c => {
                        line.push(c);
                        shown.push(c);
                    }
                }
            }
        }
        let mut out = io::stdout().lock();
        // A terminal that is gone is noticed where it is read.
        let _ = out.write_all(shown.as_bytes()).and_then(|()| out.flush());
        lines
    }

    fn lock(&self) -> MutexGuard<'_, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without the keys that begin with Esc: they move a cursor that can't be moved here.
fn without_sequences(keys: &str) -> String {
    let mut rest = keys.chars();
    let mut left = String::with_capacity(keys.len());
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => match rest.next() {
                Some('[') => drop(rest.find(|c| matches!(c, 'A'..='Z' | 'a'..='z' | '~' | '$'))),
                Some('O') => drop(rest.next()),
                _ => {}
            },
            c => left.push(c),
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_a_cursor_is_left_out() {
        assert_eq!(
            without_sequences("a\u{1b}[Db\u{1b}[1;5Cc\u{1b}OAd\u{1b}fe\u{1b}[[Af"),
            "abcdef"
        );
    }
}
