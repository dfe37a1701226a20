//! Lines from a pipe, or from a terminal that is not for editing, read in a thread of their own.

use std::io::{self, BufRead, Read};
use std::thread;

use chatroom_proto::{Password, Request};
use tokio::sync::mpsc;

use crate::app::open_conversation::OpenConversation;

/// The longest line, in bytes: the longest command is under 9 KiB.
pub(crate) const LINE_BYTES_MAX: usize = 16 * 1024;

/// The most lines that were read and not carried out: reading is not to run far ahead.
pub(crate) const LINES_AHEAD_MAX: usize = 16;

/// What came of reading a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Typed {
    Line(String),
    /// A password that was asked for; nothing when it was not given.
    Secret(Option<Password>),
    /// A command that passwords were asked for.
    Request(Box<Request>),
    /// There was a line, and it can't be used.
    Unreadable(&'static str),
    /// There are no more lines.
    End,
}

impl Typed {
    /// A line as the command that it is.
    pub(crate) fn into_command(self, open: &OpenConversation) -> Typed {
        match self {
            Typed::Line(line) => Typed::Line(open.take(line)),
            other => other,
        }
    }
}

/// Starts reading standard input.
pub(crate) fn start(open: OpenConversation) -> io::Result<mpsc::Receiver<Typed>> {
    let (typed, lines) = mpsc::channel(LINES_AHEAD_MAX);
    thread::Builder::new().name("lines".to_owned()).spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let line = next_line(&mut input).unwrap_or(Typed::End).into_command(&open);
            let is_end = line == Typed::End;
            if typed.blocking_send(line).is_err() || is_end {
                return;
            }
        }
    })?;
    Ok(lines)
}

/// The next line, without its end; of one that is too long, all is read and nothing kept.
fn next_line(input: &mut impl BufRead) -> io::Result<Typed> {
    let mut line = Vec::new();
    let limit = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
    if input.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
        return Ok(Typed::End);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    } else if line.len() == LINE_BYTES_MAX {
        input.skip_until(b'\n')?;
        return Ok(Typed::Unreadable("it is too long for any command"));
    }
    Ok(String::from_utf8(line).map_or(Typed::Unreadable("it is not UTF-8"), Typed::Line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut input: &[u8]) -> Vec<Typed> {
        let mut lines = Vec::new();
        loop {
            let line = next_line(&mut input).unwrap();
            if line == Typed::End {
                return lines;
            }
            lines.push(line);
        }
    }

    fn line(text: &str) -> Typed {
        Typed::Line(text.to_owned())
    }

    #[test]
    fn lines_end_in_any_usual_way_and_the_last_need_not() {
        assert_eq!(
            all(b"join G1\nusers\r\n\nexit"),
            [line("join G1"), line("users"), line(""), line("exit")]
        );
        assert_eq!(all(b""), []);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_as_one() {
        let text = format!("{}\nusers\n", "x".repeat(3 * LINE_BYTES_MAX));
        assert_eq!(
            all(text.as_bytes()),
            [Typed::Unreadable("it is too long for any command"), line("users")]
        );
    }

    #[test]
    fn a_line_that_is_not_text_is_skipped() {
        assert_eq!(
            all(b"\xff\xfe\nusers\n"),
            [Typed::Unreadable("it is not UTF-8"), line("users")]
        );
    }
}
