//! What is looked up in the state: pages of what there is, who reads what, and what somebody
//! missed.

use std::ops::Bound;

use chatroom_proto::{
    Conversation, GroupName, Membership, PAGE_ITEMS_MAX, Page, Refusal, Seq, UnixMillis, UserName,
};

use super::{ChatState, ClientReport};
use crate::chat::effect::{ConversationId, Replay};
use crate::chat::entry::{ConnAddr, DeviceId, GroupId};
use crate::chat::state::device::{Device, MembershipSince, Presence};
use crate::chat::state::group::Group;

impl ChatState {
    /// What a client that was recognized is to hear again, which has seen everything up to `after`.
    /// Nothing when that is nothing.
    pub(in crate::chat) fn missed(&self, id: DeviceId, after: Seq) -> Option<Replay> {
        let session = self.who(id)?;
        let newer = |(stake, group): (&MembershipSince, &Group)| {
            (group.head > after.max(stake.since)).then_some((stake.group, stake.since))
        };
        let groups: Vec<_> = self.groups_of(session).filter_map(newer).collect();
        let in_private = session.private.newest() > after;
        // Those that were there may be forgotten meanwhile.
        let (reader, has_others) = (self.person(id), session.account.is_some());
        (in_private || !groups.is_empty()).then_some(Replay {
            reader,
            device: id,
            has_others,
            after,
            until: self.head,
            groups,
        })
    }

    /// The conversation that somebody means.
    pub(in crate::chat) fn thread(
        &self,
        by: DeviceId,
        of: &Conversation,
    ) -> Result<ConversationId, Refusal> {
        let Some(session) = self.who(by) else { return Err(Refusal::TookTooLong) };
        match of {
            Conversation::Group(name) => {
                self.require_member(session, name).map(ConversationId::Group)
            }
            Conversation::User(name) => match self.names.get(&name.key()) {
                Some(&peer) => Ok(ConversationId::between(session.person, peer)),
                None => Err(Refusal::NoSuchUser { name: name.clone() }),
            },
        }
    }

    /// Where somebody may search: in one group, or in all of theirs and what is private to them.
    pub(in crate::chat) fn readable(
        &self,
        by: DeviceId,
        within: Option<&GroupName>,
    ) -> Result<(Vec<GroupId>, bool), Refusal> {
        let Some(session) = self.who(by) else { return Err(Refusal::TookTooLong) };
        match within {
            Some(name) => self.require_member(session, name).map(|group| (vec![group], false)),
            None => Ok((session.groups.iter().map(|stake| stake.group).collect(), true)),
        }
    }

    pub(super) fn groups_of<'a>(
        &'a self,
        session: &'a Device,
    ) -> impl Iterator<Item = (&'a MembershipSince, &'a Group)> {
        session.groups.iter().filter_map(|stake| Some((stake, self.groups.get(&stake.group)?)))
    }

    /// The groups of a session, as its client is told on arrival.
    pub(in crate::chat) fn memberships(&self, session: DeviceId) -> Page<Membership> {
        let groups = self.who(session).into_iter().flat_map(|person| self.groups_of(person));
        Page::fill(groups.map(|(_, group)| group.membership()))
    }

    /// A page of groups in the order of creation, and where the next page begins.
    pub(in crate::chat) fn groups(&self, after: Seq) -> (Page<GroupName>, Option<Seq>) {
        let rest = self.groups.range((from(after, GroupId), Bound::Unbounded));
        page(rest.map(|(id, group)| (id.0, group.name.clone())))
    }

    /// A page of people in the order of arrival, and where the next page begins.
    pub(in crate::chat) fn users(&self, after: Seq) -> (Page<UserName>, Option<Seq>) {
        let rest = self.here.range((from(after, |seq| seq), Bound::Unbounded));
        page(rest.filter_map(|(arrived, id)| Some((*arrived, self.sessions.get(id)?.name.clone()))))
    }

    /// The sessions that lost their connection at `at` or before, with the entry that says so, the
    /// longest first.
    pub(in crate::chat) fn detached_until(
        &self,
        at: UnixMillis,
    ) -> impl Iterator<Item = (DeviceId, Seq)> + '_ {
        let due = self.detached.iter().take_while(move |(since, _)| *since <= at);
        due.filter_map(|(_, id)| match self.sessions.get(id)?.presence {
            Presence::Detached { by, .. } => Some((*id, by)),
            Presence::Attached(_) | Presence::Away { .. } => None,
        })
    }

    /// Every client's address, name and groups, in the order of arrival.
    /// With the connection, where there is one.
    pub(in crate::chat) fn clients(
        &self,
    ) -> impl Iterator<Item = (ClientReport, Option<ConnAddr>)> + '_ {
        let devices = self.here.values().flat_map(|person| self.devices(*person));
        let here = devices.filter_map(|id| Some((self.sessions.get(&id)?, self.who(id)?)));
        here.filter(|(session, _)| session.is_here()).map(|(session, person)| {
            let place = match session.presence {
                Presence::Attached(place) => Some(place),
                Presence::Detached { .. } | Presence::Away { .. } => None,
            };
            let client = ClientReport {
                address: session.address,
                name: person.name.clone(),
                groups: self.groups_of(person).map(|(_, group)| group.name.clone()).collect(),
                is_connected: place.is_some(),
                channel: None,
            };
            (client, place)
        })
    }
}

/// What comes after a place.
pub(super) fn from<T>(after: Seq, id: fn(Seq) -> T) -> Bound<T> {
    if after == Seq::ZERO { Bound::Unbounded } else { Bound::Excluded(id(after)) }
}

/// As much as fits, and where the rest begins.
pub(super) fn page<T>(items: impl Iterator<Item = (Seq, T)>) -> (Page<T>, Option<Seq>) {
    let mut items = items.peekable();
    let mut last = Seq::ZERO;
    let taken = std::iter::from_fn(|| items.next().map(|(seq, item)| (last = seq, item).1))
        .take(PAGE_ITEMS_MAX);
    let page = Page::fill(taken);
    let more = items.peek().is_some();
    (page, more.then_some(last))
}
