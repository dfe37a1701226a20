//! Passwords where a scene carries out effects by itself: hashes that hide nothing, and take no
//! time.

use chatroom_proto::{Password, Tag};
use chatroom_server::chat::effect::{Check, Checked, Input};
use chatroom_server::chat::entry::{ConnectionId, PasswordHash};

/// What comes of a check, as it is handed in.
pub fn checked(connection: ConnectionId, tag: Tag, check: &Check) -> Input {
    let hash = |password: &Password| PasswordHash(format!("of {}", password.reveal()));
    let is_right =
        check.claimed.as_ref().is_none_or(|claim| claim.hash == Some(hash(&claim.password)));
    let checked =
        if is_right { Checked::Right(check.new.as_ref().map(hash)) } else { Checked::Wrong };
    Input::Checked { connection, tag, checked }
}
