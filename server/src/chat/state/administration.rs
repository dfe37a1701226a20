//! What the operators of the server do.

use chatroom_proto::{
    AddressPrefix, BanTarget, ClientInfo, CloseReason, GroupName, Notification, Operation, Page,
    PeerAddr, Refusal, Response, Seq, ServerBan, Tag, UnixMillis, UserName,
};

use super::queries::from;
use super::{Applied, ChatState, is_forgettable};
use crate::chat::effect::Audience;
use crate::chat::entry::{Address, DeviceId, GroupId, TokenDigest};
use crate::chat::state::device::{DedupKind, Device, Presence};
use crate::chat::state::server_admin::{OPERATORS_MAX, SERVER_BANS_MAX};

/// What a page of clients or bans may take, in bytes: it fits into a frame with the longest names.
const PAGE_BYTES_MAX: usize = 48 * 1024;

/// What an item of such a page takes besides its texts, in bytes; not less.
const ITEM_BYTES: usize = 96;

impl ChatState {
    /// Whether anybody runs the server.
    pub fn has_operators(&self) -> bool {
        !self.rule.operators.is_empty()
    }

    /// Whether somebody is an operator of the server.
    pub(super) fn is_operator(&self, person: DeviceId) -> bool {
        self.rule.operators.contains_key(&person)
    }

    /// Who knows the code becomes an operator, as long as there is none.
    pub(super) fn offer(&mut self, digest: TokenDigest) {
        if !self.has_operators() {
            self.rule.offer = Some(digest);
        }
    }

    /// Whether somebody who presents this becomes an operator.
    pub(super) fn may_claim(&self, by: DeviceId, digest: TokenDigest) -> Result<(), Refusal> {
        if self.is_operator(self.person(by)) {
            return Err(Refusal::NoDifference);
        }
        if self.rule.offer != Some(digest) {
            return Err(Refusal::WrongCode);
        }
        self.may_be_operator(self.person(by))
    }

    /// Only for a name of one's own: under any other, somebody else could come.
    fn may_be_operator(&self, person: DeviceId) -> Result<(), Refusal> {
        match self.sessions.get(&person) {
            Some(session) if session.account.is_some() => Ok(()),
            _ => Err(Refusal::RegisterFirst),
        }
    }

    pub(super) fn claim(
        &mut self,
        (seq, at): (Seq, UnixMillis),
        tag: Option<Tag>,
        by: DeviceId,
        digest: TokenDigest,
    ) -> Result<Applied, Refusal> {
        self.may_claim(by, digest).inspect_err(|refusal| self.note_operation(by, tag, refusal))?;
        self.rule.operators.insert(self.person(by), at);
        self.rule.offer = None;
        self.note(by, tag, DedupKind::Operate, GroupId::GENERAL, Some(seq));
        Ok(Applied::answer(Response::Operated { seq }, None))
    }

    fn note_operation(&mut self, by: DeviceId, tag: Option<Tag>, refusal: &Refusal) {
        if !is_forgettable(refusal) {
            self.note(by, tag, DedupKind::Operate, GroupId::GENERAL, None);
        }
    }

    /// Whether somebody may do this now.
    pub(super) fn may_operate(
        &self,
        by: DeviceId,
        act: &Operation,
        at: UnixMillis,
    ) -> Result<(), Refusal> {
        let me = self.person(by);
        if !self.is_operator(me) {
            return Err(Refusal::NotOperator);
        }
        let (named, ends) = match act {
            Operation::Appoint { user } | Operation::Dismiss { user } => (Some(user), false),
            Operation::Disconnect { user, .. } => (Some(user), true),
            Operation::Ban { whom: BanTarget::User(user), .. } => (Some(user), true),
            Operation::Ban { .. } | Operation::Unban { .. } => (None, false),
        };
        let target = named.and_then(|name| self.named(name));
        // A name can be banned that nobody has.
        if let Some(name) =
            named.filter(|_| target.is_none() && !matches!(act, Operation::Ban { .. }))
        {
            return Err(Refusal::NoSuchUser { name: name.clone() });
        }
        if let Some(target) = target.filter(|_| ends) {
            if target == me {
                return Err(Refusal::NotOneself);
            }
            if let Some(session) = self.sessions.get(&target).filter(|_| self.is_operator(target)) {
                return Err(Refusal::IsOperator { user: session.name.clone() });
            }
        }
        let is_operator = target.is_some_and(|target| self.is_operator(target));
        let (makes_no_difference, is_full, limit) = match act {
            Operation::Appoint { .. } => {
                (is_operator, self.rule.operators.len() >= OPERATORS_MAX, OPERATORS_MAX)
            }
            Operation::Dismiss { .. } => (!is_operator, false, 0),
            Operation::Disconnect { .. } => {
                (!target.is_some_and(|target| self.is_here(target)), false, 0)
            }
            Operation::Ban { whom, .. } => {
                let is_full = self.rule.bans.of(whom, at).is_none() && self.rule.bans.are_full(at);
                (false, is_full, SERVER_BANS_MAX)
            }
            Operation::Unban { whom } => (self.rule.bans.of(whom, at).is_none(), false, 0),
        };
        match (makes_no_difference, is_full) {
            (true, _) => Err(Refusal::NoDifference),
            (_, true) => {
                Err(Refusal::TooManyMarks { limit: u32::try_from(limit).unwrap_or(u32::MAX) })
            }
            (false, false) => match (act, target) {
                (Operation::Appoint { .. }, Some(target)) => self.may_be_operator(target),
                _ => Ok(()),
            },
        }
    }

    /// An operator of the server does something.
    pub(super) fn operate(
        &mut self,
        (seq, at): (Seq, UnixMillis),
        tag: Option<Tag>,
        by: DeviceId,
        act: &Operation,
    ) -> Result<Applied, Refusal> {
        let Some(me) = self.sessions.get(&by) else {
            return Ok(Applied::default());
        };
        let me = me.name.clone();
        self.may_operate(by, act, at)
            .inspect_err(|refusal| self.note_operation(by, tag, refusal))?;
        let told = self.concerned(act);
        match act {
            Operation::Appoint { user } => {
                self.rule.operators.extend(self.named(user).map(|person| (person, at)));
                // Whoever has the code now need not be trusted.
                self.rule.offer = None;
            }
            Operation::Dismiss { user } => {
                if let Some(person) = self.named(user) {
                    self.rule.operators.remove(&person);
                }
            }
            Operation::Disconnect { .. } => {}
            Operation::Ban { whom, seconds, reason } => {
                let until = seconds.map(|seconds| {
                    UnixMillis(at.0.saturating_add(u64::from(seconds.get()) * 1_000))
                });
                let (whom, reason) = (whom.clone(), reason.clone());
                self.rule.bans.set(ServerBan { seq, at, by: me.clone(), whom, until, reason });
            }
            Operation::Unban { whom } => self.rule.bans.lift(whom),
        }
        self.note(by, tag, DedupKind::Operate, GroupId::GENERAL, Some(seq));
        let news = Notification::Operated { seq, at, by: me, act: act.clone() };
        let more = told.iter().map(|session| (Audience::One(*session), news.clone())).collect();
        let mut applied = Applied { more, ..Applied::answer(Response::Operated { seq }, None) };
        if matches!(act, Operation::Disconnect { .. } | Operation::Ban { .. }) {
            for session in told {
                self.put_out((seq, at), session, &mut applied);
            }
        }
        Ok(applied)
    }

    /// Whom an operation concerns who is here.
    fn concerned(&self, act: &Operation) -> Vec<DeviceId> {
        let user = match act {
            Operation::Appoint { user }
            | Operation::Dismiss { user }
            | Operation::Disconnect { user, .. } => user,
            Operation::Ban { whom: BanTarget::User(user), .. } => user,
            Operation::Ban { whom: BanTarget::Host(host), .. } => {
                let is_from = |session: &Device| AddressPrefix::of(session.address.ip()) == *host;
                let people = self.here.values().filter(|person| !self.is_operator(**person));
                let devices = people.flat_map(|person| self.devices(*person));
                let is_there = |id: &DeviceId| {
                    self.is_device_here(*id) && self.sessions.get(id).is_some_and(|at| is_from(at))
                };
                return devices.filter(is_there).collect();
            }
            Operation::Unban { .. } => return Vec::new(),
        };
        let devices = self.named(user).into_iter().flat_map(|person| self.devices(person));
        devices.filter(|id| self.is_device_here(*id)).collect()
    }

    /// Takes the connection from somebody whose stay is to end: with an entry of its own, as every
    /// end.
    fn put_out(&mut self, (seq, at): (Seq, UnixMillis), id: DeviceId, applied: &mut Applied) {
        applied.ends.push(id);
        if let Some(Presence::Attached(place)) =
            self.sessions.get(&id).map(|session| session.presence)
        {
            self.lose_connection(seq, at, id);
            applied.put_out.push((place, CloseReason::Disconnected));
        }
    }

    /// Whether somebody may come to the server at all. Its operators always may.
    pub(super) fn may_come(
        &self,
        known: Option<DeviceId>,
        name: &UserName,
        address: Address,
        at: UnixMillis,
    ) -> Result<(), Refusal> {
        match self.rule.bans.holds_for(name, address, at) {
            Some(ban) if !known.is_some_and(|id| self.is_operator(self.person(id))) => {
                Err(Refusal::ServerBanned { until: ban.until })
            }
            _ => Ok(()),
        }
    }

    /// Whether whoever knows this name's password may come from there: it need not be found out for
    /// one who may not.
    pub(in super::super) fn may_try_password(
        &self,
        name: &UserName,
        address: Address,
        at: UnixMillis,
    ) -> Result<(), Refusal> {
        self.may_come(self.named(name), name, address, at)
    }

    /// A page of those who are here, for an operator.
    pub(in super::super) fn visitors(&self, by: DeviceId, after: Seq) -> Result<Response, Refusal> {
        if !self.is_operator(self.person(by)) {
            return Err(Refusal::NotOperator);
        }
        let rest = self.here.range((from(after, |seq| seq), std::ops::Bound::Unbounded));
        let all = rest.flat_map(|(arrived, person)| {
            self.visitors_of(*person).into_iter().map(|visitor| (*arrived, visitor))
        });
        let (clients, next) = filled(all, bytes_of);
        Ok(Response::Clients { clients, next })
    }

    /// The devices of somebody that are here. They fit a page together: where the groups of each
    /// would be too much, they stand with the first.
    fn visitors_of(&self, person: DeviceId) -> Vec<ClientInfo> {
        let Some(owner) = self.sessions.get(&person) else { return Vec::new() };
        let groups: Vec<_> = self.groups_of(owner).map(|(_, group)| group.name.clone()).collect();
        let devices = self.devices(person).filter_map(|id| self.sessions.get(&id));
        let mut visitors: Vec<_> = devices
            .filter(|device| device.is_here())
            .map(|device| visitor(device, &groups))
            .collect();
        let bytes: usize = visitors.iter().map(|visitor| ITEM_BYTES + bytes_of(visitor)).sum();
        if bytes > PAGE_BYTES_MAX {
            visitors
                .iter_mut()
                .skip(1)
                .for_each(|visitor| visitor.groups = Page::fill(std::iter::empty()));
        }
        visitors
    }

    /// A page of the bans from the server, for an operator.
    pub(in super::super) fn server_bans(
        &self,
        by: DeviceId,
        after: Seq,
        at: UnixMillis,
    ) -> Result<Response, Refusal> {
        if !self.is_operator(self.person(by)) {
            return Err(Refusal::NotOperator);
        }
        let bans = self.rule.bans.in_order(at).into_iter().filter(|ban| ban.seq > after);
        let (bans, next) = filled(bans.map(|ban| (ban.seq, ban.clone())), |ban| {
            ban.by.as_str().len() + 2 * chatroom_proto::LINE_BYTES_MAX
        });
        Ok(Response::ServerBans { bans, next })
    }
}

fn visitor(device: &Device, groups: &[GroupName]) -> ClientInfo {
    ClientInfo {
        address: PeerAddr::parse(&device.address.to_string()).expect("an address is a line"),
        name: device.name.clone(),
        groups: Page::fill(groups.iter().cloned()),
        is_connected: matches!(device.presence, Presence::Attached(_)),
    }
}

/// What one takes on a page, in bytes; not less.
fn bytes_of(visitor: &ClientInfo) -> usize {
    let groups = visitor.groups.as_slice().iter().map(|group| group.as_str().len() + 8);
    visitor.name.as_str().len() + visitor.address.as_str().len() + groups.sum::<usize>()
}

/// As many as fit a page, and where the next one begins. Those who have one place stay together:
/// what is no page with all of them ends before the first, unless there is nothing else on it.
fn filled<T>(
    items: impl Iterator<Item = (Seq, T)>,
    bytes: impl Fn(&T) -> usize,
) -> (Page<T>, Option<Seq>) {
    let (mut taken, mut size, mut last) = (Vec::new(), 0, Seq::ZERO);
    for (seq, item) in items {
        size += ITEM_BYTES + bytes(&item);
        if size > PAGE_BYTES_MAX || taken.len() == chatroom_proto::PAGE_ITEMS_MAX {
            if seq == last && taken.first().is_some_and(|(first, _)| *first != seq) {
                taken.retain(|(place, _)| *place != seq);
            }
            let next = taken.last().map(|(place, _)| *place);
            return (Page::fill(taken.into_iter().map(|(_, item)| item)), next);
        }
        last = seq;
        taken.push((seq, item));
    }
    (Page::fill(taken.into_iter().map(|(_, item)| item)), None)
}
