//! What goes into the [`Chat`](super::Chat) and what comes out of it.

use std::fmt;
use std::sync::Arc;

use chatroom_proto::{
    Body, CloseReason, Conversation, GroupName, Hello, Moderation, Notification, Operation, Password, Post,
    PostId, Refusal, Request, Response, Seq, Tag, Token, UnixMillis, UserName, Words,
};
use serde::{Deserialize, Serialize};

use super::Limits;

/// One run of one server process. A restarted server is another node, so that nothing of the old run is taken for
/// its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeId(pub u64);

/// One connection of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ConnectionId(pub u64);

/// One device of one person, over however many connections: the place of its first arrival in the log. A person is known by the
/// first of their devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionId(pub Seq);

/// The place of a group's creation in the log; [`GroupId::GENERAL`] was there before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupId(pub Seq);

impl GroupId {
    /// The group that is always there.
    pub const GENERAL: GroupId = GroupId(Seq::ZERO);
}

/// A conversation by the identities of those who hold it, which never change hands as names do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Thread {
    /// In a group.
    Group(GroupId),
    /// Between two people, the one who came first before the other.
    Pair(SessionId, SessionId),
}

impl Thread {
    /// The conversation between these two, in whatever order.
    pub fn between(one: SessionId, other: SessionId) -> Thread {
        Thread::Pair(one.min(other), one.max(other))
    }
}

/// A post that took effect: what the archive keeps of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// In which conversation.
    pub thread: Thread,
    /// Who said it.
    pub by: SessionId,
    /// With which of their devices.
    pub device: SessionId,
    /// The group's name, or that of the person it was said to.
    pub to: Conversation,
    /// What was said.
    pub post: Post,
}

/// Something to look up in what was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Who wants to know. What this one may read was settled when the query was made.
    pub reader: SessionId,
    /// What it wants to know.
    pub query: Query,
    /// Only what was said before this.
    pub before: Seq,
    /// How many posts, at the most.
    pub count: usize,
    /// The answer knows everything up to here.
    pub head: Seq,
}

/// What a [`Read`] looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// One conversation.
    History(Thread),
    /// All of these words.
    Search {
        /// The words.
        words: Words,
        /// In these groups.
        groups: Vec<GroupId>,
        /// And in what was said to or by the reader alone.
        in_private: bool,
    },
}

/// What a client that has come back is to hear again: what others said in these groups, and to it alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Who.
    pub reader: SessionId,
    /// With which of their devices: what was said with it is no news to it.
    pub device: SessionId,
    /// Whether there may have been others: what was said with these is news.
    pub has_others: bool,
    /// Only what comes after this.
    pub after: Seq,
    /// And not after this: from there on it hears what happens.
    pub until: Seq,
    /// In which groups, and since when the client is in each.
    pub groups: Vec<(GroupId, Seq)>,
}

/// Where a client's connection ends: which node, and there which connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The node.
    pub node: NodeId,
    /// The node's connection.
    pub connection: ConnectionId,
}

/// Who asked: travels with a proposal through the log and brings the reply home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The connection that asked.
    pub place: Place,
    /// The tag that the reply carries.
    pub tag: Tag,
}

/// The network address that a client comes from, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Address(pub Arc<str>);

impl From<String> for Address {
    fn from(text: String) -> Address {
        Address(text.into())
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.0.as_ref().to_owned()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who can read along on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Nobody: it is TLS.
    Tls,
    /// Nobody but those who own this machine: it does not leave it.
    Loopback,
    /// Everybody on the way.
    Plain,
}

impl Channel {
    /// Whether a secret may go over it.
    pub fn is_private(self) -> bool {
        self != Channel::Plain
    }
}

/// What the log keeps of a resume token: enough to recognize it, not enough to use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TokenDigest(pub [u8; 32]);

impl TokenDigest {
    /// The digest of no token: of a device that can't come back.
    pub const NOBODYS: TokenDigest = TokenDigest([0; 32]);
}

/// A resume token and its digest.
#[derive(Debug, Clone)]
pub struct Credential {
    /// What the client has.
    pub token: Token,
    /// What the log has.
    pub digest: TokenDigest,
}

/// What the log keeps of a password: enough to recognize it, not enough to tell it. In the format of the Password Hashing
/// Competition, which names the method and its costs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// Something to find out about a password: it takes tens of milliseconds and much memory, on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// For whose name.
    pub name: UserName,
    /// Who asks, for one who is in already: strangers who guess at the name are not to keep its owner from changing the password.
    pub person: Option<SessionId>,
    /// Where it comes from.
    pub address: Address,
    /// What is claimed to be the password until now; nothing when there is none.
    pub claimed: Option<Claim>,
    /// The password from now on, to make a hash of.
    pub new: Option<Password>,
}

/// A password that somebody says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// What they say.
    pub password: Password,
    /// What it has to match; nothing when no such account exists, which shall take as long to find out.
    pub hash: Option<PasswordHash>,
}

/// What became of a [`Check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// The password matches, if one was claimed. The hash of the new one, if there is one.
    Right(Option<PasswordHash>),
    /// It does not.
    Wrong,
    /// It was not looked at: too many were tried.
    Later {
        /// When it would be, in milliseconds from now.
        retry_after_ms: u32,
    },
}

/// Something that wants to happen, to be ordered (and kept) by the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Its identity: a proposal that comes to the log again is kept once.
    pub id: ProposalId,
    /// Who waits for the outcome; nobody, for what the server itself proposes.
    pub origin: Option<Origin>,
    /// When it was proposed.
    pub at: UnixMillis,
    /// What is to happen.
    pub deed: Deed,
}

/// A node numbers its proposals from 1, and appends them in that order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProposalId {
    /// Who proposes.
    pub node: NodeId,
    /// Its how manieth proposal.
    pub number: u64,
}

/// A proposal that the log has ordered. Whether it takes effect is decided when it is applied, by everything before
/// it: the first in the log wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place.
    pub seq: Seq,
    /// What was proposed.
    pub proposal: Proposal,
}

/// What can happen to the shared state. Variants are appended, never moved, and their fields never change: logs on disk
/// hold them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deed {
    /// Somebody comes: to go on with a session, if the name is held and the token is right; with a new session, if
    /// the name is free.
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
        session: SessionId,
        /// The connection that is gone: a session that has moved on to another one is not meant.
        from: Place,
    },
    /// A server began, alone on this log: whoever was connected to the run before is not any more, and everyone who is
    /// held has the whole grace time from now, however long the server was away.
    Began {
        /// What holds from here on. In the log, so that it decides the same when it is read again.
        limits: Limits,
    },
    /// A session that was not resumed in time ends.
    Expire {
        /// Which.
        session: SessionId,
        /// The [`Deed::Detach`] since which it waits: a session that was back in between is not meant.
        detached: Seq,
    },
    /// Somebody goes for good.
    Depart {
        /// Whose session.
        session: SessionId,
    },
    /// A group comes into being.
    Create {
        /// Who makes and owns it.
        by: SessionId,
        /// Its name.
        group: GroupName,
    },
    /// Somebody becomes a member.
    Join {
        /// Who.
        by: SessionId,
        /// Of which group.
        group: GroupName,
    },
    /// Somebody is no longer a member.
    Leave {
        /// Who.
        by: SessionId,
        /// Of which group.
        group: GroupName,
    },
    /// Somebody says something.
    Post {
        /// Who.
        by: SessionId,
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
        by: SessionId,
        /// With this password.
        password: PasswordHash,
    },
    /// Somebody changes their password, and their other devices are forgotten.
    ChangePassword {
        /// Who.
        by: SessionId,
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
        by: SessionId,
        /// The entry that set the password, which was right.
        password: Seq,
    },
    /// Somebody keeps order in a group.
    Moderate {
        /// Who.
        by: SessionId,
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
        by: SessionId,
        /// Of which code.
        digest: TokenDigest,
    },
    /// An operator of the server does something.
    Operate {
        /// Who.
        by: SessionId,
        /// What is done.
        act: Operation,
    },
}

impl Deed {
    /// Whether somebody who hears what happens now may be out of a group afterwards: they hear everything up to here before
    /// it is applied.
    pub(crate) fn may_take_out(&self) -> bool {
        match self {
            Deed::Depart { .. } => true,
            Deed::Moderate { act, .. } => act.expels(),
            Deed::Operate { act, .. } => {
                matches!(act, Operation::Disconnect { .. } | Operation::Ban { .. })
            }
            _ => false,
        }
    }
}

/// What the world says to the [`Chat`](super::Chat).
#[derive(Debug)]
pub enum Input {
    /// A new connection asks to come in: its first frame.
    Knock {
        /// Which connection.
        connection: ConnectionId,
        /// The tag of the first frame.
        tag: Tag,
        /// What it said.
        hello: Hello,
        /// The digest of the token that it said it has, if it did.
        presented: Option<TokenDigest>,
        /// A token to give to it, should it begin a session.
        fresh: Credential,
        /// Where it comes from.
        address: Address,
        /// Who can read along.
        channel: Channel,
    },
    /// A connection that has been let in asks for something.
    Ask {
        /// Which connection.
        connection: ConnectionId,
        /// The request's tag.
        tag: Tag,
        /// What it asks.
        request: Request,
    },
    /// What a connection wanted to look up was found, or not.
    Found {
        /// Which connection.
        connection: ConnectionId,
        /// The request's tag.
        tag: Tag,
        /// What was found.
        result: Result<Response, Refusal>,
    },
    /// What was to be found out about a password.
    Checked {
        /// Which connection.
        connection: ConnectionId,
        /// The request's tag.
        tag: Tag,
        /// What was found out.
        checked: Checked,
        /// A token to give to it, should it need another one.
        fresh: Credential,
    },
    /// A connection is no more.
    Gone {
        /// Which.
        connection: ConnectionId,
    },
    /// A connection has asked for something that is not served, whatever it is. It is answered in its turn.
    Refuse {
        /// Which connection.
        connection: ConnectionId,
        /// The request's tag.
        tag: Tag,
        /// What it is answered with.
        refusal: Refusal,
    },
}

/// What the [`Chat`](super::Chat) wants done, in this order.
#[derive(Debug)]
pub enum Effect {
    /// Append this to the log.
    Propose(Proposal),
    /// From now on this connection hears what is said to this session.
    Admit {
        /// The connection.
        connection: ConnectionId,
        /// The session.
        session: SessionId,
    },
    /// Look this up, and hand in [`Input::Found`].
    Read {
        /// The connection that asked.
        connection: ConnectionId,
        /// The request's tag.
        tag: Tag,
        /// What to look up.
        read: Read,
    },
    /// Find this out, and hand in [`Input::Checked`].
    Check {
        /// The connection that asked.
        connection: ConnectionId,
        /// The request's tag.
        tag: Tag,
        /// What to find out.
        check: Check,
    },
    /// Send this again, and then [`Notification::CaughtUp`], before anything that happens from now on.
    Replay {
        /// The connection that has come back.
        connection: ConnectionId,
        /// What it missed.
        replay: Replay,
    },
    /// Answer one request.
    Reply {
        /// The connection that asked.
        connection: ConnectionId,
        /// The request's tag.
        tag: Tag,
        /// What came of it.
        result: Result<Response, Refusal>,
    },
    /// Tell some sessions something; those that are not connected here are not this node's business.
    Notify {
        /// Whom.
        audience: Audience,
        /// What.
        notification: Notification,
    },
    /// Tell one connection something.
    Tell {
        /// Which connection.
        connection: ConnectionId,
        /// What.
        notification: Notification,
    },
    /// Close a connection, after what it has been sent.
    HangUp {
        /// Which connection.
        connection: ConnectionId,
        /// Why, unless it knows.
        reason: Option<CloseReason>,
    },
}

/// What somebody who does something is to the group that hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// It has just come in, and has heard nothing before.
    In,
    /// It was in, and is.
    Stays,
    /// It was in, has heard everything up to here, and will hear nothing more.
    Out,
    /// It was not in, and is not.
    Outside,
}

/// Who hears a notification. What it names is in the [`World`](super::World) that has just applied the entry, see
/// [`World::hearers`](super::World::hearers); no list is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// One session.
    One(SessionId),
    /// These sessions.
    Some(Vec<SessionId>),
    /// Everyone in a group who has a connection, but one.
    Group {
        /// Which group.
        group: GroupId,
        /// The one that knows already: who did it.
        except: SessionId,
        /// What that one is to the group.
        passage: Passage,
        /// Some more, who are not in the group.
        and: Vec<SessionId>,
    },
    /// Nobody.
    Nobody,
}
