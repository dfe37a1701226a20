//! Who comes: strangers, those who go on over another connection, those who come back.

use chatroom_proto::{
    CloseReason, Moderation, ModerationRecord, Notification, Refusal, Seq, UnixMillis, UserName,
};

use super::applied::{Applied, CommandOutcome};
use super::chat_state::ChatState;
use super::device::{Device, MembershipSince, Presence};
use super::past_memberships::PastMembership;
use crate::chat::effect::{Audience, Passage};
use crate::chat::entry::{Address, ConnAddr, DeviceId, GroupId, PersonId, Stamp, TokenDigest};

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

    /// Whether somebody may come with this token of theirs, under this name.
    pub(in crate::chat) fn knows(&self, name: &UserName, token: TokenDigest) -> bool {
        matches!(self.recognize(name, Some(token)), Ok(Some(_)))
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
        let device = Device::new(stamp.seq, (person, name), token, (place, address));
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
        banned.into_iter().for_each(|group| self.expel_banned(person, group));
        kept.into_iter().for_each(|group| self.clear_restrictions(person, group));
        if enters_general {
            self.clear_restrictions(person, GroupId::GENERAL);
        }
        let profile = self.devices.get_mut(&person.first_device())?;
        if enters_general {
            profile.regroup(|groups| {
                groups.insert(0, MembershipSince { group: GroupId::GENERAL, since: seq });
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

    /// Puts out somebody who is back, and whose name was banned while another had it. They hear
    /// what was said until then, and why they are out, if the group still knows.
    fn expel_banned(&mut self, person: PersonId, group: GroupId) {
        if let Some(past) = self.banned_while_away(person, group) {
            self.past_memberships.note(person, past);
        }
        self.expel(person, group);
    }

    fn banned_while_away(&self, person: PersonId, id: GroupId) -> Option<PastMembership> {
        let profile = self.profile(person)?;
        let (since, group) = (profile.member_since(id)?, self.groups.get(&id)?);
        let is_of_name = |record: &&ModerationRecord| {
            record.act.user().is_some_and(|user| user.key() == profile.name.key())
        };
        let newest_first = group.moderation.as_ref()?.acts().filter(is_of_name);
        let since_it_is_banned = newest_first.take_while(|record| {
            record.seq > since && !matches!(record.act, Moderation::Unban { .. })
        });
        // The ban may have been renewed.
        let mut bans =
            since_it_is_banned.filter(|record| matches!(record.act, Moderation::Ban { .. }));
        let newest = bans.next()?;
        let ban = bans.last().unwrap_or(newest);
        let news = Notification::Moderated {
            seq: ban.seq,
            at: ban.at,
            by: ban.by.clone(),
            group: group.name.clone(),
            act: ban.act.clone(),
        };
        Some(PastMembership { group: id, since, until: ban.seq, by: None, news })
    }

    /// Somebody goes on over another connection; nobody is told.
    fn resume(&mut self, seq: Seq, id: DeviceId, place: ConnAddr, address: Address) -> Applied {
        let Some(device) = self.devices.get_mut(&id) else { return Applied::default() };
        let before = std::mem::replace(&mut device.presence, Presence::Attached(place));
        device.address = address;
        let (lost, cut_off) = match before {
            Presence::Attached(other) => (seq, vec![(other, Some(CloseReason::Replaced))]),
            Presence::Detached { by } => {
                self.detached.remove(&(by, id));
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
}
