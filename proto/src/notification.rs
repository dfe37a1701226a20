//! What the server says unasked.

use serde::{Deserialize, Serialize};

use crate::{
    Conversation, DeletedPost, GroupName, Headline, Moderation, Operation, Post, Seq, UnixMillis,
    UserName,
};
#[cfg(doc)]
use crate::{Refusal, Request, Response};

/// One variant for each thing that a client hears without asking. Variants are appended, never
/// moved: their number is on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub enum Notification {
    /// Are you there? Answer with [`Request::Ping`]; any other frame does as well.
    Ping,
    /// Somebody came to the server, and with that into a group that you are in (General).
    Arrived {
        /// The arrival's place in the order.
        seq: Seq,
        /// Who.
        user: UserName,
        /// The group that everyone is in on arrival.
        group: GroupName,
    },
    /// Somebody who shared a group with you went for good.
    Departed {
        /// The departure's place in the order.
        seq: Seq,
        /// Who.
        user: UserName,
    },
    /// Somebody joined a group that you are in.
    Joined {
        /// The entry's place in the order.
        seq: Seq,
        /// Who.
        user: UserName,
        /// Which group.
        group: GroupName,
    },
    /// Somebody left a group that you are in.
    Left {
        /// The leave's place in the order.
        seq: Seq,
        /// Who.
        user: UserName,
        /// Which group.
        group: GroupName,
    },
    /// Somebody said something in a group that you are in.
    GroupPost {
        /// What they said, and its place.
        post: Post,
        /// In which group.
        group: GroupName,
    },
    /// Somebody said something to you alone.
    PrivatePost {
        /// What they said, and its place.
        post: Post,
        /// Your name as the server knows it.
        to: UserName,
    },
    /// The server hangs up after this frame, and says why.
    Closing(CloseReason),
    /// Everything that a client missed has been sent again; from here on what it hears is live.
    CaughtUp {
        /// The newest event that is behind it: [`Welcome::seq`](crate::Welcome::seq).
        seq: Seq,
    },
    /// Somebody keeps order in a group that you are in, or it concerns you. One who is kicked or
    /// banned is in the group no longer, and hears nothing of it after this.
    Moderated {
        /// Its place in the order.
        seq: Seq,
        /// When.
        at: UnixMillis,
        /// Who did it.
        by: UserName,
        /// In which group.
        group: GroupName,
        /// What was done.
        act: Moderation,
    },
    /// You have come into a group that has a topic.
    TopicIs {
        /// Which group.
        group: GroupName,
        /// What it is about.
        headline: Headline,
    },
    /// A group that you are in has another owner, because the one before is gone for good.
    PassedOn {
        /// The place of what made it so; it is not the only thing that happened there.
        seq: Seq,
        /// Which group.
        group: GroupName,
        /// Whose it is now.
        to: UserName,
    },
    /// An operator of the server did something that concerns you.
    Operated {
        /// Its place in the order.
        seq: Seq,
        /// When.
        at: UnixMillis,
        /// Who did it.
        by: UserName,
        /// What was done.
        act: Operation,
    },
    /// Something was taken back that was said in a group that you are in, or to or by you alone:
    /// whoever shows it is to show it no longer. One who comes back is told of what it had heard
    /// before. Since version 2.
    Deleted {
        /// The deletion's place in the order.
        seq: Seq,
        /// When.
        at: UnixMillis,
        /// Who did it.
        by: UserName,
        /// The place of what was said.
        post: Seq,
        /// Who said it.
        from: UserName,
        /// The group, or the one to whom it was said alone.
        place: Conversation,
    },
    /// Told again, in the place of a post that was missed, and deleted since. It counts like the
    /// post: what follows it has its place as `prev`. Version 1 is told a post without the text.
    DeletedPost {
        /// What is left of it.
        post: DeletedPost,
        /// The group, or the one to whom it was said alone.
        place: Conversation,
    },
}

impl Notification {
    /// Its place in the order. Nothing for what is about this connection, or repeats what was
    /// there before.
    pub fn seq(&self) -> Option<Seq> {
        match self {
            Notification::Arrived { seq, .. }
            | Notification::Departed { seq, .. }
            | Notification::Joined { seq, .. }
            | Notification::Left { seq, .. }
            | Notification::Moderated { seq, .. }
            | Notification::PassedOn { seq, .. }
            | Notification::Deleted { seq, .. }
            | Notification::Operated { seq, .. } => Some(*seq),
            Notification::DeletedPost { post, .. } => Some(post.seq),
            Notification::GroupPost { post, .. } | Notification::PrivatePost { post, .. } => {
                Some(post.seq)
            }
            Notification::TopicIs { .. }
            | Notification::Ping
            | Notification::Closing(_)
            | Notification::CaughtUp { .. } => None,
        }
    }

    /// Whose words it tells: of a message, a topic, or an invitation, which is nothing but
    /// somebody's words to somebody. Nothing for what is told in the server's name.
    pub fn words_of(&self) -> Option<&UserName> {
        match self {
            Notification::GroupPost { post, .. } | Notification::PrivatePost { post, .. } => {
                Some(&post.from)
            }
            // One who does not want to hear what somebody says need not hear that it is gone.
            Notification::Deleted { from, .. } => Some(from),
            Notification::DeletedPost { post, .. } => Some(&post.from),
            Notification::TopicIs { headline, .. } => Some(&headline.by),
            Notification::Moderated { by, act, .. } => match act {
                Moderation::Invite { .. } | Moderation::Topic { .. } => Some(by),
                Moderation::Kick { .. }
                | Moderation::Ban { .. }
                | Moderation::Unban { .. }
                | Moderation::Mute { .. }
                | Moderation::Unmute { .. }
                | Moderation::Lock
                | Moderation::Unlock
                | Moderation::Op { .. }
                | Moderation::Deop { .. }
                | Moderation::Delete { .. } => None,
            },
            Notification::Arrived { .. }
            | Notification::Departed { .. }
            | Notification::Joined { .. }
            | Notification::Left { .. }
            | Notification::PassedOn { .. }
            | Notification::Operated { .. }
            | Notification::Ping
            | Notification::Closing(_)
            | Notification::CaughtUp { .. } => None,
        }
    }
}

/// Why the server hangs up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub enum CloseReason {
    /// The server is going down. Come back later with the token.
    Shutdown,
    /// The client did not read what it was sent, and more was waiting for it than the server holds
    /// for one connection. Come back with the token.
    TooSlow,
    /// Nothing was heard from the client for too long, not even an answer to
    /// [`Notification::Ping`].
    Idle,
    /// No [`Request::Hello`] came in time.
    HandshakeTimeout,
    /// The server has as many connections as it will hold. Come back later.
    ServerFull,
    /// The same session goes on over another connection.
    Replaced,
    /// The client broke the protocol.
    Misbehaved(Misbehaviour),
    /// Something failed in the server that was not the client's fault. Come back with the token.
    Failed,
    /// The account's password was changed, or the account is no more: this device is not known any
    /// longer.
    PasswordChanged,
    /// The server speaks nothing but TLS to the network that the client comes from. The same
    /// connection without it is not worth another try.
    TlsRequired,
    /// From the client's address there are as many connections as the server takes from one. Come
    /// back later.
    TooManyConnections {
        /// How many that is.
        limit: u32,
    },
    /// An operator of the server has ended the stay; [`Notification::Operated`] before this says
    /// who, and why. Do not come back unless the person wants to.
    Disconnected,
}

/// How a client broke the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub enum Misbehaviour {
    /// It announced a frame longer than may be.
    FrameTooLong {
        /// The limit that was in force, in bytes.
        limit: u32,
    },
    /// It sent a frame that is not a request.
    Malformed,
    /// Its first request was not [`Request::Hello`].
    HelloExpected,
    /// It sent [`Request::Hello`] again.
    HelloAgain,
    /// It went on asking when it was told to wait ([`Refusal::RateLimited`]), too often
    /// ([`RATE_LIMITED_IN_A_ROW_MAX`](crate::RATE_LIMITED_IN_A_ROW_MAX)).
    Flooding,
}
