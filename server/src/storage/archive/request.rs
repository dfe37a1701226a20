//! What a reader is asked, and what it answers.

use chatroom_proto::{ArchivedPost, DeletedPost, Notification, Seq, UnixMillis};
use tokio::sync::oneshot;

use crate::chat::effect::{Read, Replay, StoredPost};

/// What a reader is asked, and where the answer goes.
#[derive(Debug)]
pub(super) enum ReadRequest {
    Read(Read, oneshot::Sender<Result<FoundPosts, ReadError>>),
    Replay(Replay, oneshot::Sender<Result<Missed, ReadError>>),
    OlderThan(AgeQuery, oneshot::Sender<Result<AgedPosts, ReadError>>),
    Find(Seq, oneshot::Sender<Result<Option<StoredPost>, ReadError>>),
    ToErase(oneshot::Sender<Result<Vec<Seq>, ReadError>>),
}

/// Which posts are old.
#[derive(Debug, Clone, Copy)]
pub(super) struct AgeQuery {
    /// Those that were said before.
    pub(super) before: UnixMillis,
    /// What has a later time does not count: its clock was ahead.
    pub(super) now: UnixMillis,
    /// How far the log goes.
    pub(super) head: Seq,
}

/// What is old. Old is a prefix of the log: it ends with the last post that is old before the first
/// that is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AgedPosts {
    /// Everything up to here, before the first post that is to be kept.
    pub until: Seq,
    /// The latest time that one of the old posts has; nothing, when there are none.
    pub newest: Option<UnixMillis>,
    /// When the first post that is not old was said; nothing, when there is none.
    pub next: Option<UnixMillis>,
    /// How many posts behind the old ones have a time that is yet to come, while there is none that
    /// is not old: nothing tells when they were said.
    pub ahead: u64,
    /// How many posts are old, and kept because one before them is not: of the next
    /// 100,000.
    pub behind_newer: u64,
}

/// So many posts behind the first that is not old are looked at, to tell whether a clock was ahead:
/// a look has to end soon.
pub(super) const BEHIND_NEWER_LOOKED_AT: u32 = 100_000;

/// What a read has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPosts {
    /// The posts, the newest first: as many as were asked for, as far as they fit into one frame.
    pub posts: Vec<ArchivedPost>,
    /// Those of a history that were deleted, the newest first; they count like the others.
    pub deleted: Vec<DeletedPost>,
    /// Where older ones begin; nothing when there are none.
    pub next: Option<Seq>,
}

/// A part of what a client missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// What it was not told, in order.
    pub notifications: Vec<Notification>,
    /// Everything up to here is in this part or before it: where the next part begins, or the end.
    pub reached: Seq,
}

/// Why nothing was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It took longer than a read may take.
    #[error("it took too long")]
    TookTooLong,
    /// A search has no word and no symbol in it.
    #[error("there is nothing to look for")]
    NoWords,
    /// The archive has stopped.
    #[error("the archive has stopped")]
    Stopped,
}
