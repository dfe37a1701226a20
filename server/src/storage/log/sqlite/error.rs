//! How a failure of SQLite is told.

use crate::storage::disk_error;
use crate::storage::log::interface::LogError;

/// What SQLite says, as an error of the log.
pub(super) fn storage(doing: String, source: rusqlite::Error) -> LogError {
    LogError::Storage { doing: disk_error::told(doing, &source), source: source.into() }
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
