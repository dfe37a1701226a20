//! What each kind of moderation is, in one exhaustive list.

use chatroom_proto::Moderation;

use super::moderation_state::Rank;

/// What a moderation is.
pub(super) struct ModerationClass {
    /// Who may do it: whoever stands as high as that.
    pub(super) least: Rank,
    /// Which way it goes.
    pub(super) aim: Aim,
    /// Which of a group's restrictions it sets or lifts.
    pub(super) list: Option<RestrictionList>,
    /// Whether it takes an operator's rights, which anybody may do to themselves.
    pub(super) takes_rights: bool,
    /// Whether it has a reason, which is only for those who were there.
    pub(super) gives_a_reason: bool,
}

/// Which way a moderation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// It concerns nobody in particular.
    Group,
    /// It gives somebody something.
    For,
    /// It takes something from somebody.
    Against,
    /// It lifts a restriction, from a name that nobody need have.
    Lift,
}

/// A list of restricted names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RestrictionList {
    /// Who may not come in.
    Bans,
    /// Who may not speak.
    Mutes,
}

impl ModerationClass {
    /// The class of a moderation.
    pub(super) fn of(act: &Moderation) -> ModerationClass {
        use RestrictionList::{Bans, Mutes};
        let plain = |least, aim| ModerationClass {
            least,
            aim,
            list: None,
            takes_rights: false,
            gives_a_reason: false,
        };
        let (op, owner) = (Rank::GroupOperator, Rank::Owner);
        let against = ModerationClass { gives_a_reason: true, ..plain(op, Aim::Against) };
        match act {
            Moderation::Topic { .. }
            | Moderation::Lock
            | Moderation::Unlock
            | Moderation::Delete { .. } => plain(op, Aim::Group),
            Moderation::Kick { .. } => against,
            Moderation::Ban { .. } => ModerationClass { list: Some(Bans), ..against },
            Moderation::Mute { .. } => ModerationClass { list: Some(Mutes), ..against },
            Moderation::Unban { .. } => {
                ModerationClass { list: Some(Bans), ..plain(op, Aim::Lift) }
            }
            Moderation::Unmute { .. } => {
                ModerationClass { list: Some(Mutes), ..plain(op, Aim::Lift) }
            }
            Moderation::Invite { .. } => plain(op, Aim::For),
            Moderation::Op { .. } => plain(owner, Aim::For),
            Moderation::Deop { .. } => {
                ModerationClass { takes_rights: true, ..plain(owner, Aim::Against) }
            }
        }
    }
}
