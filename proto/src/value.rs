//! The values that frames are made of. Each is checked where it is made, on decoding too, so one
//! that exists is valid and nobody checks it again.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::text;

/// The longest message, in bytes of UTF-8: two screens of text, far below the frame limit.
pub const BODY_BYTES_MAX: usize = 8_000;

/// The longest password, in bytes of UTF-8: room for any passphrase, too short to make hashing it
/// expensive.
pub const PASSWORD_BYTES_MAX: usize = 512;

/// The most items on one page of a list. 400 of the longest names (32 characters of 4 bytes, 8 of
/// length) take 54,400 bytes and fit into a frame.
pub const PAGE_ITEMS_MAX: usize = 400;

/// The place of an event in the one order that everybody sees. It rises and may skip. [`Seq::ZERO`]
/// is before every event: "nothing seen yet", "no earlier post".
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
pub struct Seq(pub u64);

impl Seq {
    /// Before every event.
    pub const ZERO: Seq = Seq(0);

    /// The smallest place after this one.
    #[must_use]
    pub fn next(self) -> Seq {
        Seq(self.0.saturating_add(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Joins a response to its request; chosen by the client. A client that resumes its session goes on
/// counting, so that within a session a tag names one request, and a request that is sent again can
/// be recognized by it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct Tag(pub u32);

/// A moment, in milliseconds since 1970-01-01T00:00:00Z, by the server's clock.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
pub struct UnixMillis(pub u64);

/// Identifies a post for ever: 16 random bytes, chosen by the client. A post that comes again with
/// the id of one that its sender already made is that one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PostId(pub [u8; 16]);

/// In one piece: these are the bytes as they stand, one after the other, because the numbers of a
/// frame are little-endian.
impl Serialize for PostId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        u128::from_le_bytes(self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PostId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u128::deserialize(deserializer).map(|id| PostId(id.to_le_bytes()))
    }
}

impl fmt::Debug for PostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostId({:032x})", u128::from_be_bytes(self.0))
    }
}

/// Proves that a connection goes on with an earlier one's session: 32 random bytes from the server,
/// known to that client only. Never logged.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Token(pub [u8; 32]);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// What a person says: 1 to [`BODY_BYTES_MAX`] bytes of text. Newlines are allowed, other control
/// characters are not.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Body(Arc<str>);

/// Why a text is not a [`Body`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// There is nothing in it.
    #[error("a message needs some text")]
    Empty,
    /// It has more than [`BODY_BYTES_MAX`] bytes.
    #[error("a message has at most {BODY_BYTES_MAX} bytes, this has {bytes}")]
    TooLong {
        /// How many it has.
        bytes: usize,
    },
    /// It has a control character other than a newline.
    #[error("a message can't have the control character U+{:04X} in it", u32::from(*.0))]
    Control(char),
}

impl Body {
    /// Checks `text` and keeps it to the character.
    ///
    /// # Errors
    /// [`BodyError`] says which rule it breaks.
    pub fn parse(text: &str) -> Result<Body, BodyError> {
        if text.is_empty() {
            return Err(BodyError::Empty);
        }
        if text.len() > BODY_BYTES_MAX {
            return Err(BodyError::TooLong { bytes: text.len() });
        }
        // Most texts are of one byte a character, and these can be looked through many at a time,
        // without stopping.
        let is_control = |byte: u8| byte.is_ascii_control() & (byte != b'\n');
        if text.is_ascii() && !text.bytes().fold(false, |found, byte| found | is_control(byte)) {
            return Ok(Body(text.into()));
        }
        match text.chars().find(|&c| c.is_control() && c != '\n') {
            Some(control) => Err(BodyError::Control(control)),
            None => Ok(Body(text.into())),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows the length only: what people say to each other does not belong in logs.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::read(deserializer, Body::parse)
    }
}

/// A password on its way to the server: 1 to [`PASSWORD_BYTES_MAX`] bytes. Never logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Password(String);

/// A password has 1 to [`PASSWORD_BYTES_MAX`] bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a password has 1 to {PASSWORD_BYTES_MAX} bytes")]
pub struct PasswordError;

impl Password {
    /// The password itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Password {
    type Error = PasswordError;
    fn try_from(text: String) -> Result<Password, PasswordError> {
        if (1..=PASSWORD_BYTES_MAX).contains(&text.len()) {
            Ok(Password(text))
        } else {
            Err(PasswordError)
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// At most [`PAGE_ITEMS_MAX`] items of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Page<T>(Vec<T>);

/// A page has at most [`PAGE_ITEMS_MAX`] items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a page has at most {PAGE_ITEMS_MAX} items")]
pub struct PageError;

impl<T> Page<T> {
    /// The items, in their order.
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }

    /// The items, in their order.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// Takes items until the page is full.
    pub fn fill(items: impl IntoIterator<Item = T>) -> Page<T> {
        Page(items.into_iter().take(PAGE_ITEMS_MAX).collect())
    }
}

impl<T> TryFrom<Vec<T>> for Page<T> {
    type Error = PageError;
    fn try_from(items: Vec<T>) -> Result<Page<T>, PageError> {
        if items.len() <= PAGE_ITEMS_MAX { Ok(Page(items)) } else { Err(PageError) }
    }
}

/// Refuses a page that announces too many items before it makes room for one: a `Vec` would first
/// reserve up to 1 MiB, on the word of a few bytes.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Page<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(PageVisitor(PhantomData))
    }
}

struct PageVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> de::Visitor<'de> for PageVisitor<T> {
    type Value = Page<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {PAGE_ITEMS_MAX} items")
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut announced: A) -> Result<Page<T>, A::Error> {
        if announced.size_hint().is_some_and(|items| items > PAGE_ITEMS_MAX) {
            return Err(de::Error::custom(PageError));
        }
        let mut items = Vec::new();
        while let Some(item) = announced.next_element()? {
            if items.len() == PAGE_ITEMS_MAX {
                return Err(de::Error::custom(PageError));
            }
            items.push(item);
        }
        Ok(Page(items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_text_with_newlines_and_nothing_else_that_controls() {
        assert_eq!(Body::parse("two\nlines").unwrap().as_str(), "two\nlines");
        assert_eq!(Body::parse(""), Err(BodyError::Empty));
        assert_eq!(Body::parse("bell\u{7}"), Err(BodyError::Control('\u{7}')));
        assert_eq!(Body::parse("tab\t"), Err(BodyError::Control('\t')));
        assert_eq!(Body::parse("csi\u{9b}"), Err(BodyError::Control('\u{9b}')));
        assert!(Body::parse(&"x".repeat(BODY_BYTES_MAX)).is_ok());
        assert_eq!(Body::parse(&"x".repeat(8_001)), Err(BodyError::TooLong { bytes: 8_001 }));
    }

    #[test]
    fn secrets_and_bodies_do_not_show_in_debug_output() {
        let shown = format!(
            "{:?} {:?} {:?}",
            Token([7; 32]),
            Password::try_from("hunter2".to_owned()).unwrap(),
            Body::parse("psst").unwrap()
        );
        assert_eq!(shown, "Token(..) Password(..) Body(4 bytes)");
    }

    #[test]
    fn a_page_takes_what_fits() {
        assert_eq!(Page::fill(0..1_000).as_slice().len(), PAGE_ITEMS_MAX);
        assert_eq!(Page::try_from(vec![0_u8; PAGE_ITEMS_MAX + 1]), Err(PageError));
    }
}
