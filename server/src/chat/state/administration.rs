//! What the operators of the server do.

use chatroom_proto::{
    BanTarget, ClientInfo, CloseReason, GroupName, Notification, Operation, Page, PeerAddr,
    Refusal, Response, Seq, ServerBan, Tag, UnixMillis, UserName,
};

use super::applied::{Applied, is_forgettable};
use super::chat_state::ChatState;
use super::device::{Device, Presence};
use super::queries::from;
use super::server_admin::{OPERATORS_MAX, SERVER_BANS_MAX};
use crate::chat::command_class::{DedupKind, ends_stays};
use crate::chat::effect::Audience;
use crate::chat::entry::{Address, DeviceId, GroupId, PersonId, Stamp, TokenDigest};

/// What a page of clients or bans may take, in bytes: it fits into a frame with the longest names.
const PAGE_BYTES_MAX: usize = 48 * 1024;

/// What an item of such a page takes besides its texts, in bytes; not less.
const ITEM_BYTES: usize = 96;

impl ChatState {
    /// Whether anybody runs the server.
    pub fn has_operators(&self) -> bool {
        !self.server_admin.operators.is_empty()
    }

    /// Whether somebody is an operator of the server.
    pub(super) fn is_operator(&self, person: PersonId) -> bool {
        self.server_admin.operators.contains_key(&person)
    }

    /// Who knows the code becomes an operator, as long as there is none.
    pub(super) fn offer(&mut self, digest: TokenDigest) {
        if !self.has_operators() {
            self.server_admin.offer = Some(digest);
        }
    }

    /// Whether somebody who presents this becomes an operator.
    pub(super) fn may_claim(&self, by: DeviceId, digest: TokenDigest) -> Result<(), Refusal> {
        if self.is_operator(self.person(by)) {
            return Err(Refusal::NoDifference);
        }
        if self.server_admin.offer != Some(digest) {
            return Err(Refusal::WrongCode);
        }
        self.may_be_operator(self.person(by))
    }

    /// Only for a name of one's own: under any other, somebody else could come.
    fn may_be_operator(&self, person: PersonId) -> Result<(), Refusal> {
        match self.profile(person) {
            Some(profile) if profile.account.is_some() => Ok(()),
            _ => Err(Refusal::RegisterFirst),
        }
    }

    pub(super) fn claim(
        &mut self,
        stamp: Stamp,
        tag: Option<Tag>,
        by: DeviceId,
        digest: TokenDigest,
    ) -> Result<Applied, Refusal> {
        self.may_claim(by, digest).inspect_err(|refusal| self.note_operation(by, tag, refusal))?;
        self.server_admin.operators.insert(self.person(by), stamp.at);
        self.server_admin.offer = None;
        self.note(by, tag, DedupKind::Operate, GroupId::GENERAL, Some(stamp.seq));
        Ok(Applied::answer(Response::Operated { seq: stamp.seq }, None))
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
        // A log may have bans of names that nobody had: those hold. A new one is refused before it
        // comes here, see [`ChatState::breaks_new_rule`].
        let (named, must_exist) = match act {
            Operation::Appoint { user }
            | Operation::Dismiss { user }
            | Operation::Disconnect { user, .. } => (Some(user), true),
            Operation::Ban { whom: BanTarget::User(user), .. } => (Some(user), false),
            Operation::Ban { whom: BanTarget::Host(_) | BanTarget::Network(_), .. }
            | Operation::Unban { .. } => (None, false),
        };
        let target = named.and_then(|name| self.named(name));
        if let Some(name) = named.filter(|_| must_exist && target.is_none()) {
            return Err(Refusal::NoSuchUser { name: name.clone() });
        }
        if let Some(target) = target.filter(|_| ends_stays(act)) {
            if target == me {
                return Err(Refusal::NotOneself);
            }
            if let Some(profile) = self.profile(target).filter(|_| self.is_operator(target)) {
                return Err(Refusal::IsOperator { user: profile.name.clone() });
            }
        }
        self.operation_makes_a_difference(act, target, at)
    }

    /// Whether that is not so already, and there is room for it.
    fn operation_makes_a_difference(
        &self,
        act: &Operation,
        target: Option<PersonId>,
        at: UnixMillis,
    ) -> Result<(), Refusal> {
        let differs = |differs| if differs { Ok(()) } else { Err(Refusal::NoDifference) };
        let has_room = |has_room, max: usize| {
            let limit = u32::try_from(max).unwrap_or(u32::MAX);
            if has_room { Ok(()) } else { Err(Refusal::TooManyMarks { limit }) }
        };
        let is_operator = target.is_some_and(|target| self.is_operator(target));
        let bans = &self.server_admin.bans;
        match act {
            Operation::Appoint { .. } => {
                differs(!is_operator)?;
                has_room(self.server_admin.operators.len() < OPERATORS_MAX, OPERATORS_MAX)?;
                target.map_or(Ok(()), |target| self.may_be_operator(target))
            }
            Operation::Dismiss { .. } => differs(is_operator),
            Operation::Disconnect { .. } => {
                differs(target.is_some_and(|target| self.is_here(target)))
            }
            Operation::Ban { whom, .. } => {
                has_room(bans.of(whom, at).is_some() || !bans.are_full(at), SERVER_BANS_MAX)
            }
            Operation::Unban { whom } => differs(bans.of(whom, at).is_some()),
        }
    }

    /// An operator of the server does something.
    pub(super) fn operate(
        &mut self,
        stamp: Stamp,
        tag: Option<Tag>,
        by: DeviceId,
        act: &Operation,
    ) -> Result<Applied, Refusal> {
        let Some(me) = self.devices.get(&by) else {
            return Ok(Applied::default());
        };
        let me = me.name.clone();
        let Stamp { seq, at } = stamp;
        self.may_operate(by, act, at)
            .inspect_err(|refusal| self.note_operation(by, tag, refusal))?;
        let told = self.concerned(act);
        match act {
            Operation::Appoint { user } => {
                self.server_admin.operators.extend(self.named(user).map(|person| (person, at)));
                // Whoever has the code now need not be trusted.
                self.server_admin.offer = None;
            }
            Operation::Dismiss { user } => {
                if let Some(person) = self.named(user) {
                    self.server_admin.operators.remove(&person);
                }
            }
            Operation::Disconnect { .. } => {}
            Operation::Ban { whom, seconds, reason } => {
                let until = seconds.map(|seconds| {
                    UnixMillis(at.0.saturating_add(u64::from(seconds.get()) * 1_000))
                });
                let (whom, reason) = (whom.clone(), reason.clone());
                self.server_admin.bans.set(ServerBan {
                    seq,
                    at,
                    by: me.clone(),
                    whom,
                    until,
                    reason,
                });
            }
            Operation::Unban { whom } => self.server_admin.bans.lift(whom),
        }
        self.note(by, tag, DedupKind::Operate, GroupId::GENERAL, Some(seq));
        let news = Notification::Operated { seq, at, by: me, act: act.clone() };
        let more = told.iter().map(|device| (Audience::One(*device), news.clone())).collect();
        let mut applied = Applied { more, ..Applied::answer(Response::Operated { seq }, None) };
        if ends_stays(act) {
            for device in told {
                self.put_out(stamp, device, &mut applied);
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
            Operation::Ban {
                whom: whom @ (BanTarget::Host(_) | BanTarget::Network(_)), ..
            } => {
                let is_from = |device: &Device| whom.covers(device.address.ip());
                let people = self.here.values().filter(|person| !self.is_operator(**person));
                let devices = people.flat_map(|person| self.devices_of(*person));
                let is_there = |id: &DeviceId| {
                    self.is_device_here(*id) && self.devices.get(id).is_some_and(|at| is_from(at))
                };
                return devices.filter(is_there).collect();
            }
            Operation::Unban { .. } => return Vec::new(),
        };
        let devices = self.named(user).into_iter().flat_map(|person| self.devices_of(person));
        devices.filter(|id| self.is_device_here(*id)).collect()
    }

    /// Takes the connection from somebody whose stay is to end: with an entry of its own, as every
    /// end.
    fn put_out(&mut self, stamp: Stamp, id: DeviceId, applied: &mut Applied) {
        applied.ends.push(id);
        if let Some(Presence::Attached(place)) = self.devices.get(&id).map(|device| device.presence)
        {
            self.lose_connection(stamp.seq, id);
            applied.put_out.push((place, CloseReason::Disconnected));
        }
    }

    /// Whether somebody may come to the server at all. Its operators always may.
    pub(super) fn may_come(
        &self,
        known: Option<PersonId>,
        name: &UserName,
        address: Address,
        at: UnixMillis,
    ) -> Result<(), Refusal> {
        match self.server_admin.bans.holds_for(name, address, at) {
            Some(ban) if !known.is_some_and(|person| self.is_operator(person)) => {
                Err(Refusal::ServerBanned { until: ban.until })
            }
            _ => Ok(()),
        }
    }

    /// Whether whoever knows this name's password may come from there: it need not be found out for
    /// one who may not.
    pub(in crate::chat) fn may_try_password(
        &self,
        name: &UserName,
        address: Address,
        at: UnixMillis,
    ) -> Result<(), Refusal> {
        self.may_come(self.named(name), name, address, at)
    }

    /// A page of those who are here, for an operator.
    pub(in crate::chat) fn client_infos(
        &self,
        by: DeviceId,
        after: Seq,
    ) -> Result<Response, Refusal> {
        if !self.is_operator(self.person(by)) {
            return Err(Refusal::NotOperator);
        }
        let rest = self.here.range((from(after, |seq| seq), std::ops::Bound::Unbounded));
        let all = rest.flat_map(|(arrived, person)| {
            self.client_infos_of(*person).into_iter().map(|client_info| (*arrived, client_info))
        });
        let (clients, next) = filled(all, bytes_of);
        Ok(Response::Clients { clients, next })
    }

    /// The devices of somebody that are here. They fit a page together: where the groups of each
    /// would be too much, they stand with the first.
    fn client_infos_of(&self, person: PersonId) -> Vec<ClientInfo> {
        let Some(profile) = self.profile(person) else { return Vec::new() };
        let groups: Vec<_> = self.groups_of(profile).map(|(_, group)| group.name.clone()).collect();
        let devices = self.devices_of(person).filter_map(|id| self.devices.get(&id));
        let mut client_infos: Vec<_> = devices
            .filter(|device| device.is_here())
            .map(|device| client_info(device, &groups))
            .collect();
        let bytes: usize =
            client_infos.iter().map(|client_info| ITEM_BYTES + bytes_of(client_info)).sum();
        if bytes > PAGE_BYTES_MAX {
            client_infos
                .iter_mut()
                .skip(1)
                .for_each(|client_info| client_info.groups = Page::fill(std::iter::empty()));
        }
        client_infos
    }

    /// A page of the bans from the server, for an operator.
    pub(in crate::chat) fn server_bans(
        &self,
        by: DeviceId,
        after: Seq,
        at: UnixMillis,
    ) -> Result<Response, Refusal> {
        if !self.is_operator(self.person(by)) {
            return Err(Refusal::NotOperator);
        }
        let bans = self.server_admin.bans.in_order(at).into_iter().filter(|ban| ban.seq > after);
        let (bans, next) = filled(bans.map(|ban| (ban.seq, ban.clone())), |ban| {
            ban.by.as_str().len() + 2 * chatroom_proto::LINE_BYTES_MAX
        });
        Ok(Response::ServerBans { bans, next })
    }
}

fn client_info(device: &Device, groups: &[GroupName]) -> ClientInfo {
    ClientInfo {
        address: PeerAddr::parse(&device.address.to_string()).expect("an address is a line"),
        name: device.name.clone(),
        groups: Page::fill(groups.iter().cloned()),
        is_connected: matches!(device.presence, Presence::Attached(_)),
    }
}

/// What one takes on a page, in bytes; not less.
fn bytes_of(client_info: &ClientInfo) -> usize {
    let groups = client_info.groups.as_slice().iter().map(|group| group.as_str().len() + 8);
    client_info.name.as_str().len() + client_info.address.as_str().len() + groups.sum::<usize>()
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
