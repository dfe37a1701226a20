//! Who comes, goes, and comes back.

use std::collections::BTreeSet;

use chatroom_proto::{CloseReason, Notification, Refusal, Response, Seq, UnixMillis, UserName};

use super::super::Limits;
use super::super::effect::{Address, Audience, GroupId, Passage, Place, SessionId, TokenDigest};
use super::super::group::Group;
use super::super::session::{Done, Presence, Private, Session, Stake, Worth};
use super::{Outcome, Verdict, World};

impl World {
    /// Who it is that comes: somebody who is known, or a stranger; or that the name is taken.
    pub(super) fn may_arrive(
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
        seq: Seq,
        place: Place,
        name: &UserName,
        (presented, fresh): (Option<TokenDigest>, TokenDigest),
        address: &Address,
    ) -> Result<Verdict, Refusal> {
        if let Some(id) = self.may_arrive(name, presented)? {
            let is_here = self.sessions.get(&id).is_some_and(|device| device.is_here());
            let verdict = if is_here {
                self.resume(seq, id, place, address)
            } else {
                self.come_back(seq, id, place, address)
            };
            return Ok(verdict);
        }
        Ok(self.begin_with(SessionId(seq), name.clone(), fresh, place, address))
    }

    /// Somebody comes with a device that is new here.
    pub(super) fn begin_with(
        &mut self,
        person: SessionId,
        name: UserName,
        token: TokenDigest,
        place: Place,
        address: &Address,
    ) -> Verdict {
        let seq = self.head;
        let session = Session {
            person,
            name,
            token,
            address: address.clone(),
            arrived: seq,
            presence: Presence::Attached(place),
            // Many are in one group and stay there.
            groups: Vec::with_capacity(1),
            private: Private::default(),
            done: Done::default(),
            account: None,
        };
        let id = SessionId(seq);
        self.sessions.insert(id, Box::new(session));
        let news = self.enter(seq, id);
        let admitted = Outcome::Admitted { session: id, lost: None };
        Verdict { result: Some(Ok(admitted)), news, ..Verdict::default() }
    }

    /// Puts a device that has just arrived where its owner belongs. The news, if it is the first, are for General.
    fn enter(&mut self, seq: Seq, id: SessionId) -> Option<(Audience, Notification)> {
        let person = self.person(id);
        let is_first = !self.devices(person).any(|other| other != id && self.is_device_here(other));
        let session = self.sessions.get_mut(&person)?;
        if !session.is_in(GroupId::GENERAL) {
            session.groups.insert(0, Stake { group: GroupId::GENERAL, since: seq });
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
        self.names.insert(session.name.key(), person);
        self.here.insert(seq, person);
        let general = self.groups.get(&GroupId::GENERAL)?;
        let arrived = Notification::Arrived { seq, user: session.name.clone(), group: general.name.clone() };
        let audience =
            Audience::Group { group: GroupId::GENERAL, except: id, passage: Passage::In, and: Vec::new() };
        Some((audience, arrived))
    }

    /// Somebody goes on over another connection; nobody is told.
    fn resume(&mut self, seq: Seq, id: SessionId, place: Place, address: &Address) -> Verdict {
        let Some(session) = self.sessions.get_mut(&id) else { return Verdict::default() };
        let before = std::mem::replace(&mut session.presence, Presence::Attached(place));
        session.address = address.clone();
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
    fn come_back(&mut self, seq: Seq, id: SessionId, place: Place, address: &Address) -> Verdict {
        let Some(session) = self.sessions.get_mut(&id) else { return Verdict::default() };
        let before = std::mem::replace(&mut session.presence, Presence::Attached(place));
        let Presence::Away { by, worth } = before else { return Verdict::default() };
        session.address = address.clone();
        self.away.remove(&session.token);
        self.fading.remove(&(worth, by, id));
        let news = self.enter(seq, id);
        let admitted = Outcome::Admitted { session: id, lost: Some(by) };
        Verdict { result: Some(Ok(admitted)), news, ..Verdict::default() }
    }

    pub(super) fn detach(&mut self, seq: Seq, at: UnixMillis, id: SessionId, from: Place) -> Verdict {
        let Some(session) =
            self.sessions.get_mut(&id).filter(|session| session.presence == Presence::Attached(from))
        else {
            return Verdict::default();
        };
        session.presence = Presence::Detached { at, by: seq };
        self.detached.insert((at, id));
        self.fall_silent(id);
        // One more than are held: the one that has been away for longest is not waited for any more.
        if self.detached.len() > self.held_max
            && let Some(&(_, longest)) = self.detached.first()
        {
            return Verdict { news: self.end(seq, longest).and_then(|(_, news)| news), ..Verdict::default() };
        }
        Verdict::default()
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
        Verdict { news: self.end(seq, id).and_then(|(_, news)| news), ..Verdict::default() }
    }

    pub(super) fn depart(&mut self, seq: Seq, id: SessionId, from: Option<Place>) -> Verdict {
        // One who is gone already said it twice, and is answered twice.
        let result = Some(Ok(Outcome::Answer(Response::Goodbye)));
        let Some((presence, news)) = self.end(seq, id) else {
            return Verdict { result, ..Verdict::default() };
        };
        let cut_off = match presence {
            // It was said over a connection that the session had moved on from.
            Presence::Attached(place) if Some(place) != from => vec![(place, None)],
            _ => Vec::new(),
        };
        Verdict { result, cut_off, news, ..Verdict::default() }
    }

    /// Ends the stay of somebody's device. What is theirs is remembered. The news, if it was their last here, are for
    /// everyone who shared a group with them.
    pub(super) fn end(
        &mut self,
        seq: Seq,
        id: SessionId,
    ) -> Option<(Presence, Option<(Audience, Notification)>)> {
        let session = self.sessions.get_mut(&id).filter(|session| session.is_here())?;
        let (worth, person) = (session.worth(), session.person);
        // Since it was lost, it has heard nothing.
        let by = if let Presence::Detached { by, .. } = session.presence { by } else { seq };
        let before = std::mem::replace(&mut session.presence, Presence::Away { by, worth });
        session.done.forget_verbs();
        if let Presence::Detached { at, .. } = before {
            self.detached.remove(&(at, id));
        }
        self.away.insert(session.token, id);
        // Who has an account is remembered with it.
        if session.account.is_none() {
            self.fading.insert((worth, by, id));
        }
        self.fall_silent(id);
        let news = self.leave_if_last(seq, person, id);
        while self.fading.len() > self.limits.remembered_max as usize
            && let Some((.., first)) = self.fading.pop_first()
        {
            self.forget(first);
        }
        Some((before, news))
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
        self.here.remove(&session.arrived)?;
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

    /// Forgets a device that is away, and with the last its owner, for good.
    pub(super) fn forget(&mut self, id: SessionId) {
        let Some(session) = self.sessions.remove(&id) else { return };
        self.away.remove(&session.token);
        if let Presence::Away { by, worth } = session.presence {
            self.fading.remove(&(worth, by, id));
        }
        if session.person != id {
            let person = self.sessions.get_mut(&session.person);
            if let Some(account) = person.and_then(|person| person.account.as_mut()) {
                account.devices.remove(&id);
            }
            return;
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
    }

    /// Somebody who is away has been written to, and is not forgotten before those who have nothing to come back to.
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
