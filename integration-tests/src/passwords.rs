//! Passwords where a scene carries out effects by itself: hashes that hide nothing, and take no
//! time.

use chatroom_proto::{Password, Tag, Token};
use chatroom_server::chat::effect::{Check, Checked, Credential, Input};
use chatroom_server::chat::entry::{ConnectionId, PasswordHash, TokenDigest};

/// What comes of a check, as it is handed in. `number` makes the token that comes with it another
/// one each time.
pub fn checked(connection: ConnectionId, tag: Tag, check: &Check, number: u64) -> Input {
    let hash = |password: &Password| PasswordHash(format!("of {}", password.reveal()));
    let is_right =
        check.claimed.as_ref().is_none_or(|claim| claim.hash == Some(hash(&claim.password)));
    let checked =
        if is_right { Checked::Right(check.new.as_ref().map(hash)) } else { Checked::Wrong };
    // Here a token is its own digest.
    let mut secret = [0xcc; 32];
    secret[..8].copy_from_slice(&number.to_le_bytes());
    let fresh = Box::new(Credential { token: Token(secret), digest: TokenDigest(secret) });
    Input::Checked { connection, tag, checked, fresh }
}
