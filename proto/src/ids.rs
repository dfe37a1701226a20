//! Numbers and tokens that name things: places in the order, requests, posts, sessions; and times.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The place of an event in the one order that everybody sees. It rises and may skip. [`Seq::ZERO`]
/// is before every event: "nothing seen yet", "no earlier post".
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
pub struct Seq(pub u64);

impl Seq {
    /// Before every event.
    pub const ZERO: Seq = Seq(0);

    /// The first event, which concerns no client: the server began. Who has seen no more has seen
    /// nothing.
    pub const FIRST: Seq = Seq(1);

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

/// Proves that a connection goes on with an earlier one's session: 32 random bytes that the client
/// or the server has chosen, known to these two only. Never logged.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Token(pub [u8; 32]);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// How many lives are told: when a server has begun so often since a copy of its log was made, and
/// that copy is put back, client and server still find what they share.
pub const LIVES_TOLD_MAX: usize = 128;

/// One life of a server's log: from one start of the server to the next. When a log is put back to
/// an earlier copy, other events get places that were given before. Places are comparable only
/// within the lives that two logs share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct Life {
    /// A random number.
    pub id: u64,
    /// The first event of this life: the server began.
    pub began: Seq,
}

/// The newest lives of a log, the oldest first: at most [`LIVES_TOLD_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<Life>")]
pub struct Lives(Vec<Life>);

/// More lives than a server or a client tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at most {LIVES_TOLD_MAX} lives are told")]
pub struct LivesError;

impl Lives {
    /// The lives.
    pub fn as_slice(&self) -> &[Life] {
        &self.0
    }
}

impl TryFrom<Vec<Life>> for Lives {
    type Error = LivesError;
    fn try_from(lives: Vec<Life>) -> Result<Lives, LivesError> {
        if lives.len() <= LIVES_TOLD_MAX { Ok(Lives(lives)) } else { Err(LivesError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_lives_than_are_told_are_none() {
        let lives = |count| Lives::try_from(vec![Life { id: 1, began: Seq(1) }; count]);
        assert!(lives(LIVES_TOLD_MAX).is_ok());
        assert_eq!(lives(LIVES_TOLD_MAX + 1), Err(LivesError));
    }
}
