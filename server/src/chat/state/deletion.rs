//! Taking back what was said.
//!
//! The state does not remember posts. So a command says what the archive has found of one: who said
//! it, and where. None of that changes, so that it does not matter how much later it is applied.

use chatroom_proto::{
    Conversation, Moderation, ModerationRecord, Notification, Refusal, Response, Tag,
};

use super::applied::Applied;
use super::chat_state::ChatState;
use super::moderation_state::Rank;
use crate::chat::command_class::DedupKind;
use crate::chat::effect::{Audience, ConversationId, Passage};
use crate::chat::entry::{DeviceId, GroupId, PostRef, Stamp};

impl ChatState {
    /// Whether somebody may take this back: its author; in a group also whoever moderates it, and
    /// stands above the author. To others, what they can't read is not there.
    pub(in crate::chat) fn may_delete(&self, by: DeviceId, post: &PostRef) -> Result<(), Refusal> {
        let me = self.person(by);
        let seq = post.seq;
        let (is_shown, mine) = match post.thread {
            ConversationId::Group(id) => (self.is_member(me, id), self.rank(me, id)),
            // Nobody moderates what is private.
            ConversationId::Pair(one, other) => ([one, other].contains(&me), Rank::Member),
        };
        if post.by != me && mine == Rank::Member {
            return Err(if is_shown {
                Refusal::NotYours { post: seq }
            } else {
                Refusal::NoSuchPost { post: seq }
            });
        }
        let ConversationId::Group(id) = post.thread else { return Ok(()) };
        if post.by != me && self.rank(post.by, id) >= mine {
            let user = post.from.clone();
            return Err(Refusal::OutOfReach { group: self.name_of(id), user });
        }
        self.is_not_deleted(id, post)
    }

    /// Two people may delete the same post at once. The second learns that it came too late.
    fn is_not_deleted(&self, id: GroupId, post: &PostRef) -> Result<(), Refusal> {
        let moderation = self.groups.get(&id).and_then(|group| group.moderation.as_ref());
        let mut acts = moderation.into_iter().flat_map(|moderation| moderation.acts());
        let is_same = |record: &&ModerationRecord| match &record.act {
            Moderation::Delete { post: deleted, .. } => *deleted == post.seq,
            _ => false,
        };
        match acts.find(is_same) {
            Some(record) => Err(Refusal::AlreadyDeleted { post: post.seq, by: record.by.clone() }),
            None => Ok(()),
        }
    }

    /// Somebody takes back what was said.
    pub(super) fn delete(
        &mut self,
        stamp: Stamp,
        tag: Option<Tag>,
        by: DeviceId,
        post: &PostRef,
    ) -> Result<Applied, Refusal> {
        self.may_delete(by, post)?;
        let Some(me) = self.devices.get(&by) else { return Ok(Applied::default()) };
        let (name, person) = (me.name.clone(), me.person);
        let Stamp { seq, at } = stamp;
        let (audience, place) = match post.thread {
            ConversationId::Group(id) => {
                let act = Moderation::Delete { user: post.from.clone(), post: post.seq };
                let rank = self.rank(person, id);
                self.apply_moderation(stamp, id, (name.clone(), rank), None, &act);
                let passage = if self.is_in(by, id) { Passage::Stays } else { Passage::Outside };
                let audience = Audience::Group { group: id, except: by, passage, and: Vec::new() };
                (audience, Conversation::Group(self.name_of(id)))
            }
            ConversationId::Pair(one, other) => {
                let peer = if one == person { other } else { one };
                (self.between(by, peer), post.to.clone())
            }
        };
        self.note(by, tag, DedupKind::Delete, GroupId::GENERAL, Some(seq));
        let (post, from) = (post.seq, post.from.clone());
        let news = Notification::Deleted { seq, at, by: name, post, from, place };
        Ok(Applied::answer(Response::Deleted { seq }, Some((audience, news))))
    }
}
