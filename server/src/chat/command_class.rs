//! What each command is to those around it, in one exhaustive list: who must be there for it to
//! count, whom it takes out of groups, how a repeat of it is recognized, and how long it is.
//!
//! A new variant of [`Command`] does not compile until it has its line here. What it does is said
//! where commands are applied.

use chatroom_proto::{Conversation, GroupName, Moderation, Operation, PostId};
use serde::{Deserialize, Serialize};

use super::entry::{Command, DeviceId};

/// What a command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CommandClass<'a> {
    /// With which device it is done, of what only somebody with a connection can do. It counts over
    /// the connection that the device has when it is applied, and over no other.
    pub(crate) author: Option<DeviceId>,
    /// Whom it may take out of a group, or put into one.
    pub(crate) moves: Moves,
    /// How a repeat is recognized.
    pub(crate) repeat: RepeatKey<'a>,
    /// The bytes of the message that it carries. Everything else in any command is short.
    pub(crate) body_bytes: usize,
}

/// Which devices may hear a group before a command and not after it, or the reverse. One device
/// needs no care: the notification's [`Passage`](super::effect::Passage) says how it passes. With
/// several, everybody must have heard what was said before the command is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moves {
    /// One at the most, and that is who does it.
    One,
    /// All devices of whoever does it, with this one.
    AllDevicesWith(DeviceId),
    /// Others than who does it, or one in several groups at once.
    Several,
}

/// By what a repeat of a command is recognized. Besides it must come from the same device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RepeatKey<'a> {
    /// By nothing: once more changes nothing, or is done once more.
    Nothing,
    /// By its post.
    Post { to: &'a Conversation, id: PostId },
    /// By the tag with which the account was registered.
    Registration,
    /// By the tag, what is done, and the group.
    Group(DedupKind, &'a GroupName),
    /// By the tag: it is done to the server.
    Server,
    /// By the tag: something is deleted.
    Deletion,
}

/// What can be done to a group and is recognized by its tag. Snapshots hold it: variants are
/// appended, never moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum DedupKind {
    /// Make it.
    Create,
    /// Become a member.
    Join,
    /// Stop being one.
    Leave,
    /// Moderate it.
    Moderate,
    /// Not to it, but to the server.
    Operate,
    /// Not to it, but to what was said somewhere.
    Delete,
}

impl Command {
    /// The class of this command.
    #[inline]
    pub(crate) fn class(&self) -> CommandClass<'_> {
        use RepeatKey::{Deletion, Group, Nothing, Post, Registration, Server};
        let mut body_bytes = 0;
        let (author, moves, repeat) = match self {
            Command::Arrive { .. }
            | Command::LogIn { .. }
            | Command::Detach { .. }
            | Command::Began { .. }
            | Command::Expire { .. }
            | Command::Offer { .. } => (None, Moves::One, Nothing),
            // Whoever goes may say so over whatever connection they had.
            Command::Depart { .. } => (None, Moves::Several, Nothing),
            Command::Create { by, group } => {
                (Some(*by), Moves::One, Group(DedupKind::Create, group))
            }
            Command::Join { by, group } => {
                (Some(*by), Moves::AllDevicesWith(*by), Group(DedupKind::Join, group))
            }
            Command::Leave { by, group } => {
                (Some(*by), Moves::AllDevicesWith(*by), Group(DedupKind::Leave, group))
            }
            Command::Post { by, to, id, body } => {
                body_bytes = body.as_str().len();
                (Some(*by), Moves::One, Post { to, id: *id })
            }
            Command::Register { by, .. } => (Some(*by), Moves::One, Registration),
            Command::ChangePassword { by, .. } | Command::Unregister { by, .. } => {
                (Some(*by), Moves::Several, Nothing)
            }
            Command::Moderate { by, group, act } => {
                (Some(*by), moved_by_moderation(act), Group(DedupKind::Moderate, group))
            }
            Command::Claim { by, .. } => (Some(*by), Moves::One, Server),
            Command::Delete { by, .. } => (Some(*by), Moves::One, Deletion),
            Command::Operate { by, act } => {
                let moves = if ends_stays(act) { Moves::Several } else { Moves::One };
                (Some(*by), moves, Server)
            }
        };
        CommandClass { author, moves, repeat, body_bytes }
    }

    /// With which device it is done, of what only somebody with a connection can do.
    #[inline]
    pub fn author(&self) -> Option<DeviceId> {
        self.class().author
    }
}

fn moved_by_moderation(act: &Moderation) -> Moves {
    if act.expels() { Moves::Several } else { Moves::One }
}

/// Whether an operation ends the stay of those whom it concerns.
pub(crate) fn ends_stays(act: &Operation) -> bool {
    match act {
        Operation::Disconnect { .. } | Operation::Ban { .. } => true,
        Operation::Appoint { .. } | Operation::Dismiss { .. } | Operation::Unban { .. } => false,
    }
}
