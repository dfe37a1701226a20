//! The state itself, and what everything that works on it looks up.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chatroom_proto::{GroupName, NameKey, Seq, UnixMillis};

use super::confusable_index::ConfusableIndex;
use super::device::{Device, EvictionClass, Presence};
use super::group::Group;
use super::lives::LogLives;
use super::past_memberships::PastMemberships;
use super::server_admin::ServerAdmin;
use crate::chat::effect::Audience;
use crate::chat::entry::{DeviceId, GroupId, PersonId, TokenDigest};
use crate::chat::limits::Limits;

/// Everybody and every group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatState {
    pub(super) limits: Limits,
    /// The newest entry that was applied.
    pub(super) head: Seq,
    /// When that was.
    pub(super) at: UnixMillis,
    /// When servers began.
    pub(super) lives: LogLives,
    /// What others have put an end to.
    pub(super) past_memberships: PastMemberships,
    /// Every device of everybody who is here or remembered, by its first arrival.
    pub(super) devices: BTreeMap<DeviceId, Box<Device>>,
    /// Who is here, by their latest arrival; with several devices, by that of the first of these.
    pub(super) here: BTreeMap<Seq, PersonId>,
    /// Who has a name; when nobody has it, who had it last.
    pub(super) names: HashMap<NameKey, PersonId>,
    /// By creation.
    pub(super) groups: BTreeMap<GroupId, Group>,
    pub(super) group_names: HashMap<NameKey, GroupId>,
    /// Those who are here or registered.
    pub(super) confusable_names: ConfusableIndex<PersonId>,
    pub(super) confusable_groups: ConfusableIndex<GroupId>,
    /// Whose each group is.
    pub(super) owned: BTreeSet<(PersonId, GroupId)>,
    /// How much is kept of moderation, in all groups.
    pub(super) items: usize,
    /// Who runs the server.
    pub(super) server_admin: ServerAdmin,
    /// The devices that are held without a connection, the longest first, by the entry since
    /// which each is. Times of day would put them in another order when a clock jumps.
    pub(super) detached: BTreeSet<(Seq, DeviceId)>,
    /// How many of these there may be: the limit, or as many as a restart has left behind.
    pub(super) held_max: usize,
    /// The devices that are remembered, by the token that brings each back.
    pub(super) away: HashMap<TokenDigest, DeviceId>,
    /// The same without those of an account, the first to be forgotten first: those who have left
    /// nothing behind, and then by their departure.
    pub(super) eviction_order: BTreeSet<(EvictionClass, Seq, DeviceId)>,
    /// How many names are registered.
    pub(super) accounts: usize,
}

impl ChatState {
    /// A state with nobody in it and the group General.
    pub fn new(limits: Limits) -> ChatState {
        let general = GroupName::general();
        let mut state = ChatState {
            limits,
            head: Seq::ZERO,
            at: UnixMillis::default(),
            lives: LogLives::default(),
            past_memberships: PastMemberships::default(),
            devices: BTreeMap::new(),
            here: BTreeMap::new(),
            names: HashMap::new(),
            group_names: HashMap::from([(general.key(), GroupId::GENERAL)]),
            groups: BTreeMap::from([(GroupId::GENERAL, Group::new(general, None))]),
            owned: BTreeSet::new(),
            items: 0,
            server_admin: ServerAdmin::default(),
            detached: BTreeSet::new(),
            held_max: limits.held_max as usize,
            away: HashMap::new(),
            eviction_order: BTreeSet::new(),
            confusable_names: ConfusableIndex::new(),
            confusable_groups: ConfusableIndex::new(),
            accounts: 0,
        };
        state.index_group_name(GroupId::GENERAL);
        state
    }

    /// The newest entry that was applied.
    pub fn head(&self) -> Seq {
        self.head
    }

    /// When servers began.
    pub(in crate::chat) fn lives(&self) -> &LogLives {
        &self.lives
    }

    /// What holds now.
    pub(in crate::chat) fn limits(&self) -> Limits {
        self.limits
    }

    /// The groups' names, in the order of creation.
    pub fn group_names(&self) -> impl Iterator<Item = &GroupName> {
        self.groups.values().map(|group| &group.name)
    }

    /// The members of a group that have a connection, in no order.
    pub fn present(&self, group: GroupId) -> &[DeviceId] {
        self.groups.get(&group).map_or(&[], Group::present)
    }

    /// Whether the owner of a device is a member.
    pub fn is_in(&self, device: DeviceId, group: GroupId) -> bool {
        self.profile_of(device).is_some_and(|profile| profile.is_in(group))
    }

    /// Whether somebody is a member.
    pub(super) fn is_member(&self, person: PersonId, group: GroupId) -> bool {
        self.profile(person).is_some_and(|profile| profile.is_in(group))
    }

    /// Whose device this is. A device that is not known any more was its owner's only one.
    pub fn person(&self, device: DeviceId) -> PersonId {
        self.devices.get(&device).map_or(PersonId(device.0), |device| device.person)
    }

    /// Whether there are other devices of the same person.
    pub fn has_others(&self, device: DeviceId) -> bool {
        self.profile_of(device).is_some_and(has_several)
    }

    /// Whether somebody has more than one device.
    pub(super) fn has_several_devices(&self, person: PersonId) -> bool {
        self.profile(person).is_some_and(has_several)
    }

    /// One device.
    pub(in crate::chat) fn device(&self, id: DeviceId) -> Option<&Device> {
        self.devices.get(&id).map(Box::as_ref)
    }

    /// What all devices of a person have in common: it stands with the first.
    pub(super) fn profile(&self, person: PersonId) -> Option<&Device> {
        self.device(person.first_device())
    }

    /// The same, to change it.
    pub(super) fn profile_mut(&mut self, person: PersonId) -> Option<&mut Device> {
        self.devices.get_mut(&person.first_device()).map(Box::as_mut)
    }

    /// The profile of a device's owner.
    pub(super) fn profile_of(&self, device: DeviceId) -> Option<&Device> {
        let found = self.device(device)?;
        // Mostly it is the only one.
        if found.person.came_first_with(device) { Some(found) } else { self.profile(found.person) }
    }

    /// All devices of a person, the first one first.
    pub(super) fn devices_of(&self, person: PersonId) -> impl Iterator<Item = DeviceId> + '_ {
        let account = self.profile(person).and_then(|profile| profile.account.as_ref());
        std::iter::once(person.first_device())
            .chain(account.into_iter().flat_map(|account| account.devices.iter().copied()))
    }

    /// The devices of a person that have a connection.
    pub(super) fn attached(&self, person: PersonId) -> Vec<DeviceId> {
        let is_attached = |device: &DeviceId| {
            let device = self.devices.get(device);
            device.is_some_and(|device| matches!(device.presence, Presence::Attached(_)))
        };
        self.devices_of(person).filter(is_attached).collect()
    }

    /// Whether somebody is here, with whatever device.
    pub(super) fn is_here(&self, person: PersonId) -> bool {
        self.devices_of(person).any(|device| self.is_device_here(device))
    }

    /// Whether a device is here: connected, or held for its connection to come back.
    pub(super) fn is_device_here(&self, id: DeviceId) -> bool {
        self.devices.get(&id).is_some_and(|device| device.is_here())
    }

    /// The devices that are meant, as long as no other entry has been applied.
    pub fn hearers<'a>(&'a self, audience: &'a Audience) -> impl Iterator<Item = DeviceId> + 'a {
        let (present, and, except) = match audience {
            Audience::Nobody => (&[][..], &[][..], None),
            Audience::One(device) => (std::slice::from_ref(device), &[][..], None),
            Audience::Some(devices) => (devices.as_slice(), &[][..], None),
            Audience::Group { group, except, and, .. } => {
                (self.present(*group), and.as_slice(), Some(except))
            }
        };
        present.iter().chain(and).filter(move |&device| Some(device) != except).copied()
    }
}

fn has_several(profile: &Device) -> bool {
    profile.account.as_ref().is_some_and(|account| !account.devices.is_empty())
}
