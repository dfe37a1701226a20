//! A group: who made it, who is in it, how far its conversation has come.

use chatroom_proto::{GroupName, Seq};

use serde::{Deserialize, Serialize};

use crate::chat::entry::DeviceId;
use crate::chat::state::moderation_state::ModerationState;

/// One group chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    /// As its creator wrote it.
    pub(crate) name: GroupName,
    /// Whose it is; nobody's, for General.
    pub(crate) owner: Option<DeviceId>,
    /// Its newest post.
    pub(crate) head: Seq,
    /// How order is kept in it. In most groups nobody ever had to: then it is nothing.
    pub(crate) order: Option<Box<ModerationState>>,
    /// How many members there are, here or away.
    #[serde(skip)]
    pub(crate) members: u32,
    /// The members that have a connection: who is told.
    #[serde(skip)]
    present: Vec<DeviceId>,
}

impl Group {
    /// A group without members.
    pub(crate) fn new(name: GroupName, owner: Option<DeviceId>) -> Group {
        Group { name, owner, head: Seq::ZERO, order: None, members: 0, present: Vec::new() }
    }

    /// A member has a connection, or one with a connection has become a member.
    pub(crate) fn enter(&mut self, session: DeviceId) {
        self.present.push(session);
    }

    /// The reverse.
    pub(crate) fn quit(&mut self, session: DeviceId) {
        if let Some(place) = self.present.iter().position(|&member| member == session) {
            self.present.swap_remove(place);
        }
    }

    /// Nobody has a connection any more.
    pub(crate) fn detach_all(&mut self) {
        self.present = Vec::new();
    }

    /// The members that have a connection, in no order.
    pub(crate) fn present(&self) -> &[DeviceId] {
        &self.present
    }
}
