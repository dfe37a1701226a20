//! The connection that writes the file: its settings, its rows, and what is deleted from it.

use std::path::Path;
use std::time::Duration;

use chatroom_proto::Seq;
use chatroom_proto::codec;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use tracing::{debug, error, warn};

use super::erase;
use super::error::{chain, storage};
use super::format::{Durability, stored};
use super::reader;
use super::schema::{self, FoundSchema, SCHEMA};
use super::wal;
use crate::chat::entry::Entry;
use crate::config::LOG_BUSY_TIMEOUT;
use crate::private_file;
use crate::storage::log::interface::{LogError, LogIdentity, LogSnapshot};

/// Settings of every connection, with the values that were measured to serve this pattern of
/// writes. What was written is not read again, so that the cache needs no more than the way to the
/// end. Without spilling, the pages of one transaction are written in their order, which the check
/// of the write-ahead log relies on; a transaction has a few MiB, for which the cache grows. What
/// is deleted is overwritten.
const SETTINGS: &str = "
    PRAGMA page_size = 4096;
    PRAGMA secure_delete = ON;
    PRAGMA wal_autocheckpoint = 4000;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA cache_size = -1024;
    PRAGMA cache_spill = OFF;
    PRAGMA temp_store = MEMORY;
    PRAGMA foreign_keys = ON;
    PRAGMA trusted_schema = OFF;
";

/// Rows that are written before a checkpoint is made at the next rest. One that waits for the size
/// alone would stall a commit in the middle of a storm.
const ROWS_BEFORE_CHECKPOINT: u32 = 500;

/// Rows that are deleted in one transaction, and how many bytes may be in them before it is enough:
/// some milliseconds, for which one who posts may have to wait.
const ROWS_DELETED_AT_ONCE: u32 = 256;
const BYTES_DELETED_AT_ONCE: i64 = 1024 * 1024;

/// How often a write waits for another program's lock, [`LOG_BUSY_TIMEOUT`] each time.
const BUSY_ATTEMPTS_MAX: u32 = 12;

/// The one connection that writes.
pub(super) struct LogFile {
    db: Connection,
    identity: LogIdentity,
    rows_since_checkpoint: u32,
    /// There are rows that the snapshot stands for.
    is_compacting: bool,
    /// The write-ahead log may have bytes of rows that were deleted.
    must_truncate: bool,
}

impl LogFile {
    /// Opens the file, or begins one.
    pub(super) fn open(path: &Path, durability: Durability) -> Result<LogFile, LogError> {
        let doing = || format!("can't open the log {}", path.display());
        wal::refuse_alone(path)?;
        // For nobody else's eyes; the files that SQLite makes beside it get the same mode.
        private_file::open(path)
            .map_err(|source| LogError::Storage { doing: doing(), source: source.into() })?;
        wal::check(path, durability)?;
        let mut db = Connection::open(path).map_err(|source| storage(doing(), source))?;
        // Before anything that writes: a file that is not ours stays as it is.
        let found = schema::identify(&db, path)?;
        if let FoundSchema::Log(schema) = found {
            schema::accept(&db, schema, path)?;
        }
        db.execute_batch(SETTINGS).map_err(|source| storage(doing(), source))?;
        db.busy_timeout(LOG_BUSY_TIMEOUT).map_err(|source| storage(doing(), source))?;
        set_journal(&db, path)?;
        let synchronous = match durability {
            Durability::Full => "PRAGMA synchronous = FULL",
            Durability::Normal => "PRAGMA synchronous = NORMAL",
        };
        db.execute_batch(synchronous).map_err(|source| storage(doing(), source))?;
        if found == FoundSchema::Empty {
            schema::create(&mut db).map_err(|source| storage(doing(), source))?;
        }
        try_to_write(&mut db, path)?;
        let identity =
            schema::ensure_identity(&mut db).map_err(|source| storage(doing(), source))?;
        let (is_compacting, must_truncate) =
            leftovers(&db).map_err(|source| storage(doing(), source))?;
        Ok(LogFile { db, identity, rows_since_checkpoint: 0, is_compacting, must_truncate })
    }

    /// Which log it is.
    pub(super) fn identity(&self) -> LogIdentity {
        self.identity
    }

    /// The newest entry.
    pub(super) fn head(&self) -> Result<Seq, LogError> {
        reader::head(&self.db)
    }

    /// Keeps entries as one row. They are on the disk, as far as the durability promises, when this
    /// returns.
    pub(super) fn append(&mut self, entries: &[Entry]) -> Result<(), LogError> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(()) };
        let doing = || "can't write the log".to_owned();
        let bytes = codec::pack(&entries)
            .map_err(|source| LogError::Storage { doing: doing(), source: source.into() })?;
        let row = params![stored(last.seq), stored(first.seq), crc32fast::hash(&bytes), bytes];
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

    /// Keeps what everything up to the end of some batch has come to. The rows up to there are
    /// nobody's from now on, and are deleted by [`LogFile::tidy`].
    pub(super) fn set_snapshot(&mut self, snapshot: &LogSnapshot) -> Result<(), LogError> {
        let crc = crc32fast::hash(&snapshot.state);
        let set = |db: &mut Connection| {
            let change = db.transaction()?;
            let older = "SELECT 1 FROM base WHERE seq >= ?";
            let is_new =
                change.query_row(older, [stored(snapshot.seq)], |_| Ok(())).optional()?.is_none();
            if is_new {
                let replace =
                    "INSERT OR REPLACE INTO base (one, seq, crc, world) VALUES (1, ?, ?, ?)";
                change.execute(replace, params![stored(snapshot.seq), crc, snapshot.state])?;
            }
            change.commit()?;
            Ok(is_new)
        };
        let is_new = set(&mut self.db)
            .map_err(|source| storage("can't write the log".to_owned(), source))?;
        self.is_compacting |= is_new;
        Ok(())
    }

    /// Erases the texts of these posts. Nothing is left of them in the file and in the write-ahead
    /// log when this returns.
    ///
    /// # Errors
    /// [`LogError`]; [`LogError::InUse`] when somebody reads the write-ahead log.
    pub(super) fn erase(&mut self, posts: &[Seq]) -> Result<(), LogError> {
        // Also when no row changes: an earlier run may have been stopped over this.
        self.must_truncate = true;
        erase::erase(&mut self.db, posts)?;
        self.must_truncate = !self.truncate();
        if self.must_truncate { Err(LogError::InUse) } else { Ok(()) }
    }

    /// Nothing waits: does a part of what has time until then. Whether there is more of it.
    pub(super) fn tidy(&mut self) -> bool {
        if self.is_compacting {
            self.must_truncate = true;
            match self.delete_some() {
                Ok(is_more) => self.is_compacting = is_more,
                Err(source) => {
                    // The rest is deleted after the next start, or when more is to be deleted.
                    self.is_compacting = false;
                    error!(
                        error = chain(&storage("can't delete rows".to_owned(), source)),
                        "the log could not forget"
                    );
                }
            }
            return true;
        }
        if self.must_truncate {
            self.must_truncate = !self.truncate();
        } else if self.rows_since_checkpoint >= ROWS_BEFORE_CHECKPOINT {
            self.rows_since_checkpoint = 0;
            // A reader may be in the way of some of it; then a later one does the rest.
            if let Err(error) = self.db.execute_batch("PRAGMA wal_checkpoint(PASSIVE)") {
                debug!(%error, "no checkpoint this time");
            }
        }
        false
    }

    /// Deletes the oldest rows that the snapshot stands for, as many as take no time. Whether there
    /// are more.
    fn delete_some(&mut self) -> rusqlite::Result<bool> {
        let change = self.db.transaction()?;
        let oldest = "
            SELECT last, length(entries) FROM batches WHERE last <= (SELECT seq FROM base) ORDER \
            BY last LIMIT ?";
        let (mut until, mut bytes) = (None, 0);
        {
            let mut oldest = change.prepare_cached(oldest)?;
            let mut rows = oldest.query([ROWS_DELETED_AT_ONCE])?;
            while bytes < BYTES_DELETED_AT_ONCE
                && let Some(row) = rows.next()?
            {
                until = Some(row.get::<_, i64>(0)?);
                bytes += row.get::<_, i64>(1)?;
            }
        }
        if let Some(until) = until {
            change.execute("DELETE FROM batches WHERE last <= ?", [until])?;
        }
        change.commit()?;
        Ok(until.is_some())
    }

    /// Moves everything from the write-ahead log into the file, and empties it. Not while somebody
    /// reads: then it is tried again at the next rest. Whether it is done.
    fn truncate(&mut self) -> bool {
        let truncate = || {
            // Nobody who posts shall wait for a reader.
            self.db.busy_timeout(Duration::ZERO)?;
            let is_busy = self
                .db
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
            self.db.busy_timeout(LOG_BUSY_TIMEOUT)?;
            is_busy
        };
        let is_done = truncate().is_ok_and(|is_busy| !is_busy);
        if is_done {
            self.rows_since_checkpoint = 0;
            debug!("what was forgotten is in no file any more");
        }
        is_done
    }
}

/// Whether rows are left that the snapshot stands for, and whether the write-ahead log may have
/// bytes of such rows.
fn leftovers(db: &Connection) -> rusqlite::Result<(bool, bool)> {
    let rows = "SELECT EXISTS (SELECT 1 FROM batches WHERE last <= (SELECT seq FROM base))";
    let base = "SELECT EXISTS (SELECT 1 FROM base)";
    Ok((db.query_row(rows, [], |row| row.get(0))?, db.query_row(base, [], |row| row.get(0))?))
}

/// Has the file written by way of a write-ahead log, which not every file system can do.
pub(super) fn set_journal(db: &Connection, path: &Path) -> Result<(), LogError> {
    let doing = || format!("can't open the log {}", path.display());
    let set = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0));
    match set.map_err(|source| storage(doing(), source))?.as_str() {
        "wal" => Ok(()),
        other => Err(LogError::Storage {
            doing: doing(),
            source: format!(
                "its file system can't do write-ahead logging (SQLite chose {other:?}); it must \
                 be a local one"
            )
            .into(),
        }),
    }
}

/// Finds out before anybody is served whether anything can be written.
fn try_to_write(db: &mut Connection, path: &Path) -> Result<(), LogError> {
    let write = |db: &mut Connection| {
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        change.execute_batch(&format!("PRAGMA user_version = {SCHEMA}"))?;
        change.commit()
    };
    write(db)
        .map_err(|source| storage(format!("can't write to the log {}", path.display()), source))
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
}
