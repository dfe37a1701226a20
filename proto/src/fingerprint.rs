//! What a server's key is recognized by.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// What stands in front of the digits.
const PREFIX: &str = "SHA256:";

/// The SHA-256 digest of a public key as it stands in a certificate (its `SubjectPublicKeyInfo`, in
/// DER). It stays the same when a certificate is made anew for the same key. People see it as
/// `SHA256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// A text that is no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is SHA256: and 64 hexadecimal digits")]
pub struct FingerprintError;

impl Fingerprint {
    /// The fingerprint of this key: a `SubjectPublicKeyInfo`, in DER.
    pub fn of(key: &[u8]) -> Fingerprint {
        Fingerprint(Sha256::digest(key).into())
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;
    fn from_str(text: &str) -> Result<Fingerprint, FingerprintError> {
        let (prefix, digits) = text.split_at_checked(PREFIX.len()).ok_or(FingerprintError)?;
        let mut digest = [0; 32];
        if !prefix.eq_ignore_ascii_case(PREFIX) || digits.len() != 2 * digest.len() {
            return Err(FingerprintError);
        }
        for (byte, pair) in digest.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            let digit =
                |of: u8| char::from(of).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            *byte = digit(pair[0])
                .zip(digit(pair[1]))
                .map(|(high, low)| high << 4 | low)
                .ok_or(FingerprintError)?;
        }
        Ok(Fingerprint(digest))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_read_back() {
        let shown = Fingerprint::of(b"a key").to_string();
        assert_eq!(
            shown,
            "SHA256:8fa3aab2faa9b79e0a0398da5b5abd0780142442a5be80b9a64608d718cb1fcd"
        );
        assert_eq!(shown.parse(), Ok(Fingerprint::of(b"a key")));
        assert_eq!(shown.to_uppercase().parse(), Ok(Fingerprint::of(b"a key")));
    }

    #[test]
    fn what_is_none_is_refused() {
        let digits = "0".repeat(64);
        for text in ["", "SHA256:", &digits, "SHA256:0", "ééééé", &format!("SHA512:{digits}")]
        {
            assert_eq!(text.parse::<Fingerprint>(), Err(FingerprintError), "{text}");
        }
        for digit in ["g0", "é", "+1"] {
            assert_eq!(
                format!("SHA256:{digit}{}", "0".repeat(62)).parse::<Fingerprint>(),
                Err(FingerprintError)
            );
        }
    }
}
