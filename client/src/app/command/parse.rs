//! From a line to what it asks for.

use super::arguments::first_word;
use super::row::{Mistake, TypedCommand};
use super::table::{find, row};

/// Reads a line; nothing when it is blank.
pub fn parse(line: &str) -> Result<Option<TypedCommand>, Mistake> {
    let (word, rest) = first_word(line);
    if word.is_empty() {
        return Ok(None);
    }
    let row = find(word)?;
    (row.parse)(row, rest).map(Some)
}

/// Whether a line has a secret in it, which is to be kept nowhere: a code, or the password that
/// somebody types behind a command that asks for it.
pub fn is_secret(line: &str) -> bool {
    let (word, rest) = first_word(line);
    row(word).is_some_and(|row| row.has_secret() || (!rest.is_empty() && row.asks_for_passwords()))
}
