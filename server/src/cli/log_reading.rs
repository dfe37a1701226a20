//! Reading a whole log, from its snapshot to its end.

use std::io;

use chatroom_proto::{GroupName, Seq, UnixMillis, codec};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::chat::effect::ArchiveChange;
use crate::chat::entry::Entry;
use crate::chat::{ChatState, Limits};
use crate::storage::archive::ArchiveFault;
use crate::storage::log::{LogError, LogReader};

/// Why a tool did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum ToolError {
    /// The log can't be read, or is damaged.
    #[error(transparent)]
    Log(#[from] LogError),
    /// What the log says its deleted part has come to can't be read.
    #[error("the log is damaged: what it has come to at {at} can't be read")]
    Snapshot {
        /// Up to where it stands.
        at: Seq,
        /// Why not.
        #[source]
        source: codec::FrameError,
    },
    /// A post does not follow the one before it.
    #[error(
        "the log is damaged: the post at {at} says that it follows {says}, and it follows {follows}"
    )]
    Link {
        /// Which post.
        at: Seq,
        /// What it says.
        says: Seq,
        /// What is true.
        follows: Seq,
    },
    /// The log is whole, and the archive is not what it has come to.
    #[error(transparent)]
    Archive(#[from] ArchiveFault),
    /// There is no such group.
    #[error("there is no group {0}")]
    NoSuchGroup(GroupName),
    /// What was found could not be written.
    #[error("can't write what was found")]
    Output(#[source] io::Error),
}

/// Reads a whole log, from its snapshot on, and gives everything to `each`: the entry, and what it
/// changes in what can be read back. Returns what all of it has come to.
pub(super) fn read_through(
    log: &mut LogReader,
    mut each: impl FnMut(&Entry, Option<ArchiveChange>) -> Result<(), ToolError>,
) -> Result<ChatState, ToolError> {
    let mut state = match log.snapshot()? {
        Some(snapshot) => codec::decode(&snapshot.state)
            .map_err(|source| ToolError::Snapshot { at: snapshot.seq, source })?,
        None => ChatState::new(Limits::default()),
    };
    loop {
        let batch = log.after(state.head())?;
        if batch.is_empty() {
            return Ok(state);
        }
        for entry in batch {
            let change = state.fold(&entry);
            each(&entry, change)?;
        }
    }
}

/// A time as RFC 3339 writes it, in UTC; beyond the year 9999, the last moment that it can write.
pub(super) fn time(at: UnixMillis) -> String {
    let nanos = i128::from(at.0) * 1_000_000;
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok();
    let written = time.and_then(|time| time.format(&Rfc3339).ok());
    written.unwrap_or_else(|| "9999-12-31T23:59:59.999Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_other_programs_read_it() {
        assert_eq!(time(UnixMillis(0)), "1970-01-01T00:00:00Z");
        assert_eq!(time(UnixMillis(1_764_028_800_123)), "2025-11-25T00:00:00.123Z");
        assert_eq!(time(UnixMillis(u64::MAX)), "9999-12-31T23:59:59.999Z");
    }
}
