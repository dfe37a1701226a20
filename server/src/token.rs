//! Tokens: made here, known to the client alone; the log has their digests.

use chatroom_proto::Token;

use crate::chat::digest;
use crate::chat::effect::Credential;
use crate::chat::entry::TokenDigest;

/// A new token.
pub(crate) fn fresh() -> Credential {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).expect("the system has random bytes");
    let token = Token(secret);
    Credential { digest: digest(&token), token }
}

/// What is kept of a token.
pub(crate) fn digest(token: &Token) -> TokenDigest {
    digest::of(&token.0)
}
