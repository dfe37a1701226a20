//! The archive: what can be read back. A view of the log, which a thread of its own writes behind it; another reads.
//!
//! It follows the log as any node does, so it may be lost: it is made again. A read waits until the view has come as far
//! as the read asks for, which takes milliseconds, or as long as it takes after a loss.

use chatroom_proto::{Notification, Said, Seq};
use tokio::sync::{mpsc, oneshot};

use crate::chat::effect::{Read, Replay};

/// Reads that wait for the reader; more make their askers wait.
const READS_WAITING_MAX: usize = 256;

/// Reads what was said. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Archive {
    asks: mpsc::Sender<Ask>,
}

/// What the reader is asked, and where the answer goes.
#[derive(Debug)]
pub(crate) enum Ask {
    Read(Read, oneshot::Sender<Result<Past, ReadError>>),
    Replay(Replay, oneshot::Sender<Result<Missed, ReadError>>),
}

/// What a read has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// The posts, the newest first: as many as were asked for, as far as they fit into one frame.
    pub posts: Vec<Said>,
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
    /// The archive has stopped.
    #[error("the archive has stopped")]
    Stopped,
}

impl Archive {
    /// Looks something up.
    ///
    /// # Errors
    /// [`ReadError`]
    pub async fn read(&self, read: Read) -> Result<Past, ReadError> {
        self.ask(|answer| Ask::Read(read, answer)).await
    }

    /// The first part of what somebody missed. It ends at `replay.until`, or earlier, where the next part begins.
    ///
    /// # Errors
    /// [`ReadError`]
    pub async fn replay(&self, replay: Replay) -> Result<Missed, ReadError> {
        self.ask(|answer| Ask::Replay(replay, answer)).await
    }

    async fn ask<T>(
        &self,
        ask: impl FnOnce(oneshot::Sender<Result<T, ReadError>>) -> Ask,
    ) -> Result<T, ReadError> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(ask(answer)).await.map_err(|_| ReadError::Stopped)?;
        answered.await.map_err(|_| ReadError::Stopped)?
    }
}
