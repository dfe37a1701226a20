//! The thread that writes: it follows the log, and does its background work when it has caught up.
//!
//! It commits when it has caught up, so that what was said can be read at once, and in large
//! transactions while it has not. Whoever waits for a place learns of it after the commit. The
//! index comes behind the rows, and deleting behind both: neither delays the rows by more than one
//! step.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chatroom_proto::Seq;
use futures_util::StreamExt;
use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time;
use tracing::{debug, error};

use super::deletion::{self, Deleter};
use super::erasure;
use super::file;
use super::position::{self, ArchivePosition};
use super::row::{self, number, seq};
use super::search_index;
use super::snapshot::{self, WriteError};
use super::waiters::Waiters;
use crate::chat::ChatState;
use crate::chat::effect::ArchiveChange;
use crate::chat::entry::Command;
use crate::storage::disk_error;
use crate::storage::log::{Batch, Batches, Log, LogError, entry_checksum};

/// Entries in one transaction: enough that a commit costs nothing beside them, few enough that a
/// read which waits for one of them waits for some hundred milliseconds.
const ENTRIES_A_COMMIT_MAX: usize = 16_384;

/// Entries between two snapshots. A restart folds so many at the most; at 700,000 a second that is
/// no time.
const SNAPSHOT_EVERY_ENTRIES: usize = 100_000;

/// Posts that one step adds to the index: some ten milliseconds, which is what a read of new posts
/// may have to wait.
const POSTS_A_STEP: usize = 2_000;

/// How long the log has to rest before the view follows it, when nobody waits for that. A busy log
/// needs the processor and the disk for its commits, which somebody does wait for.
const REST: Duration = Duration::from_millis(20);

/// How far the view may fall behind a log that does not rest, in entries: what it catches up with
/// in some two seconds, well within [`READ_DEADLINE`](crate::config::READ_DEADLINE).
const ENTRIES_BEHIND_MAX: u64 = 250_000;

/// How much the rest of the machine goes before: 0 is as much as itself, 19 is the last.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// How far the view has come, for those who wait for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    /// The rows.
    pub(super) rows: Seq,
    /// The index.
    pub(super) indexed: Seq,
    /// Whether something is to be erased from the log.
    pub(super) has_erasures: bool,
}

/// What the writer is told.
#[derive(Debug)]
pub(super) enum WriterCommand {
    /// Delete everything up to this place, and say when that is done.
    Delete(Seq, oneshot::Sender<()>),
    /// These are erased from the log. Say when that is written down.
    Erased(Vec<Seq>, oneshot::Sender<()>),
}

/// Follows the log.
pub(super) struct ArchiveWriter {
    db: Connection,
    log: Arc<dyn Log>,
    runtime: Handle,
    batches: Batches,
    /// What the log has given and was not taken in.
    held: Option<Batch>,
    commands: mpsc::Receiver<WriterCommand>,
    waiters: Arc<Waiters>,
    progress: watch::Sender<Progress>,
    state: ChatState,
    position: ArchivePosition,
    /// The newest post. The index has nothing to do behind it.
    newest: Seq,
    deletion: Deleter,
    has_erasures: bool,
    /// Entries that were taken in and are not committed.
    uncommitted: usize,
    entries_since_snapshot: usize,
}

/// Why the writer ended that was not told to.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriterFailure {
    #[error("it can't read the log: {0}")]
    Log(#[from] LogError),
    #[error("{doing}: {0}", doing = disk_error::told("it can't write its file".to_owned(), .0))]
    File(#[from] rusqlite::Error),
    #[error("it can't write a snapshot: {0}")]
    Snapshot(#[from] WriteError),
}

/// What there is to do next.
enum Next {
    Entries(Option<Result<Batch, LogError>>),
    Command(WriterCommand),
    BackgroundStep,
    End,
}

impl ArchiveWriter {
    /// One that goes on with this file, and folds on from this state, which may be behind the file.
    pub(super) fn new(
        (db, position): (Connection, ArchivePosition),
        log: Arc<dyn Log>,
        state: ChatState,
        (commands, waiters): (mpsc::Receiver<WriterCommand>, Arc<Waiters>),
        runtime: Handle,
    ) -> (ArchiveWriter, watch::Receiver<Progress>) {
        // A file that can't be read says so at its next use.
        let has_erasures = erasure::are_there(&db).unwrap_or(true);
        let ArchivePosition { head: rows, indexed, delete_until, .. } = position;
        let (progress, watched) = watch::channel(Progress { rows, indexed, has_erasures });
        let mut deletion = Deleter::up_to(delete_until);
        if has_erasures {
            deletion.cut_off();
        }
        let writer = ArchiveWriter {
            db,
            batches: log.follow(state.head()),
            held: None,
            log,
            runtime,
            commands,
            waiters,
            progress,
            state,
            position,
            // Until the first step of the index has looked.
            newest: position.head,
            deletion,
            has_erasures,
            uncommitted: 0,
            entries_since_snapshot: 0,
        };
        (writer, watched)
    }

    /// Works until all handles of the archive are gone. `path` is that of the file.
    pub(super) fn run(mut self, path: &Path) {
        give_way();
        if let Err(failure) = self.work() {
            error!(%failure, "the archive has stopped: nothing new can be read back before a \
                restart");
            if let WriterFailure::File(error) | WriterFailure::Snapshot(WriteError::File(error)) =
                &failure
            {
                file::note_damage(path, error);
            }
        }
    }

    fn work(&mut self) -> Result<(), WriterFailure> {
        loop {
            match self.next()? {
                Next::Entries(Some(batch)) => self.take_in(&batch?)?,
                // A log never ends; this one has.
                Next::Entries(None) => return self.finish(),
                Next::Command(WriterCommand::Delete(until, done)) => {
                    self.begin_deletion(until, done)?;
                }
                Next::Command(WriterCommand::Erased(posts, done)) => self.erased(&posts, done)?,
                Next::BackgroundStep => self.do_background_step()?,
                Next::End => return self.finish(),
            }
        }
    }

    /// Commands come first, then the log, and then the background work.
    fn next(&mut self) -> Result<Next, WriterFailure> {
        let has_caught_up = self.held.is_none() && self.log.head() <= self.state.head();
        if has_caught_up {
            self.commit()?;
        }
        if has_caught_up && self.has_background_work() {
            return Ok(match self.commands.try_recv() {
                Ok(command) => Next::Command(command),
                Err(mpsc::error::TryRecvError::Empty) => Next::BackgroundStep,
                Err(mpsc::error::TryRecvError::Disconnected) => Next::End,
            });
        }
        if has_caught_up {
            match self.wait_for_news() {
                Next::Entries(Some(Ok(batch))) => self.held = Some(batch),
                other => return Ok(other),
            }
        }
        if self.uncommitted == 0
            && let Some(told) = self.wait_for_rest()
        {
            return Ok(told);
        }
        match self.held.take() {
            Some(batch) => Ok(Next::Entries(Some(Ok(batch)))),
            None => Ok(self.wait_for_news()),
        }
    }

    fn wait_for_news(&mut self) -> Next {
        let (commands, batches) = (&mut self.commands, &mut self.batches);
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                command = commands.recv() => command.map_or(Next::End, Next::Command),
                batch = batches.next() => Next::Entries(batch),
            }
        })
    }

    /// Waits until it is time to follow: the log rests, or somebody waits for the view, or it is
    /// far behind. What it is told meanwhile comes first.
    fn wait_for_rest(&mut self) -> Option<Next> {
        loop {
            let head = self.log.head();
            let behind = head.0.saturating_sub(self.state.head().0);
            if behind == 0 || behind > ENTRIES_BEHIND_MAX || self.waiters.are_there() {
                return None;
            }
            let (commands, waiters) = (&mut self.commands, &self.waiters);
            let told = self.runtime.block_on(async {
                tokio::select! {
                    biased;
                    command = commands.recv() => Some(command.map_or(Next::End, Next::Command)),
                    () = waiters.come() => None,
                    () = time::sleep(REST) => None,
                }
            });
            if told.is_some() || self.log.head() == head {
                return told;
            }
        }
    }

    /// Folds entries. A post that is behind the rows gets one; what is before that was written by
    /// an earlier run.
    fn take_in(&mut self, batch: &Batch) -> Result<(), WriterFailure> {
        self.begin()?;
        let mut insert = row::inserting(&self.db)?;
        for entry in batch {
            let change = self.state.fold(entry);
            if entry.seq <= self.position.head {
                continue;
            }
            self.position.head = entry.seq;
            let delete_until = self.position.delete_until;
            let unwanted = match change {
                Some(ArchiveChange::Said(stored)) if stored.post.seq > delete_until => {
                    row::insert(&mut insert, &stored)?;
                    self.newest = stored.post.seq;
                    None
                }
                Some(ArchiveChange::Deleted(post, by)) => {
                    if deletion::delete_one(&self.db, post, by, self.position)? {
                        self.deletion.cut_off();
                    }
                    // Also when the row is gone already: the log may have the text still.
                    Some(post)
                }
                // A post that came again, or was refused: nobody reads its text here, and it would
                // stay when the post is deleted.
                None if matches!(entry.proposal.command, Command::Post { .. }) => Some(entry.seq),
                Some(ArchiveChange::Said(_)) | None => None,
            };
            if let Some(post) = unwanted {
                erasure::add(&self.db, post)?;
                self.has_erasures = true;
            }
        }
        drop(insert);
        if let Some(last) = batch.last().filter(|last| last.seq == self.position.head) {
            self.position.entry = entry_checksum(last)?;
        }
        self.uncommitted += batch.len();
        self.entries_since_snapshot += batch.len();
        if self.uncommitted >= ENTRIES_A_COMMIT_MAX { self.commit() } else { Ok(()) }
    }

    fn begin(&self) -> Result<(), WriterFailure> {
        if self.db.is_autocommit() {
            self.db.execute_batch("BEGIN IMMEDIATE")?;
        }
        Ok(())
    }

    /// Commits what was taken in, and says so.
    fn commit(&mut self) -> Result<(), WriterFailure> {
        if self.db.is_autocommit() {
            return Ok(());
        }
        if self.entries_since_snapshot >= SNAPSHOT_EVERY_ENTRIES {
            self.take_snapshot()?;
        }
        self.save()?;
        self.uncommitted = 0;
        Ok(())
    }

    fn take_snapshot(&mut self) -> Result<(), WriterFailure> {
        snapshot::write(&self.db, &self.state)?;
        self.entries_since_snapshot = 0;
        debug!(seq = %self.state.head(), "a snapshot of the state");
        Ok(())
    }

    /// Ends a transaction.
    fn save(&self) -> Result<(), WriterFailure> {
        let ArchivePosition { head, indexed, .. } = self.position;
        position::write(&self.db, &self.position)?;
        self.db.execute_batch("COMMIT")?;
        // Nothing that the index could have is behind the newest post.
        let indexed = if indexed >= self.newest { head } else { indexed };
        let has_erasures = self.has_erasures;
        self.progress.send_replace(Progress { rows: head, indexed, has_erasures });
        Ok(())
    }

    fn has_background_work(&self) -> bool {
        self.deletion.is_under_way() || self.position.indexed < self.newest
    }

    fn do_background_step(&mut self) -> Result<(), WriterFailure> {
        if self.deletion.is_under_way() {
            return Ok(self.deletion.step(&mut self.db, self.position)?);
        }
        self.begin()?;
        self.index_some()?;
        self.save()
    }

    /// Adds the next posts to the index.
    fn index_some(&mut self) -> Result<(), WriterFailure> {
        let select = "SELECT seq, low, high, body, deletion FROM posts WHERE seq > ? ORDER BY seq
            LIMIT ?";
        let mut select = self.db.prepare_cached(select)?;
        let mut rows = select.query((number(self.position.indexed), POSTS_A_STEP as i64))?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            let post = row.get(0)?;
            let conversation = row::conversation(row.get(1)?, row.get(2)?);
            if row.get::<_, Option<i64>>(4)?.is_none() {
                search_index::add(
                    &self.db,
                    post,
                    conversation,
                    row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?,
                )?;
            }
            self.position.indexed = seq(post);
            count += 1;
        }
        if count < POSTS_A_STEP {
            self.position.indexed = self.newest.max(self.position.indexed);
        }
        Ok(())
    }

    /// What is to be deleted is on the disk before anything is deleted: a restart goes on with
    /// it.
    fn begin_deletion(
        &mut self,
        until: Seq,
        done: oneshot::Sender<()>,
    ) -> Result<(), WriterFailure> {
        self.begin()?;
        self.position.delete_until = self.position.delete_until.max(until);
        self.commit()?;
        self.deletion.begin(self.position.delete_until, done);
        Ok(())
    }

    /// The log has erased these. They are struck out when nothing is left of them here either;
    /// otherwise the log is asked again.
    fn erased(&mut self, posts: &[Seq], done: oneshot::Sender<()>) -> Result<(), WriterFailure> {
        if !self.deletion.is_under_way() {
            self.begin()?;
            erasure::remove(&self.db, posts)?;
            self.has_erasures = erasure::are_there(&self.db)?;
            self.commit()?;
        }
        // One who waits no longer need not know.
        let _ = done.send(());
        Ok(())
    }

    /// The last commit. With it, the next start folds nothing again.
    fn finish(&mut self) -> Result<(), WriterFailure> {
        self.begin()?;
        if self.entries_since_snapshot > 0 {
            self.take_snapshot()?;
        }
        self.commit()?;
        // Without this, the file would be tidied by whoever closes it last, or not at all.
        Ok(deletion::checkpoint(&self.db).map(|_| ())?)
    }
}

/// Lets everything else go before, where the system can do that for one thread.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        debug!(%error, "the archive runs with the priority of the server");
    }
}
