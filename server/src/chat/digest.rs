//! What the log keeps of secrets.

use sha2::{Digest, Sha256};

use crate::chat::entry::TokenDigest;

/// Recognizes a secret, and does not give it away. Secrets are random and long, so this needs no
/// salt and need not be slow.
pub(crate) fn of(secret: &[u8]) -> TokenDigest {
    TokenDigest(Sha256::digest(secret).into())
}
