//! The writing thread: commits what waits, and has the rest done when nothing does.

use std::thread;

use chatroom_proto::Seq;
use tokio::sync::mpsc::{self, error::TryRecvError};
use tokio::sync::oneshot;
use tracing::error;

use super::error::chain;
use super::log_file::LogFile;
use crate::chat::entry::{Entry, Proposal};
use crate::config::BATCH_ENTRIES_MAX;
use crate::storage::log::interface::{LogError, LogSnapshot};
use crate::storage::log::memory::Sequencer;
use crate::storage::log::tail::Tail;

/// How often the thread looks for more work before it sleeps: some 100 microseconds, once after
/// each commit.
const LOOKS_BEFORE_SLEEP: u32 = 300;

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Work {
    /// Give these their places, and keep them.
    Append(Vec<Proposal>),
    /// Replace everything up to there.
    Compact(LogSnapshot),
    /// Erase the texts of these posts, and say when nothing of them is left.
    Erase(Vec<Seq>, oneshot::Sender<Result<(), LogError>>),
}

/// Works as long as somebody can tell it to. A failure is told to everyone who follows.
pub(super) fn work(file: LogFile, waiting: mpsc::Receiver<Work>, tail: &Tail) {
    let _alarm = Alarm(tail);
    let mut writer = Writer { file, waiting, tail, order: Sequencer::after(tail.head()) };
    if let Err(error) = writer.run() {
        error!(error = chain(&error), "the log has failed");
        tail.fail(chain(&error));
    }
}

struct Writer<'a> {
    file: LogFile,
    waiting: mpsc::Receiver<Work>,
    tail: &'a Tail,
    order: Sequencer,
}

impl Writer<'_> {
    fn run(&mut self) -> Result<(), LogError> {
        loop {
            // One who closes the log waits for this thread, but not for what can be done at the
            // next start.
            while self.waiting.is_empty() && !self.waiting.is_closed() && self.file.tidy() {}
            match self.next() {
                Some(Work::Append(first)) => self.commit(first)?,
                Some(Work::Compact(snapshot)) => self.compact(&snapshot),
                Some(Work::Erase(posts, done)) => self.erase(&posts, done),
                None => return Ok(()),
            }
        }
    }

    /// What to do next. One who has just been answered often goes on at once, and to wake a thread
    /// takes as long as a fifth of a commit; so this looks for a moment before it sleeps, and lets
    /// others have the processor between two looks.
    fn next(&mut self) -> Option<Work> {
        for _ in 0..LOOKS_BEFORE_SLEEP {
            match self.waiting.try_recv() {
                Ok(work) => return Some(work),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => thread::yield_now(),
            }
        }
        self.waiting.blocking_recv()
    }

    /// Commits proposals, together with what waits behind them. What came together stays together:
    /// the last turn that fits in may make a batch longer than it should be.
    fn commit(&mut self, first: Vec<Proposal>) -> Result<(), LogError> {
        let mut entries: Vec<Entry> = Vec::with_capacity(first.len());
        self.place(first, &mut entries);
        let mut behind = None;
        while entries.len() < BATCH_ENTRIES_MAX && behind.is_none() {
            match self.waiting.try_recv() {
                Ok(Work::Append(next)) => self.place(next, &mut entries),
                Ok(other) => behind = Some(other),
                Err(_) => break,
            }
        }
        if !entries.is_empty() {
            self.file.append(&entries)?;
            self.tail.extend(entries);
        }
        match behind {
            Some(Work::Compact(snapshot)) => self.compact(&snapshot),
            Some(Work::Erase(posts, done)) => self.erase(&posts, done),
            Some(Work::Append(_)) | None => {}
        }
        Ok(())
    }

    fn place(&mut self, proposals: Vec<Proposal>, entries: &mut Vec<Entry>) {
        entries.extend(proposals.into_iter().filter_map(|proposal| self.order.place(proposal)));
    }

    /// Puts the snapshot in the place of what it stands for. A log that can't be compacted can
    /// still keep.
    fn compact(&mut self, snapshot: &LogSnapshot) {
        match self.file.set_snapshot(snapshot) {
            Ok(()) => self.tail.compact(snapshot.seq),
            Err(error) => {
                error!(error = chain(&error), until = %snapshot.seq, "the log could not forget");
            }
        }
    }

    /// A log that can't erase can still keep. Whoever asks tries it again.
    fn erase(&mut self, posts: &[Seq], done: oneshot::Sender<Result<(), LogError>>) {
        self.tail.erase(posts);
        // One who waits no longer need not know.
        let _ = done.send(self.file.erase(posts));
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
