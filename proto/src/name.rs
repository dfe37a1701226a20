//! Names of people and of groups: what may be one, and when two are the same.
//!
//! A name is 1 to [`NAME_CHARS_MAX`] characters after Unicode normalization (NFC). White space,
//! control and format characters may not be in it, with two exceptions that real names need: ZERO
//! WIDTH NON-JOINER (Persian) and ZERO WIDTH JOINER (Indic scripts, emoji), inside the name but not
//! at its ends. A name must show something.
//!
//! Two names are the same when their [`NameKey`]s are equal: case, width, composition and
//! characters that are drawn as nothing make no difference. So "jim" is taken when "Jim" is there,
//! and a name keeps the look it came with.
//!
//! Two names that are not the same may still be mistaken for each other. Those share a
//! [`Skeleton`].
//!
//! No new name begins with one of [`NAME_MARKS`]: in a command, such a name would mean another. An
//! older one may ([`UserName::is_marked`]), so this is no rule of the types: a server refuses
//! newcomers and new groups with [`Refusal::MarkedName`](crate::Refusal::MarkedName).

mod invisible;
mod key;
mod skeleton;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::text_reader;

pub(crate) use invisible::is_joiner;
pub use key::NameKey;
pub use skeleton::Skeleton;

/// The longest name, in characters (Unicode scalar values) after NFC: it must fit beside a message
/// on one line.
pub const NAME_CHARS_MAX: usize = 32;

/// Stands before a name where something else may stand, too: a group, or an address. In a target of
/// operators of the server it may stand before any name.
pub const NAME_MARK: char = '@';

/// What no new name begins with: the marks of commands, of which the second is that of the command
/// itself in many a chat.
pub const NAME_MARKS: [char; 2] = [NAME_MARK, '/'];

/// The most characters that one character of a normalized text can come from (U+1F82 and its like):
/// a text of more than this many times [`NAME_CHARS_MAX`] is no name, and need not be normalized to
/// know it.
const CHARS_PER_NORMALIZED_CHAR_MAX: usize = 4;

/// Letters and symbols that are drawn as nothing: the Hangul fillers and the blank Braille pattern.
/// A name with one of them could not be told from a name without, or from a name with a space.
const BLANKS: [char; 5] = ['\u{115F}', '\u{1160}', '\u{2800}', '\u{3164}', '\u{FFA0}'];

/// Why a text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is nothing in it.
    #[error("a name needs at least one character")]
    Empty,
    /// It has more than [`NAME_CHARS_MAX`] characters.
    #[error("a name has at most {NAME_CHARS_MAX} characters, this has {chars}")]
    TooLong {
        /// How many it has: after normalization, unless it is far too long even for that.
        chars: usize,
    },
    /// It has a character that would break a line, hide itself or look like a gap.
    #[error("a name can't have the character U+{:04X} in it", u32::from(*.0))]
    Forbidden(char),
    /// It consists of characters that show nothing by themselves.
    #[error("a name needs at least one character that can be seen")]
    Invisible,
}

/// Normalizes and checks a text that wants to be a name.
fn parse(text: &str) -> Result<Arc<str>, NameError> {
    // Normalized as it is, of one byte a character, and each of them can be seen.
    if (1..=NAME_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Ok(text.into());
    }
    let written = text.chars().count();
    if written > NAME_CHARS_MAX * CHARS_PER_NORMALIZED_CHAR_MAX {
        return Err(NameError::TooLong { chars: written });
    }
    let name: String = text.nfc().collect();
    let chars = name.chars().count();
    if chars == 0 {
        return Err(NameError::Empty);
    }
    if chars > NAME_CHARS_MAX {
        return Err(NameError::TooLong { chars });
    }
    if let Some(bad) = name.chars().find(|&c| is_forbidden(c)) {
        return Err(NameError::Forbidden(bad));
    }
    if let Some(end) = [name.chars().next(), name.chars().next_back()]
        .into_iter()
        .flatten()
        .find(|&c| is_joiner(c))
    {
        return Err(NameError::Forbidden(end));
    }
    if !name.chars().any(shows_by_itself) {
        return Err(NameError::Invisible);
    }
    Ok(name.into())
}

fn is_forbidden(c: char) -> bool {
    let control_or_format =
        matches!(c.general_category(), GeneralCategory::Control | GeneralCategory::Format);
    c.is_whitespace()
        || BLANKS.contains(&c)
        || is_reserved_for_nothing(c)
        || (control_or_format && !is_joiner(c))
}

/// Whether a character that no version of Unicode has given a meaning is drawn as nothing all the
/// same, as the property `Default_Ignorable_Code_Point` has it (but for the variation selectors
/// among these).
fn is_reserved_for_nothing(c: char) -> bool {
    matches!(c, '\u{2065}' | '\u{FFF0}'..='\u{FFF8}')
        || matches!(c, '\u{E0000}'..='\u{E00FF}' | '\u{E01F0}'..='\u{E0FFF}')
}

fn shows_by_itself(c: char) -> bool {
    c.general_category_group() != GeneralCategoryGroup::Mark && !is_joiner(c)
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Normalizes `text` (NFC) and checks it against the rules of this module.
            ///
            /// # Errors
            /// [`NameError`] says which rule it breaks.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                parse(text).map(Self)
            }

            /// The name as its owner wrote it (normalized), to be shown.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// What the name is compared by.
            pub fn key(&self) -> NameKey {
                NameKey::of(&self.0)
            }

            /// What the name looks like: one skeleton, or two where small and capital letters look
            /// like different ones. Who keeps names by their skeletons keeps each under all of its
            /// own, looks for a new one under all of *its* own, and asks [`Self::looks_like`] of
            /// those that are there.
            pub fn skeletons(&self) -> impl Iterator<Item = Skeleton> + use<> {
                Skeleton::of(&self.0)
            }

            /// Whether it is of ASCII, as far as names are compared. Two such are never mistaken
            /// for each other: those who read them know `l` from `I`, and `rn` from `m`.
            pub fn is_plain(&self) -> bool {
                self.0.is_ascii() || self.key().as_str().is_ascii()
            }

            /// Whether it begins with one of [`NAME_MARKS`], or with one that is the same as that:
            /// full-width, or behind what is drawn as nothing.
            pub fn is_marked(&self) -> bool {
                self.0.starts_with(NAME_MARKS) || self.key().as_str().starts_with(NAME_MARKS)
            }

            /// Whether the two are different names that people would mistake for each other.
            /// [Plain](Self::is_plain) names never are.
            pub fn looks_like(&self, other: &Self) -> bool {
                let are_plain = self.is_plain() && other.is_plain();
                !are_plain && self.key() != other.key() && skeleton::meet(&self.0, &other.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
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

name_type! {
    /// The name of a person or a bot, unique on a server by its [`NameKey`].
    UserName
}

name_type! {
    /// The name of a group chat, unique on a server by its [`NameKey`].
    GroupName
}

impl GroupName {
    /// The group that always exists and that everyone is in on arrival.
    pub fn general() -> GroupName {
        GroupName("General".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;

    /// A name of so many characters: of these letters, or of any characters. Short ones meet.
    pub(super) fn any_name(chance: &mut Chance, letters: &str, most: usize) -> UserName {
        let letters: Vec<char> = letters.chars().collect();
        loop {
            let (length, is_of_letters) = (chance.between(1, most), chance.flag());
            let any = |_| if is_of_letters { chance.one_of(&letters) } else { chance.any() };
            let text: String = (0..length).map(any).filter(|c| !is_forbidden(*c)).collect();
            if let Ok(name) = UserName::parse(&text) {
                return name;
            }
        }
    }

    #[test]
    fn names_of_the_world_are_names() {
        for name in [
            "Jim",
            "علی",
            "می‌خواهم",
            "张伟",
            "ジム",
            "👩‍🚀",
            "🏴‍☠️",
            "O'Brien",
            "क्‍ष",
            "x",
            "J.R.R.",
            "ß",
        ] {
            assert!(UserName::parse(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn gaps_controls_and_hidden_characters_are_not() {
        use NameError::{Empty, Forbidden, Invisible, TooLong};
        let cases = [
            ("", Empty),
            (" ", Forbidden(' ')),
            ("a b", Forbidden(' ')),
            ("a\u{00A0}b", Forbidden('\u{00A0}')),
            ("a\tb", Forbidden('\t')),
            ("a\nb", Forbidden('\n')),
            ("a\u{1b}[31m", Forbidden('\u{1b}')),
            ("a\u{9b}b", Forbidden('\u{9b}')),
            ("a\u{202E}b", Forbidden('\u{202E}')),
            ("a\u{2028}b", Forbidden('\u{2028}')),
            ("a\u{2066}b", Forbidden('\u{2066}')),
            ("a\u{200B}b", Forbidden('\u{200B}')),
            ("a\u{FEFF}b", Forbidden('\u{FEFF}')),
            ("a\u{3164}", Forbidden('\u{3164}')),
            ("a\u{FFF0}", Forbidden('\u{FFF0}')),
            ("a\u{E0080}", Forbidden('\u{E0080}')),
            ("\u{200C}ab", Forbidden('\u{200C}')),
            ("ab\u{200D}", Forbidden('\u{200D}')),
            ("\u{0301}\u{0302}", Invisible),
        ];
        for (text, why) in cases {
            assert_eq!(UserName::parse(text), Err(why), "{text:?}");
        }
        assert_eq!(GroupName::parse(&"x".repeat(33)), Err(TooLong { chars: 33 }));
        assert!(GroupName::parse(&"🦀".repeat(32)).is_ok());
    }

    #[test]
    fn length_counts_normalized_characters() {
        let decomposed = "e\u{301}".repeat(32);
        assert_eq!(UserName::parse(&decomposed).unwrap().as_str(), "é".repeat(32));
    }

    #[test]
    fn a_text_is_too_long_to_normalize_only_when_it_is_too_long_for_a_name() {
        let longest = ('\0'..=char::MAX).map(|c| std::iter::once(c).nfd().count()).max();
        assert_eq!(longest, Some(CHARS_PER_NORMALIZED_CHAR_MAX));
        let decomposed: String = "\u{1F82}".repeat(32).nfd().collect();
        assert_eq!(decomposed.chars().count(), 128);
        assert_eq!(UserName::parse(&decomposed).unwrap().as_str(), "\u{1F82}".repeat(32));
        assert_eq!(UserName::parse(&"e\u{301}".repeat(65)), Err(NameError::TooLong { chars: 130 }));
    }

    #[test]
    fn a_marked_name_is_one_that_a_command_would_take_for_another() {
        for name in ["@Ann", "@", "/join", "//", "\u{FF20}Ann", "\u{FF0F}join", "@\u{308}x"] {
            assert!(UserName::parse(name).unwrap().is_marked(), "{name}");
            assert!(GroupName::parse(name).unwrap().is_marked(), "{name}");
        }
        for name in ["Ann", "a@b", "and/or", "#rust", "ノリ", "\u{2044}", "127.0.0.1"] {
            assert!(!UserName::parse(name).unwrap().is_marked(), "{name}");
        }
    }

    #[test]
    fn a_name_keeps_the_look_it_came_with() {
        assert_eq!(UserName::parse("JiM").unwrap().as_str(), "JiM");
    }
}
