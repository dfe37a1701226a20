//! How it is told that SQLite can't use a file.

use rusqlite::ErrorCode::{CannotOpen, DiskFull, ReadOnly, SystemIoFailure};

/// What an operator looks for first.
const ROOM: &str =
    "is the disk full, a limit on files reached, or the directory missing or read-only?";

/// What was to be done, and where to look when it is the disk that did not do it.
pub(crate) fn told(doing: String, error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(DiskFull | ReadOnly | SystemIoFailure | CannotOpen) => format!("{doing} ({ROOM})"),
        _ => doing,
    }
}
