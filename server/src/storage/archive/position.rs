//! How far an archive has come, and along which log.

use chatroom_proto::Seq;
use rusqlite::{Connection, Row};

use super::row::{number, seq, wrong_checksum};
use crate::storage::log::{Log, LogError, LogIdentity};

/// How far the rows, the index and the deleting have come; the log, and the checksum of its entry
/// at `head`. `crc` is the CRC-32 of all of that.
pub(super) const CREATE: &str = "
    CREATE TABLE state (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        head INTEGER NOT NULL,
        indexed INTEGER NOT NULL,
        forgotten INTEGER NOT NULL,
        log BLOB,
        entry INTEGER NOT NULL,
        crc INTEGER NOT NULL
    ) STRICT;
";

/// How far an archive has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ArchivePosition {
    /// Every post up to this entry has its row.
    pub(super) head: Seq,
    /// Every row up to here is in the index.
    pub(super) indexed: Seq,
    /// Everything up to here is to be deleted.
    pub(super) delete_until: Seq,
    /// Of which log it is a view. Nothing, for one that is gone with its process.
    pub(super) log: Option<LogIdentity>,
    /// The checksum of the log's entry at `head`.
    pub(super) entry: u32,
}

/// Whether an archive is a view of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Provenance {
    /// It is.
    Same,
    /// It is one of another log.
    OtherLog,
    /// It is one of another copy of this log, which has gone on without this one.
    OtherCopy,
    /// It is one of another log, and this one has nothing in it yet.
    LogIsNew,
    /// It has seen more than this log has.
    Ahead,
}

impl ArchivePosition {
    /// Nothing yet.
    pub(super) const START: ArchivePosition = ArchivePosition {
        head: Seq::ZERO,
        indexed: Seq::ZERO,
        delete_until: Seq::ZERO,
        log: None,
        entry: 0,
    };

    /// Whether it is the position of a view of this log. Logs that have the same entry at one place
    /// have everything before it in common. What the log has compacted can't be compared: all rows
    /// up to there are to be deleted, so that nothing is lost when they are made again.
    ///
    /// # Errors
    /// [`LogError`] when the log can't be read.
    pub(super) fn provenance(&self, log: &dyn Log) -> Result<Provenance, LogError> {
        if self.head == Seq::ZERO {
            return Ok(Provenance::Same);
        }
        let identity = log.identity();
        Ok(if self.log != identity && log.head() == Seq::ZERO {
            Provenance::LogIsNew
        } else if self.log != identity {
            Provenance::OtherLog
        } else if self.head > log.head() {
            Provenance::Ahead
        } else if identity.is_some() && log.checksum(self.head)? != Some(self.entry) {
            Provenance::OtherCopy
        } else {
            Provenance::Same
        })
    }

    fn crc(&self) -> u32 {
        let mut crc = crc32fast::Hasher::new();
        for place in [self.head, self.indexed, self.delete_until] {
            crc.update(&place.0.to_le_bytes());
        }
        crc.update(self.log.as_ref().map_or(&[][..], |log| &log.0));
        crc.update(&self.entry.to_le_bytes());
        crc.finalize()
    }
}

/// Writes down how far it has come.
pub(super) fn write(db: &Connection, position: &ArchivePosition) -> rusqlite::Result<()> {
    let ArchivePosition { head, indexed, delete_until, log, entry } = *position;
    let (log, crc) = (log.map(|log| log.0), position.crc());
    let insert = "
        INSERT OR REPLACE INTO state (one, head, indexed, forgotten, log, entry, crc)
        VALUES (1, ?, ?, ?, ?, ?, ?)";
    let places = (number(head), number(indexed), number(delete_until));
    db.prepare_cached(insert)?.execute((places.0, places.1, places.2, log, entry, crc)).map(|_| ())
}

/// How far it has come.
pub(super) fn read(db: &Connection) -> rusqlite::Result<ArchivePosition> {
    let columns = |row: &Row<'_>| {
        let position = ArchivePosition {
            head: seq(row.get(0)?),
            indexed: seq(row.get(1)?),
            delete_until: seq(row.get(2)?),
            log: row.get::<_, Option<[u8; 16]>>(3)?.map(LogIdentity),
            entry: row.get(4)?,
        };
        Ok((position, row.get::<_, u32>(5)?))
    };
    let select = "SELECT head, indexed, forgotten, log, entry, crc FROM state";
    let (position, crc) = db.query_row(select, [], columns)?;
    if position.crc() == crc {
        Ok(position)
    } else {
        Err(wrong_checksum(5, "of what it says about itself".to_owned()))
    }
}
