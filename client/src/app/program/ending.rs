//! How the program ends: the exit codes, and what each end means.

use std::io::{self, ErrorKind, Write};

use chatroom_proto::{CloseReason, Refusal};

use crate::error::ConnectError;

/// A command from a pipe was refused, or was none.
pub(super) const REFUSED: i32 = 1;
/// The output can't be written.
pub(super) const UNSHOWN: i32 = 1;
/// What was given does not make sense.
pub(super) const USAGE: i32 = 2;
/// There is no connection, or none any more.
pub(super) const NO_CONNECTION: i32 = 3;
/// The name was refused.
pub(super) const NAME_REFUSED: i32 = 4;
/// The other side speaks something else.
pub(super) const OTHER_PROTOCOL: i32 = 5;
/// Added to a signal's number.
pub(super) const SIGNALLED: i32 = 128;

/// How the program ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) code: i32,
    /// What is still to be said.
    pub(super) words: Option<String>,
}

impl Ending {
    /// Without a word.
    pub(super) fn quiet(code: i32) -> Ending {
        Ending { code, words: None }
    }

    /// With these last words.
    pub(super) fn saying(code: i32, words: String) -> Ending {
        Ending { code, words: Some(words) }
    }
}

/// Writes what the command line itself answers: help, the version, or what is wrong with it. Gives
/// the code. Who reads no further has read enough of it.
pub(crate) fn answer(answer: &clap::Error) -> i32 {
    match answer.print().and_then(|()| io::stdout().flush()) {
        Err(error) if answer.exit_code() == 0 && error.kind() != ErrorKind::BrokenPipe => {
            say(&format!("chatroom: can't write to standard output: {error}"));
            UNSHOWN
        }
        _ => answer.exit_code(),
    }
}

/// Says why the program could not even begin, and gives the code.
pub(crate) fn failed(error: &io::Error) -> i32 {
    say(&format!("chatroom: {error}"));
    NO_CONNECTION
}

/// Says a line on standard error, if that can be written. `eprintln!` would panic.
pub(super) fn say(line: &str) {
    let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// The code for one whom the server refused to let in.
pub(super) fn refused_code(refusal: &Refusal) -> i32 {
    match refusal {
        Refusal::UnsupportedVersion { .. } => OTHER_PROTOCOL,
        Refusal::RateLimited { .. } => NO_CONNECTION,
        _ => NAME_REFUSED,
    }
}

/// The code for one who could not come in.
pub(super) fn connect_code(error: &ConnectError) -> i32 {
    match error {
        ConnectError::NoSuchHost(_)
        | ConnectError::Unreachable(_)
        | ConnectError::Silent
        | ConnectError::Cut
        | ConnectError::Untrusted(_) => NO_CONNECTION,
        ConnectError::Refused(refusal) => refused_code(refusal),
        ConnectError::PasswordUnsaid { .. } => NAME_REFUSED,
        ConnectError::Closed(CloseReason::Misbehaved(_)) | ConnectError::Garbled(_) => {
            OTHER_PROTOCOL
        }
        ConnectError::Closed(_) => NO_CONNECTION,
    }
}
