//! Reading the file: rows, each of which is checked, and the snapshot below them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use chatroom_proto::{Seq, codec};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};

use super::directory;
use super::error::storage;
use super::format::{Durability, FILE_NAME, seq, stored};
use super::schema::{self, FoundSchema};
use super::wal;
use crate::chat::entry::Entry;
use crate::storage::log::interface::{Batch, LogError, LogIdentity, LogSnapshot, entry_checksum};

/// Reads a log on disk, also while a server writes it. Takes no lock that anybody waits for.
pub struct LogReader(pub(super) Connection);

impl LogReader {
    /// Opens the log in this directory, if there is one.
    ///
    /// # Errors
    /// [`LogError`] when there is none, or none that this program reads.
    pub fn open(directory: &Path) -> Result<LogReader, LogError> {
        let path = directory.join(FILE_NAME);
        let reader = LogReader::open_file(&path)?;
        match schema::identify(&reader.0, &path)? {
            FoundSchema::Log(schema) => schema::accept(&reader.0, schema, &path)?,
            FoundSchema::Empty => {
                return Err(LogError::Corrupt(format!("{} is empty", path.display())));
            }
        }
        Ok(reader)
    }

    /// The same, after a look at what SQLite would drop without a word; not while a server uses the
    /// log, which has looked itself.
    ///
    /// # Errors
    /// [`LogError`]; for a log that is damaged, [`LogError::Corrupt`].
    pub fn open_checked(directory: &Path) -> Result<LogReader, LogError> {
        if let Some(_lock) = directory::lock_unless_used(directory) {
            wal::check(&directory.join(FILE_NAME), Durability::Full)?;
        }
        LogReader::open(directory)
    }

    /// Whether there is no log in this directory, or an empty one: a server would begin one there.
    ///
    /// # Errors
    /// [`LogError`] when that can't be told.
    pub fn is_nothing_in(directory: &Path) -> Result<bool, LogError> {
        let path = directory.join(FILE_NAME);
        if fs::metadata(&path).map_or(0, |file| file.len()) == 0 {
            return Ok(true);
        }
        let reader = LogReader::open_file(&path)?;
        Ok(schema::identify(&reader.0, &path)? == FoundSchema::Empty)
    }

    pub(super) fn open_file(path: &Path) -> Result<LogReader, LogError> {
        let doing = || format!("can't read the log {}", path.display());
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db =
            Connection::open_with_flags(path, flags).map_err(|source| storage(doing(), source))?;
        db.execute_batch("PRAGMA busy_timeout = 5000")
            .map_err(|source| storage(doing(), source))?;
        Ok(LogReader(db))
    }

    /// From now on everything is read as it is at this moment.
    ///
    /// # Errors
    /// [`LogError`]
    pub(crate) fn hold(&self) -> Result<(), LogError> {
        let held = self.0.execute_batch("BEGIN");
        held.map_err(|source| storage("can't read the log".to_owned(), source))
    }

    /// What everything has come to whose entries are kept no longer, if there is such a thing.
    ///
    /// # Errors
    /// [`LogError`]
    pub fn snapshot(&self) -> Result<Option<LogSnapshot>, LogError> {
        let columns =
            |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, u32>(1)?, row.get::<_, Vec<u8>>(2)?));
        let read = self.0.query_row("SELECT seq, crc, world FROM base", [], columns).optional();
        match read.map_err(cant_read)? {
            Some((at, crc, state)) if crc32fast::hash(&state) == crc => {
                Ok(Some(LogSnapshot { seq: seq(at), state }))
            }
            Some((at, ..)) => Err(LogError::Corrupt(format!(
                "the log is damaged: the checksum of what it has come to at {at} is wrong"
            ))),
            None => Ok(None),
        }
    }

    /// Which log this is; nothing, when no server has opened it since logs have identities.
    ///
    /// # Errors
    /// [`LogError`]
    pub fn identity(&self) -> Result<Option<LogIdentity>, LogError> {
        schema::identity(&self.0).map_err(cant_read)
    }

    /// The checksum of the entry at this place, if it is kept.
    ///
    /// # Errors
    /// [`LogError`]
    pub(super) fn checksum(&mut self, at: Seq) -> Result<Option<u32>, LogError> {
        match self.after(Seq(at.0.saturating_sub(1))) {
            Ok(batch) => {
                let entry = batch.first().filter(|entry| entry.seq == at);
                entry.map(|entry| entry_checksum(entry)).transpose()
            }
            Err(LogError::Compacted { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The newest entry.
    ///
    /// # Errors
    /// [`LogError`]
    pub fn head(&self) -> Result<Seq, LogError> {
        head(&self.0)
    }

    /// The last entry of the newest batch that ends at this place or before it; nothing when there
    /// is none.
    ///
    /// # Errors
    /// [`LogError`]
    pub fn batch_end(&self, at: Seq) -> Result<Option<Seq>, LogError> {
        let select = "SELECT max(last) FROM batches WHERE last <= ? AND last > coalesce((SELECT \
            seq FROM base), 0)";
        let read = self.0.query_row(select, [stored(at)], |row| row.get::<_, Option<i64>>(0));
        Ok(read.map_err(cant_read)?.map(seq))
    }

    /// The entries of the next row after this place; none when there is none.
    ///
    /// # Errors
    /// [`LogError`]; for a row that is damaged, or not the next one, [`LogError::Corrupt`].
    pub fn after(&mut self, after: Seq) -> Result<Batch, LogError> {
        let Some(raw) = self.row_after(after)? else { return Ok(Batch::new()) };
        let RawRow { first, last, .. } = raw;
        if crc32fast::hash(&raw.entries) != raw.crc {
            return Err(LogError::Corrupt(format!(
                "the log is damaged: the checksum of the batch at {first} is wrong"
            )));
        }
        let entries: Vec<Entry> = codec::decode(&raw.entries).map_err(|error| {
            LogError::Corrupt(format!(
                "the log is damaged: the batch at {first} can't be read: {error}"
            ))
        })?;
        // This log gives out every place: a gap is a row that is gone.
        let places = entries.iter().map(|entry| entry.seq.0);
        if !places.eq(first.0..=last.0) || first > after.next() {
            return Err(LogError::Corrupt(format!(
                "the log is damaged: entries are missing between {after} and {last}"
            )));
        }
        Ok(entries.into_iter().filter(|entry| entry.seq > after).map(Arc::new).collect())
    }

    /// The row, and that nothing before it was compacted: in one statement, so that both are of the
    /// same moment.
    fn row_after(&self, after: Seq) -> Result<Option<RawRow>, LogError> {
        let select = "
            SELECT coalesce((SELECT seq FROM base), 0), first, last, crc, entries
            FROM (SELECT 1) LEFT JOIN (SELECT * FROM batches WHERE last > ? ORDER BY last LIMIT 1)";
        let columns = |row: &Row<'_>| {
            let compacted = seq(row.get(0)?);
            let Some(first) = row.get::<_, Option<i64>>(1)? else { return Ok((compacted, None)) };
            let (first, last) = (seq(first), seq(row.get(2)?));
            Ok((compacted, Some(RawRow { first, last, crc: row.get(3)?, entries: row.get(4)? })))
        };
        let read = self
            .0
            .prepare_cached(select)
            .and_then(|mut select| select.query_row([stored(after)], columns));
        match read.map_err(cant_read)? {
            (compacted, _) if compacted > after => {
                Err(LogError::Compacted { oldest: compacted.next() })
            }
            (_, row) => Ok(row),
        }
    }
}

struct RawRow {
    first: Seq,
    last: Seq,
    crc: u32,
    entries: Vec<u8>,
}

/// The newest entry: of the last row, or that up to which the snapshot stands.
pub(super) fn head(db: &Connection) -> Result<Seq, LogError> {
    let select = "
        SELECT max(coalesce((SELECT max(last) FROM batches), 0), coalesce((SELECT seq FROM base), \
        0))";
    db.query_row(select, [], |row| row.get(0)).map(seq).map_err(cant_read)
}

fn cant_read(source: rusqlite::Error) -> LogError {
    storage("can't read the log".to_owned(), source)
}
