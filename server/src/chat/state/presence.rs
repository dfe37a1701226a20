//! Who goes: connections that are lost, stays that end, people who are forgotten.

use std::collections::BTreeSet;

use chatroom_proto::{Life, Notification, Response, Seq};

use super::applied::{Applied, CommandOutcome};
use super::chat_state::ChatState;
use super::device::{EvictionClass, Presence};
use super::group::Group;
use crate::chat::effect::{Audience, Passage};
use crate::chat::entry::{ConnAddr, DeviceId, NodeId, PersonId};
use crate::chat::limits::Limits;

impl ChatState {
    /// A device has lost this connection, and is held for a while.
    pub(super) fn detach(&mut self, seq: Seq, id: DeviceId, from: ConnAddr) -> Applied {
        if self.device(id).map(|device| device.presence) != Some(Presence::Attached(from)) {
            return Applied::default();
        }
        self.lose_connection(seq, id);
        // One more than are held: the one that has been away for longest is not waited for any
        // more.
        if self.detached.len() > self.held_max
            && let Some(&(_, longest)) = self.detached.first()
        {
            return self.end(seq, longest).map_or_else(Applied::default, EndedStay::into_applied);
        }
        Applied::default()
    }

    /// A device that had a connection has none any more.
    pub(super) fn lose_connection(&mut self, seq: Seq, id: DeviceId) {
        let Some(device) = self.devices.get_mut(&id) else { return };
        device.presence = Presence::Detached { by: seq };
        device.left = self.at;
        self.detached.insert((seq, id));
        self.unsubscribe(id);
    }

    /// A server begins: nobody is connected, and everyone who is here is held from now on.
    pub(super) fn begin(&mut self, seq: Seq, node: NodeId, limits: Limits) -> Applied {
        self.lives.begin(Life { id: node.0, began: seq });
        self.limits = limits;
        self.detached.clear();
        let here: Vec<_> = self.here.values().flat_map(|person| self.devices_of(*person)).collect();
        for id in here {
            let Some(device) = self.devices.get_mut(&id).filter(|device| device.is_here()) else {
                continue;
            };
            // One who was lost before may have missed what was said since.
            let by = match device.presence {
                Presence::Detached { by } => by,
                Presence::Attached(_) | Presence::Away { .. } => {
                    device.left = self.at;
                    seq
                }
            };
            device.presence = Presence::Detached { by };
            self.detached.insert((by, id));
        }
        for group in self.groups.values_mut() {
            group.detach_all();
        }
        self.held_max = self.detached.len().max(limits.held_max as usize);
        Applied::default()
    }

    /// A device that was held since this entry, and was not back in between, is not waited for.
    pub(super) fn expire(&mut self, seq: Seq, id: DeviceId, detached: Seq) -> Applied {
        match self.devices.get(&id).map(|device| device.presence) {
            Some(Presence::Detached { by }) if by == detached => {}
            _ => return Applied::default(),
        }
        self.end(seq, id).map_or_else(Applied::default, EndedStay::into_applied)
    }

    /// Somebody goes, and says so.
    pub(super) fn depart(&mut self, seq: Seq, id: DeviceId, from: Option<ConnAddr>) -> Applied {
        // One who is gone already said it twice, and is answered twice.
        let result = Some(Ok(CommandOutcome::Farewell(Response::Goodbye)));
        let Some(ended) = self.end(seq, id) else {
            return Applied { result, ..Applied::default() };
        };
        Applied { result, ..ended.said_over(from) }
    }

    /// Ends the stay of somebody's device. What is theirs is remembered. The news, if it was their
    /// last here, are for everyone who shared a group with them.
    pub(super) fn end(&mut self, seq: Seq, id: DeviceId) -> Option<EndedStay> {
        let person = self.person(id);
        // What a person owns stands with the first device.
        let owns = person.came_first_with(id)
            && (self.owned(person).next().is_some() || self.is_operator(person));
        let is_registered = self.profile_of(id)?.account.is_some();
        let device = self.devices.get_mut(&id).filter(|device| device.is_here())?;
        let class = if owns { EvictionClass::Ties } else { device.eviction_class() };
        // Since it was lost, it has heard nothing.
        let by = if let Presence::Detached { by } = device.presence { by } else { seq };
        let before = std::mem::replace(&mut device.presence, Presence::Away { by, class });
        device.dedup.forget_requests();
        match before {
            Presence::Detached { by } => drop(self.detached.remove(&(by, id))),
            Presence::Attached(_) | Presence::Away { .. } => device.left = self.at,
        }
        self.away.insert(device.token, id);
        // Who has an account is remembered with it.
        if !is_registered {
            self.eviction_order.insert((class, by, id));
        }
        // The next stay's tags begin anew.
        if let Some(account) = self.profile_mut(person).and_then(|profile| profile.account.as_mut())
        {
            account.registered = account.registered.filter(|(device, _)| *device != id);
        }
        self.unsubscribe(id);
        let departed = self.leave_if_last(seq, person, id);
        let mut passed_on = Vec::new();
        while self.eviction_order.len() > self.limits.remembered_max as usize
            && let Some((.., first)) = self.eviction_order.pop_first()
        {
            passed_on.append(&mut self.forget(seq, first));
        }
        Some(EndedStay { before, departed, passed_on })
    }

    /// Somebody is gone when the last of their devices is.
    pub(super) fn leave_if_last(
        &mut self,
        seq: Seq,
        person: PersonId,
        last: DeviceId,
    ) -> Option<(Audience, Notification)> {
        if self.is_here(person) {
            return None;
        }
        let profile = self.profile(person)?;
        let is_registered = profile.account.is_some();
        let arrived = profile.arrived;
        self.here.remove(&arrived)?;
        if !is_registered {
            self.unindex_name(person);
        }
        let user = self.profile(person)?.name.clone();
        Some((self.neighbours(last), Notification::Departed { seq, user }))
    }

    /// A device hears what is said in its owner's groups.
    pub(super) fn subscribe(&mut self, id: DeviceId) {
        self.in_all_groups(id, Group::enter);
    }

    /// The reverse.
    pub(super) fn unsubscribe(&mut self, id: DeviceId) {
        self.in_all_groups(id, Group::quit);
    }

    fn in_all_groups(&mut self, id: DeviceId, change: fn(&mut Group, DeviceId)) {
        let person = self.person(id);
        let Some(profile) = self.devices.get(&person.first_device()) else { return };
        for membership in &profile.groups {
            if let Some(group) = self.groups.get_mut(&membership.group) {
                change(group, id);
            }
        }
    }

    /// Forgets a device that is away, and with the last its owner, for good. The news are of the
    /// groups that were theirs.
    pub(super) fn forget(&mut self, seq: Seq, id: DeviceId) -> Vec<(Audience, Notification)> {
        let person = self.person(id);
        let is_first = person.came_first_with(id);
        if is_first {
            self.unindex_name(person);
        }
        let Some(device) = self.devices.remove(&id) else { return Vec::new() };
        for membership in &device.groups {
            if let Some(group) = self.groups.get_mut(&membership.group) {
                group.members = group.members.saturating_sub(1);
            }
        }
        self.away.remove(&device.token);
        if let Presence::Away { by, class } = device.presence {
            self.eviction_order.remove(&(class, by, id));
        }
        if !is_first {
            let profile = self.profile_mut(person);
            if let Some(account) = profile.and_then(|profile| profile.account.as_mut()) {
                account.devices.remove(&id);
            }
            return Vec::new();
        }
        let key = device.name.key();
        if self.names.get(&key) == Some(&person) {
            self.names.remove(&key);
        }
        for peer in device.private.peers() {
            if let Some(peer) = self.profile_mut(peer) {
                peer.private.forget(person);
            }
        }
        self.server_admin.operators.remove(&person);
        self.past_memberships.forget(person);
        self.transfer_ownership(seq, person)
    }

    /// Somebody who is away has been written to, or was left a group, and is not forgotten before
    /// those who have nothing to come back to.
    pub(super) fn keep_longer(&mut self, person: PersonId) {
        let id = person.first_device();
        let Some(device) = self.devices.get_mut(&id).filter(|device| device.account.is_none())
        else {
            return;
        };
        if let Presence::Away { by, class } = &mut device.presence {
            self.eviction_order.remove(&(*class, *by, id));
            *class = EvictionClass::Ties;
            self.eviction_order.insert((*class, *by, id));
        }
    }

    /// Everyone who is in a group of somebody: all of the largest one, which is shared, and from
    /// the others those who are not in that.
    fn neighbours(&self, id: DeviceId) -> Audience {
        let Some(profile) = self.profile_of(id) else { return Audience::Nobody };
        let largest = self.groups_of(profile).max_by_key(|(_, group)| group.present().len());
        let Some(largest) = largest.map(|(membership, _)| membership.group) else {
            return Audience::Nobody;
        };
        let others = self.groups_of(profile).filter(|(membership, _)| membership.group != largest);
        let members = others.flat_map(|(_, group)| group.present());
        let is_outside = |member: &DeviceId| !self.is_in(*member, largest);
        let and: BTreeSet<DeviceId> = members.copied().filter(is_outside).collect();
        Audience::Group {
            group: largest,
            except: id,
            passage: Passage::Out,
            and: and.into_iter().collect(),
        }
    }
}

/// The end of a device's stay.
pub(super) struct EndedStay {
    /// Where it was connected.
    before: Presence,
    /// For everyone who shared a group with its owner, if it was their last.
    departed: Option<(Audience, Notification)>,
    /// Groups of those who were forgotten for it.
    passed_on: Vec<(Audience, Notification)>,
}

impl EndedStay {
    /// What comes of it when it was said over this connection.
    pub(super) fn said_over(self, from: Option<ConnAddr>) -> Applied {
        let cut_off = match self.before {
            // The device had moved on from there.
            Presence::Attached(place) if Some(place) != from => vec![(place, None)],
            _ => Vec::new(),
        };
        Applied { cut_off, ..self.into_applied() }
    }

    /// What others hear of it.
    fn into_applied(self) -> Applied {
        Applied { news: self.departed, more: self.passed_on, ..Applied::default() }
    }
}
