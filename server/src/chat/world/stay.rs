//! Who comes, goes, and comes back.

use std::collections::BTreeSet;

use chatroom_proto::{CloseReason, Notification, Refusal, Response, Seq, UnixMillis, UserName};

use super::super::Limits;
use super::super::effect::{Address, Audience, GroupId, Passage, Place, SessionId, TokenDigest};
use super::super::session::{Done, Presence, Private, Session, Stake, Worth};
use super::{Outcome, Verdict, World};

impl World {
    /// Who it is that comes: somebody who is known, or a stranger; or that the name is taken.
    pub(super) fn may_arrive(
        &self,
        name: &UserName,
        presented: Option<TokenDigest>,
        address: &Address,
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
            Some((id, session)) if session.is_here() => {
                if Some(session.token) == presented {
                    Ok(Some(id))
                } else {
                    Err(Refusal::NameTaken { name: session.name.clone() })
                }
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
        (seq, at): (Seq, UnixMillis),
        place: Place,
        name: &UserName,
        (presented, fresh): (Option<TokenDigest>, TokenDigest),
        address: &Address,
    ) -> Result<Verdict, Refusal> {
        if let Some(id) = self.may_arrive(name, presented, address, at)? {
            let is_here = self.is_here(id);
            let verdict = if is_here {
                self.resume(seq, id, place, address)
            } else {
                self.come_back((seq, at), id, place, address)
            };
            return Ok(verdict);
        }
        let id = SessionId(seq);
        let session = Session {
            name: name.clone(),
            token: fresh,
            address: address.clone(),
            arrived: seq,
            presence: Presence::Attached(place),
            // Many are in one group and stay there.
            groups: Vec::with_capacity(1),
            private: Private::default(),
            done: Done::default(),
        };
        self.sessions.insert(id, Box::new(session));
        let news = self.enter(seq, at, id);
        let admitted = Outcome::Admitted { session: id, lost: None };
        Ok(Verdict { result: Some(Ok(admitted)), news, ..Verdict::default() })
    }

    /// Puts somebody who has just arrived where they belong: in General and in their groups, but not where the name that
    /// they have again is banned. The news are for General.
    fn enter(&mut self, seq: Seq, at: UnixMillis, id: SessionId) -> Option<(Audience, Notification)> {
        let session = self.sessions.get(&id)?;
        let groups = session.groups.iter().map(|stake| stake.group);
        let is_banned = |group: &GroupId| self.ban(id, session, *group, at).is_some();
        let banned: Vec<GroupId> = groups.filter(is_banned).collect();
        let enters_general = !session.is_in(GroupId::GENERAL) && !is_banned(&GroupId::GENERAL);
        for group in banned {
            self.expel(id, group);
        }
        let session = self.sessions.get_mut(&id)?;
        if enters_general {
            session.groups.insert(0, Stake { group: GroupId::GENERAL, since: seq });
            self.groups.get_mut(&GroupId::GENERAL)?.members += 1;
        }
        self.names.insert(session.name.key(), id);
        self.here.insert(seq, id);
        for stake in &session.groups {
            if let Some(group) = self.groups.get_mut(&stake.group) {
                group.enter(id);
            }
        }
        if !session.is_in(GroupId::GENERAL) {
            return None;
        }
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
            Presence::Attached(other) => (seq, Some((other, Some(CloseReason::Replaced)))),
            Presence::Detached { at, by } => {
                self.detached.remove(&(at, id));
                for stake in &session.groups {
                    if let Some(group) = self.groups.get_mut(&stake.group) {
                        group.enter(id);
                    }
                }
                (by, None)
            }
            Presence::Away { by, .. } => (by, None),
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
        address: &Address,
    ) -> Verdict {
        let Some(session) = self.sessions.get_mut(&id) else { return Verdict::default() };
        let before = std::mem::replace(&mut session.presence, Presence::Attached(place));
        let Presence::Away { by, worth } = before else { return Verdict::default() };
        session.address = address.clone();
        session.arrived = seq;
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
        for stake in &session.groups {
            if let Some(group) = self.groups.get_mut(&stake.group) {
                group.quit(id);
            }
        }
    }

    pub(super) fn begin(&mut self, seq: Seq, at: UnixMillis, limits: Limits) -> Verdict {
        self.limits = limits;
        self.detached.clear();
        for id in self.here.values() {
            let Some(session) = self.sessions.get_mut(id) else { continue };
            // One who was lost before may have missed what was said since.
            let by = match session.presence {
                Presence::Detached { by, .. } => by,
                _ => seq,
            };
            session.presence = Presence::Detached { at, by };
            self.detached.insert((at, *id));
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
        let cut_off = match ended.before {
            // It was said over a connection that the session had moved on from.
            Presence::Attached(place) if Some(place) != from => Some((place, None)),
            _ => None,
        };
        Verdict { result, cut_off, ..ended.into_verdict() }
    }

    /// Ends somebody's stay. What is theirs is remembered. The news are for everyone who shared a group with them.
    fn end(&mut self, seq: Seq, id: SessionId) -> Option<Ended> {
        let person = self.person(id);
        let owns = self.owned(person).next().is_some() || self.is_operator(person);
        let session = self.sessions.get_mut(&id).filter(|session| session.is_here())?;
        let worth = if owns { Worth::Ties } else { session.worth() };
        // Since it was lost, it has heard nothing.
        let by = if let Presence::Detached { by, .. } = session.presence { by } else { seq };
        let before = std::mem::replace(&mut session.presence, Presence::Away { by, worth });
        session.done.forget_verbs();
        self.here.remove(&session.arrived);
        if let Presence::Detached { at, .. } = before {
            self.detached.remove(&(at, id));
        }
        for stake in &session.groups {
            if let Some(group) = self.groups.get_mut(&stake.group) {
                group.quit(id);
            }
        }
        self.away.insert(session.token, id);
        self.fading.insert((worth, by, id));
        let departed = Notification::Departed { seq, user: session.name.clone() };
        let audience = self.neighbours(id);
        let mut passed_on = Vec::new();
        while self.fading.len() > self.limits.remembered_max as usize
            && let Some((.., first)) = self.fading.pop_first()
        {
            passed_on.append(&mut self.forget(seq, first));
        }
        Some(Ended { before, departed: (audience, departed), passed_on })
    }

    /// Forgets somebody who is away, for good. The news are of the groups that were theirs.
    fn forget(&mut self, seq: Seq, id: SessionId) -> Vec<(Audience, Notification)> {
        let Some(session) = self.sessions.remove(&id) else { return Vec::new() };
        for stake in &session.groups {
            if let Some(group) = self.groups.get_mut(&stake.group) {
                group.members = group.members.saturating_sub(1);
            }
        }
        self.away.remove(&session.token);
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

    /// Somebody who is away has been written to, and is not forgotten before those who have nothing to come back to.
    pub(super) fn miss(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if let Presence::Away { by, worth } = &mut session.presence {
            self.fading.remove(&(*worth, *by, id));
            *worth = Worth::Ties;
            self.fading.insert((*worth, *by, id));
        }
    }

    /// Everyone who is in a group of somebody: all of the largest one, which is shared, and from the others those who are
    /// not in that.
    fn neighbours(&self, id: SessionId) -> Audience {
        let Some(session) = self.sessions.get(&id) else { return Audience::Nobody };
        let largest = self.groups_of(session).max_by_key(|(_, group)| group.present().len());
        let Some(largest) = largest.map(|(stake, _)| stake.group) else { return Audience::Nobody };
        let others = self.groups_of(session).filter(|(stake, _)| stake.group != largest);
        let members = others.flat_map(|(_, group)| group.present());
        let is_outside = |member: &SessionId| !self.sessions.get(member).is_some_and(|m| m.is_in(largest));
        let and: BTreeSet<SessionId> = members.copied().filter(is_outside).collect();
        Audience::Group { group: largest, except: id, passage: Passage::Out, and: and.into_iter().collect() }
    }
}

/// The end of somebody's stay.
struct Ended {
    /// Where they were connected.
    before: Presence,
    /// For everyone who shared a group with them.
    departed: (Audience, Notification),
    /// Groups of those who were forgotten for it.
    passed_on: Vec<(Audience, Notification)>,
}

impl Ended {
    /// What others hear of it.
    fn into_verdict(self) -> Verdict {
        Verdict { news: Some(self.departed), more: self.passed_on, ..Verdict::default() }
    }
}
