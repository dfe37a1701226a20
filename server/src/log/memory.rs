//! A log in memory: for tests, for measuring, and for servers that shall forget everything.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chatroom_proto::Seq;
use futures_util::StreamExt;
use futures_util::stream;

use super::tail::{Next, Tail};
use super::{Batches, Log, LogError};
use crate::chat::effect::{Entry, NodeId, Proposal};

/// A log that lives as long as its handles. Followers that lag by more than a bound get [`LogError::Forgotten`].
#[derive(Debug, Clone)]
pub struct MemoryLog {
    tail: Arc<Tail>,
    order: Arc<Mutex<Order>>,
}

/// Gives proposals their places.
#[derive(Debug, Default)]
pub(super) struct Order {
    head: Seq,
    /// The newest proposal of each node.
    newest: HashMap<NodeId, u64>,
}

impl Order {
    /// Goes on after the newest entry of a log.
    pub(super) fn after(head: Seq) -> Order {
        Order { head, newest: HashMap::new() }
    }

    /// The entry that a proposal becomes; nothing when it has become one already.
    pub(super) fn place(&mut self, proposal: Proposal) -> Option<Entry> {
        let newest = self.newest.entry(proposal.id.node).or_default();
        if proposal.id.number <= *newest {
            return None;
        }
        *newest = proposal.id.number;
        self.head = self.head.next();
        Some(Entry { seq: self.head, proposal })
    }
}

impl MemoryLog {
    /// An empty log.
    pub fn new() -> MemoryLog {
        MemoryLog { tail: Tail::after(Seq::ZERO), order: Arc::default() }
    }
}

impl Default for MemoryLog {
    fn default() -> MemoryLog {
        MemoryLog::new()
    }
}

impl Log for MemoryLog {
    fn append(&self, proposal: Proposal) -> Result<(), LogError> {
        // Held until the entry is in the tail: places and their order are one. Nothing in here can panic half-way.
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        self.tail.extend(order.place(proposal));
        Ok(())
    }

    fn follow(&self, after: Seq) -> Batches {
        let start = (Arc::clone(&self.tail), after);
        stream::unfold(start, |(tail, after)| async move {
            let (next, reached) = match tail.next(after).await {
                Ok(Next::Batch(batch)) => {
                    let reached = batch.last().map_or(after, |entry| entry.seq);
                    (Ok(batch), reached)
                }
                Ok(Next::Forgotten { oldest }) => (Err(LogError::Forgotten { oldest }), after),
                Err(error) => (Err(error), after),
            };
            Some((next, (tail, reached)))
        })
        .boxed()
    }

    fn head(&self) -> Seq {
        self.tail.head()
    }
}

#[cfg(test)]
mod tests {
    use chatroom_proto::{Body, GroupName, PostId, UnixMillis};

    use super::super::tail::{BYTES_KEPT_MAX, ENTRY_BYTES};
    use super::*;
    use crate::chat::effect::{Conversation, Deed, ProposalId, SessionId};

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
