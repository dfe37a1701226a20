//! What a person says.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text_reader;

/// The longest message, in bytes of UTF-8: two screens of text, far below the frame limit.
pub const BODY_BYTES_MAX: usize = 8_000;

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

    /// What stands in the place of a text that was deleted, where there has to be one.
    pub fn deleted() -> Body {
        Body("[deleted]".into())
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
        text_reader::read(deserializer, Body::parse)
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
}
