//! What is looked up in the state: pages of what there is, who reads what, and what somebody
//! missed.

use std::ops::Bound;

use chatroom_proto::{
    Conversation, GroupName, Membership, PAGE_ITEMS_MAX, Page, PersonInfo, Refusal, Response, Seq,
    UserName,
};

use super::chat_state::ChatState;
use super::device::{Device, MembershipSince, Presence};
use super::group::Group;
use super::past_memberships::PastMembership;
use crate::chat::effect::{Channel, ConversationId, Replay, ReplayGroup};
use crate::chat::entry::{Address, ConnAddr, DeviceId, GroupId, PersonId};

/// A client as the server keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientReport {
    /// Where it comes from.
    pub address: Address,
    /// Its name.
    pub name: UserName,
    /// Its groups, in the order of joining.
    pub groups: Vec<GroupName>,
    /// Whether it has a connection; otherwise its device is held for it.
    pub is_connected: bool,
    /// Who can read along on its connection, if it has one to this node.
    pub channel: Option<Channel>,
}

impl ChatState {
    /// What a client that was recognized is to hear again, which has seen everything up to `after`.
    /// Nothing when that is nothing. Nothing private was deleted after `deleted_in_private`.
    pub(in crate::chat) fn missed(
        &self,
        id: DeviceId,
        after: Seq,
        deleted_in_private: Seq,
    ) -> Option<Replay> {
        let profile = self.profile_of(id)?;
        // What was said before a device was there was not said to it.
        let after = after.max(id.0);
        let newer = |(membership, group): (&MembershipSince, &Group)| {
            let MembershipSince { group: id, since } = *membership;
            let is_newer = group.head > after.max(since) || group.was_deleted_after(after);
            is_newer.then_some(ReplayGroup { group: id, since, until: self.head })
        };
        let mut groups: Vec<_> = self.groups_of(profile).filter_map(newer).collect();
        let mut ends = Vec::new();
        for past in self.past_memberships.ended_after(profile.person, after) {
            let PastMembership { group, since, until, .. } = *past;
            groups.push(ReplayGroup { group, since, until });
            // Who has left the group is not told so.
            if past.by != Some(id) {
                ends.push(past.news.clone());
            }
        }
        let newest = profile.private.newest();
        let in_private = newest > after || (newest > Seq::ZERO && deleted_in_private > after);
        (in_private || !groups.is_empty()).then_some(Replay {
            reader: profile.person,
            device: id,
            // Those that were there may be forgotten meanwhile.
            has_others: profile.account.is_some(),
            began: after,
            after,
            until: self.head,
            groups,
            ends,
        })
    }

    /// The conversation that somebody means.
    pub(in crate::chat) fn conversation(
        &self,
        by: DeviceId,
        of: &Conversation,
    ) -> Result<ConversationId, Refusal> {
        let Some(profile) = self.profile_of(by) else { return Err(Refusal::SessionEnded) };
        match of {
            Conversation::Group(name) => {
                self.require_member(profile, name).map(ConversationId::Group)
            }
            Conversation::User(name) => match self.names.get(&name.key()) {
                Some(&peer) => Ok(ConversationId::between(profile.person, peer)),
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
        let Some(profile) = self.profile_of(by) else { return Err(Refusal::SessionEnded) };
        match within {
            Some(name) => self.require_member(profile, name).map(|group| (vec![group], false)),
            None => {
                let groups = profile.groups.iter().map(|membership| membership.group);
                Ok((groups.collect(), true))
            }
        }
    }

    /// Somebody's groups, in the order of joining.
    pub(super) fn groups_of<'a>(
        &'a self,
        profile: &'a Device,
    ) -> impl Iterator<Item = (&'a MembershipSince, &'a Group)> {
        profile
            .groups
            .iter()
            .filter_map(|membership| Some((membership, self.groups.get(&membership.group)?)))
    }

    /// The groups of a device, as its client is told on arrival.
    pub(in crate::chat) fn memberships(&self, device: DeviceId) -> Page<Membership> {
        let groups =
            self.profile_of(device).into_iter().flat_map(|profile| self.groups_of(profile));
        Page::fill(groups.map(|(_, group)| group.membership()))
    }

    /// A page of groups in the order of creation, and where the next page begins.
    pub(in crate::chat) fn groups(&self, after: Seq) -> Response {
        let rest = self.groups.range((from(after, GroupId), Bound::Unbounded));
        let (groups, next) = page(rest.map(|(id, group)| (id.0, group.name.clone())));
        Response::Groups { groups, next }
    }

    /// A page of people in the order of arrival, and where the next page begins.
    pub(in crate::chat) fn users(&self, after: Seq) -> Response {
        let rest = self.here.range((from(after, |seq| seq), Bound::Unbounded));
        let name = |person: &PersonId| Some(self.profile(*person)?.name.clone());
        let (users, next) =
            page(rest.filter_map(|(arrived, person)| Some((*arrived, name(person)?))));
        Response::Users { users, next }
    }

    /// Who has a name, or had it last: here or since when not, and in which groups the asker is,
    /// too.
    pub(in crate::chat) fn who(&self, by: DeviceId, name: &UserName) -> Result<Response, Refusal> {
        let Some(asker) = self.profile_of(by) else { return Err(Refusal::SessionEnded) };
        let known = self.names.get(&name.key()).copied();
        let known = known.and_then(|person| Some((person, self.profile(person)?)));
        let Some((person, profile)) = known else {
            return Err(Refusal::NoSuchUser { name: name.clone() });
        };
        let left = self.devices_of(person).filter_map(|id| Some(self.devices.get(&id)?.left)).max();
        let shared = self.groups_of(asker).filter(|(theirs, _)| profile.is_in(theirs.group));
        Ok(Response::Who(Box::new(PersonInfo {
            user: profile.name.clone(),
            away_since: left.filter(|_| !self.is_here(person)),
            groups: Page::fill(shared.map(|(_, group)| group.name.clone())),
        })))
    }

    /// The devices that lost their connection by this entry or before, with the entry that says
    /// so, the longest first.
    pub(in crate::chat) fn detached_until(
        &self,
        until: Seq,
    ) -> impl Iterator<Item = (DeviceId, Seq)> + '_ {
        self.detached.iter().take_while(move |(by, _)| *by <= until).map(|(by, id)| (*id, *by))
    }

    /// The entry by which the last of those who are held lost its connection.
    pub(in crate::chat) fn newest_detached(&self) -> Option<Seq> {
        self.detached.last().map(|(by, _)| *by)
    }

    /// Every client's address, name and groups, in the order of arrival.
    /// With the connection, where there is one.
    pub(in crate::chat) fn clients(
        &self,
    ) -> impl Iterator<Item = (ClientReport, Option<ConnAddr>)> + '_ {
        let devices = self.here.values().flat_map(|person| self.devices_of(*person));
        let here = devices.filter_map(|id| Some((self.devices.get(&id)?, self.profile_of(id)?)));
        here.filter(|(device, _)| device.is_here()).map(|(device, profile)| {
            let place = match device.presence {
                Presence::Attached(place) => Some(place),
                Presence::Detached { .. } | Presence::Away { .. } => None,
            };
            let client = ClientReport {
                address: device.address,
                name: profile.name.clone(),
                groups: self.groups_of(profile).map(|(_, group)| group.name.clone()).collect(),
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
