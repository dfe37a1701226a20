//! What was deleted here, and may still stand in the log's file: until it is erased there.
//!
//! A place is written down in the transaction that deletes the row, and struck out when the log
//! says that its file is rid of the text. So whatever a crash interrupts is done again. An archive
//! that is made again has all of them: to erase what is erased costs a look.

use chatroom_proto::Seq;
use rusqlite::Connection;

use super::row::{number, seq};

pub(super) const CREATE: &str = "CREATE TABLE erasures (post INTEGER PRIMARY KEY) STRICT;";

/// How many are erased at a time: who waits for a commit meanwhile waits for no longer than a few
/// rows are written.
pub(in crate::storage) const AT_ONCE_MAX: usize = 8;

/// A post is to be erased from the log.
pub(super) fn add(db: &Connection, post: Seq) -> rusqlite::Result<()> {
    let insert = "INSERT OR IGNORE INTO erasures (post) VALUES (?)";
    db.prepare_cached(insert)?.execute([number(post)]).map(|_| ())
}

/// These are erased.
pub(super) fn remove(db: &Connection, posts: &[Seq]) -> rusqlite::Result<()> {
    let mut delete = db.prepare_cached("DELETE FROM erasures WHERE post = ?")?;
    posts.iter().try_for_each(|post| delete.execute([number(*post)]).map(|_| ()))
}

/// The next that are to be erased, in the order of the log.
pub(super) fn next(db: &Connection) -> rusqlite::Result<Vec<Seq>> {
    let select = "SELECT post FROM erasures ORDER BY post LIMIT ?";
    db.prepare_cached(select)?.query_map([AT_ONCE_MAX as i64], |row| row.get(0).map(seq))?.collect()
}

/// Whether there are any.
pub(super) fn are_there(db: &Connection) -> rusqlite::Result<bool> {
    db.query_row("SELECT EXISTS (SELECT 1 FROM erasures)", [], |row| row.get(0))
}
