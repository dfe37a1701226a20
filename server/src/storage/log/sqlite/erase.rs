//! Erasing texts: rows are written anew without them.

use chatroom_proto::{Seq, codec};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::storage;
use super::format::stored;
use crate::chat::entry::Entry;
use crate::storage::log::interface::LogError;

/// Writes the rows of these posts anew, in one transaction, without their texts. A place that no
/// row has was compacted.
///
/// # Errors
/// [`LogError`]; for a row that is damaged, which stays as it is, [`LogError::Corrupt`].
pub(super) fn erase(db: &mut Connection, posts: &[Seq]) -> Result<(), LogError> {
    let transaction = db.transaction().map_err(cant_erase)?;
    erase_all(&transaction, posts)?;
    transaction.commit().map_err(cant_erase)
}

fn erase_all(db: &Connection, posts: &[Seq]) -> Result<(), LogError> {
    let mut posts = posts.to_vec();
    posts.sort_unstable();
    let mut rest = posts.as_slice();
    while let Some(first) = rest.first() {
        let Some(row) = row_of(db, *first)? else {
            rest = &rest[1..];
            continue;
        };
        let count = rest.partition_point(|post| *post <= Seq(row.last.cast_unsigned()));
        let (in_row, behind) = rest.split_at(count);
        erase_in(db, row, in_row)?;
        rest = behind;
    }
    Ok(())
}

struct BatchRow {
    last: i64,
    crc: u32,
    entries: Vec<u8>,
}

/// The row that has this place.
fn row_of(db: &Connection, at: Seq) -> Result<Option<BatchRow>, LogError> {
    let select = "
        SELECT last, crc, entries, first FROM batches
        WHERE last >= ?1 AND last > coalesce((SELECT seq FROM base), 0) ORDER BY last LIMIT 1";
    let columns = |row: &Row<'_>| {
        let found = BatchRow { last: row.get(0)?, crc: row.get(1)?, entries: row.get(2)? };
        Ok((row.get::<_, i64>(3)? <= stored(at)).then_some(found))
    };
    let read = db
        .prepare_cached(select)
        .and_then(|mut select| select.query_row([stored(at)], columns).optional());
    Ok(read.map_err(cant_erase)?.flatten())
}

fn erase_in(db: &Connection, row: BatchRow, posts: &[Seq]) -> Result<(), LogError> {
    let BatchRow { last, crc, entries } = row;
    let damaged = || LogError::Corrupt(format!("the log is damaged: the batch up to {last}"));
    if crc32fast::hash(&entries) != crc {
        return Err(damaged());
    }
    let mut entries: Vec<Entry> = codec::decode(&entries).map_err(|_| damaged())?;
    let mut has_changed = false;
    for entry in entries.iter_mut().filter(|entry| posts.contains(&entry.seq)) {
        has_changed |= entry.erase_text();
    }
    if !has_changed {
        return Ok(());
    }
    let bytes = codec::pack(&entries).map_err(|source| LogError::Storage {
        doing: "can't erase what was deleted from the log".to_owned(),
        source: source.into(),
    })?;
    let update = "UPDATE batches SET crc = ?, entries = ? WHERE last = ?";
    let row = params![crc32fast::hash(&bytes), bytes, last];
    let updated = db.prepare_cached(update).and_then(|mut update| update.execute(row));
    updated.map(|_| ()).map_err(cant_erase)
}

fn cant_erase(source: rusqlite::Error) -> LogError {
    storage("can't erase what was deleted from the log".to_owned(), source)
}
