//! The contract of [`Log`], as scenes that every log has to pass.

use chatroom_proto::{Body, Conversation, GroupName, PostId, Seq, UnixMillis};
use futures_util::StreamExt;

use super::{Durability, Log, LogError, LogSnapshot, MemoryLog, SqliteLog};
use crate::chat::entry::{Command, DeviceId, NodeId, Proposal, ProposalId};

fn proposal(node: u64, number: u64) -> Proposal {
    proposal_of(node, number, 1)
}

pub(super) fn proposal_of(node: u64, number: u64, bytes: usize) -> Proposal {
    let body = Body::parse(&"x".repeat(bytes)).unwrap();
    let to = Conversation::Group(GroupName::general());
    let command = Command::Post { by: DeviceId(Seq(1)), to, id: PostId([0; 16]), body };
    Proposal {
        id: ProposalId { node: NodeId(node), number },
        origin: None,
        at: UnixMillis(0),
        command,
    }
}

/// The proposals behind so many entries that a follower gets, which must rise in `Seq`.
pub(super) async fn follow(log: &dyn Log, after: Seq, count: usize) -> Vec<(u64, u64)> {
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

async fn everyone_who_follows_sees_the_same_from_wherever_they_begin(log: &dyn Log) {
    for (node, number) in [(1, 1), (2, 1), (1, 2), (2, 5)] {
        log.append(vec![proposal(node, number)]).unwrap();
    }
    assert_eq!(follow(log, Seq::ZERO, 4).await, [(1, 1), (2, 1), (1, 2), (2, 5)]);
    assert_eq!(follow(log, Seq(2), 2).await, [(1, 2), (2, 5)]);
    assert_eq!(log.head(), Seq(4));
}

async fn a_proposal_that_comes_again_is_kept_once(log: &dyn Log) {
    for (node, number) in [(1, 1), (1, 2), (1, 1), (1, 2), (2, 1), (1, 3)] {
        log.append(vec![proposal(node, number)]).unwrap();
    }
    assert_eq!(follow(log, Seq::ZERO, 4).await, [(1, 1), (1, 2), (2, 1), (1, 3)]);
}

async fn a_follower_waits_for_what_comes(log: &dyn Log) {
    let mut batches = log.follow(Seq::ZERO);
    assert!(futures_util::poll!(batches.next()).is_pending());
    log.append(vec![proposal(1, 1)]).unwrap();
    assert_eq!(batches.next().await.unwrap().unwrap().len(), 1);
    assert!(futures_util::poll!(batches.next()).is_pending());
}

async fn one_nodes_order_is_kept(log: &dyn Log) {
    let numbers: Vec<(u64, u64)> = (1..=2_000).map(|number| (1, number)).collect();
    // One that has read nothing yet: all of it is kept.
    let _past = log.follow(Seq::ZERO);
    for &(node, number) in &numbers {
        log.append(vec![proposal(node, number)]).unwrap();
    }
    assert_eq!(follow(log, Seq::ZERO, numbers.len()).await, numbers);
}

/// A snapshot at this place.
fn snapshot(seq: u64) -> LogSnapshot {
    LogSnapshot { seq: Seq(seq), state: b"what it has come to".to_vec() }
}

async fn what_was_compacted_is_gone_and_the_rest_goes_on(log: &dyn Log) {
    let mut entries = log.follow(Seq::ZERO);
    let mut ends = Vec::new();
    for number in 1..=5 {
        log.append(vec![proposal(1, number)]).unwrap();
        // One at a time, so that each is a batch of its own.
        ends.push(entries.next().await.unwrap().unwrap()[0].seq);
    }
    assert_eq!(log.batch_end(Seq::ZERO).unwrap(), None);
    assert_eq!(log.batch_end(ends[2]).unwrap(), Some(ends[2]));
    assert_eq!(log.batch_end(Seq(1_000)).unwrap(), Some(ends[4]));
    assert!(log.snapshot().unwrap().is_none());
    log.compact(snapshot(ends[2].0)).unwrap();
    log.append(vec![proposal(1, 6)]).unwrap();
    let after = entries.next().await.unwrap().unwrap()[0].seq;
    for gone in [0, 1] {
        let compacted = log.follow(Seq(gone)).next().await.unwrap();
        let oldest = ends[2].next();
        assert!(
            matches!(compacted, Err(LogError::Compacted { oldest: told }) if told == oldest),
            "{compacted:?}"
        );
    }
    assert_eq!(follow(log, ends[2], 3).await, [(1, 4), (1, 5), (1, 6)]);
    assert_eq!(log.head(), after);
    assert_eq!(log.batch_end(ends[2]).unwrap(), None, "that is gone");
    let again = log.compact(snapshot(ends[1].0));
    assert!(matches!(again, Err(LogError::NotAnEnd(seq)) if seq == ends[1]), "{again:?}");
    let future = log.compact(snapshot(1_000));
    assert!(matches!(future, Err(LogError::NotAnEnd(_))), "{future:?}");
}

async fn all_of_a_log_may_be_compacted(log: &dyn Log) {
    let mut entries = log.follow(Seq::ZERO);
    log.append(vec![proposal(1, 1)]).unwrap();
    let head = entries.next().await.unwrap().unwrap()[0].seq;
    log.compact(snapshot(head.0)).unwrap();
    log.append(vec![proposal(1, 2)]).unwrap();
    assert_eq!(follow(log, head, 1).await, [(1, 2)]);
    let compacted = log.follow(Seq::ZERO).next().await.unwrap();
    assert!(matches!(compacted, Err(LogError::Compacted { .. })), "{compacted:?}");
}

macro_rules! contract {
    ($($scene:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $scene() {
                super::$scene(&super::MemoryLog::new()).await;
            })*
        }

        mod sqlite {
            $(#[tokio::test]
            async fn $scene() {
                let directory = tempfile::tempdir().unwrap();
                let log =
                    super::SqliteLog::open(directory.path(), super::Durability::Full).unwrap();
                super::$scene(&log).await;
            })*
        }
    };
}

contract!(
    everyone_who_follows_sees_the_same_from_wherever_they_begin,
    a_proposal_that_comes_again_is_kept_once,
    a_follower_waits_for_what_comes,
    one_nodes_order_is_kept,
    what_was_compacted_is_gone_and_the_rest_goes_on,
    all_of_a_log_may_be_compacted,
);

#[tokio::test]
async fn a_log_on_disk_goes_on_where_it_ended() {
    let directory = tempfile::tempdir().unwrap();
    let open = || SqliteLog::open(directory.path(), Durability::Full).unwrap();
    let log = open();
    log.append(vec![proposal(1, 1)]).unwrap();
    log.append(vec![proposal(1, 2)]).unwrap();
    drop(log);
    let log = open();
    assert_eq!(log.head(), Seq(2), "what waited when it was closed is kept, too");
    log.append(vec![proposal(2, 1)]).unwrap();
    assert_eq!(follow(&log, Seq::ZERO, 3).await, [(1, 1), (1, 2), (2, 1)]);
    assert_eq!(follow(&log, Seq(1), 2).await, [(1, 2), (2, 1)]);
}
