//! Who comes, goes, and comes back.

use std::collections::BTreeSet;

use chatroom_proto::{CloseReason, Notification, Refusal, Response, Seq, UnixMillis, UserName};

use super::{ChatState, Outcome, Verdict};
use crate::chat::effect::{Audience, Passage};
use crate::chat::entry::{Address, GroupId, Place, SessionId, TokenDigest};
use crate::chat::limits::Limits;
use crate::chat::state::group::Group;
use crate::chat::state::session::{Done, Presence, Private, Session, Stake, Worth};

impl ChatState {
    /// Who it is that comes: somebody who is known, or a stranger; or that the name is taken.
    pub(super) fn may_arrive(
        &self,
        name: &UserName,
        presented: Option<TokenDigest>,
        address: Address,
        at: UnixMillis,
    ) -> Result<Option<SessionId>, Refusal> {
        let known = self.recognize(name, presented);
        self.may_come(known.as_ref().ok().copied().flatten(), name, address, at)?;
        known
    }

    fn recognize(
        &self,
        name: &UserName,
        presented: Option<TokenDigest>,
    ) -> Result<Option<SessionId>, Refusal> {
        let holder = self.names.get(&name.key()).and_then(|id| Some((*id, self.sessions.get(id)?)));
        match holder {
            Some((person, session)) if session.account.is_some() || session.is_here() => {
                let has_token =
                    |id: &SessionId| self.sessions.get(id).map(|device| device.token) == presented;
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
                let same_name = |id: &SessionId| {
                    self.sessions.get(id).is_some_and(|session| session.name.key() == name.key())
                };
                Ok(known.filter(same_name))
            }
        }
    }

    pub(super) fn arrive(
        &mut self,
        (seq, at): (Seq, UnixMillis),
        place: Place,
        name: &UserName,
        (presented, fresh): (Option<TokenDigest>, TokenDigest),
        address: Address,
    ) -> Result<Verdict, Refusal> {
        if let Some(id) = self.may_arrive(name, presented, address, at)? {
            let is_here = self.is_device_here(id);
            let verdict = if is_here {
                self.resume(seq, id, place, address)
            } else {
                self.come_back((seq, at), id, place, address)
            };
            return Ok(verdict);
        }
        Ok(self.begin_with((SessionId(seq), name.clone()), fresh, (place, at), address))
    }

    /// Somebody comes with a device that is new here.
    pub(super) fn begin_with(
        &mut self,
        (person, name): (SessionId, UserName),
        token: TokenDigest,
        (place, at): (Place, UnixMillis),
        address: Address,
    ) -> Verdict {
        let seq = self.head;
        let session = Session {
            person,
            name,
            token,
            address,
            arrived: seq,
            presence: Presence::Attached(place),
            groups: Box::default(),
            private: Private::default(),
            done: Done::default(),
            account: None,
        };
        let id = SessionId(seq);
        self.sessions.insert(id, Box::new(session));
        let news = self.enter(seq, at, id);
        let admitted = Outcome::Admitted { session: id, lost: None };
        Verdict { result: Some(Ok(admitted)), news, ..Verdict::default() }
    }

    /// Puts a device that has just arrived where its owner belongs: in their groups, but not where the name that they have
    /// again is banned; and the first one in General, too. The news, if it is the first, are for General.
    fn enter(&mut self, seq: Seq, at: UnixMillis, id: SessionId) -> Option<(Audience, Notification)> {
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
        kept.into_iter().for_each(|group| self.settle_in(person, group));
        if enters_general {
            self.settle_in(person, GroupId::GENERAL);
        }
        let session = self.sessions.get_mut(&person)?;
        if enters_general {
            session.regroup(|groups| groups.insert(0, Stake { group: GroupId::GENERAL, since: seq }));
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
        self.be_looked_at(person);
        if !is_in_general {
            return None;
        }
        let general = self.groups.get(&GroupId::GENERAL)?;
        let arrived = Notification::Arrived { seq, user, group: general.name.clone() };
        let audience =
            Audience::Group { group: GroupId::GENERAL, except: id, passage: Passage::In, and: Vec::new() };
        Some((audience, arrived))
    }

    /// Somebody goes on over another connection; nobody is told.
    fn resume(&mut self, seq: Seq, id: SessionId, place: Place, address: Address) -> Verdict {
        let Some(session) = self.sessions.get_mut(&id) else { return Verdict::default() };
        let before = std::mem::replace(&mut session.presence, Presence::Attached(place));
        session.address = address;
        let (lost, cut_off) = match before {
            Presence::Attached(other) => (seq, vec![(other, Some(CloseReason::Replaced))]),
            Presence::Detached { at, by } => {
                self.detached.remove(&(at, id));
                self.be_heard(id);
                (by, Vec::new())
            }
            Presence::Away { by, .. } => (by, Vec::new()),
        };
        let admitted = Outcome::Admitted { session: id, lost: Some(lost) };
        Verdict { result: Some(Ok(admitted)), cut_off, ..Verdict::default() }
    }

    /// Somebody is back who had gone, with everything that is theirs.
    fn come_back(
        &mut self,
        (seq, at): (Seq, UnixMillis),
        id: SessionId,
        place: Place,
        address: Address,
    ) -> Verdict {
        let Some(session) = self.sessions.get_mut(&id) else { return Verdict::default() };
        let before = std::mem::replace(&mut session.presence, Presence::Attached(place));
        let Presence::Away { by, worth } = before else { return Verdict::default() };
        session.address = address;
        self.away.remove(&session.token);
        self.fading.remove(&(worth, by, id));
        let news = self.enter(seq, at, id);
        let admitted = Outcome::Admitted { session: id, lost: Some(by) };
        Verdict { result: Some(Ok(admitted)), news, ..Verdict::default() }
    }

    pub(super) fn detach(&mut self, seq: Seq, at: UnixMillis, id: SessionId, from: Place) -> Verdict {
        if !self.sessions.get(&id).is_some_and(|session| session.presence == Presence::Attached(from)) {
            return Verdict::default();
        }
        self.lose_connection(seq, at, id);
        // One more than are held: the one that has been away for longest is not waited for any more.
        if self.detached.len() > self.held_max
            && let Some(&(_, longest)) = self.detached.first()
        {
            return self.end(seq, longest).map_or_else(Verdict::default, Ended::into_verdict);
        }
        Verdict::default()
    }

    /// Somebody who had a connection has none any more.
    pub(super) fn lose_connection(&mut self, seq: Seq, at: UnixMillis, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.presence = Presence::Detached { at, by: seq };
        self.detached.insert((at, id));
        self.fall_silent(id);
    }

    pub(super) fn begin(&mut self, seq: Seq, at: UnixMillis, limits: Limits) -> Verdict {
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
            group.desert();
        }
        self.held_max = self.detached.len().max(limits.held_max as usize);
        Verdict::default()
    }

    pub(super) fn expire(&mut self, seq: Seq, id: SessionId, detached: Seq) -> Verdict {
        match self.sessions.get(&id).map(|session| session.presence) {
            Some(Presence::Detached { by, .. }) if by == detached => {}
            _ => return Verdict::default(),
        }
        self.end(seq, id).map_or_else(Verdict::default, Ended::into_verdict)
    }

    pub(super) fn depart(&mut self, seq: Seq, id: SessionId, from: Option<Place>) -> Verdict {
        // One who is gone already said it twice, and is answered twice.
        let result = Some(Ok(Outcome::Answer(Response::Goodbye)));
        let Some(ended) = self.end(seq, id) else {
            return Verdict { result, ..Verdict::default() };
        };
        Verdict { result, ..ended.said_over(from) }
    }

    /// Ends the stay of somebody's device. What is theirs is remembered. The news, if it was their last here, are for
    /// everyone who shared a group with them.
    pub(super) fn end(&mut self, seq: Seq, id: SessionId) -> Option<Ended> {
        let owns = self.owned(id).next().is_some() || self.is_operator(id);
        let is_registered = self.who(id)?.account.is_some();
        let session = self.sessions.get_mut(&id).filter(|session| session.is_here())?;
        let worth = if owns { Worth::Ties } else { session.worth() };
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
            self.fading.insert((worth, by, id));
        }
        // The next stay's tags begin anew.
        if let Some(account) = self.sessions.get_mut(&person).and_then(|person| person.account.as_mut()) {
            account.registered = account.registered.filter(|(device, _)| *device != id);
        }
        self.fall_silent(id);
        let departed = self.leave_if_last(seq, person, id);
        let mut passed_on = Vec::new();
        while self.fading.len() > self.limits.remembered_max as usize
            && let Some((.., first)) = self.fading.pop_first()
        {
            passed_on.append(&mut self.forget(seq, first));
        }
        Some(Ended { before, departed, passed_on })
    }

    /// Somebody is gone when the last of their devices is.
    pub(super) fn leave_if_last(
        &mut self,
        seq: Seq,
        person: SessionId,
        last: SessionId,
    ) -> Option<(Audience, Notification)> {
        if self.is_here(person) {
            return None;
        }
        let session = self.sessions.get(&person)?;
        let is_registered = session.account.is_some();
        self.here.remove(&session.arrived)?;
        if !is_registered {
            self.be_overlooked(person);
        }
        let session = self.sessions.get(&person)?;
        Some((self.neighbours(last), Notification::Departed { seq, user: session.name.clone() }))
    }

    /// A device hears what is said in its owner's groups.
    pub(super) fn be_heard(&mut self, id: SessionId) {
        self.in_all_groups(id, Group::enter);
    }

    /// The reverse.
    pub(super) fn fall_silent(&mut self, id: SessionId) {
        self.in_all_groups(id, Group::quit);
    }

    fn in_all_groups(&mut self, id: SessionId, change: fn(&mut Group, SessionId)) {
        let Some(session) = self.sessions.get(&self.person(id)) else { return };
        for stake in &session.groups {
            if let Some(group) = self.groups.get_mut(&stake.group) {
                change(group, id);
            }
        }
    }

    /// Forgets a device that is away, and with the last its owner, for good. The news are of the groups that were theirs.
    pub(super) fn forget(&mut self, seq: Seq, id: SessionId) -> Vec<(Audience, Notification)> {
        self.be_overlooked(id);
        let Some(session) = self.sessions.remove(&id) else { return Vec::new() };
        for stake in &session.groups {
            if let Some(group) = self.groups.get_mut(&stake.group) {
                group.members = group.members.saturating_sub(1);
            }
        }
        self.away.remove(&session.token);
        if let Presence::Away { by, worth } = session.presence {
            self.fading.remove(&(worth, by, id));
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
        self.pass_on(seq, id)
    }

    /// Somebody who is away has been written to, or was left a group, and is not forgotten before those who have nothing to come back to.
    pub(super) fn miss(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id).filter(|session| session.account.is_none()) else {
            return;
        };
        if let Presence::Away { by, worth } = &mut session.presence {
            self.fading.remove(&(*worth, *by, id));
            *worth = Worth::Ties;
            self.fading.insert((*worth, *by, id));
        }
    }

    /// Everyone who is in a group of somebody: all of the largest one, which is shared, and from the others those who are
    /// not in that.
    fn neighbours(&self, id: SessionId) -> Audience {
        let Some(session) = self.who(id) else { return Audience::Nobody };
        let largest = self.groups_of(session).max_by_key(|(_, group)| group.present().len());
        let Some(largest) = largest.map(|(stake, _)| stake.group) else { return Audience::Nobody };
        let others = self.groups_of(session).filter(|(stake, _)| stake.group != largest);
        let members = others.flat_map(|(_, group)| group.present());
        let is_outside = |member: &SessionId| !self.is_in(*member, largest);
        let and: BTreeSet<SessionId> = members.copied().filter(is_outside).collect();
        Audience::Group { group: largest, except: id, passage: Passage::Out, and: and.into_iter().collect() }
    }
}

/// The end of a device's stay.
pub(super) struct Ended {
    /// Where it was connected.
    before: Presence,
    /// For everyone who shared a group with its owner, if it was their last.
    departed: Option<(Audience, Notification)>,
    /// Groups of those who were forgotten for it.
    passed_on: Vec<(Audience, Notification)>,
}

impl Ended {
    /// What comes of it when it was said over this connection.
    pub(super) fn said_over(self, from: Option<Place>) -> Verdict {
        let cut_off = match self.before {
            // The session had moved on from there.
            Presence::Attached(place) if Some(place) != from => vec![(place, None)],
            _ => Vec::new(),
        };
        Verdict { cut_off, ..self.into_verdict() }
    }

    /// What others hear of it.
    fn into_verdict(self) -> Verdict {
        Verdict { news: self.departed, more: self.passed_on, ..Verdict::default() }
    }
}
