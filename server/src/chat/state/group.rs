//! A group: who made it, who is in it, how far its conversation has come.

use chatroom_proto::{GroupName, Moderation, Seq};

use serde::{Deserialize, Serialize};

use crate::chat::entry::{DeviceId, PersonId};
use crate::chat::state::moderation_state::ModerationState;

/// One group chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    /// As its creator wrote it.
    pub(crate) name: GroupName,
    /// Whose it is; nobody's, for General.
    pub(crate) owner: Option<PersonId>,
    /// Its newest post.
    pub(crate) head: Seq,
    /// How it is moderated. In most groups nobody ever had to: then it is nothing.
    pub(crate) moderation: Option<Box<ModerationState>>,
    /// How many members there are, here or away.
    #[serde(skip)]
    pub(crate) members: u32,
    /// The members that have a connection: who is told.
    #[serde(skip)]
    present: Vec<DeviceId>,
}

impl Group {
    /// A group without members.
    pub(crate) fn new(name: GroupName, owner: Option<PersonId>) -> Group {
        Group { name, owner, head: Seq::ZERO, moderation: None, members: 0, present: Vec::new() }
    }

    /// A member has a connection, or one with a connection has become a member.
    pub(crate) fn enter(&mut self, device: DeviceId) {
        self.present.push(device);
    }

    /// The reverse.
    pub(crate) fn quit(&mut self, device: DeviceId) {
        if let Some(place) = self.present.iter().position(|&member| member == device) {
            self.present.swap_remove(place);
        }
    }

    /// Nobody has a connection any more.
    pub(crate) fn detach_all(&mut self) {
        self.present = Vec::new();
    }

    /// Whether something was deleted here after this place, as far as that is remembered.
    pub(crate) fn was_deleted_after(&self, after: Seq) -> bool {
        let acts = self.moderation.iter().flat_map(|moderation| moderation.acts());
        acts.take_while(|record| record.seq > after)
            .any(|record| matches!(record.act, Moderation::Delete { .. }))
    }

    /// The members that have a connection, in no order.
    pub(crate) fn present(&self) -> &[DeviceId] {
        &self.present
    }
}
