//! The handshake: who comes, and which versions both sides speak.

use serde::{Deserialize, Serialize};

use crate::{Password, Seq, Token, UserName};

/// The newest version of the protocol that this crate speaks.
pub const PROTOCOL_VERSION: u16 = 2;

/// The handshake's question: [`Request::Hello`](crate::Request::Hello). Its layout never changes,
/// so that any server can read any client's and refuse it politely.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct Hello {
    /// The protocol versions that the client speaks.
    pub versions: VersionRange,
    /// Under which name it comes.
    pub name: UserName,
    /// Why it may have that name.
    pub proof: Proof,
    /// The newest event that it has seen: everything up to it that concerns the client.
    /// [`Seq::FIRST`] for a client that has seen nothing yet, as one that was never welcomed with
    /// its token; [`Seq::ZERO`] for one that does not know.
    pub seen: Seq,
}

/// Why a client may have the name that it asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub enum Proof {
    /// Because nobody else has it.
    Open,
    /// Because it is the one who had it before. A token that the server does not know counts as
    /// [`Proof::Open`], and is the token of the session that begins. So a client that comes for the
    /// first time with a token of its own choice (32 random bytes) is recognized later even when
    /// the first answer never reached it.
    Resume(Token),
    /// Because it knows the name's password.
    Password(Password),
}

/// A range of protocol versions, both ends included; `min` is never above `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(u16, u16)", into = "(u16, u16)")]
pub struct VersionRange {
    min: u16,
    max: u16,
}

/// The range's `min` is above its `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a version range has its smaller end first")]
pub struct VersionRangeError;

impl VersionRange {
    /// What servers speak: also what clients of before did.
    pub const OF_SERVERS: VersionRange = VersionRange { min: 1, max: PROTOCOL_VERSION };

    /// What clients speak. Only since version 2 does a server tell which log it has, and know a
    /// client again whose first welcome was lost.
    pub const OF_CLIENTS: VersionRange = VersionRange { min: 2, max: PROTOCOL_VERSION };

    /// The oldest version of the range.
    pub fn min(self) -> u16 {
        self.min
    }

    /// The newest version of the range.
    pub fn max(self) -> u16 {
        self.max
    }

    /// The newest version that both speak.
    pub fn newest_common(self, other: VersionRange) -> Option<u16> {
        let newest = self.max.min(other.max);
        (newest >= self.min.max(other.min)).then_some(newest)
    }
}

impl TryFrom<(u16, u16)> for VersionRange {
    type Error = VersionRangeError;
    fn try_from((min, max): (u16, u16)) -> Result<VersionRange, VersionRangeError> {
        if min <= max { Ok(VersionRange { min, max }) } else { Err(VersionRangeError) }
    }
}

impl From<VersionRange> for (u16, u16) {
    fn from(range: VersionRange) -> (u16, u16) {
        (range.min, range.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(min: u16, max: u16) -> VersionRange {
        VersionRange::try_from((min, max)).unwrap()
    }

    #[test]
    fn both_sides_settle_on_the_newest_version_they_share() {
        assert_eq!(range(1, 3).newest_common(range(2, 9)), Some(3));
        assert_eq!(range(1, 1).newest_common(range(1, 1)), Some(1));
        assert_eq!(range(1, 1).newest_common(range(2, 3)), None);
        assert_eq!(VersionRange::try_from((2, 1)), Err(VersionRangeError));
    }
}
