//! Memberships that have ended. A device that was not connected then, or whose connection was lost
//! before it heard of it, is told what was said until the end, and then of the end.

use std::collections::{BTreeMap, VecDeque};

use chatroom_proto::{Notification, Seq};
use serde::{Deserialize, Serialize};

use crate::chat::entry::{DeviceId, GroupId, PersonId};

/// How many are remembered of one person, the newest.
const PAST_MEMBERSHIPS_MAX: usize = 16;

/// Whose memberships have ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct PastMemberships(BTreeMap<PersonId, VecDeque<PastMembership>>);

/// A membership that was ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PastMembership {
    pub(super) group: GroupId,
    /// The join.
    pub(super) since: Seq,
    /// The end.
    pub(super) until: Seq,
    /// The device that has left the group for all of the person's; nothing when somebody else has
    /// ended it.
    pub(super) by: Option<DeviceId>,
    /// How the others heard of the end.
    pub(super) news: Notification,
}

impl PastMemberships {
    pub(super) fn note(&mut self, person: PersonId, past: PastMembership) {
        let of_person = self.0.entry(person).or_default();
        if of_person.len() == PAST_MEMBERSHIPS_MAX {
            of_person.pop_front();
        }
        of_person.push_back(past);
    }

    /// Those that ended after this, the oldest first.
    pub(super) fn ended_after(
        &self,
        person: PersonId,
        after: Seq,
    ) -> impl Iterator<Item = &PastMembership> {
        let of_person = self.0.get(&person).into_iter().flatten();
        of_person.filter(move |past| past.until > after)
    }

    pub(super) fn forget(&mut self, person: PersonId) {
        self.0.remove(&person);
    }
}
