//! What goes into the [`Chat`](super::Chat) and what comes out of it.
//!
//! The chat does nothing itself. It is handed an [`Input`] or an entry of the log, and says what is
//! to be done as a list of [`Effect`]s, which the dispatch task carries out in their order. Slow
//! work is an effect whose result comes back as an input: [`Effect::Read`] as [`Input::Found`],
//! [`Effect::Check`] as [`Input::Checked`].
//!
//! Who hears a notification is an [`Audience`]: it names a group and not its members. The members
//! are read off the state that has just applied the entry, so no list is copied, and an effect must
//! be carried out before the next entry is applied.

use chatroom_proto::{
    Body, CloseReason, Conversation, Hello, Lives, Notification, Password, Post, Refusal, Request,
    Response, SearchQuery, Seq, Tag, Token, UnixMillis, UserName,
};

pub use super::entry::ConversationId;
use super::entry::{
    Address, ConnectionId, DeviceId, GroupId, PasswordHash, PersonId, PostRef, Proposal,
    TokenDigest,
};

/// A post that took effect: what the archive keeps of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPost {
    /// In which conversation.
    pub thread: ConversationId,
    /// Who said it.
    pub by: PersonId,
    /// With which of their devices.
    pub device: DeviceId,
    /// The group's name, or that of the person it was said to.
    pub to: Conversation,
    /// What was said; with [`Body::deleted`] in the place of a text that was deleted.
    pub post: Post,
    /// Whether it was deleted.
    pub deletion: Option<Deletion>,
}

/// How a post was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// The entry that did it.
    pub seq: Seq,
    /// When.
    pub at: UnixMillis,
    /// Who did it.
    pub by: UserName,
    /// With which of their devices.
    pub device: DeviceId,
}

/// What an entry changes in what can be read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchiveChange {
    /// Something was said.
    Said(StoredPost),
    /// The post at this place was deleted. The first deletion of a post counts.
    Deleted(Seq, Deletion),
}

impl ArchiveChange {
    /// What was said.
    pub fn said(self) -> Option<StoredPost> {
        match self {
            ArchiveChange::Said(stored) => Some(stored),
            ArchiveChange::Deleted(..) => None,
        }
    }
}

impl StoredPost {
    /// What a command about it says of it.
    pub fn reference(&self) -> PostRef {
        PostRef {
            seq: self.post.seq,
            thread: self.thread,
            by: self.by,
            from: self.post.from.clone(),
            to: self.to.clone(),
        }
    }

    /// Deletes it, unless it is.
    pub fn delete(&mut self, deletion: Deletion) {
        if self.deletion.is_none() {
            self.post.body = Body::deleted();
            self.deletion = Some(deletion);
        }
    }

    /// As it is told to one who missed it.
    pub fn told_again(self) -> Notification {
        match (self.deletion, self.to) {
            (Some(deletion), place) => {
                Notification::DeletedPost { post: self.post.deleted(deletion.by), place }
            }
            (None, Conversation::Group(group)) => {
                Notification::GroupPost { post: self.post, group }
            }
            (None, Conversation::User(to)) => Notification::PrivatePost { post: self.post, to },
        }
    }

    /// That it was deleted, as one is told who had heard it before. Nothing when it was not.
    pub fn deletion_told(self) -> Option<Notification> {
        let Deletion { seq, at, by, .. } = self.deletion?;
        let Post { seq: post, from, .. } = self.post;
        Some(Notification::Deleted { seq, at, by, post, from, place: self.to })
    }
}

/// A question to the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Who asks. What they may read was settled when the query was made.
    pub reader: PersonId,
    /// What is asked.
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
    History(ConversationId),
    /// All of these words.
    Search {
        /// The words.
        words: SearchQuery,
        /// In these groups.
        groups: Vec<GroupId>,
        /// And in what was said to or by the reader alone.
        in_private: bool,
    },
}

/// What a client that has come back is to hear again: what others said in these groups, and what
/// was said to its owner alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Who.
    pub reader: PersonId,
    /// With which of their devices. What was said with it is no news to it.
    pub device: DeviceId,
    /// Whether there may have been others. What was said with these is news.
    pub has_others: bool,
    /// How far the client had come. What it has heard up to here may have been deleted since.
    pub began: Seq,
    /// Only what comes after this: it moves on with each part.
    pub after: Seq,
    /// And not after this. From there on it hears what happens.
    pub until: Seq,
    /// What was said in groups while the client was in them.
    pub groups: Vec<ReplayGroup>,
    /// How others have ended memberships meanwhile, in the order of the log.
    pub ends: Vec<Notification>,
}

/// Where a client was a member, and so hears what was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayGroup {
    /// Of which group.
    pub group: GroupId,
    /// The join.
    pub since: Seq,
    /// The end of the membership, or of what is told again.
    pub until: Seq,
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

/// A resume token and its digest.
#[derive(Debug, Clone)]
pub struct Credential {
    /// What the client has.
    pub token: Token,
    /// What the log has.
    pub digest: TokenDigest,
}

/// Something to find out about a password. It takes tens of milliseconds and much memory, on
/// purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// For whose name.
    pub name: UserName,
    /// Who asks, if they are in already. Their tries are counted apart from those of strangers, who
    /// are not to keep a name's owner from changing the password.
    pub person: Option<PersonId>,
    /// Where it comes from.
    pub address: Address,
    /// What is said to be the password until now; nothing when there is none.
    pub claimed: Option<Claim>,
    /// The password from now on, which is hashed.
    pub new: Option<Password>,
}

/// A password that somebody says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// What they say.
    pub password: Password,
    /// What it has to match; nothing when there is no such account. Finding that out must take as
    /// long.
    pub hash: Option<PasswordHash>,
}

/// What became of a [`Check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// The password matches, if one was claimed. The hash of the new one, if there is one.
    Right(Option<PasswordHash>),
    /// It does not.
    Wrong,
    /// It was not checked: too many were tried.
    Later {
        /// When it would be, in milliseconds from now.
        retry_after_ms: u32,
    },
}

/// A new connection and its first frame.
#[derive(Debug)]
pub struct LoginRequest {
    /// Which connection.
    pub connection: ConnectionId,
    /// The tag of the first frame.
    pub tag: Tag,
    /// What it said.
    pub hello: Hello,
    /// In which lives of the log it was.
    pub lives: Lives,
    /// The digests of the token that it said it has, if it did: that which is kept of it, and that
    /// which was kept before tokens were bound to names.
    pub presented: Option<[TokenDigest; 2]>,
    /// The token of its session: that which it said it has, or a new one.
    pub session: Credential,
    /// Where it comes from.
    pub address: Address,
    /// Who can read along.
    pub channel: Channel,
}

/// What connections say to the [`Chat`](super::Chat). Requests come in by the hundred thousands a
/// second, and each is moved several times: what is larger and comes seldom is in a box.
#[derive(Debug)]
pub enum Input {
    /// A new connection asks to come in: its first frame.
    LogIn(Box<LoginRequest>),
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
        result: Box<Result<Response, Refusal>>,
        /// Everything up to here was known to whoever looked.
        head: Seq,
    },
    /// The post that a connection wants to be deleted was found, or not.
    FoundPost {
        /// Which connection.
        connection: ConnectionId,
        /// The request's tag.
        tag: Tag,
        /// What was found.
        result: Box<Result<StoredPost, Refusal>>,
    },
    /// What was to be found out about a password.
    Checked {
        /// Which connection.
        connection: ConnectionId,
        /// The request's tag.
        tag: Tag,
        /// What was found out.
        checked: Checked,
    },
    /// A connection is no more.
    Gone {
        /// Which.
        connection: ConnectionId,
    },
    /// A connection has asked for something that is refused, whatever it is: it has asked too much.
    /// The refusal is sent in its turn.
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
    /// From now on this connection hears what is said to this device.
    Admit {
        /// The connection.
        connection: ConnectionId,
        /// The device.
        device: DeviceId,
    },
    /// Read this from the archive, and hand in [`Input::Found`].
    Read {
        /// The connection that asked.
        connection: ConnectionId,
        /// The request's tag.
        tag: Tag,
        /// What to look up.
        read: Read,
    },
    /// Find this post in the archive, and hand in [`Input::FoundPost`].
    Find {
        /// The connection that asked.
        connection: ConnectionId,
        /// The request's tag.
        tag: Tag,
        /// The post's place.
        post: Seq,
        /// The answer knows everything up to here.
        head: Seq,
    },
    /// Check this password, and hand in [`Input::Checked`].
    Check {
        /// The connection that asked.
        connection: ConnectionId,
        /// The request's tag.
        tag: Tag,
        /// What to find out.
        check: Check,
    },
    /// Send this again, and then [`Notification::CaughtUp`], before anything that happens from now
    /// on.
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
    /// Tell some devices something, behind all that they were told before. Those that are connected
    /// to another node hear it there.
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

/// How a device that does something passes through the group that hears of it.
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

/// Who hears a notification. What it names is in the [`ChatState`](super::ChatState) that has just
/// applied the entry, see [`ChatState::hearers`](super::ChatState::hearers); no list is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// One device.
    One(DeviceId),
    /// These devices.
    Some(Vec<DeviceId>),
    /// Everyone in a group who has a connection, but one.
    Group {
        /// Which group.
        group: GroupId,
        /// The one that knows already, because it did it.
        except: DeviceId,
        /// What that one is to the group.
        passage: Passage,
        /// Some more, which are not in the group.
        and: Vec<DeviceId>,
    },
    /// Nobody.
    Nobody,
}
