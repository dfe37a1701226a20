//! The file: its settings, its rows.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use chatroom_proto::Seq;
use chatroom_proto::codec;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use tracing::{debug, warn};

use super::schema::{self, Found};
use super::{Batch, Durability, LogError, wal};
use crate::chat::effect::Entry;

/// The pages of our files, in bytes.
pub(super) const PAGE_BYTES: usize = 4096;

/// Settings of every connection, with the values that were measured to serve this pattern of writes.
/// Without spilling, the pages of one transaction are written in their order, which the check of the write-ahead log
/// relies on; a transaction has a few MiB.
const SETTINGS: &str = "
    PRAGMA page_size = 4096;
    PRAGMA journal_mode = WAL;
    PRAGMA wal_autocheckpoint = 4000;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA cache_size = -65536;
    PRAGMA cache_spill = OFF;
    PRAGMA temp_store = MEMORY;
    PRAGMA foreign_keys = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA busy_timeout = 5000;
";

/// Rows that are written before a checkpoint is made at the next rest. One that waits for the size alone would stall a
/// commit in the middle of a storm.
const ROWS_BEFORE_CHECKPOINT: u32 = 500;

/// How often a write waits for another program's lock, 5 seconds each time.
const BUSY_ATTEMPTS_MAX: u32 = 12;

/// The one connection that writes.
pub(super) struct LogFile {
    db: Connection,
    rows_since_checkpoint: u32,
}

impl LogFile {
    /// Opens the file, or begins one.
    pub(super) fn open(path: &Path, durability: Durability) -> Result<LogFile, LogError> {
        let doing = || format!("can't open the log {}", path.display());
        // For nobody else's eyes; the files that SQLite makes beside it get the same mode.
        let mut options = OpenOptions::new();
        let made = options.create(true).truncate(false).write(true).mode(0o600).open(path);
        made.map_err(|source| LogError::Storage { doing: doing(), source: source.into() })?;
        check(path, durability)?;
        let mut db = Connection::open(path).map_err(|source| storage(doing(), source))?;
        // Before anything that writes: a file that is not ours stays as it is.
        let found = schema::identify(&db, path)?;
        if let Found::Log(schema) = found {
            schema::migrate(schema, path)?;
        }
        db.execute_batch(SETTINGS).map_err(|source| storage(doing(), source))?;
        let synchronous = match durability {
            Durability::Full => "PRAGMA synchronous = FULL",
            Durability::Normal => "PRAGMA synchronous = NORMAL",
        };
        db.execute_batch(synchronous).map_err(|source| storage(doing(), source))?;
        if found == Found::Empty {
            schema::create(&mut db).map_err(|source| storage(doing(), source))?;
        }
        Ok(LogFile { db, rows_since_checkpoint: 0 })
    }

    /// The newest entry.
    pub(super) fn head(&self) -> Result<Seq, LogError> {
        let newest = self.db.query_row("SELECT coalesce(max(last), 0) FROM batches", [], |row| row.get(0));
        newest.map(seq).map_err(|source| storage("can't read the log".to_owned(), source))
    }

    /// Keeps entries as one row. They are on the disk, as far as the durability promises, when this returns.
    pub(super) fn append(&mut self, entries: &[Entry]) -> Result<(), LogError> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(()) };
        let doing = || "can't write the log".to_owned();
        let bytes = codec::pack(&entries)
            .map_err(|source| LogError::Storage { doing: doing(), source: source.into() })?;
        let row =
            params![last.seq.0.cast_signed(), first.seq.0.cast_signed(), crc32fast::hash(&bytes), bytes];
        let insert = "INSERT INTO batches (last, first, crc, entries) VALUES (?, ?, ?, ?)";
        for attempt in 1.. {
            match self.db.prepare_cached(insert).and_then(|mut insert| insert.execute(row)) {
                Ok(_) => break,
                // Another program looks at the file with a lock. Nobody is answered meanwhile.
                Err(error) if is_busy(&error) && attempt < BUSY_ATTEMPTS_MAX => {
                    warn!("another program has locked the log; waiting for it");
                }
                Err(source) => return Err(storage(doing(), source)),
            }
        }
        self.rows_since_checkpoint += 1;
        Ok(())
    }

    /// Nothing waits: time to move what was written from the write-ahead log into the file.
    pub(super) fn rest(&mut self) {
        if self.rows_since_checkpoint >= ROWS_BEFORE_CHECKPOINT {
            self.rows_since_checkpoint = 0;
            // A reader may be in the way of some of it; then a later one does the rest.
            if let Err(error) = self.db.execute_batch("PRAGMA wal_checkpoint(PASSIVE)") {
                debug!(%error, "no checkpoint this time");
            }
        }
    }
}

/// A connection that reads rows.
pub(super) struct Reader(Connection);

impl Reader {
    /// Opens a file that is there.
    pub(super) fn open(path: &Path) -> Result<Reader, LogError> {
        let doing = || format!("can't read the log {}", path.display());
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(|source| storage(doing(), source))?;
        db.execute_batch("PRAGMA busy_timeout = 5000").map_err(|source| storage(doing(), source))?;
        Ok(Reader(db))
    }

    /// The entries of the next row after this place; none when there is none.
    pub(super) fn after(&mut self, after: Seq) -> Result<Batch, LogError> {
        let select = "SELECT first, last, crc, entries FROM batches WHERE last > ? ORDER BY last LIMIT 1";
        let row = self
            .0
            .prepare_cached(select)
            .and_then(|mut select| {
                let columns = |row: &rusqlite::Row<'_>| {
                    Ok((
                        row.get::<_, i64>(0)?,
                        row.get::<_, i64>(1)?,
                        row.get::<_, u32>(2)?,
                        row.get::<_, Vec<u8>>(3)?,
                    ))
                };
                select.query_row([after.0.cast_signed()], columns).optional()
            })
            .map_err(|source| storage("can't read the log".to_owned(), source))?;
        let Some((first, last, crc, bytes)) = row else { return Ok(Batch::new()) };
        if crc32fast::hash(&bytes) != crc {
            return Err(LogError::Corrupt(format!(
                "the log is damaged: the checksum of the batch at {first} is wrong"
            )));
        }
        let entries: Vec<Entry> = codec::decode(&bytes).map_err(|error| {
            LogError::Corrupt(format!("the log is damaged: the batch at {first} can't be read: {error}"))
        })?;
        // This log gives out every place: a gap is a row that is gone.
        let places = entries.iter().map(|entry| entry.seq.0);
        if !places.eq(seq(first).0..=seq(last).0) || seq(first) > after.next() {
            return Err(LogError::Corrupt(format!(
                "the log is damaged: entries are missing between {after} and {last}"
            )));
        }
        Ok(entries.into_iter().filter(|entry| entry.seq > after).map(Arc::new).collect())
    }
}

/// Checks the write-ahead log, which nobody may be writing.
fn check(path: &Path, durability: Durability) -> Result<(), LogError> {
    let path = path.with_extension("sqlite-wal");
    let doing = || format!("can't read {}", path.display());
    let damage =
        wal::damage(&path).map_err(|source| LogError::Storage { doing: doing(), source: source.into() })?;
    let Some(at) = damage else { return Ok(()) };
    let path = path.display();
    let what = format!("{path} is damaged at byte {at}, and there is more behind it");
    match durability {
        Durability::Full => Err(LogError::Corrupt(format!(
            "{what}: messages that were acknowledged may be among it. Restore the data directory from a copy; or, to go \
             on without everything from there on, cut the file there: truncate -s {at} {path}"
        ))),
        // A power failure may leave holes in what was never synced, which is what was asked for.
        Durability::Normal => {
            warn!("{what}, as a power failure leaves it without full durability; going on without it");
            Ok(())
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
}

fn seq(kept: i64) -> Seq {
    Seq(kept.cast_unsigned())
}

pub(super) fn storage(doing: String, source: rusqlite::Error) -> LogError {
    LogError::Storage { doing, source: source.into() }
}
