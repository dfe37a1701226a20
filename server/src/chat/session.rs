//! A session: one person's stay, from arrival to departure, over however many connections.

use std::collections::{BTreeMap, VecDeque};

use chatroom_proto::{PostId, Seq, Tag, UnixMillis, UserName};

use super::effect::{Address, Place, SessionId, TokenDigest};
use super::group::GroupId;

/// How many of a session's latest deeds are remembered, to recognize one that comes again. A connection has at most
/// this many requests unanswered ([`ASKS_UNDER_WAY_MAX`](crate::config::ASKS_UNDER_WAY_MAX)), and they are taken in
/// order, so one that got no answer is always among them.
pub(crate) const DEEDS_REMEMBERED_MAX: usize = 256;

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
pub(crate) struct Done(VecDeque<Deeded>);

/// A deed that took effect, as far as it must be known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deeded {
    /// A post, known by its id.
    Posted {
        /// Its id.
        id: PostId,
        /// Its place.
        seq: Seq,
        /// Its time.
        at: UnixMillis,
    },
    /// A deed about a group, known by its request's tag.
    Group {
        /// The tag.
        tag: Tag,
        /// What was done.
        verb: Verb,
        /// To which group.
        group: GroupId,
        /// Its place.
        seq: Seq,
    },
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
    /// Remembers a deed, and forgets the oldest when there are too many.
    pub(crate) fn push(&mut self, deed: Deeded) {
        if self.0.len() == DEEDS_REMEMBERED_MAX {
            self.0.pop_front();
        }
        self.0.push_back(deed);
    }

    /// The post with this id.
    pub(crate) fn post(&self, wanted: PostId) -> Option<(Seq, UnixMillis)> {
        self.0.iter().rev().find_map(|deed| match *deed {
            Deeded::Posted { id, seq, at } if id == wanted => Some((seq, at)),
            _ => None,
        })
    }

    /// What this request did to this group.
    pub(crate) fn group(&self, asked: Tag, verb: Verb, group: GroupId) -> Option<Seq> {
        self.0.iter().rev().find_map(|deed| match *deed {
            Deeded::Group { tag, verb: done, group: with, seq }
                if (tag, done, with) == (asked, verb, group) =>
            {
                Some(seq)
            }
            _ => None,
        })
    }

    /// The posts alone: what is still true of the same person in another session, where tags begin anew.
    pub(crate) fn into_posts(mut self) -> Done {
        self.0.retain(|deed| matches!(deed, Deeded::Posted { .. }));
        self
    }

    /// Whether nothing is remembered.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(n: u8) -> Deeded {
        Deeded::Posted { id: PostId([n; 16]), seq: Seq(u64::from(n)), at: UnixMillis(0) }
    }

    #[test]
    fn a_repeat_is_known_as_long_as_it_can_be_unanswered() {
        let mut done = Done::default();
        for n in 0..=255 {
            done.push(post(n));
        }
        assert_eq!(done.post(PostId([0; 16])), Some((Seq(0), UnixMillis(0))));
        done.push(Deeded::Group { tag: Tag(1), verb: Verb::Join, group: GroupId::GENERAL, seq: Seq(300) });
        assert_eq!(done.post(PostId([0; 16])), None);
        assert_eq!(done.group(Tag(1), Verb::Join, GroupId::GENERAL), Some(Seq(300)));
        assert_eq!(done.group(Tag(1), Verb::Leave, GroupId::GENERAL), None);
    }

    #[test]
    fn another_session_inherits_posts_and_no_tags() {
        let mut done = Done::default();
        done.push(post(1));
        done.push(Deeded::Group { tag: Tag(1), verb: Verb::Join, group: GroupId::GENERAL, seq: Seq(2) });
        let inherited = done.into_posts();
        assert!(inherited.post(PostId([1; 16])).is_some());
        assert_eq!(inherited.group(Tag(1), Verb::Join, GroupId::GENERAL), None);
    }
}
