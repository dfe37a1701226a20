//! What a client may ask.

use serde::{Deserialize, Serialize};

use crate::{
    Body, Code, Conversation, GroupName, Hello, Lives, Moderation, Operation, Password, PostId,
    SearchQuery, Seq, Token, UserName,
};
#[cfg(doc)]
use crate::{CloseReason, Notification, Refusal, Response};

/// The most requests that a client leaves unanswered, on all its connections together. A server
/// reads no further from one that has more, and recognizes repeats of at least the latest twice as
/// many.
pub const ASKS_UNANSWERED_MAX: u32 = 256;

/// One variant for each thing a client may ask. Each may be [`Refusal::RateLimited`],
/// [`Refusal::Invalid`] and, when it comes too late, [`Refusal::SessionEnded`]. Variants are
/// appended, never moved: their number is on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub enum Request {
    /// May I come in, under this name? The first frame of a connection, and only the first.
    ///
    /// *Reply* [`Response::WelcomeInLife`]; in version 1 [`Response::Welcome`]. *Refused*
    /// [`Refusal::UnsupportedVersion`], [`Refusal::NameTaken`], [`Refusal::NameLooksLike`],
    /// [`Refusal::NotRegistered`], [`Refusal::PasswordNeeded`], [`Refusal::WrongPassword`],
    /// [`Refusal::TooManyDevices`], [`Refusal::PasswordInTheOpen`], [`Refusal::TooManyTries`],
    /// [`Refusal::RateLimited`], [`Refusal::ServerBanned`], [`Refusal::MarkedName`]; the server
    /// then hangs up. *Heard by* the members of General as [`Notification::Arrived`], unless a
    /// session goes on.
    Hello(Hello),
    /// Make a new group. The asker owns it and is not in it: joining is a request of its own.
    ///
    /// *Reply* [`Response::Created`]. *Refused* [`Refusal::GroupExists`],
    /// [`Refusal::GroupLooksLike`], [`Refusal::TooManyGroups`], [`Refusal::MarkedName`]. *Heard by*
    /// nobody.
    Create {
        /// The new group's name.
        group: GroupName,
    },
    /// Make me a member of a group.
    ///
    /// *Reply* [`Response::Joined`]. *Refused* [`Refusal::NoSuchGroup`],
    /// [`Refusal::AlreadyMember`], [`Refusal::TooManyMemberships`], [`Refusal::Banned`],
    /// [`Refusal::InvitationOnly`]. *Heard by* the other members as [`Notification::Joined`].
    Join {
        /// Which group.
        group: GroupName,
    },
    /// I am no longer a member of a group.
    ///
    /// *Reply* [`Response::Left`]. *Refused* [`Refusal::NoSuchGroup`], [`Refusal::NotMember`].
    /// *Heard by* those who stay as [`Notification::Left`].
    Leave {
        /// Which group.
        group: GroupName,
    },
    /// Which groups are there, in the order of their creation?
    ///
    /// *Reply* [`Response::Groups`], a page of them. *Heard by* nobody.
    Groups {
        /// [`Seq::ZERO`] for the first page, then what the page before said in `next`.
        after: Seq,
    },
    /// Who is here, in the order of their arrival? One whose connection was lost a moment ago still
    /// counts.
    ///
    /// *Reply* [`Response::Users`], a page of them. *Heard by* nobody.
    Users {
        /// [`Seq::ZERO`] for the first page, then what the page before said in `next`.
        after: Seq,
    },
    /// Say something in a group that I am a member of.
    ///
    /// *Reply* [`Response::Posted`]; for an `id` that the asker has used lately, the first one's.
    /// *Refused* [`Refusal::NoSuchGroup`], [`Refusal::NotMember`], [`Refusal::Muted`]. *Heard by*
    /// the other members as [`Notification::GroupPost`].
    Public {
        /// Where to say it.
        group: GroupName,
        /// The post's identity, chosen by the client.
        id: PostId,
        /// What to say.
        body: Body,
    },
    /// Say something to one person.
    ///
    /// A person exists who has the name now, or, when nobody has it, who had it last and is
    /// remembered. The second is away: where posts are kept, it is told when it comes back with its
    /// token.
    ///
    /// *Reply* [`Response::Posted`], or [`Response::Kept`] when that person is away; for an `id`
    /// that the asker has used lately, the first one's. *Refused* [`Refusal::NoSuchUser`]. *Heard
    /// by* that person as [`Notification::PrivatePost`].
    Private {
        /// To whom.
        to: UserName,
        /// The post's identity, chosen by the client.
        id: PostId,
        /// What to say.
        body: Body,
    },
    /// I am going, for good.
    ///
    /// *Reply* [`Response::Goodbye`]; the server then hangs up. *Heard by* everyone who shares a
    /// group with the asker as [`Notification::Departed`].
    Exit,
    /// Are you there? Also the answer to [`Notification::Ping`].
    ///
    /// *Reply* [`Response::Pong`]. *Heard by* nobody.
    Ping,
    /// What was said in a conversation of mine, the newest first?
    ///
    /// A person is who has the name now; when nobody has it, who had it last. Their conversation
    /// with the asker is theirs: nobody who takes the name later is shown it.
    ///
    /// *Reply* [`Response::Past`], or [`Response::PastWithDeleted`] when something in it was
    /// deleted. *Refused* [`Refusal::NoSuchGroup`], [`Refusal::NotMember`],
    /// [`Refusal::NoSuchUser`], [`Refusal::NothingKept`], [`Refusal::TookTooLong`],
    /// [`Refusal::Unavailable`]. *Heard by*
    /// nobody.
    History {
        /// Of which conversation.
        of: Conversation,
        /// Only what was said before this; [`Seq::ZERO`] for the newest, then what the page before
        /// said in `next`.
        before: Seq,
        /// How many posts, at the most; a page has fewer when these are long. 0 asks for none: the
        /// answer is an empty page without `next`, or the refusal that any other count would get.
        count: u16,
    },
    /// What was said with all of these words in it, where I may read, the newest first?
    ///
    /// Words are letters and digits; case, accents and width make no difference. In scripts that
    /// put no spaces between words, and in Korean, any part of a text is found. A symbol, such as
    /// an emoji, is a word; its skin tone makes no difference. Punctuation is left out.
    ///
    /// *Reply* [`Response::Past`]. *Refused* [`Refusal::NoSuchGroup`], [`Refusal::NotMember`],
    /// [`Refusal::NothingKept`], [`Refusal::TookTooLong`], [`Refusal::Unavailable`],
    /// [`Refusal::NoWords`]. *Heard by* nobody.
    Search {
        /// The words.
        words: SearchQuery,
        /// Only in this group; otherwise in all that the asker is in, and in what was said to or by
        /// it alone.
        within: Option<GroupName>,
        /// Only what was said before this; [`Seq::ZERO`] for the newest, then what the page before
        /// said in `next`.
        before: Seq,
        /// How many posts, at the most; a page has fewer when these are long. 0 asks for none: the
        /// answer is an empty page without `next`, or the refusal that any other count would get.
        count: u16,
    },
    /// My name shall be mine: from now on nobody comes under it without this password. Whoever is
    /// registered may be here with several devices at once.
    ///
    /// *Reply* [`Response::Registered`]. *Refused* [`Refusal::AlreadyRegistered`],
    /// [`Refusal::TooManyAccounts`], [`Refusal::PasswordInTheOpen`], [`Refusal::TooManyTries`].
    /// *Heard by* nobody.
    Register {
        /// The password.
        password: Password,
    },
    /// The same as [`Request::ChangePasswordAndToken`], with a token that the server chooses: a
    /// client that gets no answer has to come with the password. For clients of version 1.
    ///
    /// *Reply* [`Response::PasswordChanged`]. *Refused* [`Refusal::NotRegistered`],
    /// [`Refusal::WrongPassword`], [`Refusal::PasswordInTheOpen`], [`Refusal::TooManyTries`].
    /// *Heard by* nobody.
    ChangePassword {
        /// The password until now.
        old: Password,
        /// The password from now on.
        new: Password,
    },
    /// I give my account up, and go for good. The name is free; the server forgets whose it was,
    /// with the memberships and all devices.
    ///
    /// *Reply* [`Response::Unregistered`]; the server then hangs up. *Refused*
    /// [`Refusal::NotRegistered`], [`Refusal::WrongPassword`], [`Refusal::PasswordInTheOpen`],
    /// [`Refusal::TooManyTries`]. *Heard by* everyone who shares a group with the asker as
    /// [`Notification::Departed`].
    Unregister {
        /// The password.
        password: Password,
    },
    /// Keep order in a group that is mine, or in which I am an operator.
    ///
    /// *Reply* [`Response::Moderated`]. *Refused* [`Refusal::NoSuchGroup`],
    /// [`Refusal::NoSuchUser`], [`Refusal::NotAllowed`], [`Refusal::OutOfReach`],
    /// [`Refusal::NotOneself`], [`Refusal::AlreadySo`], [`Refusal::TooManyMarks`], and
    /// [`Refusal::Banned`] for one who is invited though banned. *Heard by* the other members, and
    /// by the person whom it concerns, as [`Notification::Moderated`].
    Moderate {
        /// In which group.
        group: GroupName,
        /// What is to be done.
        act: Moderation,
    },
    /// What was done to keep order in a group, the newest first? Members may know, and everybody
    /// what was done to themselves.
    ///
    /// *Reply* [`Response::Acts`]. *Refused* [`Refusal::NoSuchGroup`], [`Refusal::NotMember`].
    /// *Heard by* nobody.
    Why {
        /// In which group.
        group: GroupName,
        /// Only what concerned this person.
        user: Option<UserName>,
    },
    /// What is that group, and what am I in it?
    ///
    /// *Reply* [`Response::About`]. *Refused* [`Refusal::NoSuchGroup`]. *Heard by* nobody.
    About {
        /// Which group.
        group: GroupName,
    },
    /// I know the code that makes me an operator of the server.
    ///
    /// *Reply* [`Response::Operated`]. *Refused* [`Refusal::WrongCode`], [`Refusal::NoDifference`],
    /// [`Refusal::RegisterFirst`]. *Heard by* nobody.
    Claim {
        /// The code. It is good for one person, once.
        code: Code,
    },
    /// Do what operators of the server may do.
    ///
    /// A name with [`NAME_MARK`](crate::NAME_MARK) in front, which nobody has or had lately, means
    /// the name behind the mark. A ban is for a name that somebody has or had lately, or for
    /// addresses: there is no other.
    ///
    /// *Reply* [`Response::Operated`]. *Refused* [`Refusal::NotOperator`], [`Refusal::IsOperator`],
    /// [`Refusal::NoSuchUser`], [`Refusal::NotOneself`], [`Refusal::NoDifference`],
    /// [`Refusal::TooManyMarks`], [`Refusal::RegisterFirst`] for one who is to be an operator.
    /// *Heard by* whom it concerns as [`Notification::Operated`].
    Operate {
        /// What is to be done.
        act: Operation,
    },
    /// Who is here, from where, and in which groups, in the order of arrival?
    ///
    /// *Reply* [`Response::Clients`], a page of them. *Refused* [`Refusal::NotOperator`]. *Heard
    /// by* nobody.
    Clients {
        /// [`Seq::ZERO`] for the first page, then what the page before said in `next`.
        after: Seq,
    },
    /// Who may not come to the server?
    ///
    /// *Reply* [`Response::ServerBans`], a page of them. *Refused* [`Refusal::NotOperator`]. *Heard
    /// by* nobody.
    ServerBans {
        /// [`Seq::ZERO`] for the first page, then what the page before said in `next`.
        after: Seq,
    },
    /// May I come in again, under this name? The first frame of a connection, and only the first.
    /// Since version 2, for a client that knows lives of the log.
    ///
    /// *Reply* [`Response::WelcomeInLife`]. *Refused* as [`Request::Hello`]. *Heard by* the members
    /// of General as [`Notification::Arrived`], unless a session goes on.
    ComeBack {
        /// Who comes, why it may, and how far it has seen.
        hello: Hello,
        /// The lives that the newest welcome has told it.
        lives: Lives,
    },
    /// Another password for my name, and another token for this device: whoever has copied the old
    /// one has nothing. My other devices are hung up on with [`CloseReason::PasswordChanged`] and
    /// forgotten: they need the new password. A client that gets no answer comes back with the new
    /// token; when the server does not know it ([`Refusal::PasswordNeeded`]), nothing was changed,
    /// and the old one holds. Since version 2.
    ///
    /// *Reply* [`Response::PasswordChanged`]. *Refused* [`Refusal::NotRegistered`],
    /// [`Refusal::WrongPassword`], [`Refusal::PasswordInTheOpen`], [`Refusal::TooManyTries`].
    /// *Heard by* nobody.
    ChangePasswordAndToken {
        /// The password until now.
        old: Password,
        /// The password from now on.
        new: Password,
        /// The client's token from now on, of its own choice: 32 random bytes.
        token: Token,
    },
    /// Who has that name: here, or away since when, and in which of my groups? When nobody has it,
    /// who had it last. Of another group than the asker's nothing is told. Since version 2.
    ///
    /// *Reply* [`Response::Who`]. *Refused* [`Refusal::NoSuchUser`]. *Heard by* nobody.
    Who {
        /// The name.
        user: UserName,
    },
    /// Take back what was said there: its text is to be nowhere any more. Its author may, wherever
    /// it was said; in a group also those who keep order there and stand above its author. Since
    /// version 2.
    ///
    /// *Reply* [`Response::Deleted`]. *Refused* [`Refusal::NoSuchPost`], [`Refusal::NotYours`],
    /// [`Refusal::OutOfReach`], [`Refusal::AlreadyDeleted`], [`Refusal::NothingKept`],
    /// [`Refusal::TookTooLong`], [`Refusal::Unavailable`]. *Heard by* the other members of the
    /// group, or by the other one of the two, as [`Notification::Deleted`].
    Delete {
        /// The post's place.
        post: Seq,
    },
}
