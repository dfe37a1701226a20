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
