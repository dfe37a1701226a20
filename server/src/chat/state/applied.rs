//! What applying an entry comes to.

use chatroom_proto::{CloseReason, Notification, Refusal, Response, Seq};

use crate::chat::effect::{Audience, ConversationId};
use crate::chat::entry::{ConnAddr, DeviceId};

/// What applying an entry came to.
#[derive(Debug, Default)]
pub(in crate::chat) struct Applied {
    /// What the asker is answered; nothing, when its connection has lost its device.
    pub(in crate::chat) result: Option<Result<CommandOutcome, Refusal>>,
    /// Connections that have lost their device, and why.
    pub(in crate::chat) cut_off: Vec<(ConnAddr, Option<CloseReason>)>,
    /// What others hear.
    pub(in crate::chat) news: Option<(Audience, Notification)>,
    /// What else they hear.
    pub(in crate::chat) more: Vec<(Audience, Notification)>,
    /// Connections that are closed when all that was heard, and why.
    pub(in crate::chat) put_out: Vec<(ConnAddr, CloseReason)>,
    /// Stays that end next.
    pub(in crate::chat) ends: Vec<DeviceId>,
    /// For a post that took effect: with which device it was said, and in which conversation.
    pub(in crate::chat) said: Option<(DeviceId, ConversationId)>,
}

/// What a command that took effect is answered with.
#[derive(Debug)]
pub(in crate::chat) enum CommandOutcome {
    /// The connection goes with this device.
    Admitted {
        /// Which.
        device: DeviceId,
        /// For one who was recognized: where it was lost. Everything up to there was sent to it.
        lost: Option<Seq>,
    },
    /// The account has another password, and the device another token.
    PasswordChanged,
    /// A finished answer.
    Answer(Response),
    /// The same, and the last that the connection hears.
    Farewell(Response),
}

impl Applied {
    /// An answer for the asker, and what the others hear.
    pub(super) fn answer(response: Response, news: Option<(Audience, Notification)>) -> Applied {
        Applied { result: Some(Ok(CommandOutcome::Answer(response))), news, ..Applied::default() }
    }
}

/// Whether nothing goes wrong when a request that was refused so is granted when it comes again.
///
/// One who joins, joins again and leaves, and has no answer to that, would be in the group in the
/// end if the second were granted then. The same holds for one who locks a group, locks it again
/// and unlocks it. So a refusal because it is so already is remembered and given again.
pub(super) fn is_forgettable(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::AlreadyMember { .. }
        | Refusal::NotMember { .. }
        | Refusal::AlreadySo { .. }
        | Refusal::NoDifference => false,
        Refusal::AlreadyDeleted { .. }
        | Refusal::AlreadyRegistered { .. }
        | Refusal::Banned { .. }
        | Refusal::GroupExists { .. }
        | Refusal::GroupLooksLike { .. }
        | Refusal::InvitationOnly { .. }
        | Refusal::MarkedName
        | Refusal::IsOperator { .. }
        | Refusal::Muted { .. }
        | Refusal::NameLooksLike { .. }
        | Refusal::NameTaken { .. }
        | Refusal::NoSuchGroup { .. }
        | Refusal::NoSuchPost { .. }
        | Refusal::NoSuchUser { .. }
        | Refusal::NotAllowed { .. }
        | Refusal::NotOneself
        | Refusal::NotOperator
        | Refusal::NotRegistered { .. }
        | Refusal::NotYours { .. }
        | Refusal::NoWords
        | Refusal::NothingKept
        | Refusal::OutOfReach { .. }
        | Refusal::PasswordInTheOpen
        | Refusal::PasswordNeeded { .. }
        | Refusal::RateLimited { .. }
        | Refusal::RegisterFirst
        | Refusal::ServerBanned { .. }
        | Refusal::Invalid { .. }
        | Refusal::SessionEnded
        | Refusal::TooManyAccounts { .. }
        | Refusal::TooManyDevices { .. }
        | Refusal::TooManyGroups { .. }
        | Refusal::TooManyMarks { .. }
        | Refusal::TooManyMemberships { .. }
        | Refusal::TooManyTries { .. }
        | Refusal::TookTooLong
        | Refusal::Unavailable
        | Refusal::UnsupportedVersion { .. }
        | Refusal::WrongCode
        | Refusal::WrongPassword { .. } => true,
    }
}
