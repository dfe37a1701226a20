//! What was said while somebody was away, until all of it has come.

use std::collections::VecDeque;

use chatroom_proto::{Conversation, Notification, UnixMillis};

/// The most messages that are shown to one who comes back: two screens. The rest is there to be
/// asked for.
const SHOWN_MAX: usize = 50;

/// Messages that were missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissedSummary {
    /// Since when.
    pub since: UnixMillis,
    /// How many there are.
    pub count: usize,
    /// The newest of them.
    pub newest: VecDeque<Notification>,
    /// The conversation that all of them were said in.
    pub only_in: Option<Conversation>,
}

impl MissedSummary {
    /// It began then, as far as that is known: otherwise with the first message.
    pub fn new(since: Option<UnixMillis>, first: &Notification) -> MissedSummary {
        let said_at = match first {
            Notification::GroupPost { post, .. } | Notification::PrivatePost { post, .. } => {
                post.at
            }
            Notification::DeletedPost { post, .. } => post.at,
            _ => UnixMillis::default(),
        };
        let since = since.unwrap_or(said_at);
        MissedSummary { since, count: 0, newest: VecDeque::new(), only_in: place(first) }
    }

    /// Takes in one more message that was missed.
    pub fn add(&mut self, said: Notification) {
        self.count += 1;
        if self.only_in.as_ref() != place(&said).as_ref() {
            self.only_in = None;
        }
        if self.newest.len() == SHOWN_MAX {
            self.newest.pop_front();
        }
        self.newest.push_back(said);
    }
}

fn place(said: &Notification) -> Option<Conversation> {
    match said {
        Notification::GroupPost { group, .. } => Some(Conversation::Group(group.clone())),
        Notification::PrivatePost { post, .. } => Some(Conversation::User(post.from.clone())),
        Notification::DeletedPost { post, place: Conversation::User(_) } => {
            Some(Conversation::User(post.from.clone()))
        }
        Notification::DeletedPost { place, .. } => Some(place.clone()),
        _ => None,
    }
}
