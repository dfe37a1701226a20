//! What a device did lately, to recognize what comes again.

use std::collections::VecDeque;

use chatroom_proto::{ASKS_UNANSWERED_MAX, PostId, Seq, Tag};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::chat::command_class::DedupKind;
use crate::chat::entry::{GroupId, Stamp};

/// How many of a device's latest posts are remembered, and how many of its other commands, to
/// recognize one that comes again: twice as many as a client may leave unanswered
/// ([`ASKS_UNANSWERED_MAX`]). They are taken in order, so one that got no answer is always among
/// them, whatever else the client did when it came back.
const DEDUP_WINDOW_MAX: usize = 2 * ASKS_UNANSWERED_MAX as usize;

/// A device's latest commands that took effect, newest last: what a repeat is answered from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct DedupWindow {
    posts: Posts,
    /// Many do one thing, and then they listen: there is room for what there is, and no more.
    requests: Box<[DoneRequest]>,
}

/// Posts, known by their ids. Many people only listen: then it is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Posts(Option<Box<RecentPosts>>);

/// The latest posts, oldest first. The four queues are as long as each other. Short ids have their
/// own, because every new post is looked for among all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct RecentPosts {
    /// A part of each id.
    #[serde(skip)]
    short_ids: VecDeque<u16>,
    ids: VecDeque<PostId>,
    stamps: VecDeque<Stamp>,
    /// Whether it was private, and whom it was for was away.
    kept: VecDeque<bool>,
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
        known.short_ids = known.ids.iter().copied().map(short_id).collect();
        Ok(Posts((!known.ids.is_empty()).then(|| Box::new(known))))
    }
}

/// A command about a group, known by its request's tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct DoneRequest {
    tag: Tag,
    kind: DedupKind,
    group: GroupId,
    /// Where it took effect; [`Seq::ZERO`], where nothing ever happens, when it was refused because
    /// it had already.
    seq: Seq,
}

impl DedupWindow {
    /// Remembers a post, and whether it was kept for somebody who was away.
    pub(crate) fn posted(&mut self, id: PostId, stamp: Stamp, kept: bool) {
        self.posts.0.get_or_insert_default().push(id, stamp, kept);
    }

    /// Remembers what a request did to a group.
    pub(crate) fn did(&mut self, tag: Tag, kind: DedupKind, group: GroupId, seq: Option<Seq>) {
        let mut requests = std::mem::take(&mut self.requests).into_vec();
        if requests.len() == DEDUP_WINDOW_MAX {
            requests.remove(0);
        }
        requests.reserve_exact(1);
        requests.push(DoneRequest { tag, kind, group, seq: seq.unwrap_or(Seq::ZERO) });
        self.requests = requests.into_boxed_slice();
    }

    /// The post with this id, and whether it was kept for somebody who was away.
    pub(crate) fn post(&self, id: PostId) -> Option<(Stamp, bool)> {
        let known = self.posts.0.as_ref()?;
        let place = known.position(id)?;
        Some((*known.stamps.get(place)?, *known.kept.get(place)?))
    }

    /// Remembers the posts of another one, too, as far as there is room.
    pub(crate) fn take_over(&mut self, other: DedupWindow) {
        let Some(known) = other.posts.0 else { return };
        for ((id, stamp), kept) in known.ids.into_iter().zip(known.stamps).zip(known.kept) {
            self.posted(id, stamp, kept);
        }
    }

    /// Whether there is no post.
    pub(crate) fn has_no_posts(&self) -> bool {
        self.posts.0.is_none()
    }

    /// What came of this request to do this to this group, if it was here: when it took effect, or
    /// that it was refused.
    pub(crate) fn request(&self, tag: Tag, kind: DedupKind, group: GroupId) -> Option<Option<Seq>> {
        let same = |done: &&DoneRequest| (done.tag, done.kind, done.group) == (tag, kind, group);
        let done = self.requests.iter().rev().find(same)?;
        Some((done.seq != Seq::ZERO).then_some(done.seq))
    }

    /// The next stay's tags begin anew. The posts stay known.
    pub(crate) fn forget_requests(&mut self) {
        self.requests = Box::default();
    }
}

impl RecentPosts {
    fn push(&mut self, id: PostId, stamp: Stamp, kept: bool) {
        if self.ids.len() == DEDUP_WINDOW_MAX {
            self.short_ids.pop_front();
            self.ids.pop_front();
            self.stamps.pop_front();
            self.kept.pop_front();
        }
        self.short_ids.push_back(short_id(id));
        self.ids.push_back(id);
        self.stamps.push_back(stamp);
        self.kept.push_back(kept);
    }

    /// Where this id is. Every post is looked for here, and nearly none is found: short ids are
    /// compared, to the last without stopping, because several go at once in this way.
    fn position(&self, id: PostId) -> Option<usize> {
        let wanted = short_id(id);
        let is_in = |short_ids: &[u16]| {
            short_ids.iter().fold(false, |found, short| found | (*short == wanted))
        };
        let (front, back) = self.short_ids.as_slices();
        let is_worth_a_look = is_in(front) | is_in(back);
        is_worth_a_look.then(|| self.ids.iter().position(|known| *known == id))?
    }
}

/// A part of an id that tells most ids apart, whether they are random or counted (the last bytes
/// first): a new one has the short id of one that is remembered once in 128 times, and then the ids
/// themselves are looked at.
fn short_id(PostId([.., a, b]): PostId) -> u16 {
    u16::from_ne_bytes([a, b])
}

#[cfg(test)]
mod tests {
    use chatroom_proto::UnixMillis;

    use super::*;

    fn stamp(seq: u64) -> Stamp {
        Stamp { seq: Seq(seq), at: UnixMillis(0) }
    }

    fn id(n: usize) -> PostId {
        PostId((n as u128).to_be_bytes())
    }

    #[test]
    fn every_post_that_can_be_unanswered_is_known_whatever_else_was_done() {
        let unanswered = ASKS_UNANSWERED_MAX as usize;
        let mut window = DedupWindow::default();
        for n in 0..unanswered {
            window.posted(id(n), stamp(n as u64), false);
        }
        window.forget_requests();
        for n in 0..400 {
            window.did(Tag(n), DedupKind::Join, GroupId::GENERAL, Some(Seq(1_000)));
        }
        for n in 0..unanswered {
            assert_eq!(window.post(id(n)), Some((stamp(n as u64), false)));
            window.posted(id(unanswered + n), stamp(2_000), true);
        }
    }

    #[test]
    fn posts_whose_ids_are_nearly_the_same_are_told_apart() {
        let mut window = DedupWindow::default();
        let id = |first| PostId([first, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
        window.posted(id(1), stamp(1), false);
        window.posted(id(2), stamp(2), true);
        assert_eq!(window.post(id(2)), Some((stamp(2), true)));
        assert_eq!(window.post(id(3)), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut window = DedupWindow::default();
        for n in 0..=DEDUP_WINDOW_MAX {
            window.posted(id(n), stamp(1), false);
            window.did(Tag(n as u32), DedupKind::Join, GroupId::GENERAL, Some(Seq(1)));
        }
        assert_eq!(window.post(id(0)), None);
        assert_eq!(window.request(Tag(0), DedupKind::Join, GroupId::GENERAL), None);
        assert!(
            window.post(id(1)).is_some()
                && window.request(Tag(1), DedupKind::Join, GroupId::GENERAL).is_some()
        );
    }

    #[test]
    fn a_repeat_is_the_same_request_about_the_same_thing() {
        let mut window = DedupWindow::default();
        window.did(Tag(1), DedupKind::Join, GroupId::GENERAL, Some(Seq(3)));
        assert_eq!(window.request(Tag(1), DedupKind::Join, GroupId::GENERAL), Some(Some(Seq(3))));
        assert_eq!(window.request(Tag(1), DedupKind::Leave, GroupId::GENERAL), None);
        assert_eq!(window.request(Tag(2), DedupKind::Join, GroupId::GENERAL), None);
        window.forget_requests();
        assert_eq!(
            window.request(Tag(1), DedupKind::Join, GroupId::GENERAL),
            None,
            "tags begin anew"
        );
    }
}
