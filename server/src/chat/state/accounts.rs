//! Accounts: names that are somebody's own, and the devices that they come with.

use std::collections::BTreeSet;

use chatroom_proto::{CloseReason, Refusal, Response, Seq, Tag, UnixMillis, UserName};

use super::applied::{Applied, CommandOutcome};
use super::chat_state::ChatState;
use super::device::{Account, Device, Presence};
use crate::chat::entry::{Address, ConnAddr, DeviceId, PasswordHash, PersonId, Stamp, TokenDigest};

/// Accounts in all. One costs about a KiB, and is kept for ever: 100 MiB at the worst.
const ACCOUNTS_MAX: u32 = 100_000;

/// Devices of one account. When there is one more, the one that has been away for longest is
/// forgotten.
const DEVICES_MAX: u32 = 16;

impl ChatState {
    /// What a password for this name has to match, and the entry that set it.
    pub(in super::super) fn password(&self, name: &UserName) -> Option<(&PasswordHash, Seq)> {
        let account = self.profile(*self.names.get(&name.key())?)?.account.as_ref()?;
        Some((&account.password, account.since))
    }

    pub(super) fn may_register(&self, profile: &Device) -> Result<(), Refusal> {
        if profile.account.is_some() {
            Err(Refusal::AlreadyRegistered { name: profile.name.clone() })
        } else if self.accounts >= ACCOUNTS_MAX as usize {
            Err(Refusal::TooManyAccounts { limit: ACCOUNTS_MAX })
        } else {
            Ok(())
        }
    }

    /// What somebody who wants to register would be answered; nothing, when they may.
    pub(in super::super) fn may_be_registered(
        &self,
        by: DeviceId,
        tag: Tag,
    ) -> Option<Result<Response, Refusal>> {
        let again = self.registered(by, tag).map(Ok);
        again.or_else(|| self.may_register(self.profile_of(by)?).err().map(Err))
    }

    /// The first answer to a name's registration that comes again.
    pub(super) fn registered(&self, by: DeviceId, tag: Tag) -> Option<Response> {
        let account = self.profile_of(by)?.account.as_ref()?;
        (account.registered == Some((by, tag)))
            .then_some(Response::Registered { seq: account.since })
    }

    pub(super) fn register(
        &mut self,
        seq: Seq,
        tag: Option<Tag>,
        by: DeviceId,
        password: &PasswordHash,
    ) -> Result<Applied, Refusal> {
        let Some(profile) = self.profile_of(by) else {
            return Ok(Applied::default());
        };
        self.may_register(profile)?;
        let person = profile.person;
        let account = Account {
            password: password.clone(),
            since: seq,
            registered: tag.map(|tag| (by, tag)),
            devices: BTreeSet::new(),
        };
        if let Some(profile) = self.profile_mut(person) {
            profile.account = Some(Box::new(account));
            self.accounts += 1;
        }
        Ok(Applied::answer(Response::Registered { seq }, None))
    }

    /// Whose name it is, if the password that was right still holds.
    pub(super) fn may_log_in(
        &self,
        name: &UserName,
        password: Seq,
        address: Address,
        at: UnixMillis,
    ) -> Result<PersonId, Refusal> {
        let person = self.names.get(&name.key()).copied();
        let profile = person.and_then(|person| self.profile(person));
        let account = profile.and_then(|profile| Some((profile, profile.account.as_ref()?)));
        match account {
            None => Err(Refusal::NotRegistered { name: name.clone() }),
            Some((profile, account)) if account.since == password => {
                self.may_come(Some(profile.person), name, address, at).map(|()| profile.person)
            }
            Some((profile, _)) => Err(Refusal::WrongPassword { name: profile.name.clone() }),
        }
    }

    pub(super) fn log_in(
        &mut self,
        stamp: Stamp,
        place: ConnAddr,
        name: &UserName,
        (password, fresh): (Seq, TokenDigest),
        address: Address,
    ) -> Result<Applied, Refusal> {
        let person = self.may_log_in(name, password, address, stamp.at)?;
        self.make_room(person)?;
        let Some(profile) = self.profile_mut(person) else { return Ok(Applied::default()) };
        let name = profile.name.clone();
        if let Some(account) = &mut profile.account {
            account.devices.insert(DeviceId(stamp.seq));
        }
        Ok(self.begin_with(stamp, (person, name), fresh, (place, address)))
    }

    /// Room for one more device of an account.
    fn make_room(&mut self, person: PersonId) -> Result<(), Refusal> {
        if self.devices_of(person).count() < DEVICES_MAX as usize {
            return Ok(());
        }
        let away_since = |id: DeviceId| match self.devices.get(&id)?.presence {
            Presence::Away { by, .. } => Some((by, id)),
            Presence::Attached(_) | Presence::Detached { .. } => None,
        };
        // The first stays: it is the person.
        let longest = self.devices_of(person).skip(1).filter_map(away_since).min();
        let (_, longest) = longest.ok_or(Refusal::TooManyDevices { limit: DEVICES_MAX })?;
        self.drop_device(longest);
        Ok(())
    }

    pub(super) fn change_password(
        &mut self,
        seq: Seq,
        by: DeviceId,
        old: Seq,
        (new, fresh): (&PasswordHash, TokenDigest),
    ) -> Result<Applied, Refusal> {
        let Some(person) = self.may_use_password(by, old)? else { return Ok(Applied::default()) };
        let others: Vec<_> = self.devices_of(person).filter(|device| *device != by).collect();
        let cut_off = others.into_iter().filter_map(|device| self.drop_device(device)).collect();
        if let Some(device) = self.devices.get_mut(&by) {
            device.token = fresh;
        }
        if let Some(account) = self.profile_mut(person).and_then(|profile| profile.account.as_mut())
        {
            account.password = new.clone();
            account.since = seq;
            account.registered = None;
        }
        Ok(Applied {
            result: Some(Ok(CommandOutcome::PasswordChanged)),
            cut_off,
            ..Applied::default()
        })
    }

    pub(super) fn unregister(
        &mut self,
        seq: Seq,
        from: Option<ConnAddr>,
        by: DeviceId,
        password: Seq,
    ) -> Result<Applied, Refusal> {
        let Some(person) = self.may_use_password(by, password)? else {
            return Ok(Applied::default());
        };
        let others: Vec<_> = self.devices_of(person).filter(|device| *device != by).collect();
        let dropped: Vec<_> =
            others.into_iter().filter_map(|device| self.drop_device(device)).collect();
        let mut applied =
            self.end(seq, by).map_or_else(Applied::default, |ended| ended.said_over(from));
        applied.cut_off.extend(dropped);
        self.accounts -= 1;
        for device in BTreeSet::from([by, person.first_device()]) {
            applied.more.append(&mut self.forget(seq, device));
        }
        let result = Some(Ok(CommandOutcome::Farewell(Response::Unregistered { seq })));
        Ok(Applied { result, ..applied })
    }

    /// Whose account it is, for a device that has said the password which holds.
    fn may_use_password(&self, by: DeviceId, password: Seq) -> Result<Option<PersonId>, Refusal> {
        let Some(profile) = self.profile_of(by) else { return Ok(None) };
        let name = || profile.name.clone();
        match &profile.account {
            None => Err(Refusal::NotRegistered { name: name() }),
            Some(account) if account.since != password => {
                Err(Refusal::WrongPassword { name: name() })
            }
            Some(_) => Ok(Some(profile.person)),
        }
    }

    /// Takes a device from its owner, who goes on with others. The connection that it had.
    fn drop_device(&mut self, id: DeviceId) -> Option<(ConnAddr, Option<CloseReason>)> {
        self.unsubscribe(id);
        let device = self.devices.get_mut(&id)?;
        let before = device.presence;
        let token = std::mem::replace(&mut device.token, TokenDigest::NOBODYS);
        let is_first = device.person.came_first_with(id);
        if is_first && device.is_here() {
            let class = device.eviction_class();
            device.presence = Presence::Away { by: self.head, class };
            device.left = self.at;
            device.dedup.forget_requests();
        }
        match before {
            Presence::Attached(_) => {}
            Presence::Detached { by } => drop(self.detached.remove(&(by, id))),
            Presence::Away { by, class } => drop(self.eviction_order.remove(&(class, by, id))),
        }
        self.away.remove(&token);
        if !is_first {
            self.leave_posts(id);
            // With a device, no group passes on.
            self.forget(self.head, id);
        }
        match before {
            Presence::Attached(place) => Some((place, Some(CloseReason::PasswordChanged))),
            Presence::Detached { .. } | Presence::Away { .. } => None,
        }
    }

    /// What a device said stays known with its owner: its client may come with the password, as
    /// another device, and say again what it has no answer to.
    fn leave_posts(&mut self, id: DeviceId) {
        let Some(device) = self.devices.get_mut(&id) else { return };
        let (person, done) = (device.person, std::mem::take(&mut device.dedup));
        if let Some(profile) = self.profile_mut(person) {
            profile.dedup.take_over(done);
        }
    }
}
