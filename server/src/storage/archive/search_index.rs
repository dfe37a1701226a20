//! The search index: for each word, the posts that have it. It has no copy of the texts; the rows
//! have them.

use rusqlite::Connection;

use crate::chat::effect::ConversationId;

use super::search_text;

/// The index keeps which posts have a word, not where in them (`detail`), nor how long they are
/// (`columnsize`): results are ordered by place and not by rank. What is deleted from it is taken
/// out of its pages at once (`secure-delete`), not covered with a mark that a later merge would
/// remove.
///
/// Words come separated and folded, see [`search_text`]: the tokenizer `ascii` leaves everything
/// alone that is not ASCII.
pub(super) const CREATE: &str = "
    CREATE VIRTUAL TABLE words USING fts5(
        text, content = '', detail = none, columnsize = 0, tokenize = 'ascii'
    );
    INSERT INTO words (words, rank) VALUES ('secure-delete', 1);
";

/// Adds a post.
pub(super) fn add(
    db: &Connection,
    seq: i64,
    conversation: ConversationId,
    body: &str,
) -> rusqlite::Result<()> {
    let mut insert = db.prepare_cached("INSERT INTO words (rowid, text) VALUES (?, ?)")?;
    insert.execute((seq, search_text::text(conversation, body))).map(|_| ())
}

/// Takes out a post that is in it. The index finds its entries by what was added, to the letter.
pub(super) fn remove(
    db: &Connection,
    seq: i64,
    conversation: ConversationId,
    body: &str,
) -> rusqlite::Result<()> {
    let mut delete =
        db.prepare_cached("INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)")?;
    delete.execute((seq, search_text::text(conversation, body))).map(|_| ())
}
