//! The archive as it should be: all posts in a list, looked through from end to end. Stages and
//! simulations read from it, and the real one must find the same.

use chatroom_proto::{ArchivedPost, Conversation, Notification, Seq};
use chatroom_server::chat::effect::{ConversationId, Query, Read, Replay, StoredPost};
use chatroom_server::chat::entry::{Entry, PersonId};
use chatroom_server::chat::{ChatState, Limits};
use chatroom_server::storage::archive::{FoundPosts, Missed};

/// Everything that was said, in order.
#[derive(Debug)]
pub struct Model {
    state: ChatState,
    records: Vec<StoredPost>,
}

impl Model {
    /// A model of an empty log.
    pub fn new(limits: Limits) -> Model {
        Model { state: ChatState::new(limits), records: Vec::new() }
    }

    /// Takes in the next entry.
    pub fn follow(&mut self, entry: &Entry) {
        self.records.extend(self.state.fold(entry));
    }

    /// What everything has come to.
    pub fn state(&self) -> &ChatState {
        &self.state
    }

    /// Everything that was said.
    pub fn records(&self) -> &[StoredPost] {
        &self.records
    }

    /// What a read should find, were every page long enough.
    pub fn read(&self, read: &Read) -> FoundPosts {
        let fits = |record: &&StoredPost| record.post.seq < read.before && matches(record, read);
        let mut found = self.records.iter().rev().filter(fits);
        let posts: Vec<ArchivedPost> =
            found.by_ref().take(read.count).map(|record| said(record, read.reader)).collect();
        let next = found.next().and(posts.last()).map(|said| said.post.seq);
        FoundPosts { posts, next }
    }

    /// What a client should hear again.
    pub fn replay(&self, replay: &Replay) -> Missed {
        self.told(replay, |record| is_for(record, replay))
    }

    /// What a client hears again when this decides what is told to it.
    pub fn told(&self, replay: &Replay, is_told: impl Fn(&StoredPost) -> bool) -> Missed {
        let place = |seq: Seq| self.records.partition_point(|record| record.post.seq <= seq);
        let new = self.records.get(place(replay.after)..place(replay.until)).unwrap_or_default();
        let is_news = |record: &&StoredPost| record.device != replay.device && is_told(record);
        let notifications = new.iter().filter(is_news).map(heard).collect();
        Missed { notifications, reached: replay.until }
    }
}

/// Whether this is said to somebody who comes back, or in one of their groups since they are in it.
pub fn is_for(record: &StoredPost, replay: &Replay) -> bool {
    match record.thread {
        ConversationId::Group(group) => {
            let seq = record.post.seq;
            replay.groups.iter().any(|(member, since)| *member == group && seq > *since)
        }
        ConversationId::Pair(one, other) => [one, other].contains(&replay.reader),
    }
}

fn matches(record: &StoredPost, read: &Read) -> bool {
    match &read.query {
        Query::History(thread) => record.thread == *thread,
        Query::Search { words, groups, in_private } => {
            let may_read = match record.thread {
                ConversationId::Group(group) => groups.contains(&group),
                ConversationId::Pair(one, other) => {
                    *in_private && [one, other].contains(&read.reader)
                }
            };
            let (said, wanted) = (tokens(record.post.body.as_str()), tokens(words.as_str()));
            may_read && !wanted.is_empty() && wanted.iter().all(|word| said.contains(word))
        }
    }
}

fn tokens(text: &str) -> Vec<String> {
    tokens_of(text).collect()
}

/// Words as a search compares them. Persian and Arabic write yeh and kaf with different letters.
fn tokens_of(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| word.to_lowercase().replace(['ي', 'ى'], "ی").replace('ك', "ک"))
}

fn said(record: &StoredPost, reader: PersonId) -> ArchivedPost {
    let place = match &record.to {
        Conversation::User(_) if record.by != reader => {
            Conversation::User(record.post.from.clone())
        }
        to => to.clone(),
    };
    ArchivedPost { place, post: record.post.clone() }
}

fn heard(record: &StoredPost) -> Notification {
    let post = record.post.clone();
    match &record.to {
        Conversation::Group(group) => Notification::GroupPost { post, group: group.clone() },
        Conversation::User(to) => Notification::PrivatePost { post, to: to.clone() },
    }
}
