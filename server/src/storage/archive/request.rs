//! What a reader is asked, and what it answers.

use chatroom_proto::{ArchivedPost, Notification, Seq, UnixMillis};
use tokio::sync::oneshot;

use crate::chat::effect::{Read, Replay};

/// What a reader is asked, and where the answer goes.
#[derive(Debug)]
pub(super) enum ReadRequest {
    Read(Read, oneshot::Sender<Result<FoundPosts, ReadError>>),
    Replay(Replay, oneshot::Sender<Result<Missed, ReadError>>),
    FirstSince(UnixMillis, oneshot::Sender<Result<Option<Seq>, ReadError>>),
}

/// What a read has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPosts {
    /// The posts, the newest first: as many as were asked for, as far as they fit into one frame.
    pub posts: Vec<ArchivedPost>,
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
