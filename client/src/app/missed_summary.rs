//! What was said while somebody was away, until all of it has come.

use std::collections::VecDeque;

use chatroom_proto::{Conversation, Notification, UnixMillis};

use crate::app::arrival;

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
            Notification::DeletedPost { post, .. } => post.at,
            _ => arrival::post(first).map(|post| post.at).unwrap_or_default(),
        };
        let since = since.unwrap_or(said_at);
        let only_in = arrival::conversation(first, None);
        MissedSummary { since, count: 0, newest: VecDeque::new(), only_in }
    }

    /// Takes in one more message that was missed.
    pub fn add(&mut self, said: Notification) {
        self.count += 1;
        if self.only_in.as_ref() != arrival::conversation(&said, None).as_ref() {
            self.only_in = None;
        }
        if self.newest.len() == SHOWN_MAX {
            self.newest.pop_front();
        }
        self.newest.push_back(said);
    }
}
