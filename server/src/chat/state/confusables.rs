//! Refuses names that can be mistaken for others.
//!
//! Nobody comes under a name that looks like that of somebody who is here or registered, and no
//! group is made whose name looks like that of another.

use chatroom_proto::{GroupName, Refusal, Seq, UserName};

use super::chat_state::ChatState;
use crate::chat::entry::{GroupId, PersonId};

impl ChatState {
    /// Nobody who is here, or is registered, can be mistaken for this.
    pub(super) fn looks_like_nobody(&self, name: &UserName) -> Result<(), Refusal> {
        let all = PersonId(Seq::ZERO)..=PersonId(Seq(u64::MAX));
        let people = self
            .confusable_names
            .with(name.is_plain(), name.skeletons(), all)
            .filter_map(|person| self.profile(person));
        match people.map(|person| &person.name).find(|other| other.looks_like(name)) {
            Some(other) => Err(Refusal::NameLooksLike { name: other.clone() }),
            None => Ok(()),
        }
    }

    /// No group can be mistaken for this.
    pub(super) fn looks_like_no_group(&self, name: &GroupName) -> Result<(), Refusal> {
        let all = GroupId::GENERAL..=GroupId(Seq(u64::MAX));
        let groups = self
            .confusable_groups
            .with(name.is_plain(), name.skeletons(), all)
            .filter_map(|id| self.groups.get(&id));
        match groups.map(|group| &group.name).find(|other| other.looks_like(name)) {
            Some(other) => Err(Refusal::GroupLooksLike { group: other.clone() }),
            None => Ok(()),
        }
    }

    /// Protects the name of somebody who is here or registered.
    pub(super) fn index_name(&mut self, person: PersonId) {
        if let Some(profile) = self.devices.get(&person.first_device()) {
            self.confusable_names.add(profile.name.is_plain(), profile.name.skeletons(), person);
        }
    }

    /// Protects the name of somebody no longer who is neither.
    pub(super) fn unindex_name(&mut self, person: PersonId) {
        if let Some(profile) = self.devices.get(&person.first_device()) {
            self.confusable_names.remove(profile.name.is_plain(), profile.name.skeletons(), person);
        }
    }

    /// Protects the name of a group.
    pub(super) fn index_group_name(&mut self, group: GroupId) {
        if let Some(shown) = self.groups.get(&group) {
            self.confusable_groups.add(shown.name.is_plain(), shown.name.skeletons(), group);
        }
    }
}
