//! A log in memory: for tests, for measuring, and for servers that shall forget everything.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatroom_proto::{BODY_BYTES_MAX, Seq};
use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::Notify;

use super::{Batch, Batches, Log, LogError};
use crate::chat::effect::{Deed, Entry, NodeId, Proposal};
use crate::config::LOAD_MAX;

/// How much of the past is kept for followers that lag, in bytes: many times what one node has under way.
const BYTES_KEPT_MAX: usize = 32 * 1024 * 1024;

/// What an entry takes besides its message, in bytes; an estimate.
const ENTRY_BYTES: usize = 320;

/// The node that appends follows, too, and must not lag behind what it has under way itself.
const _: () = assert!(LOAD_MAX * (BODY_BYTES_MAX + ENTRY_BYTES) < BYTES_KEPT_MAX);

/// How many entries a follower gets at once: enough to share one write for each reader, few enough to keep the
/// memory of a batch small.
const BATCH_ENTRIES_MAX: usize = 1_024;

/// A log that lives as long as its handles. Followers that lag by more than a bound get [`LogError::Forgotten`].
#[derive(Debug, Clone, Default)]
pub struct MemoryLog(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    kept: Mutex<Kept>,
    grown: Notify,
}

#[derive(Debug, Default)]
struct Kept {
    entries: VecDeque<Arc<Entry>>,
    head: Seq,
    bytes: usize,
    /// The newest proposal of each node.
    newest: HashMap<NodeId, u64>,
}

impl MemoryLog {
    /// An empty log.
    pub fn new() -> MemoryLog {
        MemoryLog::default()
    }
}

impl Shared {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing in a critical section below can panic half-way through a change.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for MemoryLog {
    fn append(&self, proposal: Proposal) -> Result<(), LogError> {
        self.0.kept().push(proposal);
        self.0.grown.notify_waiters();
        Ok(())
    }

    fn follow(&self, after: Seq) -> Batches {
        let start = (Arc::clone(&self.0), after);
        stream::unfold(start, |(shared, after)| async move {
            let next = shared.next(after).await;
            let reached = match &next {
                Ok(batch) => batch.last().map_or(after, |entry| entry.seq),
                Err(_) => after,
            };
            Some((next, (shared, reached)))
        })
        .boxed()
    }
}

impl Shared {
    async fn next(&self, after: Seq) -> Result<Batch, LogError> {
        loop {
            let grown = self.grown.notified();
            tokio::pin!(grown);
            // Listen before looking, so that an entry that comes in between is not slept through.
            grown.as_mut().enable();
            let batch = self.kept().after(after)?;
            if !batch.is_empty() {
                return Ok(batch);
            }
            grown.await;
        }
    }
}

impl Kept {
    fn push(&mut self, proposal: Proposal) {
        let newest = self.newest.entry(proposal.id.node).or_default();
        if proposal.id.number <= *newest {
            return;
        }
        *newest = proposal.id.number;
        self.head = self.head.next();
        let entry = Arc::new(Entry { seq: self.head, proposal });
        self.bytes += cost(&entry);
        self.entries.push_back(entry);
        while self.bytes > BYTES_KEPT_MAX
            && let Some(oldest) = self.entries.pop_front()
        {
            self.bytes -= cost(&oldest);
        }
    }

    fn after(&self, after: Seq) -> Result<Batch, LogError> {
        let Some(oldest) = self.entries.front() else { return Ok(Batch::new()) };
        if oldest.seq > after.next() {
            return Err(LogError::Forgotten { oldest: oldest.seq });
        }
        let start = self.entries.partition_point(|entry| entry.seq <= after);
        Ok(self.entries.range(start..).take(BATCH_ENTRIES_MAX).cloned().collect())
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
    use chatroom_proto::{Body, GroupName, PostId, UnixMillis};

    use super::*;
    use crate::chat::effect::{Conversation, ProposalId, SessionId};

    fn proposal(node: u64, number: u64) -> Proposal {
        proposal_of(node, number, 1)
    }

    fn proposal_of(node: u64, number: u64, bytes: usize) -> Proposal {
        let body = Body::parse(&"x".repeat(bytes)).unwrap();
        let to = Conversation::Group(GroupName::general());
        let deed = Deed::Post { by: SessionId(Seq(1)), to, id: PostId([0; 16]), body };
        Proposal { id: ProposalId { node: NodeId(node), number }, origin: None, at: UnixMillis(0), deed }
    }

    /// The numbers of so many entries that a follower gets, which must rise in `Seq`.
    async fn follow(log: &MemoryLog, after: Seq, count: usize) -> Vec<(u64, u64)> {
        let mut batches = log.follow(after);
        let mut seen = Vec::new();
        let mut last = after;
        while seen.len() < count {
            for entry in batches.next().await.unwrap().unwrap() {
                assert!(entry.seq > last);
                last = entry.seq;
                seen.push((entry.proposal.id.node.0, entry.proposal.id.number));
            }
        }
        seen
    }

    #[tokio::test]
    async fn everyone_who_follows_sees_the_same_from_wherever_they_begin() {
        let log = MemoryLog::new();
        for (node, number) in [(1, 1), (2, 1), (1, 2), (2, 5)] {
            log.append(proposal(node, number)).unwrap();
        }
        assert_eq!(follow(&log, Seq::ZERO, 4).await, [(1, 1), (2, 1), (1, 2), (2, 5)]);
        assert_eq!(follow(&log, Seq(2), 2).await, [(1, 2), (2, 5)]);
    }

    #[tokio::test]
    async fn a_proposal_that_comes_again_is_kept_once() {
        let log = MemoryLog::new();
        for (node, number) in [(1, 1), (1, 2), (1, 1), (1, 2), (2, 1), (1, 3)] {
            log.append(proposal(node, number)).unwrap();
        }
        assert_eq!(follow(&log, Seq::ZERO, 4).await, [(1, 1), (1, 2), (2, 1), (1, 3)]);
    }

    #[tokio::test]
    async fn a_follower_waits_for_what_comes() {
        let log = MemoryLog::new();
        let mut batches = log.follow(Seq::ZERO);
        assert!(futures_util::poll!(batches.next()).is_pending());
        log.append(proposal(1, 1)).unwrap();
        assert_eq!(batches.next().await.unwrap().unwrap().len(), 1);
        assert!(futures_util::poll!(batches.next()).is_pending());
    }

    #[tokio::test]
    async fn the_past_is_bounded_and_one_who_lags_behind_it_is_told() {
        let log = MemoryLog::new();
        let fitting = (BYTES_KEPT_MAX / (8_000 + ENTRY_BYTES)) as u64;
        for number in 1..=fitting + 10 {
            log.append(proposal_of(1, number, 8_000)).unwrap();
        }
        let lagging = log.follow(Seq::ZERO).next().await.unwrap();
        assert!(matches!(lagging, Err(LogError::Forgotten { oldest }) if oldest == Seq(11)), "{lagging:?}");
        assert_eq!(follow(&log, Seq(10), 1).await[0], (1, 11));
    }
}
