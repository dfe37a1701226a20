//! A group: who made it, who is in it, how far its conversation has come.

use std::sync::Arc;

use chatroom_proto::{GroupName, Seq};

use serde::{Deserialize, Serialize};

use super::effect::{Audience, SessionId};

/// One group chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    /// As its creator wrote it.
    pub(crate) name: GroupName,
    /// Whose it is; nobody's, for General.
    pub(crate) owner: Option<SessionId>,
    /// Its newest post.
    pub(crate) head: Seq,
    /// The members that have a connection: who is told. Shared with the effects that are under way, so that telling
    /// 10,000 members copies no list; changing it copies the list only while such an effect exists.
    #[serde(skip)]
    present: Arc<Vec<SessionId>>,
}

impl Group {
    /// A group without members.
    pub(crate) fn new(name: GroupName, owner: Option<SessionId>) -> Group {
        Group { name, owner, head: Seq::ZERO, present: Arc::default() }
    }

    /// A member has a connection, or one with a connection has become a member.
    pub(crate) fn enter(&mut self, session: SessionId) {
        Arc::make_mut(&mut self.present).push(session);
    }

    /// The reverse.
    pub(crate) fn quit(&mut self, session: SessionId) {
        if let Some(place) = self.present.iter().position(|&member| member == session) {
            Arc::make_mut(&mut self.present).swap_remove(place);
        }
    }

    /// Nobody has a connection any more.
    pub(crate) fn desert(&mut self) {
        self.present = Arc::default();
    }

    /// The members that have a connection, in no order.
    pub(crate) fn present(&self) -> &[SessionId] {
        &self.present
    }

    /// Everyone in the group but one.
    pub(crate) fn all_but(&self, except: SessionId) -> Audience {
        self.all_but_and(except, Vec::new())
    }

    /// Everyone in the group but one, and some others.
    pub(crate) fn all_but_and(&self, except: SessionId, and: Vec<SessionId>) -> Audience {
        Audience::AllBut { sessions: Arc::clone(&self.present), and, except }
    }
}
