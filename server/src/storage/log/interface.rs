//! What every log promises: the trait, its contract, and how it fails.

use std::fmt;
use std::sync::Arc;

use chatroom_proto::{Seq, codec};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use crate::chat::entry::{Entry, Proposal};

/// Entries that were ordered together, in their order. Never empty.
pub type Batch = Vec<Arc<Entry>>;

/// What [`Log::follow`] yields.
pub type Batches = BoxStream<'static, Result<Batch, LogError>>;

/// What everything up to a place has come to, in the place of the entries that led there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSnapshot {
    /// The last entry that it stands for.
    pub seq: Seq,
    /// What the one who made it has to know to go on from there.
    pub state: Vec<u8>,
}

/// Which log it is: drawn by chance when a log is begun, and kept with it. A copy of a log is the
/// same log, and has the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogIdentity(pub [u8; 16]);

impl fmt::Display for LogIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// The checksum of an entry, but for the text of a post, which may be erased. An entry has the
/// number of the node that proposed it, which is another one at each start. So two logs that have
/// the same entry have come from one, and have everything before it in common.
///
/// # Errors
/// [`LogError::Storage`] for an entry that can't be encoded.
pub(crate) fn entry_checksum(entry: &Entry) -> Result<u32, LogError> {
    let doing = || "can't encode an entry of the log".to_owned();
    let mut entry = entry.clone();
    entry.erase_text();
    let bytes = codec::pack(&entry)
        .map_err(|source| LogError::Storage { doing: doing(), source: source.into() })?;
    Ok(crc32fast::hash(&bytes))
}

/// Orders proposals, and gives everyone who follows it the same entries in the same order.
///
/// The contract, which every log keeps:
/// - Each entry's [`Seq`] is above the one before it. Seqs may skip.
/// - A proposal that comes again (by its [`ProposalId`](crate::chat::entry::ProposalId)) is kept
///   once. A node appends in the order of its proposals' numbers, repeats aside.
/// - One node's proposals are kept in the order in which it appended them.
/// - An entry that has been given to one follower is given to all, after a restart, too, as far as
///   the log keeps anything over a restart.
/// - An append that was accepted comes back to its node's follower, or the follower gets an error:
///   then it is unknown whether what is missing was kept, and the node ends.
pub trait Log: Send + Sync + 'static {
    /// Hands proposals over to be ordered, as they are; does not wait for that. The caller bounds
    /// how many are under way, and hands over together what came together: a log on disk commits it
    /// together.
    ///
    /// # Errors
    /// [`LogError`] when the log takes nothing any more.
    fn append(&self, proposals: Vec<Proposal>) -> Result<(), LogError>;

    /// All entries after this place, in order, as they come, for ever. As long as the stream is
    /// held, the log keeps what it has not given, within a bound.
    fn follow(&self, after: Seq) -> Batches;

    /// The newest entry so far. A node serves nobody before it has applied everything up to here.
    fn head(&self) -> Seq;

    /// What everything has come to whose entries are kept no longer, unless that is nothing. Waits
    /// for a disk.
    ///
    /// # Errors
    /// [`LogError`] when it can't be read.
    fn snapshot(&self) -> Result<Option<LogSnapshot>, LogError>;

    /// The last entry of the newest batch that ends at this place or before it: up to where the log
    /// can be compacted. Nothing when all that is kept comes later. Waits for a disk.
    ///
    /// # Errors
    /// [`LogError`] when it can't be read.
    fn batch_end(&self, at: Seq) -> Result<Option<Seq>, LogError>;

    /// Asks for everything up to `snapshot.seq`, which must be the end of a batch, to be replaced
    /// by this. What is appended after that comes behind it: who follows it knows that the snapshot
    /// is kept. From then on, one who follows from an earlier place gets [`LogError::Compacted`].
    /// What the snapshot stands for is deleted when there is time. Waits for a disk.
    ///
    /// # Errors
    /// [`LogError::NotAnEnd`], or another when nothing can be read, or nothing is taken any more.
    fn compact(&self, snapshot: LogSnapshot) -> Result<(), LogError>;

    /// Erases the texts of the posts at these places, and returns when nothing of them is left in
    /// what the log is kept in. Everything else of the entries stays. What is erased, or compacted,
    /// may be erased again.
    ///
    /// # Errors
    /// [`LogError`] when that is not (wholly) done: then it is to be asked for again.
    fn erase(&self, posts: Vec<Seq>) -> BoxFuture<'_, Result<(), LogError>>;

    /// Which log this is, for whoever keeps something that was made of it. Nothing, for a log that
    /// is gone with its process.
    fn identity(&self) -> Option<LogIdentity> {
        None
    }

    /// The checksum of the entry at this place. Nothing when the log does not have it (any more),
    /// or has no identity. Waits for a disk.
    ///
    /// # Errors
    /// [`LogError`] when it can't be read.
    fn checksum(&self, _at: Seq) -> Result<Option<u32>, LogError> {
        Ok(None)
    }
}

/// Why a log failed. Nothing that was acknowledged is affected.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The follower wants entries that the log keeps no longer.
    #[error("the log keeps no entries before {oldest} any more")]
    Compacted {
        /// The oldest entry that is still there.
        oldest: Seq,
    },
    /// The log compacts whole batches only.
    #[error("no batch of the log ends at {0}")]
    NotAnEnd(Seq),
    /// What the log is kept in failed.
    #[error("{doing}")]
    Storage {
        /// What the log wanted to do, as a sentence that an operator understands.
        doing: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Somebody reads what is to be erased.
    #[error("somebody reads the log; what was deleted is erased later")]
    InUse,
    /// What the log is kept in is not as it was written.
    #[error("{0}")]
    Corrupt(String),
    /// It takes more than the log can keep up with.
    #[error("the log has fallen too far behind")]
    Overloaded,
    /// It failed before.
    #[error("the log has stopped: {0}")]
    Stopped(Arc<str>),
}
