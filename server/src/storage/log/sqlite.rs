//! The log on disk: one SQLite file, which one thread writes.
//!
//! **Group commit.** The thread takes what is waiting, gives it places, and commits it as one row.
//! So everything that came while the last commit was under way costs one more commit together.
//! Followers are told after it.
//!
//! **Compaction.** A snapshot takes the place of entries in one transaction. Their rows are deleted
//! when nothing waits. Deleted bytes are overwritten, and the write-ahead log is emptied in the
//! end. The file does not get shorter: its free pages are used again.
//!
//! **Erasing.** The text of a post that was deleted is taken out of its row, which is written anew
//! with its checksum. The write-ahead log is emptied then, too.
//!
//! **Reading.** A row holds the entries of one batch, encoded like frames and with a checksum. The
//! newest entries stay in memory for followers that keep up; others read rows.
//!
//! - this file: the log's handle, and a follower, which reads rows first and the tail then.
//! - `writer_thread`: orders what waits and has it written. `log_file`: the connection that writes.
//! - `reader`: reads rows and the snapshot, also while a server writes. `erase`: writes rows anew.
//! - `copy`: makes whole copies of the file, also while a server writes.
//! - `schema`: whose a file is. `wal`: looks for damage that SQLite would drop without a word.
//! - `directory`: makes the data directory and locks it.
//! - `format`, `error`: what all of these share.

use std::path::{Path, PathBuf};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use chatroom_proto::Seq;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream;
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, error};

use super::interface::{Batch, Batches, Log, LogError, LogIdentity, LogSnapshot};
use super::tail::{FollowerCursor, FollowerStep, Tail};
use crate::chat::entry::Proposal;
use crate::private_file;

mod copy;
mod directory;
mod erase;
mod error;
mod format;
mod log_file;
mod reader;
mod schema;
#[cfg(test)]
mod tests;
mod wal;
mod writer_thread;

pub(crate) use copy::VacantDirectory;
use directory::DirectoryLock;
pub use format::Durability;
use format::FILE_NAME;
use log_file::LogFile;
pub use reader::LogReader;
use writer_thread::Work;

/// How long one who closes the log waits for what is still being written. A disk that hangs for
/// longer is given up: nothing of that was acknowledged.
const CLOSE_DEADLINE: Duration = Duration::from_secs(10);

/// What may wait for the writer, in turns of the dispatch task: were each of one proposal, what the
/// chat has under way at the most, and the end of every connection on top of it.
const TURNS_WAITING_MAX: usize = 65_536;

/// A log in a directory of its own. The directory is locked against a second server for as long as
/// this lives.
#[derive(Debug)]
pub struct SqliteLog {
    path: PathBuf,
    identity: LogIdentity,
    tail: Arc<Tail>,
    /// Gone only while this is dropped.
    work: Option<mpsc::Sender<Work>>,
    writer: Option<Writer>,
    close_deadline: Duration,
    _lock: Arc<DirectoryLock>,
}

/// The writing thread, and what ends with it.
#[derive(Debug)]
struct Writer {
    thread: JoinHandle<()>,
    /// Nothing is said here; the other end is gone when the thread is.
    ended: Mutex<std::sync::mpsc::Receiver<()>>,
}

impl SqliteLog {
    /// Opens the log in this directory, or begins one.
    ///
    /// # Errors
    /// [`LogError::Storage`] when the directory can't be used, or another server uses it;
    /// [`LogError::Corrupt`] when what is in it is no log of ours, or is damaged.
    pub fn open(directory: &Path, durability: Durability) -> Result<SqliteLog, LogError> {
        let storage = |doing: String| {
            move |source: std::io::Error| LogError::Storage { doing, source: source.into() }
        };
        directory::make(directory)
            .map_err(storage(format!("can't make the data directory {}", directory.display())))?;
        let lock = Arc::new(directory::lock(directory)?);
        let path = directory.join(FILE_NAME);
        let file = LogFile::open(&path, durability)?;
        private_file::sync_directory(directory)
            .map_err(storage(format!("can't sync {}", directory.display())))?;
        let (head, identity) = (file.head()?, file.identity());
        debug!(path = %path.display(), %head, "the log is open");
        // What everybody has read is in the file.
        let tail = Tail::after(head, 0);
        let (work, waiting) = mpsc::channel(TURNS_WAITING_MAX);
        let writer = Writer::start(file, waiting, Arc::clone(&tail), Arc::clone(&lock))
            .map_err(storage("can't start the log's thread".to_owned()))?;
        let close_deadline = CLOSE_DEADLINE;
        Ok(SqliteLog {
            path,
            identity,
            tail,
            work: Some(work),
            writer: Some(writer),
            close_deadline,
            _lock: lock,
        })
    }

    fn tell(&self, work: Work) -> Result<(), LogError> {
        let Some(writer) = &self.work else { return Err(LogError::Stopped("it is closed".into())) };
        match writer.try_send(work) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(LogError::Overloaded),
            // The writer has failed; every follower is told why.
            Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
        }
    }
}

impl Writer {
    /// Starts the thread. It holds the lock, too: a thread that hangs may still write.
    fn start(
        file: LogFile,
        waiting: mpsc::Receiver<Work>,
        tail: Arc<Tail>,
        lock: Arc<DirectoryLock>,
    ) -> std::io::Result<Writer> {
        let (end, ended) = std::sync::mpsc::sync_channel(0);
        let work = move || {
            let _end: std::sync::mpsc::SyncSender<()> = end;
            let _lock = lock;
            writer_thread::work(file, waiting, &tail);
        };
        let thread = thread::Builder::new().name("log".to_owned()).spawn(work)?;
        Ok(Writer { thread, ended: Mutex::new(ended) })
    }
}

impl Log for SqliteLog {
    fn append(&self, proposals: Vec<Proposal>) -> Result<(), LogError> {
        self.tell(Work::Append(proposals))
    }

    fn follow(&self, after: Seq) -> Batches {
        let start =
            Follower { path: self.path.clone(), cursor: self.tail.follow(after), reader: None };
        stream::unfold(start, |mut follower| async move {
            let next = follower.next().await;
            Some((next, follower))
        })
        .boxed()
    }

    fn head(&self) -> Seq {
        self.tail.head()
    }

    fn snapshot(&self) -> Result<Option<LogSnapshot>, LogError> {
        LogReader::open_file(&self.path)?.snapshot()
    }

    fn batch_end(&self, at: Seq) -> Result<Option<Seq>, LogError> {
        LogReader::open_file(&self.path)?.batch_end(at)
    }

    fn compact(&self, snapshot: LogSnapshot) -> Result<(), LogError> {
        if self.batch_end(snapshot.seq)? != Some(snapshot.seq) {
            return Err(LogError::NotAnEnd(snapshot.seq));
        }
        self.tell(Work::Compact(snapshot))
    }

    fn erase(&self, posts: Vec<Seq>) -> BoxFuture<'_, Result<(), LogError>> {
        Box::pin(async move {
            let (done, is_done) = oneshot::channel();
            self.tell(Work::Erase(posts, done))?;
            is_done.await.unwrap_or_else(|_| Err(LogError::Stopped("it is closed".into())))
        })
    }

    fn identity(&self) -> Option<LogIdentity> {
        Some(self.identity)
    }

    fn checksum(&self, at: Seq) -> Result<Option<u32>, LogError> {
        LogReader::open_file(&self.path)?.checksum(at)
    }
}

impl Drop for SqliteLog {
    fn drop(&mut self) {
        self.work = None;
        let Some(Writer { thread, ended }) = self.writer.take() else { return };
        let ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        // What waits is still committed.
        if ended.recv_timeout(self.close_deadline) == Err(RecvTimeoutError::Timeout) {
            return error!(
                "the disk does not answer; the log is left as it is, and nothing acknowledged is \
                 lost"
            );
        }
        // One that panicked has said so.
        let _ = thread.join();
    }
}

/// Reads on from a place: rows first, and then the tail.
struct Follower {
    path: PathBuf,
    cursor: FollowerCursor,
    /// Open while rows are being read.
    reader: Option<LogReader>,
}

impl Follower {
    async fn next(&mut self) -> Result<Batch, LogError> {
        loop {
            match self.cursor.next().await? {
                FollowerStep::Batch(batch) => {
                    self.reader = None;
                    return Ok(batch);
                }
                FollowerStep::NotKept { .. } => {
                    let batch = self.read_row().await?;
                    if let Some(last) = batch.last() {
                        self.cursor.has_read(last.seq);
                        return Ok(batch);
                    }
                }
            }
        }
    }

    /// Reads the next row on a thread where waiting for a disk is allowed.
    async fn read_row(&mut self) -> Result<Batch, LogError> {
        let (path, after, reader) = (self.path.clone(), self.cursor.after(), self.reader.take());
        let read = move || {
            let mut reader = match reader {
                Some(reader) => reader,
                None => LogReader::open_file(&path)?,
            };
            let batch = reader.after(after)?;
            Ok((reader, batch))
        };
        let joined = tokio::task::spawn_blocking(read).await;
        let (reader, batch) = joined.map_err(|source| LogError::Storage {
            doing: "the log's reader did not finish".to_owned(),
            source: source.into(),
        })??;
        self.reader = Some(reader);
        if batch.is_empty() {
            return Err(LogError::Corrupt(format!(
                "the log ends at {after}, before its newest entry"
            )));
        }
        Ok(batch)
    }
}
