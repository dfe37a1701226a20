//! The archive: what can be read back. One thread writes it behind the log, others read it.
//!
//! It is a view of the log, which it follows as any node does. So it may be lost, and is made
//! again. A read waits until the view has come as far as the read asks for: milliseconds, or as
//! long as it takes after a loss.
//!
//! - this file: the handle, which waits for the view and asks the readers.
//! - `request`: what a reader is asked, and what it answers.
//! - `reader`: the threads that read. `missed`: a part of what a client missed. `age`: which posts
//!   are old.
//! - `writer`: the thread that follows the log. It folds a state of its own, as only the fold knows
//!   what took effect.
//! - `file`: `archive.sqlite`, its schema, and what becomes of a file that can't be used.
//! - `position`: how far it has come, and along which log.
//! - `row`: a post as a row. `snapshot`: the state at some place, so that a restart need not fold
//!   the whole log.
//! - `search_index`: for each word the posts that have it, made behind the rows. `search_text`:
//!   what it is given and asked. `search_words`: what counts as a word, and as the same one.
//! - `deletion`: deletes posts so that nothing of them is left in the files. `erasure`: what the
//!   log is to erase, too.
//! - `check`: compares an archive with its log, for an operator.
//! - `waiters`: whether somebody waits for the view; the writer gives way to a busy log otherwise.
//! - `worker_thread`: a thread that is waited for at its end, but not for ever.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use chatroom_proto::{Seq, UnixMillis, codec};
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time;
use tracing::warn;

use crate::chat::effect::{Query, Read, Replay, StoredPost};
use crate::chat::{ChatState, Limits};
use crate::config::READ_DEADLINE;
use crate::storage::disk_error;
use crate::storage::log::{Log, LogError, LogSnapshot};

mod age;
mod check;
mod deletion;
mod erasure;
mod file;
mod missed;
mod position;
mod reader;
mod request;
mod row;
mod search_index;
mod search_text;
mod search_words;
mod snapshot;
#[cfg(test)]
mod tests;
mod waiters;
mod worker_thread;
mod writer;

pub(crate) use check::{ArchiveCheck, ArchiveFault, ArchiveFound};
pub(in crate::storage) use erasure::AT_ONCE_MAX;
pub use file::ArchiveError;
use file::{FILE_NAME, OpenedArchive};
use position::Provenance;
use reader::ArchiveReader;
use request::{AgeQuery, ReadRequest};
pub use request::{AgedPosts, FoundPosts, Missed, ReadError};
use waiters::Waiters;
use worker_thread::WorkerThread;
use writer::{ArchiveWriter, Progress, WriterCommand};

/// Reads that wait for a reader; more make their askers wait.
const READS_WAITING_MAX: usize = 256;

/// Commands that wait for the writer: there are two who give any, one at a time.
const COMMANDS_WAITING_MAX: usize = 8;

/// Reads what was said. Cheap to clone. When the last one goes, the archive writes down how far it
/// has come, and ends.
#[derive(Debug, Clone)]
pub struct Archive(Arc<dyn ArchiveView>);

/// What answers for an [`Archive`]: the threads of [`Archive::open`], or a view in memory, as a
/// simulation has one. Each method is what the archive's of the same name promises.
pub trait ArchiveView: fmt::Debug + Send + Sync + 'static {
    /// [`Archive::read`]
    fn read(&self, read: Read) -> Answer<'_, FoundPosts>;
    /// [`Archive::replay`]
    fn replay(&self, replay: Replay) -> Answer<'_, Missed>;
    /// [`Archive::older_than`]
    fn older_than(&self, before: UnixMillis, now: UnixMillis, head: Seq) -> Answer<'_, AgedPosts>;
    /// [`Archive::delete`]
    fn delete(&self, until: Seq) -> Answer<'_, ()>;
    /// [`Archive::find`]
    fn find(&self, post: Seq, head: Seq) -> Answer<'_, Option<StoredPost>>;
    /// [`Archive::to_erase`]
    fn to_erase(&self) -> Answer<'_, Vec<Seq>>;
    /// [`Archive::erased`]
    fn erased(&self, posts: Vec<Seq>) -> Answer<'_, ()>;
    /// [`Archive::failed`]
    fn failed(&self) -> BoxFuture<'_, ()>;
}

/// What is read, when it is there.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, ReadError>>;

/// The view that the archive's own threads keep.
#[derive(Debug)]
struct Threads {
    /// Gone only while this is dropped, like the two that follow.
    asks: Option<mpsc::Sender<ReadRequest>>,
    /// A thread of their own, so that a long search delays nobody who wants to read on.
    searches: Option<mpsc::Sender<ReadRequest>>,
    commands: Option<mpsc::Sender<WriterCommand>>,
    progress: watch::Receiver<Progress>,
    waiters: Arc<Waiters>,
    readers: Vec<WorkerThread>,
    writer: Option<WorkerThread>,
}

/// What was there before a server began.
#[derive(Debug)]
pub struct Restored {
    /// What can be read back of the log.
    pub archive: Archive,
    /// What the log had come to at some place; the entries behind it are in the log.
    pub state: ChatState,
}

impl Archive {
    /// Opens the archive in the directory of this log, or makes it. One that can't be read, or is
    /// of an older server, is made again. To be called within a runtime, which has to live longer
    /// than the archive.
    ///
    /// # Errors
    /// [`ArchiveError`] says what an operator has to decide.
    pub fn open(directory: &Path, log: Arc<dyn Log>) -> Result<Restored, ArchiveError> {
        let path = directory.join(FILE_NAME);
        let opened = open_of(&path, &*log)?;
        let oldest = oldest_state(&*log)?;
        let state = opened.state.filter(|state| state.head() >= oldest.head()).unwrap_or(oldest);
        let (commands, waiting) = mpsc::channel(COMMANDS_WAITING_MAX);
        let waiters = Arc::new(Waiters::default());
        let told = (waiting, Arc::clone(&waiters));
        let (writer, progress) = ArchiveWriter::new(
            (opened.db, opened.position),
            log,
            state.clone(),
            told,
            Handle::current(),
        );
        let (asks, reader) = start_reader(&path, "archive-reader")?;
        let (searches, searcher) = start_reader(&path, "archive-search")?;
        let writer = WorkerThread::start("archive", move || writer.run(&path))
            .map_err(|source| file::storage("can't start the archive's thread", source))?;
        let archive = Archive::over(Threads {
            asks: Some(asks),
            searches: Some(searches),
            commands: Some(commands),
            progress,
            waiters,
            readers: vec![reader, searcher],
            writer: Some(writer),
        });
        Ok(Restored { archive, state })
    }

    /// A handle to this view.
    pub fn over(view: impl ArchiveView) -> Archive {
        Archive(Arc::new(view))
    }

    /// Looks whether the archive in this directory outlives its log, which is gone: a server must
    /// not begin a new one there without a word. To be asked before that.
    ///
    /// # Errors
    /// [`ArchiveError::LogIsGone`]
    pub fn refuse_alone(directory: &Path) -> Result<(), ArchiveError> {
        let path = directory.join(FILE_NAME);
        match file::head_of(&path) {
            None | Some(Seq::ZERO) => Ok(()),
            Some(seen) => Err(ArchiveError::LogIsGone { path, seen }),
        }
    }

    /// Removes the archive in this directory, which nobody uses: the next one that is opened there
    /// is made again.
    ///
    /// # Errors
    /// [`ArchiveError::Storage`]
    pub fn remove(directory: &Path) -> Result<(), ArchiveError> {
        file::remove(&directory.join(FILE_NAME))
    }

    /// Looks something up.
    ///
    /// # Errors
    /// [`ReadError`]
    pub async fn read(&self, read: Read) -> Result<FoundPosts, ReadError> {
        self.0.read(read).await
    }

    /// The first part of what somebody missed. It ends at `replay.until`, or earlier, where the
    /// next part begins.
    ///
    /// # Errors
    /// [`ReadError`]
    pub async fn replay(&self, replay: Replay) -> Result<Missed, ReadError> {
        self.0.replay(replay).await
    }

    /// Which posts, up to `head`, were said before this time. Old is what comes, in the order of
    /// the log, before the first that is not: clocks go back sometimes, and posts after it may have
    /// an older time. A time later than `now` does not count.
    ///
    /// # Errors
    /// [`ReadError::Stopped`]; this takes as long as it takes.
    pub async fn older_than(
        &self,
        before: UnixMillis,
        now: UnixMillis,
        head: Seq,
    ) -> Result<AgedPosts, ReadError> {
        self.0.older_than(before, now, head).await
    }

    /// Deletes every post up to this place, also from the search index and from the free space of
    /// the files. Returns when that is done. What a restart interrupts is done after it.
    ///
    /// # Errors
    /// [`ReadError::Stopped`]
    pub async fn delete(&self, until: Seq) -> Result<(), ReadError> {
        self.0.delete(until).await
    }

    /// The post at this place, if it is kept. The answer knows everything up to `head`.
    ///
    /// # Errors
    /// [`ReadError`]
    pub async fn find(&self, post: Seq, head: Seq) -> Result<Option<StoredPost>, ReadError> {
        self.0.find(post, head).await
    }

    /// Waits until some posts were deleted whose texts may still be in the log, and tells their
    /// places: the first of them, when they are many.
    ///
    /// # Errors
    /// [`ReadError::Stopped`]
    pub async fn to_erase(&self) -> Result<Vec<Seq>, ReadError> {
        self.0.to_erase().await
    }

    /// Nothing is left of these in the log. What an archive has not yet deleted from its own files
    /// it asks for again.
    ///
    /// # Errors
    /// [`ReadError::Stopped`]
    pub async fn erased(&self, posts: Vec<Seq>) -> Result<(), ReadError> {
        self.0.erased(posts).await
    }

    /// Ends when the archive has stopped by itself: it can't read the log or write its file.
    pub async fn failed(&self) {
        self.0.failed().await;
    }
}

impl Threads {
    /// Tells the writer something, and waits until it is done.
    async fn command(
        &self,
        command: impl FnOnce(oneshot::Sender<()>) -> WriterCommand,
    ) -> Result<(), ReadError> {
        let (done, is_done) = oneshot::channel();
        let commands = self.commands.as_ref().ok_or(ReadError::Stopped)?;
        commands.send(command(done)).await.map_err(|_| ReadError::Stopped)?;
        is_done.await.map_err(|_| ReadError::Stopped)
    }

    /// Waits until the view has come so far. A writer that has ended comes no further.
    async fn reached(&self, part: impl Fn(&Progress) -> Seq, head: Seq) -> Result<(), ReadError> {
        if part(&self.progress.borrow()) >= head {
            return Ok(());
        }
        let _waiter = self.waiters.waiter();
        let mut progress = self.progress.clone();
        let reached = progress.wait_for(|progress| part(progress) >= head).await;
        reached.map(|_| ()).map_err(|_| ReadError::Stopped)
    }
}

impl ArchiveView for Threads {
    fn read(&self, read: Read) -> Answer<'_, FoundPosts> {
        let (is_search, head) = (matches!(read.query, Query::Search { .. }), read.head);
        let found = async move {
            // Here and not in the reader, who serves others meanwhile.
            self.reached(|progress| if is_search { progress.indexed } else { progress.rows }, head)
                .await?;
            let reader = if is_search { &self.searches } else { &self.asks };
            ask(reader, |answer| ReadRequest::Read(read, answer)).await
        };
        Box::pin(async move {
            time::timeout(READ_DEADLINE, found).await.unwrap_or(Err(ReadError::TookTooLong))
        })
    }

    fn replay(&self, replay: Replay) -> Answer<'_, Missed> {
        Box::pin(async move {
            self.reached(|progress| progress.rows, replay.until).await?;
            ask(&self.asks, |answer| ReadRequest::Replay(replay, answer)).await
        })
    }

    fn older_than(&self, before: UnixMillis, now: UnixMillis, head: Seq) -> Answer<'_, AgedPosts> {
        Box::pin(async move {
            self.reached(|progress| progress.rows, head).await?;
            let query = AgeQuery { before, now, head };
            ask(&self.searches, |answer| ReadRequest::OlderThan(query, answer)).await
        })
    }

    fn delete(&self, until: Seq) -> Answer<'_, ()> {
        Box::pin(self.command(move |done| WriterCommand::Delete(until, done)))
    }

    fn find(&self, post: Seq, head: Seq) -> Answer<'_, Option<StoredPost>> {
        let found = async move {
            self.reached(|progress| progress.rows, head).await?;
            ask(&self.asks, |answer| ReadRequest::Find(post, answer)).await
        };
        Box::pin(async move {
            time::timeout(READ_DEADLINE, found).await.unwrap_or(Err(ReadError::TookTooLong))
        })
    }

    fn to_erase(&self) -> Answer<'_, Vec<Seq>> {
        Box::pin(async move {
            let mut progress = self.progress.clone();
            let waited = progress.wait_for(|progress| progress.has_erasures).await;
            waited.map_err(|_| ReadError::Stopped)?;
            ask(&self.asks, ReadRequest::ToErase).await
        })
    }

    fn erased(&self, posts: Vec<Seq>) -> Answer<'_, ()> {
        Box::pin(self.command(|done| WriterCommand::Erased(posts, done)))
    }

    fn failed(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let mut progress = self.progress.clone();
            while progress.changed().await.is_ok() {}
        })
    }
}

async fn ask<T>(
    reader: &Option<mpsc::Sender<ReadRequest>>,
    ask: impl FnOnce(oneshot::Sender<Result<T, ReadError>>) -> ReadRequest,
) -> Result<T, ReadError> {
    let (answer, answered) = oneshot::channel();
    let reader = reader.as_ref().ok_or(ReadError::Stopped)?;
    reader.send(ask(answer)).await.map_err(|_| ReadError::Stopped)?;
    answered.await.map_err(|_| ReadError::Stopped)?
}

impl Drop for Threads {
    fn drop(&mut self) {
        // A closed channel is what tells a thread to end. The writer comes last: whoever closes the
        // file last tidies it, and those who only read can't.
        (self.asks, self.searches) = (None, None);
        self.readers.drain(..).for_each(WorkerThread::wait);
        self.commands = None;
        if let Some(writer) = self.writer.take() {
            writer.wait();
        }
    }
}

/// The archive of this log: one of another log, or of another copy of it, is made again.
fn open_of(path: &Path, log: &dyn Log) -> Result<OpenedArchive, ArchiveError> {
    let mut opened = file::open(path)?;
    let seen = opened.position.head;
    let why = match opened.position.provenance(log)? {
        Provenance::Same => None,
        Provenance::OtherLog => Some("it is a view of another log"),
        Provenance::OtherCopy => {
            Some("it is a view of another copy of this log: one of the two was put back")
        }
        Provenance::LogIsNew => {
            return Err(ArchiveError::LogIsGone { path: path.to_owned(), seen });
        }
        Provenance::Ahead => {
            let path = path.to_owned();
            return Err(ArchiveError::Ahead { path, archive: seen, log: log.head() });
        }
    };
    if let Some(why) = why {
        warn!(path = %path.display(), %seen, log = %log.head(), "the archive is not the log's, and \
            is made again: {why}");
        drop(opened);
        file::remove(path)?;
        opened = file::open(path)?;
    }
    opened.position.log = log.identity();
    Ok(opened)
}

/// The state before the oldest entry that a log still has.
///
/// # Errors
/// [`LogError`] when the log's snapshot can't be read.
pub(crate) fn oldest_state(log: &dyn Log) -> Result<ChatState, LogError> {
    let Some(LogSnapshot { seq, state }) = log.snapshot()? else {
        return Ok(ChatState::new(Limits::default()));
    };
    match codec::decode::<ChatState>(&state) {
        Ok(state) if state.head() == seq => Ok(state),
        _ => Err(LogError::Corrupt(format!("the log is damaged: its base at {seq} can't be read"))),
    }
}

fn start_reader(
    path: &Path,
    name: &'static str,
) -> Result<(mpsc::Sender<ReadRequest>, WorkerThread), ArchiveError> {
    let (asks, waiting) = mpsc::channel(READS_WAITING_MAX);
    let reader = ArchiveReader::open(path).map_err(|source| {
        let doing = format!("can't read the archive {}", path.display());
        file::storage(&disk_error::told(doing, &source), source)
    })?;
    let thread = WorkerThread::start(name, move || reader.run(waiting))
        .map_err(|source| file::storage("can't start the archive's reader", source))?;
    Ok((asks, thread))
}
