//! How order is kept in a group: what its owner and its operators may do, and what is known of
//! that.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::name::is_joiner;
use crate::text_reader;
use crate::{GroupName, Page, Seq, UnixMillis, UserName};
#[cfg(doc)]
use crate::{Notification, Refusal, Request};

/// The longest topic or reason, in bytes of UTF-8: three lines of a usual screen.
pub const LINE_BYTES_MAX: usize = 300;

/// The most acts that one answer to [`Request::Why`] tells of. With the longest names and reasons
/// they take 33 KiB.
pub const ACTS_TOLD_MAX: usize = 50;

/// Why a text is no [`Topic`] and no [`Reason`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// There is nothing in it.
    #[error("it needs some text")]
    Empty,
    /// It has more than [`LINE_BYTES_MAX`] bytes.
    #[error("it has at most {LINE_BYTES_MAX} bytes, this has {bytes}")]
    TooLong {
        /// How many it has.
        bytes: usize,
    },
    /// It has a character that would break a line, move the cursor or turn the direction of what is
    /// around it.
    #[error("it can't have the character U+{:04X} in it", u32::from(*.0))]
    Forbidden(char),
}

/// One line of text that many are shown because one person chose it: without white space around it.
fn parse_line(text: &str) -> Result<Arc<str>, LineError> {
    let text = text.trim_matches(' ');
    if text.is_empty() {
        return Err(LineError::Empty);
    }
    if text.len() > LINE_BYTES_MAX {
        return Err(LineError::TooLong { bytes: text.len() });
    }
    match text.chars().find(|&c| breaks_a_line(c)) {
        Some(forbidden) => Err(LineError::Forbidden(forbidden)),
        None => Ok(text.into()),
    }
}

/// Control and format characters (those that turn the direction are among them), and what ends a
/// line. The joiners are needed by Persian, Indic scripts and emoji.
fn breaks_a_line(c: char) -> bool {
    use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator};
    let category = c.general_category();
    matches!(category, Control | Format | LineSeparator | ParagraphSeparator) && !is_joiner(c)
}

macro_rules! line_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text`, and keeps it without the spaces around it.
            ///
            /// # Errors
            /// [`LineError`] says which rule it breaks.
            pub fn parse(text: &str) -> Result<Self, LineError> {
                parse_line(text).map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        /// Shows the length only: what people write to each other does not belong in logs.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({} bytes)", stringify!($name), self.0.len())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                text_reader::read(deserializer, Self::parse)
            }
        }
    };
}

line_type! {
    /// What a group is about: 1 to [`LINE_BYTES_MAX`] bytes on one line, nothing in it that
    /// controls a terminal.
    Topic
}

line_type! {
    /// Why something is done to somebody: 1 to [`LINE_BYTES_MAX`] bytes on one line, nothing in it
    /// that controls a terminal.
    Reason
}

line_type! {
    /// Where somebody comes from, as the server sees it: text on one line.
    PeerAddr
}

/// What may be done in a group to keep order. The owner may do all of it; those that the owner has
/// made operators of the group may do all but `Op` and `Deop`, and nothing to one another. Variants
/// are appended, never moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub enum Moderation {
    /// Somebody is a member no longer, and may join again.
    Kick {
        /// Who.
        user: UserName,
        /// Why.
        reason: Option<Reason>,
    },
    /// Somebody is a member no longer, and may not join. It holds for the name, whoever has it.
    Ban {
        /// Who.
        user: UserName,
        /// For so long; otherwise until it is undone.
        #[cfg_attr(feature = "test-util", arbitrary(with = crate::chance::seconds))]
        seconds: Option<NonZeroU32>,
        /// Why.
        reason: Option<Reason>,
    },
    /// A ban is undone.
    Unban {
        /// Whose.
        user: UserName,
    },
    /// Somebody may not say anything in the group. It holds for the name, whoever has it.
    Mute {
        /// Who.
        user: UserName,
        /// For so long; otherwise until it is undone.
        #[cfg_attr(feature = "test-util", arbitrary(with = crate::chance::seconds))]
        seconds: Option<NonZeroU32>,
        /// Why.
        reason: Option<Reason>,
    },
    /// Somebody may speak again.
    Unmute {
        /// Who.
        user: UserName,
    },
    /// The group has this topic, or none.
    Topic {
        /// What it is about.
        topic: Option<Topic>,
    },
    /// Only those may join who are invited.
    Lock,
    /// Everybody may join.
    Unlock,
    /// Somebody may join though the group is locked, once.
    Invite {
        /// Who.
        user: UserName,
    },
    /// Somebody is an operator of the group.
    Op {
        /// Who.
        user: UserName,
    },
    /// Somebody is no longer an operator of the group.
    Deop {
        /// Who.
        user: UserName,
    },
    /// Something that somebody said is deleted. Only told ([`Request::Why`]): it is asked for with
    /// [`Request::Delete`]. Since version 2.
    Delete {
        /// Who said it.
        user: UserName,
        /// Its place.
        post: Seq,
    },
}

impl Moderation {
    /// Whom it concerns, if it concerns one person.
    pub fn user(&self) -> Option<&UserName> {
        match self {
            Moderation::Kick { user, .. }
            | Moderation::Ban { user, .. }
            | Moderation::Unban { user }
            | Moderation::Mute { user, .. }
            | Moderation::Unmute { user }
            | Moderation::Invite { user }
            | Moderation::Op { user }
            | Moderation::Deop { user }
            | Moderation::Delete { user, .. } => Some(user),
            Moderation::Topic { .. } | Moderation::Lock | Moderation::Unlock => None,
        }
    }

    /// The same, with the name as that person writes it.
    #[must_use]
    pub fn naming(mut self, name: UserName) -> Moderation {
        match &mut self {
            Moderation::Kick { user, .. }
            | Moderation::Ban { user, .. }
            | Moderation::Unban { user }
            | Moderation::Mute { user, .. }
            | Moderation::Unmute { user }
            | Moderation::Invite { user }
            | Moderation::Op { user }
            | Moderation::Deop { user }
            | Moderation::Delete { user, .. } => *user = name,
            Moderation::Topic { .. } | Moderation::Lock | Moderation::Unlock => {}
        }
        self
    }

    /// Whether it ends somebody's membership.
    pub fn expels(&self) -> bool {
        match self {
            Moderation::Kick { .. } | Moderation::Ban { .. } => true,
            Moderation::Unban { .. }
            | Moderation::Mute { .. }
            | Moderation::Unmute { .. }
            | Moderation::Topic { .. }
            | Moderation::Lock
            | Moderation::Unlock
            | Moderation::Invite { .. }
            | Moderation::Op { .. }
            | Moderation::Deop { .. }
            | Moderation::Delete { .. } => false,
        }
    }
}

/// Something that was done to keep order: who did what, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct ModerationRecord {
    /// Its place in the order.
    pub seq: Seq,
    /// When.
    pub at: UnixMillis,
    /// Who did it.
    pub by: UserName,
    /// What.
    pub act: Moderation,
}

/// What a group is, and what its asker is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct About {
    /// The group as its creator wrote it.
    pub group: GroupName,
    /// Whose it is. General is nobody's, and so is a group whose owner is gone and that has nobody
    /// to take it over.
    pub owner: Option<UserName>,
    /// Its operators, the one who is it for longest first.
    pub ops: Page<UserName>,
    /// What it is about.
    pub topic: Option<Headline>,
    /// Since when only those may join who are invited; nothing when everybody may.
    pub locked_since: Option<UnixMillis>,
    /// How many members it has, whether they are here or away.
    pub members: u32,
    /// Whether the asker is one of them.
    pub is_member: bool,
    /// Whether the asker is invited.
    pub is_invited: bool,
    /// Whether the asker may not speak in it.
    pub is_muted: bool,
    /// Until when that is, if it ends by itself.
    pub muted_until: Option<UnixMillis>,
}

/// A topic, and who chose it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct Headline {
    /// The topic.
    pub topic: Topic,
    /// Who chose it.
    pub by: UserName,
    /// When.
    pub at: UnixMillis,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_text_that_stays_on_its_line() {
        for text in ["Tea, and what goes with it", "چای می‌خواهم", "👩‍🚀", "two  spaces"]
        {
            assert_eq!(Topic::parse(text).unwrap().as_str(), text);
        }
        assert_eq!(Reason::parse("  spam ").unwrap().as_str(), "spam");
        assert!(Topic::parse(&"x".repeat(300)).is_ok());
        assert_eq!(Topic::parse(&"x".repeat(301)), Err(LineError::TooLong { bytes: 301 }));
        assert_eq!(Reason::parse("   "), Err(LineError::Empty));
    }

    #[test]
    fn nothing_that_controls_a_terminal_or_turns_a_direction_is_a_line() {
        let evil = [
            '\u{1b}',
            '\u{9b}',
            '\u{9d}',
            '\u{7}',
            '\n',
            '\r',
            '\t',
            '\u{85}',
            '\u{7f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202e}',
            '\u{2066}',
            '\u{200e}',
            '\u{61c}',
            '\u{feff}',
            '\u{200b}',
            '\u{e0041}',
        ];
        for c in evil {
            assert_eq!(Topic::parse(&format!("a{c}b")), Err(LineError::Forbidden(c)), "{c:?}");
            assert_eq!(Reason::parse(&format!("a{c}")), Err(LineError::Forbidden(c)), "{c:?}");
        }
    }

    #[test]
    fn what_was_written_does_not_show_in_debug_output() {
        let act = Moderation::Kick {
            user: UserName::parse("Jim").unwrap(),
            reason: Some(Reason::parse("the soup").unwrap()),
        };
        assert!(!format!("{act:?} {:?}", Topic::parse("the soup").unwrap()).contains("soup"));
    }
}
