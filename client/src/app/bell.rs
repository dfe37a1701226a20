//! When the terminal rings.

use chatroom_proto::{Notification, UserName};

use crate::app::arrival;
use crate::app::mention::mentions;

/// What it rings for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bell {
    /// Nothing.
    #[default]
    Off,
    /// Private messages, and those with one's name in them.
    Mentions,
    /// Every message.
    All,
}

impl Bell {
    /// Each, with its word.
    pub const WORDS: [(&str, Bell); 3] =
        [("off", Bell::Off), ("mentions", Bell::Mentions), ("all", Bell::All)];

    /// Its word.
    pub fn word(self) -> &'static str {
        let [(off, _), (mentions, _), (all, _)] = Bell::WORDS;
        match self {
            Bell::Off => off,
            Bell::Mentions => mentions,
            Bell::All => all,
        }
    }

    /// Whether it rings for this, which has just arrived. Nobody needs to be called to what they
    /// say themselves with another device.
    pub fn rings_for(self, arrived: &Notification, me: &UserName) -> bool {
        let Some(post) = arrival::post(arrived).filter(|post| !arrival::is_by(post, Some(me)))
        else {
            return false;
        };
        match self {
            Bell::Off => false,
            Bell::All => true,
            Bell::Mentions => {
                let is_private = matches!(arrived, Notification::PrivatePost { .. });
                let mut lines = post.body.as_str().lines();
                is_private || lines.any(|line| !mentions(line, me).is_empty())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::view::tests::{group, post, user};

    #[test]
    fn it_rings_for_what_was_chosen_and_never_for_oneself() {
        let public =
            |by, text| Notification::GroupPost { post: post(by, text), group: group("tea") };
        let private = Notification::PrivatePost { post: post("Ann", "psst"), to: user("Jim") };
        let rings = |arrived: &Notification| {
            Bell::WORDS.map(|(_, bell)| bell.rings_for(arrived, &user("Jim")))
        };
        assert_eq!(rings(&public("Ann", "hello")), [false, false, true]);
        assert_eq!(rings(&public("Ann", "hello\n@jim!")), [false, true, true]);
        assert_eq!(rings(&private), [false, true, true]);
        assert_eq!(rings(&public("jim", "Jim")), [false; 3]);
        let joined = Notification::Departed { seq: chatroom_proto::Seq(1), user: user("Ann") };
        assert_eq!(rings(&joined), [false; 3]);
        assert_eq!(Bell::WORDS.map(|(word, bell)| bell.word() == word), [true; 3]);
    }
}
