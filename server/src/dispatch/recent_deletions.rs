//! What was deleted lately. The archive comes behind, and what it has found is on its way for a
//! while: so whatever tells what was said, and comes from the archive, is amended here.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chatroom_proto::{
    ArchivedPost, Conversation, DeletedPost, Notification, Page, Refusal, Response, Seq, UserName,
};

use crate::storage::archive::Missed;

/// How many deletions are remembered: more than can happen while something is looked up. One who
/// has waited for longer is told that it took too long.
const DELETIONS_MAX: usize = 4_096;

/// How many posts of one page may be deleted while it is on its way: who did it may take more than
/// the text did, and the page has to fit into a frame. A page has 4 KiB to spare.
const AMENDED_MAX: usize = 32;

/// The latest deletions. Dispatch notes them; each replay, in a task of its own, asks.
#[derive(Debug, Default)]
pub(crate) struct RecentDeletions(Mutex<Deletions>);

#[derive(Debug, Default)]
struct Deletions {
    /// Who deleted the post at this place.
    by: HashMap<Seq, UserName>,
    /// The deletions and their posts, the oldest first.
    order: VecDeque<(Seq, Seq)>,
    /// The newest deletion that is not remembered any more.
    dropped: Seq,
}

impl RecentDeletions {
    /// Takes note of a deletion, which takes effect now. Nothing else is noted.
    pub(crate) fn note(&self, notification: &Notification) {
        let Notification::Deleted { seq, by, post, .. } = notification else { return };
        let mut deletions = self.lock();
        deletions.order.push_back((*seq, *post));
        deletions.by.entry(*post).or_insert_with(|| by.clone());
        if deletions.order.len() > DELETIONS_MAX
            && let Some((dropped, post)) = deletions.order.pop_front()
        {
            deletions.dropped = dropped;
            deletions.by.remove(&post);
        }
    }

    /// What was found, without what was deleted since. Everything up to `known` was known to
    /// whoever looked.
    pub(crate) fn amend_found(
        &self,
        found: Result<Response, Refusal>,
        known: Seq,
    ) -> Result<Response, Refusal> {
        let deletions = self.lock();
        let (posts, mut deleted, next) = match found? {
            Response::Past { posts, next } => (posts, Vec::new(), next),
            Response::PastWithDeleted { posts, deleted, next } => (posts, deleted.into_vec(), next),
            other => return Ok(other),
        };
        if deletions.dropped > known {
            return Err(Refusal::TookTooLong);
        }
        let (mut kept, before) = (Vec::new(), deleted.len());
        for ArchivedPost { place, post } in posts.into_vec() {
            match deletions.by.get(&post.seq) {
                Some(by) => deleted.push(post.deleted(by.clone())),
                None => kept.push(ArchivedPost { place, post }),
            }
        }
        if deleted.len() - before > AMENDED_MAX {
            return Err(Refusal::TookTooLong);
        }
        deleted.sort_by_key(|post| std::cmp::Reverse(post.seq));
        Ok(past(kept, deleted, next))
    }

    /// Makes something of a part of what a client missed, without what was deleted since. Nothing
    /// is deleted meanwhile. Nothing is made of a part that is too old to tell: everything up to
    /// `known` was known to whoever looked.
    pub(crate) fn amended<T>(
        &self,
        mut part: Missed,
        known: Seq,
        make: impl FnOnce(Missed) -> Result<T, ()>,
    ) -> Result<T, ()> {
        let deletions = self.lock();
        if deletions.dropped > known {
            return Err(());
        }
        if !deletions.by.is_empty() {
            let told = std::mem::take(&mut part.notifications).into_iter();
            part.notifications = told.map(|told| deletions.amend(told)).collect();
        }
        make(part)
    }

    fn lock(&self) -> MutexGuard<'_, Deletions> {
        // Nothing in a critical section can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deletions {
    fn amend(&self, told: Notification) -> Notification {
        let (post, place) = match told {
            Notification::GroupPost { post, group } => (post, Conversation::Group(group)),
            Notification::PrivatePost { post, to } => (post, Conversation::User(to)),
            other => return other,
        };
        match (self.by.get(&post.seq), place) {
            (Some(by), place) => {
                Notification::DeletedPost { post: post.deleted(by.clone()), place }
            }
            (None, Conversation::Group(group)) => Notification::GroupPost { post, group },
            (None, Conversation::User(to)) => Notification::PrivatePost { post, to },
        }
    }
}

/// A page of posts, in the shortest form.
pub(crate) fn past(
    posts: Vec<ArchivedPost>,
    deleted: Vec<DeletedPost>,
    next: Option<Seq>,
) -> Response {
    let posts = Page::fill(posts);
    if deleted.is_empty() {
        Response::Past { posts, next }
    } else {
        Response::PastWithDeleted { posts, deleted: Page::fill(deleted), next }
    }
}

#[cfg(test)]
mod tests {
    use chatroom_proto::{Body, GroupName, Post, PostId, UnixMillis};

    use super::*;

    fn post(seq: u64) -> Post {
        Post {
            seq: Seq(seq),
            prev: Seq(seq - 1),
            at: UnixMillis(0),
            id: PostId([0; 16]),
            from: UserName::parse("jim").unwrap(),
            body: Body::parse("secret").unwrap(),
        }
    }

    fn deletion(seq: u64, post: u64) -> Notification {
        Notification::Deleted {
            seq: Seq(seq),
            at: UnixMillis(0),
            by: UserName::parse("ann").unwrap(),
            post: Seq(post),
            from: UserName::parse("jim").unwrap(),
            place: Conversation::Group(GroupName::general()),
        }
    }

    fn found(seqs: &[u64]) -> Result<Response, Refusal> {
        let place = Conversation::Group(GroupName::general());
        let posts = seqs
            .iter()
            .map(|seq| ArchivedPost { place: place.clone(), post: post(*seq) })
            .collect();
        Ok(past(posts, Vec::new(), None))
    }

    fn missed(seq: u64) -> Missed {
        let group = GroupName::general();
        let notifications = vec![Notification::GroupPost { post: post(seq), group }];
        Missed { notifications, reached: Seq(seq) }
    }

    #[test]
    fn what_was_found_before_a_deletion_is_told_without_the_text_after_it() {
        let deletions = RecentDeletions::default();
        deletions.note(&deletion(9, 5));
        let told = deletions.amend_found(found(&[6, 5, 4]), Seq(8)).unwrap();
        let Response::PastWithDeleted { posts, deleted, .. } = told else { panic!("{told:?}") };
        let left = |seqs: &[ArchivedPost]| seqs.iter().map(|said| said.post.seq.0).collect();
        let left: Vec<u64> = left(posts.as_slice());
        assert_eq!(left, [6, 4]);
        assert_eq!(deleted.as_slice()[0].seq, Seq(5));
        assert_eq!(deletions.amend_found(found(&[6]), Seq(8)), found(&[6]));
        let told = deletions.amended(missed(5), Seq(8), Ok).unwrap();
        let [Notification::DeletedPost { post, .. }] = &told.notifications[..] else {
            panic!("{told:?}")
        };
        assert_eq!((post.seq, post.prev, post.by.as_str()), (Seq(5), Seq(4), "ann"));
    }

    #[test]
    fn what_waited_longer_than_deletions_are_remembered_is_not_told() {
        let deletions = RecentDeletions::default();
        for number in 0..=DELETIONS_MAX as u64 {
            deletions.note(&deletion(100 + number, 1 + number));
        }
        assert_eq!(deletions.amend_found(found(&[1]), Seq(99)), Err(Refusal::TookTooLong));
        assert!(deletions.amended(missed(1), Seq(99), Ok).is_err());
        assert!(deletions.amended(missed(1), Seq(100), Ok).is_ok(), "the archive knew of that one");
    }
}
