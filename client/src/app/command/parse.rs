//! From a line to what it asks for.

use chatroom_proto::Code;

use super::arguments::first_word;
use super::row::{Mistake, Row, TypedCommand};
use super::table::{find, row, rows};

/// Reads a line; nothing when it is blank.
pub fn parse(line: &str) -> Result<Option<TypedCommand>, Mistake> {
    let (word, rest) = first_word(line);
    if word.is_empty() {
        return Ok(None);
    }
    let row = find(word)?;
    (row.parse)(row, rest).map(Some)
}

/// Whether a line leaves the chat, or would in another program.
pub fn leaves(line: &str) -> bool {
    matches!(
        parse(line),
        Ok(Some(TypedCommand::Exit)) | Err(Mistake::UnknownCommand { meant: Some("exit"), .. })
    )
}

/// What other programs call the commands that have to do with passwords and codes.
const SECRET_WORDS: &[&str] =
    &["password", "pass", "pw", "login", "identify", "nickserv", "oper", "auth", "token", "code"];

/// A word that may be one of those, mistyped, has so many wrong letters at most.
const WRONG_LETTERS_MAX: usize = 2;

/// The shortest beginning of such a word that is taken for it, in letters.
const BEGINNING_LETTERS_MIN: usize = 3;

/// Whether a line may have a secret in it, which is to be kept nowhere: a code, or the password
/// that somebody types behind a command that asks for it, be it misspelled or another program's.
/// A line that is something else for sure is none.
pub fn is_secret(line: &str) -> bool {
    let (word, rest) = first_word(line);
    let word = word.trim_start_matches(['/', '\\', ':', '.', '!']).to_lowercase();
    if Code::parse(&word).is_ok() {
        return true;
    }
    match row(&word) {
        Some(row) => row.has_secret() || (!rest.is_empty() && row.asks_for_passwords()),
        None => !rest.is_empty() && secret_words().any(|secret| may_mean(&word, secret)),
    }
}

fn secret_words() -> impl Iterator<Item = &'static str> {
    let is_secret = |row: &&'static Row| row.has_secret() || row.asks_for_passwords();
    rows().filter(is_secret).map(|row| row.name).chain(SECRET_WORDS.iter().copied())
}

fn may_mean(word: &str, secret: &str) -> bool {
    let letters = word.chars().count();
    let is_begun = letters >= BEGINNING_LETTERS_MIN && secret.starts_with(word);
    let goes_on = secret.len() > BEGINNING_LETTERS_MIN && word.starts_with(secret);
    // Of a short word, hardly anything would be left.
    let wrong_max = WRONG_LETTERS_MAX.min(secret.len() / 3);
    word == secret || is_begun || goes_on || strsim::damerau_levenshtein(word, secret) <= wrong_max
}
