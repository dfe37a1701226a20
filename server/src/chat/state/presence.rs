//! Who comes, goes, and comes back.

use std::collections::BTreeSet;

use chatroom_proto::{CloseReason, Notification, Refusal, Response, Seq, UnixMillis, UserName};

use super::applied::{Applied, CommandOutcome};
use super::chat_state::ChatState;
use super::dedup::DedupWindow;
use super::device::{Device, EvictionClass, MembershipSince, Presence, Private};
use super::group::Group;
use crate::chat::effect::{Audience, Passage};
use crate::chat::entry::{Address, ConnAddr, DeviceId, GroupId, PersonId, Stamp, TokenDigest};
use crate::chat::limits::Limits;

impl ChatState {
    /// Who it is that comes: somebody who is known, or a stranger; or that the name is taken.
    pub(super) fn may_arrive(
        &self,
        name: &UserName,
        presented: Option<TokenDigest>,
        address: Address,
        at: UnixMillis,
    ) -> Result<Option<DeviceId>, Refusal> {
        let known = self.recognize(name, presented);
        let person = known.as_ref().ok().copied().flatten().map(|device| self.person(device));
        self.may_come(person, name, address, at)?;
        known
    }

    fn recognize(
        &self,
        name: &UserName,
        presented: Option<TokenDigest>,
    ) -> Result<Option<DeviceId>, Refusal> {
        let holder = self.names.get(&name.key()).and_then(|id| Some((*id, self.profile(*id)?)));
        match holder {
            Some((person, profile)) if profile.account.is_some() || profile.is_here() => {
                let has_token =
                    |id: &DeviceId| self.devices.get(id).map(|device| device.token) == presented;
                let device = presented.and_then(|_| self.devices_of(person).find(has_token));
                let name = || profile.name.clone();
                device.map(Some).ok_or_else(|| match profile.account {
                    Some(_) => Refusal::PasswordNeeded { name: name() },
                    None => Refusal::NameTaken { name: name() },
                })
            }
            // The name is free. Whoever had it last comes back by the token, not by the name.
            _ => {
                self.looks_like_nobody(name)?;
                let known = presented.and_then(|token| self.away.get(&token)).copied();
                let same_name = |id: &DeviceId| {
                    self.devices.get(id).is_some_and(|device| device.name.key() == name.key())
                };
                Ok(known.filter(same_name))
            }
        }
    }

    pub(super) fn arrive(
        &mut self,
        stamp: Stamp,
        place: ConnAddr,
        name: &UserName,
        (presented, fresh): (Option<TokenDigest>, TokenDigest),
        address: Address,
    ) -> Result<Applied, Refusal> {
        if let Some(id) = self.may_arrive(name, presented, address, stamp.at)? {
            let is_here = self.is_device_here(id);
            let applied = if is_here {
                self.resume(stamp.seq, id, place, address)
            } else {
                self.come_back(stamp, id, place, address)
            };
            return Ok(applied);
        }
        Ok(self.begin_with(stamp, (PersonId(stamp.seq), name.clone()), fresh, (place, address)))
    }

    /// Somebody comes with a device that is new here.
    pub(super) fn begin_with(
        &mut self,
        stamp: Stamp,
        (person, name): (PersonId, UserName),
        token: TokenDigest,
        (place, address): (ConnAddr, Address),
    ) -> Applied {
        let device = Device {
            person,
            name,
            token,
            address,
            arrived: stamp.seq,
            presence: Presence::Attached(place),
            groups: Box::default(),
            private: Private::default(),
            dedup: DedupWindow::default(),
            account: None,
        };
        let id = DeviceId(stamp.seq);
        self.devices.insert(id, Box::new(device));
        let news = self.enter(stamp, id);
        let admitted = CommandOutcome::Admitted { device: id, lost: None };
        Applied { result: Some(Ok(admitted)), news, ..Applied::default() }
    }

    /// Puts a device that has just arrived where its owner belongs: in their groups, but not where
    /// the name that they have again is banned; and the first one in General, too. The news, if it
    /// is the first, are for General.
    fn enter(&mut self, stamp: Stamp, id: DeviceId) -> Option<(Audience, Notification)> {
        let Stamp { seq, at } = stamp;
        let person = self.person(id);
        let is_first =
            !self.devices_of(person).any(|other| other != id && self.is_device_here(other));
        let profile = self.profile(person)?;
        let is_banned = |group: &GroupId| self.ban(profile, *group, at).is_some();
        let (banned, kept): (Vec<_>, Vec<_>) =
            profile.groups.iter().map(|membership| membership.group).partition(is_banned);
        let enters_general = is_first
            && !profile.is_in(GroupId::GENERAL)
            && self.may_enter(profile, GroupId::GENERAL, at).is_ok();
        banned.into_iter().for_each(|group| self.expel(person, group));
        kept.into_iter().for_each(|group| self.clear_restrictions(person, group));
        if enters_general {
            self.clear_restrictions(person, GroupId::GENERAL);
        }
        let profile = self.devices.get_mut(&person.first_device())?;
        if enters_general {
            profile.regroup(|groups| {
                groups.insert(0, MembershipSince { group: GroupId::GENERAL, since: seq })
            });
            self.groups.get_mut(&GroupId::GENERAL)?.members += 1;
        }
        for membership in &profile.groups {
            if let Some(group) = self.groups.get_mut(&membership.group) {
                group.enter(id);
            }
        }
        if !is_first {
            return None;
        }
        profile.arrived = seq;
        let (user, is_in_general) = (profile.name.clone(), profile.is_in(GroupId::GENERAL));
        self.names.insert(user.key(), person);
        self.here.insert(seq, person);
        self.index_name(person);
        if !is_in_general {
            return None;
        }
        let general = self.groups.get(&GroupId::GENERAL)?;
        let arrived = Notification::Arrived { seq, user, group: general.name.clone() };
        let audience = Audience::Group {
            group: GroupId::GENERAL,
            except: id,
            passage: Passage::In,
            and: Vec::new(),
        };
        Some((audience, arrived))
    }

    /// Somebody goes on over another connection; nobody is told.
    fn resume(&mut self, seq: Seq, id: DeviceId, place: ConnAddr, address: Address) -> Applied {
        let Some(device) = self.devices.get_mut(&id) else { return Applied::default() };
        let before = std::mem::replace(&mut device.presence, Presence::Attached(place));
        device.address = address;
        let (lost, cut_off) = match before {
            Presence::Attached(other) => (seq, vec![(other, Some(CloseReason::Replaced))]),
            Presence::Detached { at, by } => {
                self.detached.remove(&(at, id));
                self.subscribe(id);
                (by, Vec::new())
            }
            Presence::Away { by, .. } => (by, Vec::new()),
        };
        let admitted = CommandOutcome::Admitted { device: id, lost: Some(lost) };
        Applied { result: Some(Ok(admitted)), cut_off, ..Applied::default() }
    }

    /// Somebody is back who had gone, with everything that is theirs.
    fn come_back(
        &mut self,
        stamp: Stamp,
        id: DeviceId,
        place: ConnAddr,
        address: Address,
    ) -> Applied {
        let Some(device) = self.devices.get_mut(&id) else { return Applied::default() };
        let before = std::mem::replace(&mut device.presence, Presence::Attached(place));
        let Presence::Away { by, class } = before else { return Applied::default() };
        device.address = address;
        self.away.remove(&device.token);
        self.eviction_order.remove(&(class, by, id));
        let news = self.enter(stamp, id);
        let admitted = CommandOutcome::Admitted { device: id, lost: Some(by) };
        Applied { result: Some(Ok(admitted)), news, ..Applied::default() }
    }

    pub(super) fn detach(&mut self, stamp: Stamp, id: DeviceId, from: ConnAddr) -> Applied {
        let is_meant = |device: &Box<Device>| device.presence == Presence::Attached(from);
        if !self.devices.get(&id).is_some_and(is_meant) {
            return Applied::default();
        }
        self.lose_connection(stamp, id);
        // One more than are held: the one that has been away for longest is not waited for any
        // more.
        if self.detached.len() > self.held_max
            && let Some(&(_, longest)) = self.detached.first()
        {
            return self
                .end(stamp.seq, longest)
                .map_or_else(Applied::default, EndedStay::into_applied);
        }
        Applied::default()
    }

    /// A device that had a connection has none any more.
    pub(super) fn lose_connection(&mut self, stamp: Stamp, id: DeviceId) {
        let Some(device) = self.devices.get_mut(&id) else { return };
        device.presence = Presence::Detached { at: stamp.at, by: stamp.seq };
        self.detached.insert((stamp.at, id));
        self.unsubscribe(id);
    }

    pub(super) fn begin(&mut self, stamp: Stamp, limits: Limits) -> Applied {
        let Stamp { seq, at } = stamp;
        self.limits = limits;
        self.detached.clear();
        let here: Vec<_> = self.here.values().flat_map(|person| self.devices_of(*person)).collect();
        for id in here {
            let Some(device) = self.devices.get_mut(&id).filter(|device| device.is_here()) else {
                continue;
            };
            // One who was lost before may have missed what was said since.
            let by = match device.presence {
                Presence::Detached { by, .. } => by,
                Presence::Attached(_) | Presence::Away { .. } => seq,
            };
            device.presence = Presence::Detached { at, by };
            self.detached.insert((at, id));
        }
        for group in self.groups.values_mut() {
            group.detach_all();
        }
        self.held_max = self.detached.len().max(limits.held_max as usize);
        Applied::default()
    }

    pub(super) fn expire(&mut self, seq: Seq, id: DeviceId, detached: Seq) -> Applied {
        match self.devices.get(&id).map(|device| device.presence) {
            Some(Presence::Detached { by, .. }) if by == detached => {}
            _ => return Applied::default(),
        }
        self.end(seq, id).map_or_else(Applied::default, EndedStay::into_applied)
    }

    pub(super) fn depart(&mut self, seq: Seq, id: DeviceId, from: Option<ConnAddr>) -> Applied {
        // One who is gone already said it twice, and is answered twice.
        let result = Some(Ok(CommandOutcome::Answer(Response::Goodbye)));
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
        let by = if let Presence::Detached { by, .. } = device.presence { by } else { seq };
        let before = std::mem::replace(&mut device.presence, Presence::Away { by, class });
        device.dedup.forget_requests();
        if let Presence::Detached { at, .. } = before {
            self.detached.remove(&(at, id));
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
