//! A group: who made it, who is in it, how far its conversation has come.

use chatroom_proto::{GroupName, Seq};

use serde::{Deserialize, Serialize};

use crate::chat::entry::SessionId;
use crate::chat::state::moderation_state::Order;

/// One group chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    /// As its creator wrote it.
    pub(crate) name: GroupName,
    /// Whose it is; nobody's, for General.
    pub(crate) owner: Option<SessionId>,
    /// Its newest post.
    pub(crate) head: Seq,
    /// How order is kept in it. In most groups nobody ever had to: then it is nothing.
    pub(crate) order: Option<Box<Order>>,
    /// How many members there are, here or away.
    #[serde(skip)]
    pub(crate) members: u32,
    /// The members that have a connection: who is told.
    #[serde(skip)]
    present: Vec<SessionId>,
}

impl Group {
    /// A group without members.
    pub(crate) fn new(name: GroupName, owner: Option<SessionId>) -> Group {
        Group { name, owner, head: Seq::ZERO, order: None, members: 0, present: Vec::new() }
    }

    /// A member has a connection, or one with a connection has become a member.
    pub(crate) fn enter(&mut self, session: SessionId) {
        self.present.push(session);
    }

    /// The reverse.
    pub(crate) fn quit(&mut self, session: SessionId) {
        if let Some(place) = self.present.iter().position(|&member| member == session) {
            self.present.swap_remove(place);
        }
    }

    /// Nobody has a connection any more.
    pub(crate) fn desert(&mut self) {
        self.present = Vec::new();
    }

    /// The members that have a connection, in no order.
    pub(crate) fn present(&self) -> &[SessionId] {
        &self.present
    }
}
