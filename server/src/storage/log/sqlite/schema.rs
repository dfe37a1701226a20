//! Whose a file is, and which schema it has.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::error::storage;
use crate::chat::SNAPSHOT_LAYOUT;
use crate::entropy::Entropy;
use crate::storage::log::interface::{LogError, LogIdentity};

/// The number of the tables, and of the layout of the entries in them.
const TABLES: i64 = 2;

/// The schema that this program writes, kept in the file's `user_version`: of the tables and the
/// entries, and of the state in `base`. Neither number ever falls, so their sum is another one when
/// either has changed.
pub(super) const SCHEMA: i64 = TABLES + SNAPSHOT_LAYOUT;

/// Marks a file as ours, in its `application_id`: "Chat" in ASCII.
const APPLICATION: i64 = 0x4368_6174;

/// A row of `batches` is a batch. `last` orders the rows; `crc` is the CRC-32 of `entries`. The one
/// row of `base`, if it is there, stands for everything up to `seq`; `crc` is the CRC-32 of
/// `state`.
const CREATE: &str = "
    CREATE TABLE batches (
        last INTEGER PRIMARY KEY,
        first INTEGER NOT NULL,
        crc INTEGER NOT NULL,
        entries BLOB NOT NULL
    ) STRICT;
    CREATE TABLE base (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        seq INTEGER NOT NULL,
        crc INTEGER NOT NULL,
        world BLOB NOT NULL
    ) STRICT;
";

/// Which log it is. Logs from before this table get it when they are opened; nobody else looks at
/// it, so it is not counted in [`TABLES`].
const CREATE_IDENTITY: &str = "
    CREATE TABLE IF NOT EXISTS identity (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        id BLOB NOT NULL
    ) STRICT;
";

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FoundSchema {
    /// Nothing yet.
    Empty,
    /// A log of this program, of that schema.
    Log(i64),
}

/// Looks whose a file is, and changes nothing in it.
pub(super) fn identify(db: &Connection, path: &Path) -> Result<FoundSchema, LogError> {
    let number = |query: &str| db.query_row(query, [], |row| row.get::<_, i64>(0));
    let read = || {
        let tables = number("SELECT count(*) FROM sqlite_schema")?;
        Ok((number("PRAGMA application_id")?, number("PRAGMA user_version")?, tables))
    };
    match read()
        .map_err(|source| storage(format!("can't open the log {}", path.display()), source))?
    {
        (0, 0, 0) => Ok(FoundSchema::Empty),
        (APPLICATION, schema, _) => Ok(FoundSchema::Log(schema)),
        _ => Err(LogError::Corrupt(format!(
            "can't open the log {}: it is not one of this program",
            path.display()
        ))),
    }
}

/// The oldest schema with the same tables and entries. Those from here on had other layouts of
/// states, and are the same in everything else.
const SAME_ENTRIES_SINCE: i64 = 3;

/// Whether a log of ours can be read as it is. Whoever writes to it then makes it one of the schema
/// of this program. A step from one schema to the next that has to change something will be a
/// function that is called here, in a transaction of its own; there is none yet.
pub(super) fn accept(db: &Connection, schema: i64, path: &Path) -> Result<(), LogError> {
    let path_shown = path.display();
    let has_base = || {
        let base =
            db.query_row("SELECT EXISTS (SELECT 1 FROM base)", [], |row| row.get::<_, bool>(0));
        base.map_err(|source| storage(format!("can't open the log {path_shown}"), source))
    };
    match schema {
        SCHEMA => Ok(()),
        SAME_ENTRIES_SINCE..SCHEMA if !has_base()? => Ok(()),
        newer if newer > SCHEMA => Err(LogError::Corrupt(format!(
            "the log {path_shown} was written by a newer server (schema {newer}; this one knows \
             {SCHEMA})"
        ))),
        older => Err(LogError::Corrupt(format!(
            "the log {path_shown} was written before the first release (schema {older}) and can't \
             be read by this server \
             (schema {SCHEMA}); start with another directory (--data)"
        ))),
    }
}

/// Makes a log of an empty file.
pub(super) fn create(db: &mut Connection) -> rusqlite::Result<()> {
    let change = db.transaction()?;
    change.execute_batch(CREATE)?;
    change.execute_batch(&format!(
        "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {SCHEMA};"
    ))?;
    change.commit()
}

/// Which log this is. One that has no identity gets one, which is in the file itself when this
/// returns: a log that loses its write-ahead log is still known.
pub(super) fn ensure_identity(db: &mut Connection) -> rusqlite::Result<LogIdentity> {
    if let Some(known) = identity(db)? {
        return Ok(known);
    }
    let drawn: [u8; 16] = Entropy::default().bytes();
    let change = db.transaction()?;
    change.execute_batch(CREATE_IDENTITY)?;
    change.execute("INSERT INTO identity (one, id) VALUES (1, ?)", [drawn])?;
    change.commit()?;
    // One who reads meanwhile is in the way of some of it; a later checkpoint does the rest.
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(LogIdentity(drawn))
}

/// Which log this is, if it has been opened since logs have identities.
pub(super) fn identity(db: &Connection) -> rusqlite::Result<Option<LogIdentity>> {
    let table = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'identity'";
    if db.query_row(table, [], |_| Ok(())).optional()?.is_none() {
        return Ok(None);
    }
    db.query_row("SELECT id FROM identity", [], |row| row.get(0).map(LogIdentity)).optional()
}
