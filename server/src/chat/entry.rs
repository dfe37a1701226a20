//! What the log keeps: entries, the proposals that they order, and the commands in these.
//!
//! A [`Command`] asks for one change of the shared state. A node wraps it in a [`Proposal`] and
//! appends it. The log gives it a [`Seq`], which makes it an [`Entry`]. Whether it takes effect is
//! decided when it is applied.
//!
//! Everybody and everything in a command has an identity: [`NodeId`], [`ConnectionId`],
//! [`DeviceId`], [`PersonId`], [`GroupId`]. None is ever used again for something else.

use std::fmt;

use chatroom_proto::{
    Body, Conversation, GroupName, Moderation, Operation, PostId, Seq, Tag, UnixMillis, UserName,
};
use serde::{Deserialize, Serialize};

pub use super::address::Address;
use super::limits::Limits;

#[cfg(feature = "test-util")]
mod any;

/// One run of one server process. A restarted server is another node, so that nothing of the old
/// run is taken for its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct NodeId(pub u64);

/// One connection of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct ConnectionId(pub u64);

/// One device of one person, over however many connections: the entry of its first arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct DeviceId(pub Seq);

/// One person, over however many devices: the entry in which their first device arrived.
///
/// Every person has a first device, and it has the same number. Not every device is the first of
/// somebody, so the way from a device to its person leads through the state
/// ([`ChatState::person`](super::ChatState::person)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct PersonId(pub Seq);

impl PersonId {
    /// The device with which this person came first.
    pub fn first_device(self) -> DeviceId {
        DeviceId(self.0)
    }

    /// Whether a device is the one with which this person came first.
    pub fn came_first_with(self, device: DeviceId) -> bool {
        self.first_device() == device
    }
}

/// The place of a group's creation in the log; [`GroupId::GENERAL`] was there before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct GroupId(pub Seq);

impl GroupId {
    /// The group that is always there.
    pub const GENERAL: GroupId = GroupId(Seq::ZERO);
}

/// A conversation, by the identities of those who hold it. Names change hands; these do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub enum ConversationId {
    /// In a group.
    Group(GroupId),
    /// Between two people, the one who came first before the other.
    Pair(PersonId, PersonId),
}

impl ConversationId {
    /// The conversation between these two, in whatever order.
    pub fn between(one: PersonId, other: PersonId) -> ConversationId {
        ConversationId::Pair(one.min(other), one.max(other))
    }
}

/// A post that was said, as the archive has found it. The state does not remember posts; what is
/// here never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct PostRef {
    /// Its place.
    pub seq: Seq,
    /// In which conversation.
    pub thread: ConversationId,
    /// Who said it.
    pub by: PersonId,
    /// Their name then.
    pub from: UserName,
    /// The name then of the group, or of the one to whom it was said alone.
    pub to: Conversation,
}

/// Where a client's connection ends: which node, and there which connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct ConnAddr {
    /// The node.
    pub node: NodeId,
    /// The node's connection.
    pub connection: ConnectionId,
}

/// One request: the connection that asks, and the tag that its reply carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    /// The connection.
    pub connection: ConnectionId,
    /// The tag, chosen by the client.
    pub tag: Tag,
}

/// When something took effect: its place in the log, and the time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The entry.
    pub seq: Seq,
    /// When it was proposed.
    pub at: UnixMillis,
}

/// Who asked: travels with a proposal through the log and brings the reply home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct Origin {
    /// The connection that asked.
    pub place: ConnAddr,
    /// The tag that the reply carries.
    pub tag: Tag,
}

/// What the log keeps of a resume token: enough to recognize it, not enough to use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TokenDigest(pub [u8; 32]);

impl TokenDigest {
    /// The digest of no token: of a device that can't come back.
    pub const NOBODYS: TokenDigest = TokenDigest([0; 32]);
}

/// What the log keeps of a password: enough to recognize it, not enough to tell it. In the format
/// of the Password Hashing Competition, which names the method and its costs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// A command on its way to the log, which is to order and keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct Proposal {
    /// Its identity: a proposal that comes to the log again is kept once.
    pub id: ProposalId,
    /// Who waits for the outcome; nobody, for what the server itself proposes.
    pub origin: Option<Origin>,
    /// When it was proposed.
    pub at: UnixMillis,
    /// What is to happen.
    pub command: Command,
}

/// A node numbers its proposals from 1, and appends them in that order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct ProposalId {
    /// Who proposes.
    pub node: NodeId,
    /// Which of its proposals: the first is 1.
    pub number: u64,
}

/// A proposal that the log has ordered. Whether it takes effect is decided when it is applied, by
/// everything before it. Of two that exclude each other the first in the log wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct Entry {
    /// Its place.
    pub seq: Seq,
    /// What was proposed.
    pub proposal: Proposal,
}

/// What can happen to the shared state.
///
/// Logs on disk hold commands, encoded by position. So variants are appended and never moved, and
/// the types of their fields never change. Names may: no byte depends on them. What each command is
/// to those around it, `Command::class` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub enum Command {
    /// Somebody comes. With the right token they go on with the device that it belongs to.
    /// Otherwise they are a stranger with a new device, and the name must be free.
    Arrive {
        /// The name.
        name: UserName,
        /// Recognizes the token that they say they have.
        presented: Option<TokenDigest>,
        /// Recognizes the token that a new device gets.
        fresh: TokenDigest,
        /// Where from.
        address: Address,
    },
    /// A device's connection is gone. The device is held for the grace time.
    Detach {
        /// Which.
        device: DeviceId,
        /// The connection that is gone. A device that has moved on to another one is not meant.
        from: ConnAddr,
    },
    /// A server began, alone on this log. Whoever was connected to the run before is not any more.
    /// Everyone who is held has the whole grace time from now, however long the server was away.
    Began {
        /// What holds from here on. It is in the log, so that it decides the same when it is read
        /// again.
        limits: Limits,
    },
    /// A held device was not resumed in time, and its stay ends.
    Expire {
        /// Which.
        device: DeviceId,
        /// The [`Command::Detach`] since which it is held. A device that was back in between is not
        /// meant.
        detached: Seq,
    },
    /// Somebody's stay ends, because they said so or were put out.
    Depart {
        /// With which device.
        device: DeviceId,
    },
    /// A group comes into being.
    Create {
        /// With which device. Its owner owns the group.
        by: DeviceId,
        /// Its name.
        group: GroupName,
    },
    /// Somebody becomes a member.
    Join {
        /// With which device.
        by: DeviceId,
        /// Of which group.
        group: GroupName,
    },
    /// Somebody is no longer a member.
    Leave {
        /// With which device.
        by: DeviceId,
        /// Of which group.
        group: GroupName,
    },
    /// Somebody says something.
    Post {
        /// With which device.
        by: DeviceId,
        /// To whom.
        to: Conversation,
        /// The identity of what is said.
        id: PostId,
        /// What is said.
        body: Body,
    },
    /// Somebody who knows a name's password comes with a new device.
    LogIn {
        /// The name.
        name: UserName,
        /// The entry that set the password which was right: it may be another one by now.
        password: Seq,
        /// Recognizes the token that the new device gets.
        fresh: TokenDigest,
        /// Where from.
        address: Address,
    },
    /// Somebody makes their name their own.
    Register {
        /// With which device.
        by: DeviceId,
        /// With this password.
        password: PasswordHash,
    },
    /// Somebody changes their password, and their other devices are forgotten.
    ChangePassword {
        /// With which device.
        by: DeviceId,
        /// The entry that set the old one, which was right.
        old: Seq,
        /// The new one.
        new: PasswordHash,
        /// The device's new token: whoever has copied the old one has nothing.
        fresh: TokenDigest,
    },
    /// Somebody gives their account up, and goes for good with all that is theirs.
    Unregister {
        /// With which device.
        by: DeviceId,
        /// The entry that set the password, which was right.
        password: Seq,
    },
    /// Somebody moderates a group.
    Moderate {
        /// With which device.
        by: DeviceId,
        /// In which group.
        group: GroupName,
        /// What is done.
        act: Moderation,
    },
    /// Whoever knows a code may become an operator of the server, as long as there is none.
    Offer {
        /// Recognizes the code.
        digest: TokenDigest,
    },
    /// Somebody says a code, and becomes an operator if it is the one that is offered.
    Claim {
        /// With which device.
        by: DeviceId,
        /// Recognizes the code.
        digest: TokenDigest,
    },
    /// An operator of the server does something.
    Operate {
        /// With which device.
        by: DeviceId,
        /// What is done.
        act: Operation,
    },
    /// Somebody takes back what was said. Its text is erased from the log as well, some time after
    /// this.
    Delete {
        /// With which device.
        by: DeviceId,
        /// What was said.
        post: PostRef,
    },
}

impl Entry {
    /// Erases the text of a post, where there is one; whether that has changed anything. The entry
    /// comes to the same state as before: no state depends on a text.
    pub(crate) fn erase_text(&mut self) -> bool {
        let Command::Post { body, .. } = &mut self.proposal.command else { return false };
        let erased = Body::deleted();
        let is_new = *body != erased;
        *body = erased;
        is_new
    }
}
