//! A password on its way to the server.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest password, in bytes of UTF-8: room for any passphrase, too short to make hashing it
/// expensive.
pub const PASSWORD_BYTES_MAX: usize = 512;

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
#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Body, Token};

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
}
