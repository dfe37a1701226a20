//! A session: one person, known by a token; their stay, over however many connections, and what is
//! remembered of them between one stay and the next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chatroom_proto::{ASKS_UNANSWERED_MAX, PostId, Seq, Tag, UnixMillis, UserName};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::chat::entry::{Address, ConnAddr, DeviceId, GroupId, PasswordHash, TokenDigest};

/// How many of a session's latest posts are remembered, and how many of its other commands, to
/// recognize one that comes again: twice as many as a client may leave unanswered
/// ([`ASKS_UNANSWERED_MAX`]). They are taken in order, so one that got no answer is always among
/// them, whatever else the client did when it came back.
const DEEDS_REMEMBERED_MAX: usize = 2 * ASKS_UNANSWERED_MAX as usize;

/// How many people a session's private conversations are followed with; the one that is silent for
/// longest is forgotten, and its next post begins a new chain.
const PRIVATE_CONVERSATIONS_MAX: usize = 1_000;

/// One device of one person. Most people have one. What they have in common stands with the first,
/// which is known as the person and stays as long as the account: the groups, the private
/// conversations, the account itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Device {
    /// Whose it is: its own, when it is the first.
    pub(crate) person: DeviceId,
    /// Under which name.
    pub(crate) name: UserName,
    /// Recognizes the client when it comes back.
    pub(crate) token: TokenDigest,
    /// Where the client came from the last time.
    pub(crate) address: Address,
    /// The latest arrival: the order of those who are here.
    pub(crate) arrived: Seq,
    /// Where it is connected, or since when it is not.
    pub(crate) presence: Presence,
    /// Its groups in the order of joining.
    pub(crate) groups: Box<[MembershipSince]>,
    /// Its private conversations.
    pub(crate) private: Private,
    /// What it did lately.
    pub(crate) done: DedupWindow,
    /// What makes the name their own.
    pub(crate) account: Option<Box<Account>>,
}

/// A registered name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    /// What its password must match.
    pub(crate) password: PasswordHash,
    /// The entry that set it.
    pub(crate) since: Seq,
    /// With which device and which request the name was registered, in the same stay.
    pub(crate) registered: Option<(DeviceId, Tag)>,
    /// The devices after the first.
    pub(crate) devices: BTreeSet<DeviceId>,
}

/// Private conversations. Many people have none: then it is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Private(Option<Box<Heads>>);

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Heads {
    /// The newest post of each conversation.
    each: BTreeMap<DeviceId, Seq>,
    /// The newest of all, however many conversations were forgotten since.
    newest: Seq,
}

impl Private {
    /// The newest post, with anybody.
    pub(crate) fn newest(&self) -> Seq {
        self.0.as_ref().map_or(Seq::ZERO, |heads| heads.newest)
    }

    /// The newest post with this one.
    pub(crate) fn with(&self, peer: DeviceId) -> Option<Seq> {
        self.0.as_ref()?.each.get(&peer).copied()
    }

    /// Who there is a conversation with.
    pub(crate) fn peers(&self) -> impl Iterator<Item = DeviceId> + '_ {
        self.0.iter().flat_map(|heads| heads.each.keys().copied())
    }

    /// There is a post with this one. If there are too many conversations, the one that is silent
    /// for longest is forgotten.
    pub(crate) fn add(&mut self, peer: DeviceId, seq: Seq) -> Option<DeviceId> {
        let heads = self.0.get_or_insert_default();
        heads.each.insert(peer, seq);
        heads.newest = seq;
        if heads.each.len() <= PRIVATE_CONVERSATIONS_MAX {
            return None;
        }
        let (&silent, _) = heads.each.iter().min_by_key(|(_, head)| **head)?;
        heads.each.remove(&silent);
        Some(silent)
    }

    /// Forgets a conversation.
    pub(crate) fn forget(&mut self, peer: DeviceId) {
        if let Some(heads) = &mut self.0 {
            heads.each.remove(&peer);
        }
    }
}

impl Serialize for Private {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(heads) => heads.serialize(serializer),
            None => Heads::default().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Private {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Private, D::Error> {
        let heads = Heads::deserialize(deserializer)?;
        Ok(Private((heads.newest != Seq::ZERO).then(|| Box::new(heads))))
    }
}

/// A membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MembershipSince {
    /// In which group.
    pub(crate) group: GroupId,
    /// The join.
    pub(crate) since: Seq,
}

/// Whether a session has a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Presence {
    /// It has this one.
    Attached(ConnAddr),
    /// It lost its connection.
    Detached {
        /// When.
        at: UnixMillis,
        /// The entry that says so.
        by: Seq,
    },
    /// It has ended; its name is free. It is remembered for when it comes back.
    Away {
        /// The entry that says so, or that its connection was gone: it has heard everything up to
        /// there.
        by: Seq,
        /// What there is to come back to: those who have less are forgotten first.
        worth: EvictionClass,
    },
}

impl Device {
    /// Whether it goes on: with a connection, or held for one that was lost.
    pub(crate) fn is_here(&self) -> bool {
        !matches!(self.presence, Presence::Away { .. })
    }

    /// Joins and leaves. Many are in one group and stay there: what they are in takes what it
    /// takes, and no more.
    pub(crate) fn regroup(&mut self, change: impl FnOnce(&mut Vec<MembershipSince>)) {
        let mut groups = std::mem::take(&mut self.groups).into_vec();
        groups.reserve_exact(1);
        change(&mut groups);
        self.groups = groups.into_boxed_slice();
    }

    /// Whether it is a member.
    pub(crate) fn is_in(&self, group: GroupId) -> bool {
        self.groups.iter().any(|stake| stake.group == group)
    }

    /// What it leaves behind.
    pub(crate) fn worth(&self) -> EvictionClass {
        if self.account.is_some() {
            return EvictionClass::Ties;
        }
        let joined = self.groups.iter().any(|stake| stake.group != GroupId::GENERAL);
        if joined || self.private.peers().next().is_some() {
            EvictionClass::Ties
        } else if self.done.has_no_posts() {
            EvictionClass::Nothing
        } else {
            EvictionClass::Words
        }
    }
}

/// What somebody who has gone has left behind, from little to much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum EvictionClass {
    /// They looked in.
    Nothing,
    /// They said something, in General.
    Words,
    /// They are in groups, or have talked with somebody, or were written to.
    Ties,
}

/// A session's latest commands that took effect, newest last: what a repeat is answered from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct DedupWindow {
    posts: Posts,
    /// Many do one thing, and then they listen: there is room for what there is, and no more.
    verbs: Box<[DoneRequest]>,
}

/// Posts, known by their ids. Many people only listen: then it is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Posts(Option<Box<RecentPosts>>);

/// Of each post the parts stand in a queue of their own, because every new one is looked for among
/// all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct RecentPosts {
    /// A part of each id.
    #[serde(skip)]
    marks: VecDeque<u16>,
    ids: VecDeque<PostId>,
    facts: VecDeque<(Seq, UnixMillis)>,
}

impl Serialize for Posts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(known) => known.serialize(serializer),
            None => RecentPosts::default().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Posts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Posts, D::Error> {
        let mut known = RecentPosts::deserialize(deserializer)?;
        known.marks = known.ids.iter().copied().map(mark).collect();
        Ok(Posts((!known.ids.is_empty()).then(|| Box::new(known))))
    }
}

/// A command about a group, known by its request's tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct DoneRequest {
    tag: Tag,
    verb: DedupKind,
    group: GroupId,
    /// Where it took effect; [`Seq::ZERO`], where nothing ever happens, when it was refused because
    /// it had already.
    seq: Seq,
}

/// What can be done to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum DedupKind {
    /// Make it.
    Create,
    /// Become a member.
    Join,
    /// Stop being one.
    Leave,
    /// Keep order in it.
    Moderate,
    /// Not to it, but to the server.
    Operate,
}

impl DedupWindow {
    /// Remembers a post.
    pub(crate) fn posted(&mut self, id: PostId, seq: Seq, at: UnixMillis) {
        self.posts.0.get_or_insert_default().push(id, seq, at);
    }

    /// Remembers what a request did to a group.
    pub(crate) fn did(&mut self, tag: Tag, verb: DedupKind, group: GroupId, seq: Option<Seq>) {
        let mut verbs = std::mem::take(&mut self.verbs).into_vec();
        if verbs.len() == DEEDS_REMEMBERED_MAX {
            verbs.remove(0);
        }
        verbs.reserve_exact(1);
        verbs.push(DoneRequest { tag, verb, group, seq: seq.unwrap_or(Seq::ZERO) });
        self.verbs = verbs.into_boxed_slice();
    }

    /// The post with this id.
    pub(crate) fn post(&self, id: PostId) -> Option<(Seq, UnixMillis)> {
        let known = self.posts.0.as_ref()?;
        known.facts.get(known.position(id)?).copied()
    }

    /// Remembers the posts of another one, too, as far as there is room.
    pub(crate) fn take_over(&mut self, other: DedupWindow) {
        let Some(known) = other.posts.0 else { return };
        for (id, (seq, at)) in known.ids.into_iter().zip(known.facts) {
            self.posted(id, seq, at);
        }
    }

    /// Whether there is no post.
    pub(crate) fn has_no_posts(&self) -> bool {
        self.posts.0.is_none()
    }

    /// What came of this request to do this to this group, if it was here: when it took effect, or
    /// that it was refused.
    pub(crate) fn verb(&self, tag: Tag, verb: DedupKind, group: GroupId) -> Option<Option<Seq>> {
        let same = |command: &&DoneRequest| {
            (command.tag, command.verb, command.group) == (tag, verb, group)
        };
        let command = self.verbs.iter().rev().find(same)?;
        Some((command.seq != Seq::ZERO).then_some(command.seq))
    }

    /// The next stay's tags begin anew. The posts stay known.
    pub(crate) fn forget_verbs(&mut self) {
        self.verbs = Box::default();
    }
}

impl RecentPosts {
    fn push(&mut self, id: PostId, seq: Seq, at: UnixMillis) {
        if self.ids.len() == DEEDS_REMEMBERED_MAX {
            self.marks.pop_front();
            self.ids.pop_front();
            self.facts.pop_front();
        }
        self.marks.push_back(mark(id));
        self.ids.push_back(id);
        self.facts.push_back((seq, at));
    }

    /// Where this id is. Every post is looked for here, and nearly none is found: short marks are
    /// compared, to the last without stopping, because several go at once in this way.
    fn position(&self, id: PostId) -> Option<usize> {
        let wanted = mark(id);
        let is_in =
            |marks: &[u16]| marks.iter().fold(false, |found, mark| found | (*mark == wanted));
        let (front, back) = self.marks.as_slices();
        let is_worth_a_look = is_in(front) | is_in(back);
        is_worth_a_look.then(|| self.ids.iter().position(|known| *known == id))?
    }
}

/// A part of an id that tells most ids apart, whether they are random or counted (the last bytes
/// first): a new one has the mark of one that is remembered once in 128 times, and then the ids
/// themselves are looked at.
fn mark(PostId([.., a, b]): PostId) -> u16 {
    u16::from_ne_bytes([a, b])
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
        let mut done = DedupWindow::default();
        for n in 0..unanswered {
            done.posted(id(n), Seq(n as u64), UnixMillis(0));
        }
        done.forget_verbs();
        for n in 0..400 {
            done.did(Tag(n), DedupKind::Join, GroupId::GENERAL, Some(Seq(1_000)));
        }
        for n in 0..unanswered {
            assert_eq!(done.post(id(n)), Some((Seq(n as u64), UnixMillis(0))));
            done.posted(id(unanswered + n), Seq(2_000), UnixMillis(0));
        }
    }

    #[test]
    fn posts_whose_ids_are_nearly_the_same_are_told_apart() {
        let mut done = DedupWindow::default();
        let id = |first| PostId([first, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
        done.posted(id(1), Seq(1), UnixMillis(0));
        done.posted(id(2), Seq(2), UnixMillis(0));
        assert_eq!(done.post(id(2)), Some((Seq(2), UnixMillis(0))));
        assert_eq!(done.post(id(3)), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut done = DedupWindow::default();
        for n in 0..=DEEDS_REMEMBERED_MAX {
            done.posted(id(n), Seq(1), UnixMillis(0));
            done.did(Tag(n as u32), DedupKind::Join, GroupId::GENERAL, Some(Seq(1)));
        }
        assert_eq!(done.post(id(0)), None);
        assert_eq!(done.verb(Tag(0), DedupKind::Join, GroupId::GENERAL), None);
        assert!(
            done.post(id(1)).is_some()
                && done.verb(Tag(1), DedupKind::Join, GroupId::GENERAL).is_some()
        );
    }

    #[test]
    fn a_repeat_is_the_same_request_about_the_same_thing() {
        let mut done = DedupWindow::default();
        done.did(Tag(1), DedupKind::Join, GroupId::GENERAL, Some(Seq(3)));
        assert_eq!(done.verb(Tag(1), DedupKind::Join, GroupId::GENERAL), Some(Some(Seq(3))));
        assert_eq!(done.verb(Tag(1), DedupKind::Leave, GroupId::GENERAL), None);
        assert_eq!(done.verb(Tag(2), DedupKind::Join, GroupId::GENERAL), None);
        done.forget_verbs();
        assert_eq!(done.verb(Tag(1), DedupKind::Join, GroupId::GENERAL), None, "tags begin anew");
    }
}
