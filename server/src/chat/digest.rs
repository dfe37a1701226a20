//! What the log keeps of secrets.

use chatroom_proto::{Token, UserName};
use sha2::{Digest, Sha256};

use crate::chat::entry::TokenDigest;

/// Recognizes a secret, and does not give it away. Secrets are random and long, so this needs no
/// salt and need not be slow.
pub(crate) fn of(secret: &[u8]) -> TokenDigest {
    TokenDigest(Sha256::digest(secret).into())
}

/// Recognizes a session's token, under this name and no other: a client may choose its token, and
/// may come with the same one under another name.
pub(crate) fn of_token(token: &Token, name: &UserName) -> TokenDigest {
    let name = name.key();
    TokenDigest(Sha256::new().chain_update(token.0).chain_update(name.as_str()).finalize().into())
}
