//! What people do with groups and say to each other.

use std::collections::BTreeSet;

use chatroom_proto::{
    Conversation, GroupName, Membership, Notification, Post, Refusal, Response, Retention, Seq,
    Tag, UnixMillis,
};

use super::{Applied, ChatState, CommandOutcome, is_forgettable};
use crate::chat::effect::{Audience, ConversationId, Passage};
use crate::chat::entry::{Command, DeviceId, GroupId};
use crate::chat::state::device::{DedupKind, Device, MembershipSince};
use crate::chat::state::group::Group;

/// Where a post goes.
pub(super) enum PostTarget {
    Group(GroupId),
    User(DeviceId),
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
        self.show_group(GroupId(seq));
        self.note(by, tag, DedupKind::Create, GroupId(seq), Some(seq));
        Ok(Applied::answer(answer, None))
    }

    pub(super) fn may_join(
        &self,
        (by, session): (DeviceId, &Device),
        name: &GroupName,
        at: UnixMillis,
    ) -> Result<GroupId, Refusal> {
        let (id, group) = self.group(name)?;
        let limit = self.limits.memberships_max;
        if session.is_in(id) {
            Err(Refusal::AlreadyMember { group: group.name.clone() })
        } else if session.groups.len() >= limit as usize {
            Err(Refusal::TooManyMemberships { limit })
        } else {
            self.may_enter((by, session), id, at).map(|()| id)
        }
    }

    pub(super) fn require_member(
        &self,
        session: &Device,
        name: &GroupName,
    ) -> Result<GroupId, Refusal> {
        let (id, group) = self.group(name)?;
        if session.is_in(id) {
            Ok(id)
        } else {
            Err(Refusal::NotMember { group: group.name.clone() })
        }
    }

    /// Somebody joins or leaves a group.
    pub(super) fn move_into_or_out_of(
        &mut self,
        (seq, at): (Seq, UnixMillis),
        tag: Option<Tag>,
        by: DeviceId,
        (verb, name): (DedupKind, &GroupName),
    ) -> Result<Applied, Refusal> {
        let Some(session) = self.who(by) else {
            return Ok(Applied::default());
        };
        let joins = verb == DedupKind::Join;
        let may = if joins {
            self.may_join((by, session), name, at)
        } else {
            self.require_member(session, name)
        };
        let id = match may {
            Ok(id) => id,
            Err(refusal) => {
                let group = self.group_names.get(&name.key()).copied();
                if let Some(group) = group.filter(|_| !is_forgettable(&refusal)) {
                    self.note(by, tag, verb, group, None);
                }
                return Err(refusal);
            }
        };
        let person = self.person(by);
        let devices = self.attached(person);
        let (Some(session), Some(group)) =
            (self.sessions.get_mut(&person), self.groups.get_mut(&id))
        else {
            return Ok(Applied::default());
        };
        let (user, name) = (session.name.clone(), group.name.clone());
        let (passage, and, news);
        if joins {
            session.regroup(|groups| groups.push(MembershipSince { group: id, since: seq }));
            group.members += 1;
            devices.iter().for_each(|device| group.enter(*device));
            // The other devices are among the members now, and hear of it with them.
            (passage, and) = (Passage::In, Vec::new());
            news = Notification::Joined { seq, user, group: name };
        } else {
            session.regroup(|groups| groups.retain(|stake| stake.group != id));
            group.members = group.members.saturating_sub(1);
            devices.iter().for_each(|device| group.quit(*device));
            (passage, and) =
                (Passage::Out, devices.into_iter().filter(|device| *device != by).collect());
            news = Notification::Left { seq, user, group: name };
        }
        let audience = Audience::Group { group: id, except: by, passage, and };
        let applied = Applied::answer(group.answer(verb, seq), Some((audience, news)));
        if joins {
            self.clear_restrictions(person, id);
        }
        self.note(by, tag, verb, id, Some(seq));
        Ok(applied)
    }

    pub(super) fn may_post(
        &self,
        (by, session): (DeviceId, &Device),
        to: &Conversation,
        at: UnixMillis,
    ) -> Result<PostTarget, Refusal> {
        match to {
            Conversation::Group(name) => {
                let group = self.require_member(session, name)?;
                self.may_speak((by, session), group, at).map(|()| PostTarget::Group(group))
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
        seq: Seq,
        at: UnixMillis,
        command: &Command,
    ) -> Result<Applied, Refusal> {
        let Command::Post { by, to, id, body } = command else { return Ok(Applied::default()) };
        let Some(session) = self.who(*by) else {
            return Ok(Applied::default());
        };
        let author = session.person;
        let target = self.may_post((*by, session), to, at)?;
        let from = session.name.clone();
        let post = |prev| Post { seq, prev, at, id: *id, from, body: body.clone() };
        let thread = match target {
            PostTarget::Group(group) => ConversationId::Group(group),
            PostTarget::User(peer) => ConversationId::between(author, peer),
        };
        let answer = match target {
            PostTarget::Group(_) => Response::Posted { seq, at },
            PostTarget::User(peer) => self.kept_for(peer, seq, at),
        };
        let news = match target {
            PostTarget::Group(id) => self.groups.get_mut(&id).map(|group| {
                let post = post(std::mem::replace(&mut group.head, seq));
                let passage = Passage::Stays;
                let audience = Audience::Group { group: id, except: *by, passage, and: Vec::new() };
                (audience, Notification::GroupPost { post, group: group.name.clone() })
            }),
            PostTarget::User(peer) => {
                let prev = self.link(author, peer, seq);
                self.keep_longer(peer);
                let to = self.sessions.get(&peer).map(|peer| peer.name.clone());
                to.map(|to| {
                    (self.between(*by, peer), Notification::PrivatePost { post: post(prev), to })
                })
            }
        };
        if let Some(session) = self.sessions.get_mut(by) {
            session.done.posted(*id, seq, at);
        }
        Ok(Applied { said: Some((*by, thread)), ..Applied::answer(answer, news) })
    }

    /// What the sender of a post is answered.
    pub(super) fn kept(&self, to: &Conversation, seq: Seq, at: UnixMillis) -> Response {
        let peer = match to {
            Conversation::Group(_) => None,
            Conversation::User(name) => self.names.get(&name.key()),
        };
        peer.map_or(Response::Posted { seq, at }, |peer| self.kept_for(*peer, seq, at))
    }

    fn kept_for(&self, peer: DeviceId, seq: Seq, at: UnixMillis) -> Response {
        match self.sessions.get(&peer).filter(|_| !self.is_here(peer)) {
            Some(peer) => Response::Kept { seq, at, to: peer.name.clone() },
            None => Response::Posted { seq, at },
        }
    }

    /// Makes `seq` the newest private post between two sessions, and returns the one before it.
    fn link(&mut self, one: DeviceId, other: DeviceId, seq: Seq) -> Seq {
        let before = self.sessions.get(&one).and_then(|session| session.private.with(other));
        for (id, peer) in [(one, other), (other, one)] {
            let silent =
                self.sessions.get_mut(&id).and_then(|session| session.private.add(peer, seq));
            if let Some(silent) = silent.and_then(|silent| self.sessions.get_mut(&silent)) {
                silent.private.forget(id);
            }
        }
        before.unwrap_or(Seq::ZERO)
    }

    /// Who hears what is said with this device to somebody alone: all devices of both, but this.
    fn between(&self, by: DeviceId, peer: DeviceId) -> Audience {
        if !self.has_others(by) && !self.has_others(peer) {
            return Audience::One(peer);
        }
        let own = self.devices(self.person(by)).filter(|device| *device != by);
        let hearers: BTreeSet<_> = self.devices(peer).chain(own).collect();
        Audience::Some(hearers.into_iter().collect())
    }

    /// Whether somebody is here, with whatever device.
    pub(super) fn is_here(&self, person: DeviceId) -> bool {
        self.devices(person).any(|device| self.is_device_here(device))
    }

    pub(super) fn is_device_here(&self, id: DeviceId) -> bool {
        self.sessions.get(&id).is_some_and(|session| session.is_here())
    }

    pub(super) fn group(&self, name: &GroupName) -> Result<(GroupId, &Group), Refusal> {
        let id = self.group_names.get(&name.key());
        let found = id.and_then(|id| Some((*id, self.groups.get(id)?)));
        found.ok_or_else(|| Refusal::NoSuchGroup { group: name.clone() })
    }
}

impl Applied {
    pub(super) fn answer(response: Response, news: Option<(Audience, Notification)>) -> Applied {
        Applied { result: Some(Ok(CommandOutcome::Answer(response))), news, ..Applied::default() }
    }
}

impl Group {
    /// What somebody is answered who did this to the group, at this place.
    pub(super) fn answer(&self, verb: DedupKind, seq: Seq) -> Response {
        match verb {
            DedupKind::Create => Response::Created { seq, group: self.name.clone() },
            DedupKind::Join => Response::Joined { seq, membership: self.membership() },
            DedupKind::Leave => Response::Left { seq, group: self.name.clone() },
            DedupKind::Moderate => Response::Moderated { seq, group: self.name.clone() },
            DedupKind::Operate => Response::Operated { seq },
        }
    }

    /// What somebody is refused who had done this to the group already.
    pub(super) fn refusal(&self, verb: DedupKind) -> Refusal {
        let group = self.name.clone();
        match verb {
            DedupKind::Create => Refusal::GroupExists { group },
            DedupKind::Join => Refusal::AlreadyMember { group },
            DedupKind::Leave => Refusal::NotMember { group },
            DedupKind::Moderate => Refusal::AlreadySo { group },
            DedupKind::Operate => Refusal::NoDifference,
        }
    }

    /// The group as its members are told of it.
    pub(super) fn membership(&self) -> Membership {
        Membership { group: self.name.clone(), head: self.head }
    }
}
