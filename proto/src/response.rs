//! What a request is answered with: a [`Response`], or a [`Refusal`].

use serde::{Deserialize, Serialize};

use crate::{
    About, ArchivedPost, ClientInfo, DeletedPost, GroupName, Lives, ModerationRecord, Page, Reason,
    Retention, Seq, ServerBan, Token, UnixMillis, UserName, VersionRange,
};
#[cfg(doc)]
use crate::{Notification, Request};

/// The longest time that a server asks for in [`Refusal::RateLimited`], in milliseconds. A client
/// waits no longer, whatever it is told.
pub const RETRY_AFTER_MS_MAX: u32 = 60_000;

/// How long a server waits for the request that it has refused with [`Refusal::RateLimited`] to
/// come again, once it may come, in milliseconds. Until then it takes no other over that
/// connection.
pub const SENT_AGAIN_WITHIN_MS: u32 = 5_000;

/// How many requests of one connection are refused with [`Refusal::RateLimited`] in a row, none of
/// which has waited as it was told, before the server hangs up. Twice what may be unanswered: a
/// client that stops when it is told never comes near.
pub const RATE_LIMITED_IN_A_ROW_MAX: u32 = 2 * crate::ASKS_UNANSWERED_MAX;

/// The answer to a request that was granted. Variants are appended, never moved: their number is on
/// the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub enum Response {
    /// To [`Request::Hello`], in version 1: come in.
    Welcome(Welcome),
    /// To [`Request::Create`]: the group exists now.
    Created {
        /// The creation's place in the order.
        seq: Seq,
        /// The new group.
        group: GroupName,
    },
    /// To [`Request::Join`]: you are a member now.
    Joined {
        /// The entry's place in the order.
        seq: Seq,
        /// The group as its creator wrote it, and its last post.
        membership: Membership,
    },
    /// To [`Request::Leave`]: you are no longer a member.
    Left {
        /// The leave's place in the order.
        seq: Seq,
        /// The group as its creator wrote it.
        group: GroupName,
    },
    /// To [`Request::Groups`]: a page of groups.
    Groups {
        /// Names in the order of creation.
        groups: Page<GroupName>,
        /// What to ask for the next page with; nothing when this was the last.
        next: Option<Seq>,
    },
    /// To [`Request::Users`]: a page of people.
    Users {
        /// Names in the order of arrival.
        users: Page<UserName>,
        /// What to ask for the next page with; nothing when this was the last.
        next: Option<Seq>,
    },
    /// To [`Request::Public`] and [`Request::Private`]: it is kept, once, at this place.
    Posted {
        /// The post's place in the order.
        seq: Seq,
        /// When the server took it.
        at: UnixMillis,
    },
    /// To [`Request::Exit`].
    Goodbye,
    /// To [`Request::Ping`].
    Pong,
    /// To [`Request::Private`]: that person is away. It is kept, once, at this place, and told when
    /// they come back.
    Kept {
        /// The post's place in the order.
        seq: Seq,
        /// When the server took it.
        at: UnixMillis,
        /// Who is away, as they write their name.
        to: UserName,
    },
    /// To [`Request::History`] and [`Request::Search`]: a page of posts.
    Past {
        /// The posts, the newest first.
        posts: Page<ArchivedPost>,
        /// What to ask for the next page with; nothing when there are no older ones, or when none
        /// were asked for.
        next: Option<Seq>,
    },
    /// To [`Request::Register`]: the name is yours.
    Registered {
        /// The entry's place in the order.
        seq: Seq,
    },
    /// To [`Request::ChangePasswordAndToken`] and [`Request::ChangePassword`]: the new one holds.
    PasswordChanged {
        /// The entry's place in the order.
        seq: Seq,
        /// Proves from now on that it is the same client.
        token: Token,
    },
    /// To [`Request::Unregister`]: the name is nobody's. Goodbye.
    Unregistered {
        /// The entry's place in the order.
        seq: Seq,
    },
    /// To [`Request::Moderate`]: it is done.
    Moderated {
        /// Its place in the order.
        seq: Seq,
        /// The group as its creator wrote it.
        group: GroupName,
    },
    /// To [`Request::Why`]: what was done, the newest first,
    /// [`ACTS_TOLD_MAX`](crate::ACTS_TOLD_MAX) at the most. A server remembers the latest acts
    /// only.
    Acts {
        /// The group as its creator wrote it.
        group: GroupName,
        /// Who did what, and when.
        acts: Page<ModerationRecord>,
    },
    /// To [`Request::About`].
    About(Box<About>),
    /// To [`Request::Claim`] and [`Request::Operate`]: it is done.
    Operated {
        /// Its place in the order.
        seq: Seq,
    },
    /// To [`Request::Clients`]: a page of people.
    Clients {
        /// Who is there, in the order of arrival.
        clients: Page<ClientInfo>,
        /// What to ask for the next page with; nothing when this was the last.
        next: Option<Seq>,
    },
    /// To [`Request::ServerBans`]: a page of bans.
    ServerBans {
        /// The oldest first.
        bans: Page<ServerBan>,
        /// What to ask for the next page with; nothing when this was the last.
        next: Option<Seq>,
    },
    /// To [`Request::Hello`] and [`Request::ComeBack`]: come in. Since version 2.
    WelcomeInLife {
        /// What the client learns.
        welcome: Box<Welcome>,
        /// The newest lives of the log. In the last of them this connection is.
        lives: Lives,
        /// The server's log was put back to an earlier copy, or another log is there, since the
        /// client was here: this is the last event that both know. What the client has seen after
        /// it is no more. What is told now begins after it, or after what the client has seen, if
        /// that is older.
        put_back: Option<Seq>,
    },
    /// To [`Request::Who`]. Since version 2.
    Who(Box<PersonInfo>),
    /// To [`Request::Delete`]: the text is gone.
    Deleted {
        /// The deletion's place in the order.
        seq: Seq,
    },
    /// To [`Request::History`]: a page of posts, some of which were deleted. Since version 2.
    PastWithDeleted {
        /// The posts that still have their text, the newest first.
        posts: Page<ArchivedPost>,
        /// Those that were deleted, the newest first. They count like the others.
        deleted: Page<DeletedPost>,
        /// What to ask for the next page with; nothing when there are no older ones.
        next: Option<Seq>,
    },
}

impl Response {
    /// The welcome, in whatever version.
    pub fn welcome(&self) -> Option<&Welcome> {
        match self {
            Response::Welcome(welcome) => Some(welcome),
            Response::WelcomeInLife { welcome, .. } => Some(welcome),
            _ => None,
        }
    }

    /// The place of what the request has done. Nothing for what has changed nothing, or is about
    /// the whole connection.
    pub fn seq(&self) -> Option<Seq> {
        match self {
            Response::Created { seq, .. }
            | Response::Joined { seq, .. }
            | Response::Left { seq, .. }
            | Response::Posted { seq, .. }
            | Response::Kept { seq, .. }
            | Response::Registered { seq }
            | Response::PasswordChanged { seq, .. }
            | Response::Unregistered { seq }
            | Response::Moderated { seq, .. }
            | Response::Deleted { seq }
            | Response::Operated { seq } => Some(*seq),
            Response::Welcome(_)
            | Response::WelcomeInLife { .. }
            | Response::Groups { .. }
            | Response::Users { .. }
            | Response::Goodbye
            | Response::Pong
            | Response::Past { .. }
            | Response::PastWithDeleted { .. }
            | Response::Acts { .. }
            | Response::About(_)
            | Response::Who(_)
            | Response::Clients { .. }
            | Response::ServerBans { .. } => None,
        }
    }

    /// How many items its page has, if it is one.
    pub fn items(&self) -> usize {
        match self {
            Response::Groups { groups, .. } => groups.as_slice().len(),
            Response::Users { users, .. } => users.as_slice().len(),
            Response::Past { posts, .. } => posts.as_slice().len(),
            Response::PastWithDeleted { posts, deleted, .. } => {
                posts.as_slice().len() + deleted.as_slice().len()
            }
            Response::Acts { acts, .. } => acts.as_slice().len(),
            Response::Clients { clients, .. } => clients.as_slice().len(),
            Response::ServerBans { bans, .. } => bans.as_slice().len(),
            Response::Who(who) => who.groups.as_slice().len(),
            Response::Welcome(_)
            | Response::WelcomeInLife { .. }
            | Response::Created { .. }
            | Response::Joined { .. }
            | Response::Left { .. }
            | Response::Posted { .. }
            | Response::Goodbye
            | Response::Pong
            | Response::Kept { .. }
            | Response::Registered { .. }
            | Response::PasswordChanged { .. }
            | Response::Unregistered { .. }
            | Response::Moderated { .. }
            | Response::About(_)
            | Response::Deleted { .. }
            | Response::Operated { .. } => 0,
        }
    }
}

/// What a client learns when it is let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct Welcome {
    /// The protocol version that this connection speaks from now on.
    pub version: u16,
    /// The name under which the client is known.
    pub name: UserName,
    /// Proves on a later connection that it is the same client.
    pub token: Token,
    /// Whether the client was recognized: it is in its groups, and hears what it missed.
    pub resumed: bool,
    /// How long the session is held when the connection is lost, in milliseconds.
    pub grace_ms: u32,
    /// The newest event when the connection was let in. What comes live is newer. What a client
    /// that was recognized has missed comes first, and is older: see
    /// [Coming back](crate#coming-back).
    pub seq: Seq,
    /// The groups that the client is a member of, in the order of joining.
    pub groups: Page<Membership>,
    /// How long what is said here is kept.
    pub retention: Retention,
}

/// What everybody may know of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct PersonInfo {
    /// Who, as they write their name.
    pub user: UserName,
    /// When their last connection ended. Nothing for one who is here; one whose connection was lost
    /// a moment ago still is.
    pub away_since: Option<UnixMillis>,
    /// The groups that both are in, in the order in which the asker has joined them.
    pub groups: Page<GroupName>,
}

/// A group that a client is a member of, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct Membership {
    /// The group as its creator wrote it.
    pub group: GroupName,
    /// Its newest post: the `prev` of the next one. [`Seq::ZERO`] when there is none.
    pub head: Seq,
}

/// A request that was not granted: the asker's fault, and the connection lives on (but for a
/// refused [`Request::Hello`]). Variants are appended, never moved: their number is on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub enum Refusal {
    /// The client speaks no version that the server speaks.
    UnsupportedVersion {
        /// What the server speaks.
        server: VersionRange,
    },
    /// Somebody of that name is here, or was a moment ago.
    NameTaken {
        /// The name as its holder writes it.
        name: UserName,
    },
    /// A password was given for a name that nobody has registered: it is free to use without one.
    NotRegistered {
        /// The name.
        name: UserName,
    },
    /// A group of that name is already there.
    GroupExists {
        /// The group as its creator wrote it.
        group: GroupName,
    },
    /// There is no group of that name.
    NoSuchGroup {
        /// The name that was asked for.
        group: GroupName,
    },
    /// The asker is in that group already.
    AlreadyMember {
        /// The group as its creator wrote it.
        group: GroupName,
    },
    /// The asker is not in that group.
    NotMember {
        /// The group as its creator wrote it.
        group: GroupName,
    },
    /// There is nobody of that name.
    NoSuchUser {
        /// The name that was asked for.
        name: UserName,
    },
    /// The server holds as many groups as it will.
    TooManyGroups {
        /// How many that is.
        limit: u32,
    },
    /// The asker is in as many groups as one may be.
    TooManyMemberships {
        /// How many that is.
        limit: u32,
    },
    /// The server keeps nothing that was said.
    NothingKept,
    /// It took too long to find: too much matches, or the server has other things to do. To ask for
    /// less, or later, helps.
    TookTooLong,
    /// The name is registered: to come under it takes its password, or the token of one of its
    /// devices.
    PasswordNeeded {
        /// The name as it was registered.
        name: UserName,
    },
    /// That is not the name's password.
    WrongPassword {
        /// The name as it was registered.
        name: UserName,
    },
    /// Passwords are taken only where nobody can read along: over TLS, or from the server's own
    /// machine. One that came another way should be changed.
    PasswordInTheOpen,
    /// The asker's name is registered already.
    AlreadyRegistered {
        /// The name as it was registered.
        name: UserName,
    },
    /// The server keeps as many accounts as it will.
    TooManyAccounts {
        /// How many that is.
        limit: u32,
    },
    /// The account is here with as many devices as one may have.
    TooManyDevices {
        /// How many that is.
        limit: u32,
    },
    /// Too many passwords were tried, for this name or from this address, or the server has too
    /// many to look at.
    TooManyTries {
        /// When to try again, in milliseconds from now.
        retry_after_ms: u32,
    },
    /// The name can be mistaken for that of somebody who is here or was a moment ago
    /// ([`UserName::looks_like`]).
    NameLooksLike {
        /// The other name, as its holder writes it.
        name: UserName,
    },
    /// The name can be mistaken for that of a group ([`GroupName::looks_like`]).
    GroupLooksLike {
        /// The other group, as its creator wrote it.
        group: GroupName,
    },
    /// The asker asks for more than is its due, or its address does. Nothing was done; the same
    /// request with the same tag is to be sent again after this time, and before everything else:
    /// see [the rates](crate#rates).
    RateLimited {
        /// How long to wait, in milliseconds: at least 1 and at most [`RETRY_AFTER_MS_MAX`].
        retry_after_ms: u32,
    },
    /// The asker may not do that: it is neither the owner nor an operator of the group, or an
    /// operator that wants what only the owner may.
    NotAllowed {
        /// The group as its creator wrote it.
        group: GroupName,
    },
    /// That person keeps order there, too, and is not beneath the asker.
    OutOfReach {
        /// The group as its creator wrote it.
        group: GroupName,
        /// Who, as they write their name.
        user: UserName,
    },
    /// One does that to others only.
    NotOneself,
    /// It is so already: there is nothing to do, or to undo.
    AlreadySo {
        /// The group as its creator wrote it.
        group: GroupName,
    },
    /// As many people are banned, muted, invited or operators in that group, or in all groups
    /// together, as there may be.
    TooManyMarks {
        /// How many of one kind a group may have.
        limit: u32,
    },
    /// The asker, or whom it invites, is banned from that group.
    Banned {
        /// The group as its creator wrote it.
        group: GroupName,
        /// Until when, if it ends by itself.
        until: Option<UnixMillis>,
    },
    /// The asker may not speak in that group.
    Muted {
        /// The group as its creator wrote it.
        group: GroupName,
        /// Until when, if it ends by itself.
        until: Option<UnixMillis>,
    },
    /// Only those may join that group who are invited.
    InvitationOnly {
        /// The group as its creator wrote it.
        group: GroupName,
    },
    /// The asker is no operator of the server.
    NotOperator,
    /// The code is not the one that the server shows, or was used.
    WrongCode,
    /// That person is an operator of the server: nobody ends their stay or bans them before they
    /// are dismissed.
    IsOperator {
        /// Who, as they write their name.
        user: UserName,
    },
    /// It is so already on this server: there is nothing to do, or to undo.
    NoDifference,
    /// Whoever has that name, or comes from there, may not come to this server.
    ServerBanned {
        /// Until when, if it ends by itself.
        until: Option<UnixMillis>,
    },
    /// Operators of the server need a registered name, or anybody could take it: the asker, or the
    /// one who is to be one, has none.
    RegisterFirst,
    /// There is nothing to look for: a search looks for words, numbers and symbols, and there is
    /// none in that.
    NoWords,
    /// The name begins with a mark of commands ([`NAME_MARKS`](crate::NAME_MARKS)), which no new
    /// name does, of a person or a group.
    MarkedName,
    /// The asker's session has just ended, by what was done with another of its devices or to it;
    /// the connection is about to be closed, with the reason.
    SessionEnded,
    /// The server can't read what it keeps, which is not the asker's fault. Whoever runs it finds
    /// the reason in its diagnostics.
    Unavailable,
    /// A value in the request breaks a rule of its type, as a name with a space in it, or the
    /// request is one of a newer version. Nothing was done.
    Invalid {
        /// Which rule.
        why: Reason,
    },
    /// There is no post at that place that the asker may read, or it is kept no longer.
    NoSuchPost {
        /// The place that was asked for.
        post: Seq,
    },
    /// The asker did not say it, and does not keep order where it was said.
    NotYours {
        /// The post's place.
        post: Seq,
    },
    /// It was deleted before.
    AlreadyDeleted {
        /// The post's place.
        post: Seq,
        /// Who deleted it.
        by: UserName,
    },
}
