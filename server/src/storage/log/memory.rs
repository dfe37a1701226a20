//! A log in memory: for tests, for measuring, and for servers that shall forget everything.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chatroom_proto::Seq;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream;

use super::interface::{Batches, Log, LogError, LogSnapshot};
use super::tail::{FollowerStep, Tail};
use crate::chat::entry::{Entry, NodeId, Proposal};

/// How many entries are kept that everybody who follows has read, for one who begins to follow
/// later. The node itself is such a one: it follows up to where it begins, proposes that it has
/// begun and a code (2 entries), and follows on from there.
const ENTRIES_KEPT_MAX: usize = 256;

/// A log that lives as long as its handles. Followers that lag by more than a bound get
/// [`LogError::Compacted`].
#[derive(Debug, Clone)]
pub struct MemoryLog {
    tail: Arc<Tail>,
    order: Arc<Mutex<Sequencer>>,
}

/// Gives proposals their places.
#[derive(Debug, Default)]
pub(super) struct Sequencer {
    head: Seq,
    /// The newest proposal of each node.
    newest: HashMap<NodeId, u64>,
}

impl Sequencer {
    /// Goes on after the newest entry of a log.
    pub(super) fn after(head: Seq) -> Sequencer {
        Sequencer { head, newest: HashMap::new() }
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
        MemoryLog { tail: Tail::after(Seq::ZERO, ENTRIES_KEPT_MAX), order: Arc::default() }
    }
}

impl Default for MemoryLog {
    fn default() -> MemoryLog {
        MemoryLog::new()
    }
}

impl Log for MemoryLog {
    fn append(&self, proposals: Vec<Proposal>) -> Result<(), LogError> {
        // Held until the entries are in the tail: places and their order are one. Nothing in here
        // can panic half-way.
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        self.tail.extend(proposals.into_iter().filter_map(|proposal| order.place(proposal)));
        Ok(())
    }

    fn follow(&self, after: Seq) -> Batches {
        stream::unfold(self.tail.follow(after), |mut cursor| async move {
            let next = match cursor.next().await {
                Ok(FollowerStep::Batch(batch)) => Ok(batch),
                Ok(FollowerStep::NotKept { oldest }) => Err(LogError::Compacted { oldest }),
                Err(error) => Err(error),
            };
            Some((next, cursor))
        })
        .boxed()
    }

    fn head(&self) -> Seq {
        self.tail.head()
    }

    /// Nothing: who drops the entries of this log drops what they have come to.
    fn snapshot(&self) -> Result<Option<LogSnapshot>, LogError> {
        Ok(None)
    }

    fn batch_end(&self, at: Seq) -> Result<Option<Seq>, LogError> {
        let end = at.min(self.tail.head());
        Ok((end >= self.tail.oldest()).then_some(end))
    }

    fn compact(&self, snapshot: LogSnapshot) -> Result<(), LogError> {
        if self.batch_end(snapshot.seq)? != Some(snapshot.seq) {
            return Err(LogError::NotAnEnd(snapshot.seq));
        }
        self.tail.compact(snapshot.seq);
        Ok(())
    }

    fn erase(&self, posts: Vec<Seq>) -> BoxFuture<'_, Result<(), LogError>> {
        self.tail.erase(&posts);
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::super::contract::{follow, proposal_of};
    use super::*;

    #[tokio::test]
    async fn the_past_is_bounded_and_one_who_lags_behind_it_is_told() {
        let log = MemoryLog::new();
        for number in 1..=ENTRIES_KEPT_MAX as u64 + 10 {
            log.append(vec![proposal_of(1, number, 10)]).unwrap();
        }
        let lagging = log.follow(Seq::ZERO).next().await.unwrap();
        assert!(
            matches!(lagging, Err(LogError::Compacted { oldest }) if oldest == Seq(11)),
            "{lagging:?}"
        );
        assert_eq!(follow(&log, Seq(10), 1).await[0], (1, 11));
    }
}
