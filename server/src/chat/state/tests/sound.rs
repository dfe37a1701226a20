//! What holds in every state, beside that its indexes follow from the rest: its snapshot says that.

use std::collections::BTreeSet;

use super::super::chat_state::ChatState;
use super::super::device::{Device, Presence};
use super::super::moderation_state::{ACTS_MAX, OPS_MAX, RESTRICTIONS_MAX};
use super::super::server_admin::{OPERATORS_MAX, SERVER_BANS_MAX};
use crate::chat::entry::{DeviceId, PersonId};

/// Devices of one account, at the most.
const DEVICES_MAX: usize = 16;

/// Looks at everything. `before` is the state one entry earlier: what it had too much of, since the
/// limits were larger once, it may still have. So many stays are about to end, and may be held
/// until then.
pub(super) fn look_at(
    state: &ChatState,
    before: &ChatState,
    ends_pending: usize,
) -> Result<(), String> {
    for (id, device) in &state.devices {
        look_at_device(state, *id, device).map_err(|why| format!("{id:?} {why}"))?;
    }
    look_at_names(state)?;
    look_at_groups(state, before)?;
    let server_admin = &state.server_admin;
    let is_person =
        |id: &PersonId| state.profile(*id).is_some_and(|profile| profile.account.is_some());
    holds(
        server_admin.operators.keys().all(is_person),
        "an operator is nobody, or not registered",
    )?;
    holds(
        server_admin.operators.is_empty() || server_admin.offer.is_none(),
        "a code is good, and there is an operator",
    )?;
    holds(server_admin.operators.len() <= OPERATORS_MAX, "there are too many operators")?;
    holds(
        server_admin.bans.in_order(chatroom_proto::UnixMillis(0)).len() <= SERVER_BANS_MAX,
        "there are too many bans",
    )?;
    let held_max = (state.held_max + ends_pending).max(before.detached.len());
    holds(state.detached.len() <= held_max, "too many are held")?;
    let remembered_max = (state.limits.remembered_max as usize).max(before.eviction_order.len());
    holds(state.eviction_order.len() <= remembered_max, "too many are remembered")
}

fn look_at_device(state: &ChatState, id: DeviceId, device: &Device) -> Result<(), String> {
    let person = device.person;
    let profile = state.profile(person).ok_or("is nobody's")?;
    holds(profile.person == person, "is the device of a device")?;
    if !person.came_first_with(id) {
        let account =
            profile.account.as_ref().ok_or("is a second device, and there is no account")?;
        holds(account.devices.contains(&id), "is not known to its owner")?;
        holds(device.groups.is_empty() && device.account.is_none(), "has what only a person has")?;
        holds(device.private.peers().next().is_none(), "has conversations of its own")?;
        return holds(profile.name == device.name, "has another name than its owner");
    }
    if let Some(account) = &device.account {
        let is_mine = |device: &DeviceId| {
            *device != id && state.person(*device) == person && state.devices.contains_key(device)
        };
        holds(account.devices.iter().all(is_mine), "has a device that is another one's")?;
        holds(account.devices.len() < DEVICES_MAX, "has too many devices")?;
    }
    let groups: BTreeSet<_> = device.groups.iter().map(|membership| membership.group).collect();
    holds(groups.len() == device.groups.len(), "is in a group twice")?;
    holds(
        groups.iter().all(|group| state.groups.contains_key(group)),
        "is in a group that is not there",
    )?;
    let knows = |peer: PersonId| {
        state.profile(peer).is_some_and(|peer| peer.private.with(person).is_some())
    };
    holds(device.private.peers().all(knows), "talks with somebody who does not know")
}

fn look_at_names(state: &ChatState) -> Result<(), String> {
    for (key, person) in &state.names {
        let profile = state.profile(*person).ok_or("a name is nobody's")?;
        holds(profile.person == *person && profile.name.key() == *key, "a name is another one's")?;
    }
    for (id, profile) in &state.devices {
        let person = profile.person;
        if !person.came_first_with(*id) {
            continue;
        }
        let needs_name = profile.account.is_some() || state.is_here(person);
        let has_name = state.names.get(&profile.name.key()) == Some(&person);
        holds(has_name || !needs_name, "somebody who is here or registered has no name")?;
        let is_listed = state.here.get(&profile.arrived) == Some(&person);
        holds(
            is_listed == state.is_here(person),
            "who is here is not listed, or who is listed not here",
        )?;
    }
    Ok(())
}

fn look_at_groups(state: &ChatState, before: &ChatState) -> Result<(), String> {
    let groups_max = (state.limits.groups_max as usize).max(before.groups.len());
    holds(state.groups.len() <= groups_max, "there are too many groups")?;
    for (id, group) in &state.groups {
        let present: BTreeSet<_> = group.present().iter().copied().collect();
        holds(present.len() == group.present().len(), "somebody is present twice")?;
        let attached = state
            .devices
            .iter()
            .filter(|(_, device)| matches!(device.presence, Presence::Attached(_)));
        let members: BTreeSet<_> = attached
            .map(|(device, _)| *device)
            .filter(|device| state.is_in(*device, *id))
            .collect();
        holds(
            present == members,
            "those who hear what is said are not the members with a connection",
        )?;
        let is_person =
            |id: &PersonId| state.profile(*id).is_some_and(|profile| profile.person == *id);
        holds(group.owner.as_ref().is_none_or(is_person), "a group is nobody's")?;
        if let Some(moderation) = &group.moderation {
            holds(
                moderation.ops.len() <= OPS_MAX && moderation.invited.len() <= RESTRICTIONS_MAX,
                "too many have a say",
            )?;
            holds(moderation.acts().count() <= ACTS_MAX, "too much is remembered of a group")?;
            let unique: BTreeSet<_> = moderation.ops.iter().collect();
            holds(unique.len() == moderation.ops.len(), "somebody is operator twice")?;
            holds(
                group.owner.is_none_or(|owner| !unique.contains(&owner)),
                "an owner is operator, too",
            )?;
        }
    }
    Ok(())
}

fn holds(it: bool, otherwise: &str) -> Result<(), String> {
    if it { Ok(()) } else { Err(otherwise.to_owned()) }
}
