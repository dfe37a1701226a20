//! The state as it was at some place, so that a restart folds only what came after it.

use chatroom_proto::codec::{self, FrameError};
use rusqlite::{Connection, OptionalExtension};

use crate::chat::ChatState;

use super::row::number;

/// One row. `crc` is the CRC-32 of `bytes`.
pub(super) const CREATE: &str = "
    CREATE TABLE snapshots (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        seq INTEGER NOT NULL,
        crc INTEGER NOT NULL,
        bytes BLOB NOT NULL
    ) STRICT;
";

/// What is wrong with a snapshot.
#[derive(Debug, thiserror::Error)]
pub(super) enum SnapshotError {
    /// The file does not give it.
    #[error("the snapshot can't be read")]
    File(#[from] rusqlite::Error),
    /// It is not as it was written.
    #[error("the checksum of the snapshot is wrong")]
    Checksum,
    /// It is as it was written, and no state, or one of another place.
    #[error("the snapshot is no state of a chat")]
    NoState,
}

/// Takes the place of the snapshot before.
pub(super) fn write(db: &Connection, state: &ChatState) -> Result<(), WriteError> {
    let bytes = codec::pack(state)?;
    let insert = "INSERT OR REPLACE INTO snapshots (one, seq, crc, bytes) VALUES (1, ?, ?, ?)";
    db.prepare_cached(insert)?.execute((number(state.head()), crc32fast::hash(&bytes), bytes))?;
    Ok(())
}

/// Why no snapshot was written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// The file does not take it.
    #[error(transparent)]
    File(#[from] rusqlite::Error),
    /// A state that can't be encoded.
    #[error(transparent)]
    Encoding(#[from] FrameError),
}

/// The newest snapshot, if there is one.
pub(super) fn read(db: &Connection) -> Result<Option<ChatState>, SnapshotError> {
    let select = "SELECT seq, crc, bytes FROM snapshots";
    let columns = |row: &rusqlite::Row<'_>| {
        Ok((row.get(0)?, row.get::<_, u32>(1)?, row.get::<_, Vec<u8>>(2)?))
    };
    let Some((seq, crc, bytes)): Option<(i64, _, _)> =
        db.query_row(select, [], columns).optional()?
    else {
        return Ok(None);
    };
    if crc32fast::hash(&bytes) != crc {
        return Err(SnapshotError::Checksum);
    }
    let state: ChatState = codec::decode(&bytes).map_err(|_| SnapshotError::NoState)?;
    if number(state.head()) == seq { Ok(Some(state)) } else { Err(SnapshotError::NoState) }
}
