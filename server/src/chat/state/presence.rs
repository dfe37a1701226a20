//! Who comes, goes, and comes back.

use std::collections::BTreeSet;

use chatroom_proto::{CloseReason, Notification, Refusal, Response, Seq, UnixMillis, UserName};

use super::{Applied, ChatState, CommandOutcome};
use crate::chat::effect::{Audience, Passage};
use crate::chat::entry::{Address, ConnAddr, DeviceId, GroupId, TokenDigest};
use crate::chat::limits::Limits;
use crate::chat::state::device::{
    DedupWindow, Device, EvictionClass, MembershipSince, Presence, Private,
};
use crate::chat::state::group::Group;

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
        self.may_come(known.as_ref().ok().copied().flatten(), name, address, at)?;
        known
    }

    fn recognize(
        &self,
        name: &UserName,
        presented: Option<TokenDigest>,
    ) -> Result<Option<DeviceId>, Refusal> {
        let holder = self.names.get(&name.key()).and_then(|id| Some((*id, self.sessions.get(id)?)));
        match holder {
            Some((person, session)) if session.account.is_some() || session.is_here() => {
                let has_token =
                    |id: &DeviceId| self.sessions.get(id).map(|device| device.token) == presented;
                let device = presented.and_then(|_| self.devices(person).find(has_token));
                let name = || session.name.clone();
                device.map(Some).ok_or_else(|| match session.account {
                    Some(_) => Refusal::PasswordNeeded { name: name() },
                    None => Refusal::NameTaken { name: name() },
                })
            }
            // The name is free. Whoever had it last comes back by the token, not by the name.
            _ => {
                self.looks_like_nobody(name)?;
                let known = presented.and_then(|token| self.away.get(&token)).copied();
                let same_name = |id: &DeviceId| {
                    self.sessions.get(id).is_some_and(|session| session.name.key() == name.key())
                };
                Ok(known.filter(same_name))
            }
        }
    }

    pub(super) fn arrive(
        &mut self,
        (seq, at): (Seq, UnixMillis),
        place: ConnAddr,
        name: &UserName,
        (presented, fresh): (Option<TokenDigest>, TokenDigest),
        address: Address,
    ) -> Result<Applied, Refusal> {
        if let Some(id) = self.may_arrive(name, presented, address, at)? {
            let is_here = self.is_device_here(id);
            let applied = if is_here {
                self.resume(seq, id, place, address)
            } else {
                self.come_back((seq, at), id, place, address)
            };
            return Ok(applied);
        }
        Ok(self.begin_with((DeviceId(seq), name.clone()), fresh, (place, at), address))
    }

    /// Somebody comes with a device that is new here.
    pub(super) fn begin_with(
        &mut self,
        (person, name): (DeviceId, UserName),
        token: TokenDigest,
        (place, at): (ConnAddr, UnixMillis),
        address: Address,
    ) -> Applied {
        let seq = self.head;
        let session = Device {
            person,
            name,
            token,
            address,
            arrived: seq,
            presence: Presence::Attached(place),
            groups: Box::default(),
            private: Private::default(),
            done: DedupWindow::default(),
            account: None,
        };
        let id = DeviceId(seq);
        self.sessions.insert(id, Box::new(session));
        let news = self.enter(seq, at, id);
        let admitted = CommandOutcome::Admitted { session: id, lost: None };
        Applied { result: Some(Ok(admitted)), news, ..Applied::default() }
    }

    /// Puts a device that has just arrived where its owner belongs: in their groups, but not where
    /// the name that they have again is banned; and the first one in General, too. The news, if it
    /// is the first, are for General.
    fn enter(
        &mut self,
        seq: Seq,
        at: UnixMillis,
        id: DeviceId,
    ) -> Option<(Audience, Notification)> {
        let person = self.person(id);
        let is_first = !self.devices(person).any(|other| other != id && self.is_device_here(other));
        let session = self.sessions.get(&person)?;
        let is_banned = |group: &GroupId| self.ban(person, session, *group, at).is_some();
        let (banned, kept): (Vec<_>, Vec<_>) =
            session.groups.iter().map(|stake| stake.group).partition(is_banned);
        let enters_general = is_first
            && !session.is_in(GroupId::GENERAL)
            && self.may_enter((person, session), GroupId::GENERAL, at).is_ok();
        banned.into_iter().for_each(|group| self.expel(person, group));
        kept.into_iter().for_each(|group| self.clear_restrictions(person, group));
        if enters_general {
            self.clear_restrictions(person, GroupId::GENERAL);
        }
        let session = self.sessions.get_mut(&person)?;
        if enters_general {
            session.regroup(|groups| {
                groups.insert(0, MembershipSince { group: GroupId::GENERAL, since: seq })
            });
            self.groups.get_mut(&GroupId::GENERAL)?.members += 1;
        }
        for stake in &session.groups {
            if let Some(group) = self.groups.get_mut(&stake.group) {
                group.enter(id);
            }
        }
        if !is_first {
            return None;
        }
        session.arrived = seq;
        let (user, is_in_general) = (session.name.clone(), session.is_in(GroupId::GENERAL));
        self.names.insert(user.key(), person);
        self.here.insert(seq, person);
        self.insert(person);
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
        let Some(session) = self.sessions.get_mut(&id) else { return Applied::default() };
        let before = std::mem::replace(&mut session.presence, Presence::Attached(place));
        session.address = address;
        let (lost, cut_off) = match before {
            Presence::Attached(other) => (seq, vec![(other, Some(CloseReason::Replaced))]),
            Presence::Detached { at, by } => {
                self.detached.remove(&(at, id));
                self.subscribe(id);
                (by, Vec::new())
            }
            Presence::Away { by, .. } => (by, Vec::new()),
        };
        let admitted = CommandOutcome::Admitted { session: id, lost: Some(lost) };
        Applied { result: Some(Ok(admitted)), cut_off, ..Applied::default() }
    }

    /// Somebody is back who had gone, with everything that is theirs.
    fn come_back(
        &mut self,
        (seq, at): (Seq, UnixMillis),
        id: DeviceId,
        place: ConnAddr,
        address: Address,
    ) -> Applied {
        let Some(session) = self.sessions.get_mut(&id) else { return Applied::default() };
        let before = std::mem::replace(&mut session.presence, Presence::Attached(place));
        let Presence::Away { by, worth } = before else { return Applied::default() };
        session.address = address;
        self.away.remove(&session.token);
        self.eviction_order.remove(&(worth, by, id));
        let news = self.enter(seq, at, id);
        let admitted = CommandOutcome::Admitted { session: id, lost: Some(by) };
        Applied { result: Some(Ok(admitted)), news, ..Applied::default() }
    }

    pub(super) fn detach(
        &mut self,
        seq: Seq,
        at: UnixMillis,
        id: DeviceId,
        from: ConnAddr,
    ) -> Applied {
        if !self
            .sessions
            .get(&id)
            .is_some_and(|session| session.presence == Presence::Attached(from))
        {
            return Applied::default();
        }
        self.lose_connection(seq, at, id);
        // One more than are held: the one that has been away for longest is not waited for any
        // more.
        if self.detached.len() > self.held_max
            && let Some(&(_, longest)) = self.detached.first()
        {
            return self.end(seq, longest).map_or_else(Applied::default, EndedStay::into_applied);
        }
        Applied::default()
    }

    /// Somebody who had a connection has none any more.
    pub(super) fn lose_connection(&mut self, seq: Seq, at: UnixMillis, id: DeviceId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.presence = Presence::Detached { at, by: seq };
        self.detached.insert((at, id));
        self.unsubscribe(id);
    }

    pub(super) fn begin(&mut self, seq: Seq, at: UnixMillis, limits: Limits) -> Applied {
        self.limits = limits;
        self.detached.clear();
        let here: Vec<_> = self.here.values().flat_map(|person| self.devices(*person)).collect();
        for id in here {
            let Some(session) = self.sessions.get_mut(&id).filter(|device| device.is_here()) else {
                continue;
            };
            // One who was lost before may have missed what was said since.
            let by = match session.presence {
                Presence::Detached { by, .. } => by,
                _ => seq,
            };
            session.presence = Presence::Detached { at, by };
            self.detached.insert((at, id));
        }
        for group in self.groups.values_mut() {
            group.detach_all();
        }
        self.held_max = self.detached.len().max(limits.held_max as usize);
        Applied::default()
    }

    pub(super) fn expire(&mut self, seq: Seq, id: DeviceId, detached: Seq) -> Applied {
        match self.sessions.get(&id).map(|session| session.presence) {
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
        let owns = self.owned(id).next().is_some() || self.is_operator(id);
        let is_registered = self.who(id)?.account.is_some();
        let session = self.sessions.get_mut(&id).filter(|session| session.is_here())?;
        let worth = if owns { EvictionClass::Ties } else { session.worth() };
        let person = session.person;
        // Since it was lost, it has heard nothing.
        let by = if let Presence::Detached { by, .. } = session.presence { by } else { seq };
        let before = std::mem::replace(&mut session.presence, Presence::Away { by, worth });
        session.done.forget_verbs();
        if let Presence::Detached { at, .. } = before {
            self.detached.remove(&(at, id));
        }
        self.away.insert(session.token, id);
        // Who has an account is remembered with it.
        if !is_registered {
            self.eviction_order.insert((worth, by, id));
        }
        // The next stay's tags begin anew.
        if let Some(account) =
            self.sessions.get_mut(&person).and_then(|person| person.account.as_mut())
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
        person: DeviceId,
        last: DeviceId,
    ) -> Option<(Audience, Notification)> {
        if self.is_here(person) {
            return None;
        }
        let session = self.sessions.get(&person)?;
        let is_registered = session.account.is_some();
        self.here.remove(&session.arrived)?;
        if !is_registered {
            self.remove(person);
        }
        let session = self.sessions.get(&person)?;
        Some((self.neighbours(last), Notification::Departed { seq, user: session.name.clone() }))
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
        let Some(session) = self.sessions.get(&self.person(id)) else { return };
        for stake in &session.groups {
            if let Some(group) = self.groups.get_mut(&stake.group) {
                change(group, id);
            }
        }
    }

    /// Forgets a device that is away, and with the last its owner, for good. The news are of the
    /// groups that were theirs.
    pub(super) fn forget(&mut self, seq: Seq, id: DeviceId) -> Vec<(Audience, Notification)> {
        self.remove(id);
        let Some(session) = self.sessions.remove(&id) else { return Vec::new() };
        for stake in &session.groups {
            if let Some(group) = self.groups.get_mut(&stake.group) {
                group.members = group.members.saturating_sub(1);
            }
        }
        self.away.remove(&session.token);
        if let Presence::Away { by, worth } = session.presence {
            self.eviction_order.remove(&(worth, by, id));
        }
        if session.person != id {
            let person = self.sessions.get_mut(&session.person);
            if let Some(account) = person.and_then(|person| person.account.as_mut()) {
                account.devices.remove(&id);
            }
            return Vec::new();
        }
        let key = session.name.key();
        if self.names.get(&key) == Some(&id) {
            self.names.remove(&key);
        }
        for peer in session.private.peers() {
            if let Some(peer) = self.sessions.get_mut(&peer) {
                peer.private.forget(id);
            }
        }
        self.rule.operators.remove(&id);
        self.transfer_ownership(seq, id)
    }

    /// Somebody who is away has been written to, or was left a group, and is not forgotten before
    /// those who have nothing to come back to.
    pub(super) fn keep_longer(&mut self, id: DeviceId) {
        let Some(session) = self.sessions.get_mut(&id).filter(|session| session.account.is_none())
        else {
            return;
        };
        if let Presence::Away { by, worth } = &mut session.presence {
            self.eviction_order.remove(&(*worth, *by, id));
            *worth = EvictionClass::Ties;
            self.eviction_order.insert((*worth, *by, id));
        }
    }

    /// Everyone who is in a group of somebody: all of the largest one, which is shared, and from
    /// the others those who are not in that.
    fn neighbours(&self, id: DeviceId) -> Audience {
        let Some(session) = self.who(id) else { return Audience::Nobody };
        let largest = self.groups_of(session).max_by_key(|(_, group)| group.present().len());
        let Some(largest) = largest.map(|(stake, _)| stake.group) else { return Audience::Nobody };
        let others = self.groups_of(session).filter(|(stake, _)| stake.group != largest);
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
            // The session had moved on from there.
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
