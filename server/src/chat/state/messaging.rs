//! What people do with groups, and what they say.

use std::collections::BTreeSet;

use chatroom_proto::{
    Body, Conversation, GroupName, Membership, Notification, Post, PostId, Refusal, Response,
    Retention, Seq, Tag, UnixMillis,
};

use super::applied::{Applied, is_forgettable};
use super::chat_state::ChatState;
use super::device::{Device, MembershipSince};
use super::group::Group;
use super::past_memberships::PastMembership;
use crate::chat::command_class::DedupKind;
use crate::chat::effect::{Audience, ConversationId, Passage};
use crate::chat::entry::{DeviceId, GroupId, PersonId, Stamp};

/// Where a post goes.
pub(super) enum PostTarget {
    Group(GroupId),
    User(PersonId),
}

impl ChatState {
    pub(super) fn may_create(&self, name: &GroupName) -> Result<(), Refusal> {
        if let Ok((_, group)) = self.group(name) {
            return Err(Refusal::GroupExists { group: group.name.clone() });
        }
        self.looks_like_no_group(name)?;
        let limit = self.limits.groups_max;
        if self.groups.len() >= limit as usize {
            Err(Refusal::TooManyGroups { limit })
        } else {
            Ok(())
        }
    }

    pub(super) fn create(
        &mut self,
        seq: Seq,
        tag: Option<Tag>,
        by: DeviceId,
        name: &GroupName,
    ) -> Result<Applied, Refusal> {
        self.may_create(name)?;
        let owner = self.person(by);
        let group = Group::new(name.clone(), Some(owner));
        let answer = group.answer(DedupKind::Create, seq);
        self.group_names.insert(name.key(), GroupId(seq));
        self.groups.insert(GroupId(seq), group);
        self.owned.insert((owner, GroupId(seq)));
        self.index_group_name(GroupId(seq));
        self.note(by, tag, DedupKind::Create, GroupId(seq), Some(seq));
        Ok(Applied::answer(answer, None))
    }

    pub(super) fn may_join(
        &self,
        profile: &Device,
        name: &GroupName,
        at: UnixMillis,
    ) -> Result<GroupId, Refusal> {
        let (id, group) = self.group(name)?;
        let limit = self.limits.memberships_max;
        if profile.is_in(id) {
            Err(Refusal::AlreadyMember { group: group.name.clone() })
        } else if profile.groups.len() >= limit as usize {
            Err(Refusal::TooManyMemberships { limit })
        } else {
            self.may_enter(profile, id, at).map(|()| id)
        }
    }

    pub(super) fn require_member(
        &self,
        profile: &Device,
        name: &GroupName,
    ) -> Result<GroupId, Refusal> {
        let (id, group) = self.group(name)?;
        if profile.is_in(id) {
            Ok(id)
        } else {
            Err(Refusal::NotMember { group: group.name.clone() })
        }
    }

    /// Somebody joins or leaves a group.
    pub(super) fn move_into_or_out_of(
        &mut self,
        stamp: Stamp,
        tag: Option<Tag>,
        by: DeviceId,
        (kind, name): (DedupKind, &GroupName),
    ) -> Result<Applied, Refusal> {
        let seq = stamp.seq;
        let Some(profile) = self.profile_of(by) else {
            return Ok(Applied::default());
        };
        let joins = kind == DedupKind::Join;
        let may = if joins {
            self.may_join(profile, name, stamp.at)
        } else {
            self.require_member(profile, name)
        };
        let id = match may {
            Ok(id) => id,
            Err(refusal) => {
                let group = self.group_names.get(&name.key()).copied();
                if let Some(group) = group.filter(|_| !is_forgettable(&refusal)) {
                    self.note(by, tag, kind, group, None);
                }
                return Err(refusal);
            }
        };
        let person = profile.person;
        let devices = self.attached(person);
        let (Some(profile), Some(group)) =
            (self.devices.get_mut(&person.first_device()), self.groups.get_mut(&id))
        else {
            return Ok(Applied::default());
        };
        let (user, name) = (profile.name.clone(), group.name.clone());
        let (passage, and, news);
        if joins {
            profile.regroup(|groups| groups.push(MembershipSince { group: id, since: seq }));
            group.members += 1;
            devices.iter().for_each(|device| group.enter(*device));
            // The other devices are among the members now, and hear of it with them.
            (passage, and) = (Passage::In, Vec::new());
            news = Notification::Joined { seq, user, group: name };
        } else {
            let since = profile.member_since(id).unwrap_or(seq);
            profile.regroup(|groups| groups.retain(|membership| membership.group != id));
            group.members = group.members.saturating_sub(1);
            devices.iter().for_each(|device| group.quit(*device));
            (passage, and) =
                (Passage::Out, devices.into_iter().filter(|device| *device != by).collect());
            news = Notification::Left { seq, user, group: name };
            let past =
                PastMembership { group: id, since, until: seq, by: Some(by), news: news.clone() };
            self.past_memberships.note(person, past);
        }
        let audience = Audience::Group { group: id, except: by, passage, and };
        let applied = Applied::answer(group.answer(kind, seq), Some((audience, news)));
        if joins {
            self.clear_restrictions(person, id);
        }
        self.note(by, tag, kind, id, Some(seq));
        Ok(applied)
    }

    pub(super) fn may_post(
        &self,
        profile: &Device,
        to: &Conversation,
        at: UnixMillis,
    ) -> Result<PostTarget, Refusal> {
        match to {
            Conversation::Group(name) => {
                let group = self.require_member(profile, name)?;
                self.may_speak(profile, group, at).map(|()| PostTarget::Group(group))
            }
            Conversation::User(name) => match self.names.get(&name.key()) {
                Some(&peer)
                    if self.is_here(peer) || self.limits.retention != Retention::Nothing =>
                {
                    Ok(PostTarget::User(peer))
                }
                _ => Err(Refusal::NoSuchUser { name: name.clone() }),
            },
        }
    }

    pub(super) fn post(
        &mut self,
        stamp: Stamp,
        by: DeviceId,
        to: &Conversation,
        (id, body): (PostId, &Body),
    ) -> Result<Applied, Refusal> {
        let Stamp { seq, at } = stamp;
        let Some(profile) = self.profile_of(by) else {
            return Ok(Applied::default());
        };
        let author = profile.person;
        let target = self.may_post(profile, to, at)?;
        let from = profile.name.clone();
        let post = |prev| Post { seq, prev, at, id, from, body: body.clone() };
        let thread = match target {
            PostTarget::Group(group) => ConversationId::Group(group),
            PostTarget::User(peer) => ConversationId::between(author, peer),
        };
        let kept = matches!(target, PostTarget::User(peer) if !self.is_here(peer));
        let answer = self.posted(to, stamp, kept);
        let news = match target {
            PostTarget::Group(id) => self.groups.get_mut(&id).map(|group| {
                let post = post(std::mem::replace(&mut group.head, seq));
                let passage = Passage::Stays;
                let audience = Audience::Group { group: id, except: by, passage, and: Vec::new() };
                (audience, Notification::GroupPost { post, group: group.name.clone() })
            }),
            PostTarget::User(peer) => {
                let prev = self.link(author, peer, seq);
                self.keep_longer(peer);
                let to = self.profile(peer).map(|peer| peer.name.clone());
                to.map(|to| {
                    (self.between(by, peer), Notification::PrivatePost { post: post(prev), to })
                })
            }
        };
        if let Some(device) = self.devices.get_mut(&by) {
            device.dedup.posted(id, stamp, kept);
        }
        Ok(Applied { said: Some((by, thread)), ..Applied::answer(answer, news) })
    }

    /// What the sender of a post is answered, the first time and when it comes again: whether the
    /// one it is for was away when it was said.
    pub(super) fn posted(&self, to: &Conversation, stamp: Stamp, kept: bool) -> Response {
        let Stamp { seq, at } = stamp;
        match to {
            Conversation::User(name) if kept => {
                let peer = self.names.get(&name.key()).and_then(|peer| self.profile(*peer));
                let to = peer.map_or_else(|| name.clone(), |peer| peer.name.clone());
                Response::Kept { seq, at, to }
            }
            Conversation::User(_) | Conversation::Group(_) => Response::Posted { seq, at },
        }
    }

    /// Makes `seq` the newest private post between two people, and returns the one before it.
    fn link(&mut self, one: PersonId, other: PersonId, seq: Seq) -> Seq {
        let before = self.profile(one).and_then(|profile| profile.private.with(other));
        for (person, peer) in [(one, other), (other, one)] {
            let silent =
                self.profile_mut(person).and_then(|profile| profile.private.add(peer, seq));
            if let Some(silent) = silent.and_then(|silent| self.profile_mut(silent)) {
                silent.private.forget(person);
            }
        }
        before.unwrap_or(Seq::ZERO)
    }

    /// Who hears what is said with this device to somebody alone: all devices of both, but this.
    pub(super) fn between(&self, by: DeviceId, peer: PersonId) -> Audience {
        let me = self.person(by);
        if !self.has_others(by) && !self.has_several_devices(peer) {
            return if peer == me { Audience::Nobody } else { Audience::One(peer.first_device()) };
        }
        let both = self.devices_of(peer).chain(self.devices_of(me));
        let hearers: BTreeSet<_> = both.filter(|device| *device != by).collect();
        Audience::Some(hearers.into_iter().collect())
    }

    /// The group of this name.
    pub(super) fn group(&self, name: &GroupName) -> Result<(GroupId, &Group), Refusal> {
        let id = self.group_names.get(&name.key());
        let found = id.and_then(|id| Some((*id, self.groups.get(id)?)));
        found.ok_or_else(|| Refusal::NoSuchGroup { group: name.clone() })
    }
}

impl Group {
    /// The group as its members are told of it.
    pub(super) fn membership(&self) -> Membership {
        Membership { group: self.name.clone(), head: self.head }
    }
}
