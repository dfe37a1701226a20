//! The image of a state: what has to be kept of it, from which the rest follows.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chatroom_proto::Seq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ChatState;
use crate::chat::entry::{DeviceId, GroupId, TokenDigest};
use crate::chat::limits::Limits;
use crate::chat::state::device::{Device, Presence};
use crate::chat::state::group::Group;
use crate::chat::state::server_admin::ServerAdmin;

/// What is kept. The names that nobody has now are kept by who had them last.
#[derive(Serialize, Deserialize)]
struct Snapshot<'a> {
    limits: Limits,
    head: Seq,
    held_max: u64,
    sessions: Cow<'a, BTreeMap<DeviceId, Box<Device>>>,
    /// Whom each name means, as the session's identity.
    named: Vec<DeviceId>,
    groups: Cow<'a, BTreeMap<GroupId, Group>>,
    rule: Cow<'a, ServerAdmin>,
}

impl Serialize for ChatState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut named: Vec<DeviceId> = self.names.values().copied().collect();
        named.sort_unstable();
        let image = Snapshot {
            limits: self.limits,
            head: self.head,
            held_max: self.held_max as u64,
            sessions: Cow::Borrowed(&self.sessions),
            named,
            groups: Cow::Borrowed(&self.groups),
            rule: Cow::Borrowed(&self.rule),
        };
        image.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ChatState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ChatState, D::Error> {
        let Snapshot { limits, head, held_max, sessions, named, groups, rule } =
            Snapshot::deserialize(deserializer)?;
        let mut state = ChatState {
            head,
            held_max: usize::try_from(held_max).unwrap_or(usize::MAX),
            sessions: sessions.into_owned(),
            groups: groups.into_owned(),
            rule: rule.into_owned(),
            ..ChatState::new(limits)
        };
        let owners = state.groups.iter().filter_map(|(id, group)| Some((group.owner?, *id)));
        state.owned = owners.collect();
        state.items = state
            .groups
            .values()
            .filter_map(|group| group.order.as_ref())
            .map(|order| order.items())
            .sum();
        state.group_names =
            state.groups.iter().map(|(id, group)| (group.name.key(), *id)).collect();
        for id in named {
            if let Some(session) = state.sessions.get(&id) {
                state.names.insert(session.name.key(), id);
            }
        }
        let groups: Vec<_> = state.groups.keys().copied().collect();
        groups.into_iter().for_each(|group| state.show_group(group));
        state.accounts =
            state.sessions.values().filter(|session| session.account.is_some()).count();
        for session in state.sessions.values() {
            for stake in &session.groups {
                if let Some(group) = state.groups.get_mut(&stake.group) {
                    group.members += 1;
                }
            }
        }
        let devices: Vec<_> =
            state.sessions.iter().map(|(id, session)| (*id, session.presence)).collect();
        for (id, presence) in devices {
            state.conn(id, presence);
        }
        Ok(state)
    }
}

impl ChatState {
    /// Puts a device where it belongs.
    fn conn(&mut self, id: DeviceId, presence: Presence) {
        let person = self.person(id);
        let Some((token, has_account)) =
            self.sessions.get(&id).map(|session| (session.token, session.account.is_some()))
        else {
            return;
        };
        let is_registered = self.who(id).is_some_and(|person| person.account.is_some());
        if has_account {
            self.insert(id);
        }
        if !matches!(presence, Presence::Away { .. })
            && let Some(person_session) = self.sessions.get(&person)
        {
            self.here.insert(person_session.arrived, person);
            self.insert(person);
        }
        match presence {
            Presence::Attached(_) => self.subscribe(id),
            Presence::Detached { at, .. } => drop(self.detached.insert((at, id))),
            Presence::Away { by, worth } => {
                if token != TokenDigest::NOBODYS {
                    self.away.insert(token, id);
                }
                if !is_registered {
                    self.eviction_order.insert((worth, by, id));
                }
            }
        }
    }
}
