//! How a failure of SQLite is told.

use crate::storage::log::interface::LogError;

/// What an operator looks for first when a file can't be used.
const ROOM: &str = "is the disk full, or the directory missing or read-only?";

/// What SQLite says, as an error of the log.
pub(super) fn storage(doing: String, source: rusqlite::Error) -> LogError {
    use rusqlite::ErrorCode::{CannotOpen, DiskFull, ReadOnly, SystemIoFailure};
    let doing = match source.sqlite_error_code() {
        Some(DiskFull | ReadOnly | SystemIoFailure | CannotOpen) => format!("{doing} ({ROOM})"),
        _ => doing,
    };
    LogError::Storage { doing, source: source.into() }
}

/// An error with all its causes.
pub(super) fn chain(error: &LogError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
