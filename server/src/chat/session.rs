//! A session: one person's stay, from arrival to departure, over however many connections.

use std::collections::{BTreeMap, VecDeque};

use chatroom_proto::{ASKS_UNANSWERED_MAX, PostId, Seq, Tag, UnixMillis, UserName};

use super::effect::{Address, Place, SessionId, TokenDigest};
use super::group::GroupId;

/// How many of a session's latest posts are remembered, and how many of its other deeds, to recognize one that comes
/// again: twice as many as a client may leave unanswered ([`ASKS_UNANSWERED_MAX`]). They are taken in order, so one
/// that got no answer is always among them, whatever else the client did when it came back.
const DEEDS_REMEMBERED_MAX: usize = 2 * ASKS_UNANSWERED_MAX as usize;

/// How many people a session's private conversations are followed with; the one that is silent for longest is
/// forgotten, and its next post begins a new chain.
pub(crate) const PRIVATE_CONVERSATIONS_MAX: usize = 1_000;

/// One person's stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// Under which name.
    pub(crate) name: UserName,
    /// Recognizes the client when it comes back.
    pub(crate) token: TokenDigest,
    /// Where the client came from the last time.
    pub(crate) address: Address,
    /// Where it is connected, or since when it is not.
    pub(crate) presence: Presence,
    /// Its groups in the order of joining.
    pub(crate) groups: Vec<GroupId>,
    /// The newest private post between this session and others.
    pub(crate) private_heads: BTreeMap<SessionId, Seq>,
    /// What it did lately.
    pub(crate) done: Done,
}

/// Whether a session has a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It has this one.
    Attached(Place),
    /// It lost its connection.
    Detached {
        /// When.
        at: UnixMillis,
        /// The entry that says so.
        by: Seq,
    },
}

/// A session's latest deeds that took effect, newest last: what a repeat is answered from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Done {
    posts: Posts,
    verbs: VecDeque<Deeded>,
}

/// Posts, known by their ids. The ids stand alone because every new post is looked for among all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Posts {
    ids: VecDeque<PostId>,
    facts: VecDeque<(Seq, UnixMillis)>,
}

/// A deed about a group, known by its request's tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Deeded {
    tag: Tag,
    verb: Verb,
    group: GroupId,
    seq: Seq,
}

/// What can be done to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Make it.
    Create,
    /// Become a member.
    Join,
    /// Stop being one.
    Leave,
}

impl Done {
    /// A session's beginning, when the same person posted this in an earlier one. Tags begin anew.
    pub(crate) fn inheriting(posts: Posts) -> Done {
        Done { posts, verbs: VecDeque::new() }
    }

    /// Remembers a post.
    pub(crate) fn posted(&mut self, id: PostId, seq: Seq, at: UnixMillis) {
        if self.posts.ids.len() == DEEDS_REMEMBERED_MAX {
            self.posts.ids.pop_front();
            self.posts.facts.pop_front();
        }
        self.posts.ids.push_back(id);
        self.posts.facts.push_back((seq, at));
    }

    /// Remembers what a request did to a group.
    pub(crate) fn did(&mut self, tag: Tag, verb: Verb, group: GroupId, seq: Seq) {
        if self.verbs.len() == DEEDS_REMEMBERED_MAX {
            self.verbs.pop_front();
        }
        self.verbs.push_back(Deeded { tag, verb, group, seq });
    }

    /// The post with this id.
    pub(crate) fn post(&self, id: PostId) -> Option<(Seq, UnixMillis)> {
        let place = self.posts.ids.iter().position(|known| *known == id)?;
        self.posts.facts.get(place).copied()
    }

    /// When this request did this to this group.
    pub(crate) fn verb(&self, tag: Tag, verb: Verb, group: GroupId) -> Option<Seq> {
        let same = |deed: &&Deeded| (deed.tag, deed.verb, deed.group) == (tag, verb, group);
        self.verbs.iter().rev().find(same).map(|deed| deed.seq)
    }

    /// The posts: what is still true of the same person in another session.
    pub(crate) fn into_posts(self) -> Posts {
        self.posts
    }
}

impl Posts {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> PostId {
        PostId((n as u128).to_be_bytes())
    }

    #[test]
    fn every_post_that_can_be_unanswered_is_known_whatever_else_was_done() {
        let unanswered = ASKS_UNANSWERED_MAX as usize;
        let mut done = Done::default();
        for n in 0..unanswered {
            done.posted(id(n), Seq(n as u64), UnixMillis(0));
        }
        let mut done = Done::inheriting(done.into_posts());
        for n in 0..400 {
            done.did(Tag(n), Verb::Join, GroupId::GENERAL, Seq(1_000));
        }
        for n in 0..unanswered {
            assert_eq!(done.post(id(n)), Some((Seq(n as u64), UnixMillis(0))));
            done.posted(id(unanswered + n), Seq(2_000), UnixMillis(0));
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut done = Done::default();
        for n in 0..=DEEDS_REMEMBERED_MAX {
            done.posted(id(n), Seq(1), UnixMillis(0));
            done.did(Tag(n as u32), Verb::Join, GroupId::GENERAL, Seq(1));
        }
        assert_eq!(done.post(id(0)), None);
        assert_eq!(done.verb(Tag(0), Verb::Join, GroupId::GENERAL), None);
        assert!(done.post(id(1)).is_some() && done.verb(Tag(1), Verb::Join, GroupId::GENERAL).is_some());
    }

    #[test]
    fn a_repeat_is_the_same_request_about_the_same_thing() {
        let mut done = Done::default();
        done.did(Tag(1), Verb::Join, GroupId::GENERAL, Seq(3));
        assert_eq!(done.verb(Tag(1), Verb::Join, GroupId::GENERAL), Some(Seq(3)));
        assert_eq!(done.verb(Tag(1), Verb::Leave, GroupId::GENERAL), None);
        assert_eq!(done.verb(Tag(2), Verb::Join, GroupId::GENERAL), None);
        assert_eq!(Done::inheriting(done.into_posts()).verb(Tag(1), Verb::Join, GroupId::GENERAL), None);
    }
}
