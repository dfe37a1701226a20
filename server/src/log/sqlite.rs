//! The log on disk: one SQLite file, written by one thread.
//!
//! The thread takes what is waiting, gives it places, and commits it as one row. That is the group commit: the price of
//! durability is one commit for everything that came while the last one was under way. Followers are told after it.
//!
//! A row holds the entries of one batch, encoded like frames and with a checksum. The newest entries stay in memory for
//! followers that keep up; others read rows.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use chatroom_proto::Seq;
use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::mpsc;
use tracing::{debug, error};

use super::memory::Order;
use super::tail::{BATCH_ENTRIES_MAX, Next, Tail};
use super::{Batch, Batches, Log, LogError};
use crate::chat::effect::{Entry, Proposal};

mod file;
mod schema;
#[cfg(test)]
mod tests;
mod wal;

use file::{LogFile, Reader};

/// What may wait for the writer, in proposals: what the chat has under way at the most, and the end of every connection
/// on top of it.
const PROPOSALS_WAITING_MAX: usize = 65_536;

/// What survives that was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Durability {
    /// A power failure: it is on the disk.
    Full,
    /// A killed server: the system has it. The last moment before a power failure may be lost.
    Normal,
}

/// A log in a directory of its own. The directory is locked against a second server for as long as this lives.
#[derive(Debug)]
pub struct SqliteLog {
    path: PathBuf,
    tail: Arc<Tail>,
    /// Gone only while this is dropped.
    proposals: Option<mpsc::Sender<Proposal>>,
    writer: Option<JoinHandle<()>>,
    _lock: File,
}

impl SqliteLog {
    /// Opens the log in this directory, or begins one.
    ///
    /// # Errors
    /// [`LogError::Storage`] when the directory can't be used, or another server uses it; [`LogError::Corrupt`] when
    /// what is in it is no log of ours.
    pub fn open(directory: &Path, durability: Durability) -> Result<SqliteLog, LogError> {
        let storage =
            |doing: String| move |source: std::io::Error| LogError::Storage { doing, source: source.into() };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(storage(format!("can't make the data directory {}", directory.display())))?;
        let lock = lock(directory)?;
        let path = directory.join("log.sqlite");
        let file = LogFile::open(&path, durability)?;
        let head = file.head()?;
        debug!(path = %path.display(), %head, "the log is open");
        let tail = Tail::after(head);
        let (proposals, waiting) = mpsc::channel(PROPOSALS_WAITING_MAX);
        let writer = thread::Builder::new()
            .name("log".to_owned())
            .spawn({
                let tail = Arc::clone(&tail);
                move || write(file, waiting, &tail)
            })
            .map_err(storage("can't start the log's thread".to_owned()))?;
        Ok(SqliteLog { path, tail, proposals: Some(proposals), writer: Some(writer), _lock: lock })
    }
}

/// Locks a directory until the file is closed.
fn lock(directory: &Path) -> Result<File, LogError> {
    let path = directory.join("lock");
    let doing = || format!("can't lock the data directory {}", directory.display());
    let mut options = OpenOptions::new();
    let opened = options.create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = opened.map_err(|source| LogError::Storage { doing: doing(), source: source.into() })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LogError::Storage {
            doing: doing(),
            source: "another server is using it; choose another one with --data".into(),
        }),
        Err(TryLockError::Error(source)) => Err(LogError::Storage { doing: doing(), source: source.into() }),
    }
}

/// The writing thread: commits what waits, as long as somebody can append.
fn write(mut file: LogFile, mut waiting: mpsc::Receiver<Proposal>, tail: &Tail) {
    let mut order = Order::after(tail.head());
    let _alarm = Alarm(tail);
    while let Some(first) = waiting.blocking_recv() {
        let mut entries: Vec<Entry> = order.place(first).into_iter().collect();
        while entries.len() < BATCH_ENTRIES_MAX
            && let Ok(next) = waiting.try_recv()
        {
            entries.extend(order.place(next));
        }
        if entries.is_empty() {
            continue;
        }
        if let Err(error) = file.append(&entries) {
            error!(error = chain(&error), "the log has failed");
            tail.fail(chain(&error));
            return;
        }
        tail.extend(entries);
        if waiting.is_empty() {
            file.rest();
        }
    }
}

/// Tells the followers when the writer panics: they must not wait for ever.
struct Alarm<'a>(&'a Tail);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.fail("its thread panicked".to_owned());
        }
    }
}

/// An error with all its causes.
fn chain(error: &LogError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl Log for SqliteLog {
    fn append(&self, proposal: Proposal) -> Result<(), LogError> {
        let Some(proposals) = &self.proposals else { return Err(LogError::Stopped("it is closed".into())) };
        match proposals.try_send(proposal) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(LogError::Overloaded),
            // The writer has failed; every follower is told why.
            Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
        }
    }

    fn follow(&self, after: Seq) -> Batches {
        let start = Follower { path: self.path.clone(), tail: Arc::clone(&self.tail), reader: None, after };
        stream::unfold(start, |mut follower| async move {
            let next = follower.next().await;
            Some((next, follower))
        })
        .boxed()
    }

    fn head(&self) -> Seq {
        self.tail.head()
    }
}

impl Drop for SqliteLog {
    fn drop(&mut self) {
        self.proposals = None;
        if let Some(writer) = self.writer.take() {
            // What waits is still committed. One that panicked has said so.
            let _ = writer.join();
        }
    }
}

/// Reads on from a place: rows first, and then the tail.
struct Follower {
    path: PathBuf,
    tail: Arc<Tail>,
    /// Open while rows are being read.
    reader: Option<Reader>,
    after: Seq,
}

impl Follower {
    async fn next(&mut self) -> Result<Batch, LogError> {
        let batch = loop {
            match self.tail.next(self.after).await? {
                Next::Batch(batch) => {
                    self.reader = None;
                    break batch;
                }
                Next::Forgotten { .. } => {
                    let batch = self.read_row().await?;
                    if !batch.is_empty() {
                        break batch;
                    }
                }
            }
        };
        if let Some(last) = batch.last() {
            self.after = last.seq;
        }
        Ok(batch)
    }

    /// Reads the next row on a thread where waiting for a disk is allowed.
    async fn read_row(&mut self) -> Result<Batch, LogError> {
        let (path, after, reader) = (self.path.clone(), self.after, self.reader.take());
        let read = move || {
            let mut reader = match reader {
                Some(reader) => reader,
                None => Reader::open(&path)?,
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
            return Err(LogError::Corrupt(format!("the log ends at {after}, before its newest entry")));
        }
        Ok(batch)
    }
}
