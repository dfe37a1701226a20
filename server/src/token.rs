//! Tokens: made here, known to the client alone; the log has their digests.

use chatroom_proto::Token;

use crate::chat::digest;
use crate::chat::effect::Credential;
use crate::chat::entry::TokenDigest;
use crate::entropy::Entropy;

/// A new token.
pub(crate) fn fresh(entropy: &Entropy) -> Credential {
    let token = Token(entropy.bytes());
    Credential { digest: digest(&token), token }
}

/// What is kept of a token.
pub(crate) fn digest(token: &Token) -> TokenDigest {
    digest::of(&token.0)
}
