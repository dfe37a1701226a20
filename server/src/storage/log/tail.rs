//! The newest part of a log, in memory: what followers read that keep up. What all of them have
//! read is kept no longer than the log asks for.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatroom_proto::{BODY_BYTES_MAX, Seq};
use tokio::sync::Notify;

use super::interface::{Batch, LogError};
use crate::chat::entry::Entry;
use crate::config::{BATCH_ENTRIES_MAX, LOAD_MAX};

/// How much is kept for followers that lag, in bytes: many times what one node has under way.
const BYTES_KEPT_MAX: usize = 32 * 1024 * 1024;

/// What an entry takes besides its message, in bytes; an estimate.
const ENTRY_BYTES: usize = 320;

/// The node that appends follows, too, and must not lag behind what it has under way itself.
const _: () = assert!(LOAD_MAX * (BODY_BYTES_MAX + ENTRY_BYTES) < BYTES_KEPT_MAX);

/// The newest entries.
#[derive(Debug)]
pub(super) struct Tail {
    inner: Mutex<TailEntries>,
    grown: Notify,
}

#[derive(Debug)]
struct TailEntries {
    entries: VecDeque<Arc<Entry>>,
    /// How many are kept that everybody has read.
    read_kept_max: usize,
    head: Seq,
    /// The newest that is kept no longer.
    last_dropped: Seq,
    bytes: usize,
    /// How far each of those who follow has come. They are few: a node, and what it keeps.
    cursors: Vec<(u64, Seq)>,
    /// How many have ever followed.
    followed: u64,
    failed: Option<Arc<str>>,
}

/// One who follows, until this is dropped.
#[derive(Debug)]
pub(super) struct FollowerCursor {
    tail: Arc<Tail>,
    number: u64,
    after: Seq,
}

/// What a follower gets.
#[derive(Debug)]
pub(super) enum FollowerStep {
    /// These.
    Batch(Batch),
    /// What it wants is older than anything that is kept here.
    NotKept {
        /// The oldest that is kept.
        oldest: Seq,
    },
}

impl Tail {
    /// The tail of a log whose newest entry is `head`. What somebody who follows has yet to read is
    /// kept, up to [`BYTES_KEPT_MAX`]; of what all of them have read, the newest entries, so many
    /// at the most.
    pub(super) fn after(head: Seq, read_kept_max: usize) -> Arc<Tail> {
        let inner = TailEntries {
            entries: VecDeque::new(),
            read_kept_max,
            head,
            last_dropped: head,
            bytes: 0,
            cursors: Vec::new(),
            followed: 0,
            failed: None,
        };
        Arc::new(Tail { inner: Mutex::new(inner), grown: Notify::new() })
    }

    /// Reads from this place on.
    pub(super) fn follow(self: &Arc<Tail>, after: Seq) -> FollowerCursor {
        let mut inner = self.lock();
        inner.followed += 1;
        let number = inner.followed;
        inner.cursors.push((number, after));
        FollowerCursor { tail: Arc::clone(self), number, after }
    }

    /// The newest entry.
    pub(super) fn head(&self) -> Seq {
        self.lock().head
    }

    /// Takes in entries, which come after all that are here, and drops the oldest when there are
    /// too many.
    pub(super) fn extend(&self, entries: impl IntoIterator<Item = Entry>) {
        let _dropped = {
            let mut inner = self.lock();
            for entry in entries {
                inner.push(Arc::new(entry));
            }
            inner.trim()
        };
        self.grown.notify_waiters();
    }

    /// Drops the entries up to this place.
    pub(super) fn compact(&self, until: Seq) {
        self.lock().compact(until);
    }

    /// Erases the texts of the posts at these places.
    pub(super) fn erase(&self, posts: &[Seq]) {
        let mut inner = self.lock();
        for post in posts {
            if let Ok(place) = inner.entries.binary_search_by_key(post, |entry| entry.seq)
                && let Some(entry) = inner.entries.get_mut(place)
            {
                let mut erased = Entry::clone(entry);
                erased.erase_text();
                let before = cost(entry);
                let after = cost(&erased);
                *entry = Arc::new(erased);
                inner.bytes = (inner.bytes + after).saturating_sub(before);
            }
        }
    }

    /// The oldest entry that is here, or the next one to come.
    pub(super) fn oldest(&self) -> Seq {
        self.lock().oldest()
    }

    /// Gives nothing new any more but this failure.
    pub(super) fn fail(&self, why: String) {
        self.lock().failed = Some(why.into());
        self.grown.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, TailEntries> {
        // Nothing in a critical section can panic half-way through a change.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FollowerCursor {
    /// How far this one has come.
    pub(super) fn after(&self) -> Seq {
        self.after
    }

    /// This one has read up to here by another way.
    pub(super) fn has_read(&mut self, until: Seq) {
        let _dropped = self.tail.lock().has_read(self.number, until);
        self.after = until;
    }

    /// What comes next, as soon as there is something. It counts as read.
    pub(super) async fn next(&mut self) -> Result<FollowerStep, LogError> {
        let tail = Arc::clone(&self.tail);
        loop {
            // Mostly there is something, and then there is no need to listen.
            if let Some(next) = self.look()? {
                return Ok(next);
            }
            let grown = tail.grown.notified();
            tokio::pin!(grown);
            // Listen before looking, so that an entry that comes in between is not slept through.
            grown.as_mut().enable();
            if let Some(next) = self.look()? {
                return Ok(next);
            }
            grown.await;
        }
    }

    fn look(&mut self) -> Result<Option<FollowerStep>, LogError> {
        let mut inner = self.tail.lock();
        let next = inner.after(self.after)?;
        let FollowerStep::Batch(batch) = &next else { return Ok(Some(next)) };
        let Some(last) = batch.last() else { return Ok(None) };
        self.after = last.seq;
        let dropped = inner.has_read(self.number, self.after);
        drop(inner);
        drop(dropped);
        Ok(Some(next))
    }
}

impl Drop for FollowerCursor {
    fn drop(&mut self) {
        let _dropped = {
            let mut inner = self.tail.lock();
            inner.cursors.retain(|(number, _)| *number != self.number);
            inner.trim()
        };
    }
}

impl TailEntries {
    fn push(&mut self, entry: Arc<Entry>) {
        self.head = entry.seq;
        self.bytes += cost(&entry);
        self.entries.push_back(entry);
    }

    fn has_read(&mut self, number: u64, until: Seq) -> Vec<Arc<Entry>> {
        if let Some((_, after)) = self.cursors.iter_mut().find(|(other, _)| *other == number) {
            *after = until;
        }
        self.trim()
    }

    /// Drops the oldest: those that nobody waits for, and those for which there is no room. To
    /// let go of them takes a while, in which nobody else should have to wait: that is for the
    /// caller to do.
    #[must_use]
    fn trim(&mut self) -> Vec<Arc<Entry>> {
        let read = self.cursors.iter().map(|(_, after)| *after).min().unwrap_or(self.head);
        let mut count = 0;
        while let Some(oldest) = self.entries.get(count)
            && (self.bytes > BYTES_KEPT_MAX
                || (self.entries.len() - count > self.read_kept_max && oldest.seq <= read))
        {
            self.bytes -= cost(oldest);
            self.last_dropped = oldest.seq;
            count += 1;
        }
        self.entries.drain(..count).collect()
    }

    fn compact(&mut self, until: Seq) {
        while let Some(oldest) = self.entries.pop_front_if(|oldest| oldest.seq <= until) {
            self.bytes -= cost(&oldest);
            self.last_dropped = oldest.seq;
        }
    }

    fn oldest(&self) -> Seq {
        self.entries.front().map_or(self.head.next(), |entry| entry.seq)
    }

    fn after(&self, after: Seq) -> Result<FollowerStep, LogError> {
        // Not by the next place: that one may have been skipped.
        if after < self.last_dropped {
            return Ok(FollowerStep::NotKept { oldest: self.oldest() });
        }
        // There are at most as many newer ones as there are places. Nearly always it is just that
        // many: then nothing is looked at that is not new.
        let newer_max = usize::try_from(self.head.0.saturating_sub(after.0)).unwrap_or(usize::MAX);
        let mut start = self.entries.len().saturating_sub(newer_max);
        if self.entries.get(start).is_some_and(|entry| entry.seq <= after) {
            start = self.entries.partition_point(|entry| entry.seq <= after);
        }
        let batch: Batch = self.entries.range(start..).take(BATCH_ENTRIES_MAX).cloned().collect();
        // What was kept before the failure is still true.
        match &self.failed {
            Some(why) if batch.is_empty() => Err(LogError::Stopped(Arc::clone(why))),
            _ => Ok(FollowerStep::Batch(batch)),
        }
    }
}

fn cost(entry: &Entry) -> usize {
    ENTRY_BYTES + entry.proposal.command.class().body_bytes
}

#[cfg(test)]
mod tests {
    use super::super::contract::proposal_of;
    use super::*;

    #[tokio::test]
    async fn what_is_kept_is_bounded_in_bytes_too() {
        let tail = Tail::after(Seq::ZERO, usize::MAX);
        let mut lagging = tail.follow(Seq::ZERO);
        let fitting = (BYTES_KEPT_MAX / (8_000 + ENTRY_BYTES)) as u64;
        tail.extend(
            (1..=fitting + 10).map(|n| Entry { seq: Seq(n), proposal: proposal_of(1, n, 8_000) }),
        );
        let lagging = lagging.next().await.unwrap();
        assert!(
            matches!(lagging, FollowerStep::NotKept { oldest } if oldest == Seq(11)),
            "{lagging:?}"
        );
    }

    #[tokio::test]
    async fn what_comes_next_is_found_whether_places_are_skipped_or_not() {
        let tail = Tail::after(Seq(10), usize::MAX);
        let seqs = [11, 12, 13, 20, 21, 30];
        tail.extend(seqs.map(|n| Entry { seq: Seq(n), proposal: proposal_of(1, n, 8) }));
        for after in 10..30 {
            let FollowerStep::Batch(batch) = tail.follow(Seq(after)).next().await.unwrap() else {
                panic!("it is here")
            };
            let given: Vec<u64> = batch.iter().map(|entry| entry.seq.0).collect();
            let newer: Vec<u64> = seqs.into_iter().filter(|seq| *seq > after).collect();
            assert_eq!(given, newer, "after {after}");
        }
    }

    #[tokio::test]
    async fn a_place_that_was_skipped_is_nothing_that_was_dropped() {
        let tail = Tail::after(Seq(10), 0);
        let mut cursor = tail.follow(Seq(10));
        for seq in [11, 20] {
            tail.extend([Entry { seq: Seq(seq), proposal: proposal_of(1, seq, 8) }]);
            let FollowerStep::Batch(batch) = cursor.next().await.unwrap() else {
                panic!("{seq} is here")
            };
            assert_eq!(batch.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [Seq(seq)]);
        }
    }

    #[tokio::test]
    async fn what_everybody_has_read_is_not_kept() {
        let tail = Tail::after(Seq::ZERO, 3);
        let (mut quick, slow) = (tail.follow(Seq::ZERO), tail.follow(Seq(4)));
        tail.extend((1..=10).map(|n| Entry { seq: Seq(n), proposal: proposal_of(1, n, 8) }));
        assert_eq!(tail.oldest(), Seq(1), "nobody has read it");
        let FollowerStep::Batch(batch) = quick.next().await.unwrap() else { panic!("it is here") };
        assert_eq!(
            (batch.len(), tail.oldest()),
            (10, Seq(5)),
            "the slow one has yet to read from there"
        );
        drop(slow);
        assert_eq!(tail.oldest(), Seq(8), "nobody waits any more: three are kept");
        let mut late = tail.follow(Seq(6));
        assert!(
            matches!(late.next().await, Ok(FollowerStep::NotKept { oldest }) if oldest == Seq(8))
        );
        late.has_read(Seq(8));
        let FollowerStep::Batch(batch) = late.next().await.unwrap() else { panic!("it is here") };
        assert_eq!(batch.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [Seq(9), Seq(10)]);
    }
}
