//! The snapshot of a state: what has to be kept of it, from which the rest follows.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chatroom_proto::{Seq, UnixMillis};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::chat_state::ChatState;
use super::device::{Device, Presence};
use super::group::Group;
use super::lives::LogLives;
use super::past_memberships::PastMemberships;
use super::server_admin::ServerAdmin;
use crate::chat::entry::{DeviceId, GroupId, PersonId, TokenDigest};
use crate::chat::limits::Limits;

/// The number of the layout of snapshots. Whoever changes what the bytes of one are raises it. The
/// schema numbers of the log and of the archive follow: an archive of another layout is made again,
/// and a log that has a snapshot of another layout in it is refused.
pub const SNAPSHOT_LAYOUT: i64 = 5;

/// What is kept. The names that nobody has now are kept by who had them last.
#[derive(Serialize, Deserialize)]
struct Snapshot<'a> {
    limits: Limits,
    head: Seq,
    at: UnixMillis,
    held_max: u64,
    devices: Cow<'a, BTreeMap<DeviceId, Box<Device>>>,
    /// Whom each name means. Which name it is stands with the person.
    named: Vec<PersonId>,
    groups: Cow<'a, BTreeMap<GroupId, Group>>,
    server_admin: Cow<'a, ServerAdmin>,
    lives: Cow<'a, LogLives>,
    past_memberships: Cow<'a, PastMemberships>,
}

impl Serialize for ChatState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut named: Vec<PersonId> = self.names.values().copied().collect();
        named.sort_unstable();
        let snapshot = Snapshot {
            limits: self.limits,
            head: self.head,
            at: self.at,
            held_max: self.held_max as u64,
            devices: Cow::Borrowed(&self.devices),
            named,
            groups: Cow::Borrowed(&self.groups),
            server_admin: Cow::Borrowed(&self.server_admin),
            lives: Cow::Borrowed(&self.lives),
            past_memberships: Cow::Borrowed(&self.past_memberships),
        };
        snapshot.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ChatState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ChatState, D::Error> {
        let Snapshot {
            limits,
            head,
            at,
            held_max,
            devices,
            named,
            groups,
            server_admin,
            lives,
            past_memberships,
        } = Snapshot::deserialize(deserializer)?;
        let mut state = ChatState {
            head,
            at,
            held_max: usize::try_from(held_max).unwrap_or(usize::MAX),
            devices: devices.into_owned(),
            groups: groups.into_owned(),
            server_admin: server_admin.into_owned(),
            lives: lives.into_owned(),
            past_memberships: past_memberships.into_owned(),
            ..ChatState::new(limits)
        };
        let owners = state.groups.iter().filter_map(|(id, group)| Some((group.owner?, *id)));
        state.owned = owners.collect();
        state.items = state
            .groups
            .values()
            .filter_map(|group| group.moderation.as_ref())
            .map(|moderation| moderation.items())
            .sum();
        state.group_names =
            state.groups.iter().map(|(id, group)| (group.name.key(), *id)).collect();
        for person in named {
            if let Some(profile) = state.devices.get(&person.first_device()) {
                state.names.insert(profile.name.key(), person);
            }
        }
        let groups: Vec<_> = state.groups.keys().copied().collect();
        groups.into_iter().for_each(|group| state.index_group_name(group));
        state.accounts = state.devices.values().filter(|device| device.account.is_some()).count();
        for device in state.devices.values() {
            for membership in &device.groups {
                if let Some(group) = state.groups.get_mut(&membership.group) {
                    group.members += 1;
                }
            }
        }
        let devices: Vec<_> =
            state.devices.iter().map(|(id, device)| (*id, device.presence)).collect();
        for (id, presence) in devices {
            state.index_device(id, presence);
        }
        Ok(state)
    }
}

impl ChatState {
    /// Puts a device where it belongs.
    fn index_device(&mut self, id: DeviceId, presence: Presence) {
        let person = self.person(id);
        let Some((token, has_account)) =
            self.devices.get(&id).map(|device| (device.token, device.account.is_some()))
        else {
            return;
        };
        let is_registered = self.profile_of(id).is_some_and(|profile| profile.account.is_some());
        if has_account {
            self.index_name(person);
        }
        if !matches!(presence, Presence::Away { .. })
            && let Some(profile) = self.devices.get(&person.first_device())
        {
            self.here.insert(profile.arrived, person);
            self.index_name(person);
        }
        match presence {
            Presence::Attached(_) => self.subscribe(id),
            Presence::Detached { by } => drop(self.detached.insert((by, id))),
            Presence::Away { by, class } => {
                if token != TokenDigest::NOBODYS {
                    self.away.insert(token, id);
                }
                if !is_registered {
                    self.eviction_order.insert((class, by, id));
                }
            }
        }
    }
}
