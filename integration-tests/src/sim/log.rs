//! The log of a simulation: entries are ordered at once, are on disk some time later, and the
//! server is told of them some time after that. A crash forgets what was not on disk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatroom_proto::{Body, PostId, Seq};
use chatroom_server::chat::entry::{Command, Entry, NodeId, Proposal};
use chatroom_server::storage::log::{Batch, Batches, Log, LogError, LogSnapshot};
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use tokio::sync::Notify;

use super::Fault;
use super::world::World;

/// What outlives the servers that write it.
#[derive(Debug, Default)]
pub(super) struct Disk {
    entries: Vec<Arc<Entry>>,
    /// How many of them are on disk.
    synced: usize,
    /// A copy of what was on disk.
    backup: Option<Vec<Arc<Entry>>>,
    /// How many posts were given another identity: a planted bug.
    garbled: u64,
}

impl Disk {
    /// What is on disk.
    pub(super) fn synced(&self) -> &[Arc<Entry>] {
        &self.entries[..self.synced]
    }

    /// Takes a copy of what is on disk, in place of an earlier one.
    pub(super) fn back_up(&mut self) {
        self.backup = Some(self.synced().to_vec());
    }

    /// Puts the copy in the place of all, if there is one.
    /// Gives the newest event that is left.
    pub(super) fn restore(&mut self) -> Option<Seq> {
        let backup = self.backup.take()?;
        self.synced = backup.len();
        self.entries = backup;
        Some(self.last())
    }

    /// Erases the texts of these posts. (A copy that was taken keeps them.)
    fn erase(&mut self, posts: &[Seq]) {
        for entry in self.entries.iter_mut().filter(|entry| posts.contains(&entry.seq)) {
            let mut erased = Entry::clone(entry);
            if let Command::Post { body, .. } = &mut erased.proposal.command {
                *body = Body::deleted();
            }
            *entry = Arc::new(erased);
        }
    }

    /// Whether everything is on disk.
    pub(super) fn is_synced(&self) -> bool {
        self.synced == self.entries.len()
    }

    fn last(&self) -> Seq {
        self.entries.last().map_or(Seq::ZERO, |entry| entry.seq)
    }

    fn order(&mut self, mut proposal: Proposal, world: &World) {
        if world.fault == Some(Fault::KeptTwice)
            && let Command::Post { id, .. } = &mut proposal.command
        {
            self.garbled += 1;
            let other = u128::from_be_bytes(id.0) | (u128::from(self.garbled) << 64);
            *id = PostId(other.to_be_bytes());
        }
        // Places may skip.
        let skips = if world.once_in(8) { world.below(3) } else { 0 };
        let seq = Seq(self.last().0 + 1 + skips);
        self.entries.push(Arc::new(Entry { seq, proposal }));
    }
}

/// The log as one run of a server has it.
#[derive(Clone)]
pub(super) struct SimLog {
    world: Arc<World>,
    run: Arc<Run>,
}

#[derive(Debug, Default)]
struct Run {
    kept: Mutex<Kept>,
    /// Something was appended, or told, or it is over.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Kept {
    /// How many entries the server was told of.
    told: usize,
    /// The newest proposal of each node.
    newest: HashMap<NodeId, u64>,
    is_over: bool,
    /// Whether that is because the disk has failed.
    has_failed: bool,
}

impl SimLog {
    /// The log of a server that begins now. What is not on disk is not there any more.
    pub(super) fn begin(world: &Arc<World>) -> SimLog {
        let told = world.with_disk(|disk| {
            disk.entries.truncate(disk.synced);
            disk.synced
        });
        let run = Run { kept: Mutex::new(Kept { told, ..Kept::default() }), ..Run::default() };
        let log = SimLog { world: Arc::clone(world), run: Arc::new(run) };
        tokio::spawn(log.clone().sync());
        tokio::spawn(log.clone().tell());
        log
    }

    /// The machine goes down.
    pub(super) fn crash(&self) {
        self.kept().is_over = true;
        self.run.changed.notify_waiters();
    }

    /// Whether the disk has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.kept().has_failed
    }

    /// Whether the server was told of everything.
    pub(super) fn is_quiet(&self) -> bool {
        let told = self.kept().told;
        self.world.with_disk(|disk| disk.is_synced() && told == disk.entries.len())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.run.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is this; nothing when it is over.
    async fn until(&self, is_there: impl Fn() -> bool) -> Option<()> {
        loop {
            let changed = self.run.changed.notified();
            if self.kept().is_over {
                return None;
            }
            if is_there() {
                return Some(());
            }
            changed.await;
        }
    }

    /// Brings to disk what is not there.
    async fn sync(self) {
        while self.until(|| !self.world.with_disk(|disk| disk.is_synced())).await.is_some() {
            self.world
                .sleep(self.world.between(1, if self.world.once_in(40) { 400 } else { 12 }))
                .await;
            if self.kept().is_over {
                return;
            }
            let fails = !self.world.is_calm() && self.world.once_in(3_000);
            // What was being written when the disk failed is there, or not.
            if !fails || self.world.once_in(2) {
                let world = &self.world;
                world.with_disk(|disk| {
                    disk.synced += portion(disk.entries.len() - disk.synced, world);
                });
                world.archive_soon();
            }
            if fails {
                self.kept().has_failed = true;
                return self.crash();
            }
            self.run.changed.notify_waiters();
        }
    }

    /// Tells the server of what it may know.
    async fn tell(self) {
        while self.until(|| self.has_news()).await.is_some() {
            let tells_early = self.world.fault == Some(Fault::ReplyBeforeCommit);
            let most = if self.world.once_in(40) { 300 } else { 6 };
            self.world.sleep(if tells_early { 1 } else { self.world.below(most) }).await;
            if self.kept().is_over {
                return;
            }
            let news = self.tellable().saturating_sub(self.kept().told);
            let told = portion(news, &self.world);
            self.kept().told += told;
            self.run.changed.notify_waiters();
        }
    }

    fn has_news(&self) -> bool {
        self.tellable() > self.kept().told
    }

    /// How many entries the server may know of.
    fn tellable(&self) -> usize {
        let tells_early = self.world.fault == Some(Fault::ReplyBeforeCommit);
        self.world.with_disk(|disk| if tells_early { disk.entries.len() } else { disk.synced })
    }

    /// What was told and comes after the first so many.
    async fn batch(&self, read: usize) -> Result<Batch, LogError> {
        match self.until(|| self.kept().told > read).await {
            Some(()) => {
                let told = self.kept().told;
                Ok(self.world.with_disk(|disk| disk.entries[read..told].to_vec()))
            }
            None => Err(LogError::Stopped("the disk has failed".into())),
        }
    }
}

/// All of it mostly, and at least one of what there is.
fn portion(of: usize, world: &World) -> usize {
    if of == 0 || world.once_in(3) {
        of.min(1)
    } else {
        usize::try_from(world.between(of.div_ceil(2) as u64, of as u64)).unwrap_or(of)
    }
}

impl Log for SimLog {
    fn append(&self, proposals: Vec<Proposal>) -> Result<(), LogError> {
        let mut kept = self.kept();
        if kept.is_over {
            return Err(LogError::Stopped("the disk has failed".into()));
        }
        self.world.with_disk(|disk| {
            for proposal in proposals {
                let newest = kept.newest.entry(proposal.id.node).or_default();
                if proposal.id.number > *newest {
                    *newest = proposal.id.number;
                    disk.order(proposal, &self.world);
                }
            }
        });
        drop(kept);
        self.run.changed.notify_waiters();
        Ok(())
    }

    fn follow(&self, after: Seq) -> Batches {
        let read =
            self.world.with_disk(|disk| disk.entries.partition_point(|entry| entry.seq <= after));
        stream::unfold((self.clone(), read), |(log, read)| async move {
            let batch = log.batch(read).await;
            let read = read + batch.as_ref().map_or(0, Vec::len);
            Some((batch, (log, read)))
        })
        .boxed()
    }

    fn head(&self) -> Seq {
        let told = self.kept().told;
        self.world
            .with_disk(|disk| disk.entries[..told].last().map_or(Seq::ZERO, |entry| entry.seq))
    }

    /// Nothing: this log forgets nothing.
    fn snapshot(&self) -> Result<Option<LogSnapshot>, LogError> {
        Ok(None)
    }

    fn batch_end(&self, at: Seq) -> Result<Option<Seq>, LogError> {
        let is_before = |entry: &Arc<Entry>| entry.seq <= at;
        Ok(self.world.with_disk(|disk| {
            let count = disk.synced().partition_point(is_before);
            disk.synced()[..count].last().map(|entry| entry.seq)
        }))
    }

    /// Nobody asks for that where everything is kept.
    fn compact(&self, base: LogSnapshot) -> Result<(), LogError> {
        Err(LogError::NotAnEnd(base.seq))
    }

    fn erase(&self, posts: Vec<Seq>) -> BoxFuture<'_, Result<(), LogError>> {
        Box::pin(async move {
            self.world.sleep(self.world.between(1, 40)).await;
            if self.kept().is_over {
                return Err(LogError::Stopped("the disk has failed".into()));
            }
            self.world.with_disk(|disk| disk.erase(&posts));
            Ok(())
        })
    }
}
