//! What the operators of a server do: who they are, who may not come, and who is there.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::{BanTarget, GroupName, Page, PeerAddr, Reason, Seq, UnixMillis, UserName};
#[cfg(doc)]
use crate::{Notification, Request};

/// How many bytes a [`Code`] has: nobody guesses 128 bits.
const CODE_BYTES: usize = 16;

/// How many digits stand together when a code is written.
const CODE_DIGITS_TOGETHER: usize = 4;

/// Makes who knows it an operator of the server, once. The server shows it where only those look
/// who run it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code(pub [u8; CODE_BYTES]);

/// A text is no [`Code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a code has 32 digits from 0 to F, with or without dashes")]
pub struct CodeError;

impl Code {
    /// Reads a code as it is written, in any case, with or without dashes.
    ///
    /// # Errors
    /// [`CodeError`] when it is none.
    pub fn parse(text: &str) -> Result<Code, CodeError> {
        let digits = text.chars().filter(|c| *c != '-').map(|c| c.to_digit(16));
        let digits: Vec<u8> = digits
            .map(|digit| digit.and_then(|digit| u8::try_from(digit).ok()))
            .collect::<Option<_>>()
            .ok_or(CodeError)?;
        let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        let is_whole = digits.len() == 2 * CODE_BYTES;
        bytes.try_into().ok().filter(|_| is_whole).map(Code).ok_or(CodeError)
    }
}

/// As it is written: `7F3A-…`.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, pair) in self.0.chunks(CODE_DIGITS_TOGETHER / 2).enumerate() {
            if number > 0 {
                f.write_str("-")?;
            }
            pair.iter().try_for_each(|byte| write!(f, "{byte:02X}"))?;
        }
        Ok(())
    }
}

/// Shows nothing of it.
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

/// What the operators of a server may do. Variants are appended, never moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub enum Operation {
    /// Somebody is an operator of the server.
    Appoint {
        /// Who.
        user: UserName,
    },
    /// Somebody is no longer an operator of the server.
    Dismiss {
        /// Who.
        user: UserName,
    },
    /// Somebody's stay ends. They may come again.
    Disconnect {
        /// Who.
        user: UserName,
        /// Why.
        reason: Option<Reason>,
    },
    /// Somebody may not come to the server, and whose stay it is ends.
    Ban {
        /// Who.
        whom: BanTarget,
        /// For so long; otherwise until it is undone.
        #[cfg_attr(feature = "test-util", arbitrary(with = crate::chance::seconds))]
        seconds: Option<NonZeroU32>,
        /// Why.
        reason: Option<Reason>,
    },
    /// A ban is undone.
    Unban {
        /// Whose.
        whom: BanTarget,
    },
}

/// Somebody who is there, as operators see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct ClientInfo {
    /// Where they come from.
    pub address: PeerAddr,
    /// Their name.
    pub name: UserName,
    /// Their groups, in the order of joining.
    pub groups: Page<GroupName>,
    /// Whether they have a connection; otherwise their name is held for them.
    pub is_connected: bool,
}

/// A ban from the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "test-util", derive(arbitrary::Arbitrary))]
pub struct ServerBan {
    /// Its place in the order.
    pub seq: Seq,
    /// When.
    pub at: UnixMillis,
    /// Who made it.
    pub by: UserName,
    /// For whom it holds.
    pub whom: BanTarget,
    /// Until when, if it ends by itself.
    pub until: Option<UnixMillis>,
    /// Why.
    pub reason: Option<Reason>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_it_is_written() {
        let code = Code(std::array::from_fn(|i| (i * 17) as u8));
        let written = code.to_string();
        assert_eq!(written, "0011-2233-4455-6677-8899-AABB-CCDD-EEFF");
        assert_eq!(Code::parse(&written), Ok(code.clone()));
        assert_eq!(Code::parse("00112233445566778899aabbccddeeff"), Ok(code.clone()));
        for wrong in [
            "",
            "0011",
            "0011-2233-4455-6677-8899-AABB-CCDD-EEF",
            &format!("{written}0"),
            "g".repeat(32).as_str(),
        ] {
            assert_eq!(Code::parse(wrong), Err(CodeError), "{wrong}");
        }
        assert_eq!(format!("{code:?}"), "Code(..)");
    }
}
