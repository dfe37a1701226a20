//! What the log keeps: entries, the proposals that they were, and the commands in these, with the
//! names of everybody in them.

// Addresses, and no sockets: these are in `std::net`.
use core::net::{AddrParseError, IpAddr, SocketAddr};
use std::fmt;
use std::str::FromStr;

use chatroom_proto::{
    Body, Conversation, GroupName, Moderation, Operation, PostId, Seq, Tag, UnixMillis, UserName,
};
use serde::{Deserialize, Serialize};

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

/// One device of one person, over however many connections: the place of its first arrival in the
/// log. A person is known by the first of their devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct DeviceId(pub Seq);

/// The place of a group's creation in the log; [`GroupId::GENERAL`] was there before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupId(pub Seq);

impl GroupId {
    /// The group that is always there.
    pub const GENERAL: GroupId = GroupId(Seq::ZERO);
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

/// Who asked: travels with a proposal through the log and brings the reply home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct Origin {
    /// The connection that asked.
    pub place: ConnAddr,
    /// The tag that the reply carries.
    pub tag: Tag,
}

/// The network address that a client comes from. The log keeps it as text.
///
/// Every session has one, so it is without what a [`SocketAddr`] of IPv6 has beside these, a zone
/// and a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    ip: IpAddr,
    port: u16,
}

impl Address {
    /// The host, whichever the port.
    pub fn ip(self) -> IpAddr {
        self.ip
    }

    /// The port.
    pub fn port(self) -> u16 {
        self.port
    }
}

impl From<SocketAddr> for Address {
    /// An address of IPv4 is the same when a socket for both kinds writes it as one of IPv6.
    fn from(address: SocketAddr) -> Address {
        Address { ip: address.ip().to_canonical(), port: address.port() }
    }
}

impl FromStr for Address {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Address, AddrParseError> {
        text.parse::<SocketAddr>().map(Address::from)
    }
}

impl TryFrom<String> for Address {
    type Error = AddrParseError;

    fn try_from(text: String) -> Result<Address, AddrParseError> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.ip, self.port).fmt(f)
    }
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

/// Something that wants to happen, to be ordered (and kept) by the log.
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
    /// Its how manieth proposal.
    pub number: u64,
}

/// A proposal that the log has ordered. Whether it takes effect is decided when it is applied, by
/// everything before it: the first in the log wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct Entry {
    /// Its place.
    pub seq: Seq,
    /// What was proposed.
    pub proposal: Proposal,
}

/// What can happen to the shared state. Variants are appended, never moved, and their fields never
/// change: logs on disk hold them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub enum Command {
    /// Somebody comes: to go on with a session, if the name is held and the token is right; with a
    /// new session, if the name is free.
    Arrive {
        /// The name.
        name: UserName,
        /// The token of the session to go on with.
        presented: Option<TokenDigest>,
        /// The token of a new session.
        fresh: TokenDigest,
        /// Where from.
        address: Address,
    },
    /// A session's connection is gone; the session is held for the grace time.
    Detach {
        /// Which.
        session: DeviceId,
        /// The connection that is gone: a session that has moved on to another one is not meant.
        from: ConnAddr,
    },
    /// A server began, alone on this log: whoever was connected to the run before is not any more,
    /// and everyone who is held has the whole grace time from now, however long the server was
    /// away.
    Began {
        /// What holds from here on. In the log, so that it decides the same when it is read again.
        limits: Limits,
    },
    /// A session that was not resumed in time ends.
    Expire {
        /// Which.
        session: DeviceId,
        /// The [`Command::Detach`] since which it waits: a session that was back in between is not
        /// meant.
        detached: Seq,
    },
    /// Somebody goes for good.
    Depart {
        /// Whose session.
        session: DeviceId,
    },
    /// A group comes into being.
    Create {
        /// Who makes and owns it.
        by: DeviceId,
        /// Its name.
        group: GroupName,
    },
    /// Somebody becomes a member.
    Join {
        /// Who.
        by: DeviceId,
        /// Of which group.
        group: GroupName,
    },
    /// Somebody is no longer a member.
    Leave {
        /// Who.
        by: DeviceId,
        /// Of which group.
        group: GroupName,
    },
    /// Somebody says something.
    Post {
        /// Who.
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
        /// The token of the new device.
        fresh: TokenDigest,
        /// Where from.
        address: Address,
    },
    /// Somebody makes their name their own.
    Register {
        /// Who.
        by: DeviceId,
        /// With this password.
        password: PasswordHash,
    },
    /// Somebody changes their password, and their other devices are forgotten.
    ChangePassword {
        /// Who.
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
        /// Who.
        by: DeviceId,
        /// The entry that set the password, which was right.
        password: Seq,
    },
    /// Somebody keeps order in a group.
    Moderate {
        /// Who.
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
    /// Somebody knows a code.
    Claim {
        /// Who.
        by: DeviceId,
        /// Of which code.
        digest: TokenDigest,
    },
    /// An operator of the server does something.
    Operate {
        /// Who.
        by: DeviceId,
        /// What is done.
        act: Operation,
    },
}

impl Command {
    /// Who does it, of what one can do who is here.
    pub fn author(&self) -> Option<DeviceId> {
        match self {
            Command::Create { by, .. }
            | Command::Join { by, .. }
            | Command::Leave { by, .. }
            | Command::Post { by, .. }
            | Command::Register { by, .. }
            | Command::ChangePassword { by, .. }
            | Command::Unregister { by, .. }
            | Command::Moderate { by, .. }
            | Command::Claim { by, .. }
            | Command::Operate { by, .. } => Some(*by),
            // Whoever goes may say so over whatever connection they had.
            Command::Depart { .. }
            | Command::Arrive { .. }
            | Command::LogIn { .. }
            | Command::Detach { .. }
            | Command::Began { .. }
            | Command::Expire { .. }
            | Command::Offer { .. } => None,
        }
    }

    /// Whether somebody who hears what happens now may be out of a group afterwards: they hear
    /// everything up to here before it is applied.
    pub(crate) fn may_take_out(&self) -> bool {
        match self {
            Command::Depart { .. } => true,
            Command::Moderate { act, .. } => act.expels(),
            Command::Operate { act, .. } => {
                matches!(act, Operation::Disconnect { .. } | Operation::Ban { .. })
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use chatroom_proto::codec;

    use super::*;

    #[test]
    fn an_address_is_kept_as_text_and_one_of_ipv4_has_one() {
        for (written, kept) in [
            ("192.0.2.1:7", "192.0.2.1:7"),
            ("[::ffff:192.0.2.1]:7", "192.0.2.1:7"),
            ("[2001:db8::1]:7", "[2001:db8::1]:7"),
            // Of a network card, which only this machine could tell.
            ("[fe80::1%3]:7", "[fe80::1]:7"),
        ] {
            let address: Address = written.parse().unwrap();
            let bytes = codec::pack(&address).unwrap();
            assert_eq!(bytes, codec::pack(&kept.to_owned()).unwrap());
            assert_eq!(codec::decode::<Address>(&bytes).unwrap(), address, "{written}");
        }
    }

    #[test]
    fn what_is_no_address_is_none_in_a_log_either() {
        for wrong in ["", "somewhere", "192.0.2.1", "192.0.2.1:70000", "192.0.2.256:7", "::1:7"] {
            assert!(
                codec::decode::<Address>(&codec::pack(&wrong.to_owned()).unwrap()).is_err(),
                "{wrong}"
            );
        }
    }
}
