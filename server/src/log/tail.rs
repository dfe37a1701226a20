//! The newest part of a log, in memory: what followers read that keep up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatroom_proto::{BODY_BYTES_MAX, Seq};
use tokio::sync::Notify;

use super::{Batch, LogError};
use crate::chat::entry::{Deed, Entry};
use crate::config::LOAD_MAX;

/// How much of the past is kept for followers that lag, in bytes: many times what one node has under way.
pub(super) const BYTES_KEPT_MAX: usize = 32 * 1024 * 1024;

/// What an entry takes besides its message, in bytes; an estimate.
pub(super) const ENTRY_BYTES: usize = 320;

/// The node that appends follows, too, and must not lag behind what it has under way itself.
const _: () = assert!(LOAD_MAX * (BODY_BYTES_MAX + ENTRY_BYTES) < BYTES_KEPT_MAX);

/// How many entries a follower gets at once: enough to share one write for each reader, few enough to keep the
/// memory of a batch small.
pub(super) const BATCH_ENTRIES_MAX: usize = 1_024;

/// The newest entries.
#[derive(Debug)]
pub(super) struct Tail {
    kept: Mutex<Kept>,
    grown: Notify,
}

#[derive(Debug)]
struct Kept {
    entries: VecDeque<Arc<Entry>>,
    entries_max: usize,
    head: Seq,
    bytes: usize,
    failed: Option<Arc<str>>,
}

/// What a follower gets.
#[derive(Debug)]
pub(super) enum Next {
    /// These.
    Batch(Batch),
    /// What it wants is older than anything that is kept here.
    Forgotten {
        /// The oldest that is kept.
        oldest: Seq,
    },
}

impl Tail {
    /// The tail of a log whose newest entry is `head`; it keeps so many entries at the most, and so many bytes as
    /// [`BYTES_KEPT_MAX`] says.
    pub(super) fn after(head: Seq, entries_max: usize) -> Arc<Tail> {
        let kept = Kept { entries: VecDeque::new(), entries_max, head, bytes: 0, failed: None };
        Arc::new(Tail { kept: Mutex::new(kept), grown: Notify::new() })
    }

    /// The newest entry.
    pub(super) fn head(&self) -> Seq {
        self.kept().head
    }

    /// Takes in entries, which come after all that are here, and forgets the oldest when there are too many.
    pub(super) fn extend(&self, entries: impl IntoIterator<Item = Entry>) {
        {
            let mut kept = self.kept();
            for entry in entries {
                kept.push(Arc::new(entry));
            }
        }
        self.grown.notify_waiters();
    }

    /// Forgets the entries up to this place.
    pub(super) fn forget(&self, until: Seq) {
        self.kept().forget(until);
    }

    /// The oldest entry that is here, or the next one to come.
    pub(super) fn oldest(&self) -> Seq {
        self.kept().oldest()
    }

    /// Gives nothing new any more but this failure.
    pub(super) fn fail(&self, why: String) {
        self.kept().failed = Some(why.into());
        self.grown.notify_waiters();
    }

    /// What comes after this place, as soon as there is something.
    pub(super) async fn next(&self, after: Seq) -> Result<Next, LogError> {
        loop {
            // Mostly there is something, and then there is no need to listen.
            if let Some(next) = self.look(after)? {
                return Ok(next);
            }
            let grown = self.grown.notified();
            tokio::pin!(grown);
            // Listen before looking, so that an entry that comes in between is not slept through.
            grown.as_mut().enable();
            if let Some(next) = self.look(after)? {
                return Ok(next);
            }
            grown.await;
        }
    }

    fn look(&self, after: Seq) -> Result<Option<Next>, LogError> {
        Ok(match self.kept().after(after)? {
            Next::Batch(batch) if batch.is_empty() => None,
            next => Some(next),
        })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing in a critical section can panic half-way through a change.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn push(&mut self, entry: Arc<Entry>) {
        self.head = entry.seq;
        self.bytes += cost(&entry);
        self.entries.push_back(entry);
        while (self.bytes > BYTES_KEPT_MAX || self.entries.len() > self.entries_max)
            && let Some(oldest) = self.entries.pop_front()
        {
            self.bytes -= cost(&oldest);
        }
    }

    fn forget(&mut self, until: Seq) {
        while let Some(oldest) = self.entries.pop_front_if(|oldest| oldest.seq <= until) {
            self.bytes -= cost(&oldest);
        }
    }

    fn oldest(&self) -> Seq {
        self.entries.front().map_or(self.head.next(), |entry| entry.seq)
    }

    fn after(&self, after: Seq) -> Result<Next, LogError> {
        let oldest = self.oldest();
        if oldest > after.next() {
            return Ok(Next::Forgotten { oldest });
        }
        // There are at most as many newer ones as there are places. Nearly always it is just that many: then nothing is
        // looked at that is not new.
        let newer_max = usize::try_from(self.head.0.saturating_sub(after.0)).unwrap_or(usize::MAX);
        let mut start = self.entries.len().saturating_sub(newer_max);
        if self.entries.get(start).is_some_and(|entry| entry.seq <= after) {
            start = self.entries.partition_point(|entry| entry.seq <= after);
        }
        let batch: Batch = self.entries.range(start..).take(BATCH_ENTRIES_MAX).cloned().collect();
        // What was kept before the failure is still true.
        match &self.failed {
            Some(why) if batch.is_empty() => Err(LogError::Stopped(Arc::clone(why))),
            _ => Ok(Next::Batch(batch)),
        }
    }
}

fn cost(entry: &Entry) -> usize {
    match &entry.proposal.deed {
        Deed::Post { body, .. } => ENTRY_BYTES + body.as_str().len(),
        _ => ENTRY_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::super::contract::proposal_of;
    use super::*;

    #[tokio::test]
    async fn what_is_kept_is_bounded_in_bytes_too() {
        let tail = Tail::after(Seq::ZERO, usize::MAX);
        let fitting = (BYTES_KEPT_MAX / (8_000 + ENTRY_BYTES)) as u64;
        tail.extend((1..=fitting + 10).map(|n| Entry { seq: Seq(n), proposal: proposal_of(1, n, 8_000) }));
        let lagging = tail.next(Seq::ZERO).await.unwrap();
        assert!(matches!(lagging, Next::Forgotten { oldest } if oldest == Seq(11)), "{lagging:?}");
    }

    #[tokio::test]
    async fn what_comes_next_is_found_whether_places_are_skipped_or_not() {
        let tail = Tail::after(Seq(10), usize::MAX);
        let seqs = [11, 12, 13, 20, 21, 30];
        tail.extend(seqs.map(|n| Entry { seq: Seq(n), proposal: proposal_of(1, n, 8) }));
        for after in 10..30 {
            let Next::Batch(batch) = tail.next(Seq(after)).await.unwrap() else { panic!("it is here") };
            let given: Vec<u64> = batch.iter().map(|entry| entry.seq.0).collect();
            let newer: Vec<u64> = seqs.into_iter().filter(|seq| *seq > after).collect();
            assert_eq!(given, newer, "after {after}");
        }
    }
}
