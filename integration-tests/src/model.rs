//! The archive as it should be: all posts in a list, looked through from end to end. Stages and
//! simulations read from it, and the real one must find the same.

use std::collections::BTreeSet;

use chatroom_proto::{ArchivedPost, Conversation, Notification, Seq};
use chatroom_server::chat::effect::{
    ArchiveChange, ConversationId, Query, Read, Replay, ReplayGroup, StoredPost,
};
use chatroom_server::chat::entry::{Entry, PersonId};
use chatroom_server::chat::{ChatState, Limits};
use chatroom_server::storage::archive::{FoundPosts, Missed, ReadError};

/// Everything that was said, in order.
#[derive(Debug)]
pub struct Model {
    state: ChatState,
    records: Vec<StoredPost>,
    /// What was deleted and not yet erased from the log.
    erasures: BTreeSet<Seq>,
}

impl Model {
    /// A model of an empty log.
    pub fn new(limits: Limits) -> Model {
        Model { state: ChatState::new(limits), records: Vec::new(), erasures: BTreeSet::new() }
    }

    /// Takes in the next entry.
    pub fn follow(&mut self, entry: &Entry) {
        match self.state.fold(entry) {
            Some(ArchiveChange::Said(stored)) => self.records.push(stored),
            Some(ArchiveChange::Deleted(post, deletion)) => {
                if let Some(stored) = self.records.iter_mut().find(|it| it.post.seq == post) {
                    stored.delete(deletion);
                    self.erasures.insert(post);
                }
            }
            None => {}
        }
    }

    /// What everything has come to.
    pub fn state(&self) -> &ChatState {
        &self.state
    }

    /// Everything that was said.
    pub fn records(&self) -> &[StoredPost] {
        &self.records
    }

    /// The post at this place.
    pub fn find(&self, post: Seq) -> Option<StoredPost> {
        self.records.iter().find(|stored| stored.post.seq == post).cloned()
    }

    /// What the log is to erase.
    pub fn to_erase(&self) -> Vec<Seq> {
        self.erasures.iter().copied().collect()
    }

    /// The log has erased these.
    pub fn erased(&mut self, posts: &[Seq]) {
        self.erasures.retain(|post| !posts.contains(post));
    }

    /// What a read should find, were every page long enough.
    ///
    /// # Errors
    /// [`ReadError::NoWords`]; it is never too late.
    pub fn read(&self, read: &Read) -> Result<FoundPosts, ReadError> {
        if let Query::Search { words, .. } = &read.query
            && pieces(words.as_str()).is_empty()
        {
            return Err(ReadError::NoWords);
        }
        let fits = |record: &&StoredPost| record.post.seq < read.before && matches(record, read);
        let mut found = self.records.iter().rev().filter(fits);
        let page: Vec<&StoredPost> = found.by_ref().take(read.count).collect();
        let next = found.next().and(page.last()).map(|last| last.post.seq);
        let (mut posts, mut deleted) = (Vec::new(), Vec::new());
        for record in page {
            match &record.deletion {
                Some(deletion) => deleted.push(record.post.clone().deleted(deletion.by.clone())),
                None => posts.push(said(record, read.reader)),
            }
        }
        Ok(FoundPosts { posts, deleted, next })
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
        let said = new.iter().filter(is_news).cloned().map(StoredPost::told_again);
        let is_gone = |record: &&StoredPost| is_gone_for(record, replay);
        let gone = self.records.iter().filter(is_gone).cloned();
        let gone = gone.filter_map(StoredPost::deletion_told);
        let mut notifications: Vec<Notification> = said.chain(gone).collect();
        notifications.sort_by_key(Notification::seq);
        Missed { notifications, reached: replay.until }
    }
}

/// Whether this is said to somebody who comes back, or in one of their groups since they are in it.
pub fn is_for(record: &StoredPost, replay: &Replay) -> bool {
    match record.thread {
        ConversationId::Group(group) => {
            let seq = record.post.seq;
            let has_heard = |in_it: &ReplayGroup| {
                in_it.group == group && in_it.since < seq && seq <= in_it.until
            };
            replay.groups.iter().any(has_heard)
        }
        ConversationId::Pair(one, other) => [one, other].contains(&replay.reader),
    }
}

/// Whether one who comes back is told that this was deleted, which they may have heard before.
fn is_gone_for(record: &StoredPost, replay: &Replay) -> bool {
    let Some(deletion) = &record.deletion else { return false };
    let is_new = replay.after < deletion.seq && deletion.seq <= replay.until;
    let (seq, began) = (record.post.seq, replay.began);
    let is_theirs = match record.thread {
        ConversationId::Group(group) => replay.groups.iter().any(|in_it| {
            in_it.group == group
                && (in_it.since < deletion.seq && deletion.seq <= in_it.until)
                && seq <= began.max(in_it.since)
        }),
        ConversationId::Pair(one, other) => [one, other].contains(&replay.reader) && seq <= began,
    };
    is_new && is_theirs && deletion.device != replay.device
}

fn matches(record: &StoredPost, read: &Read) -> bool {
    match &read.query {
        Query::History(thread) => record.thread == *thread,
        Query::Search { .. } if record.deletion.is_some() => false,
        Query::Search { words, groups, in_private } => {
            let may_read = match record.thread {
                ConversationId::Group(group) => groups.contains(&group),
                ConversationId::Pair(one, other) => {
                    *in_private && [one, other].contains(&read.reader)
                }
            };
            let (said, wanted) = (pieces(record.post.body.as_str()), pieces(words.as_str()));
            let is_said = |wanted: &String| {
                said.iter().any(|said| match wanted.chars().next().map(kind) {
                    Some(Kind::Unparted) => said.contains(wanted),
                    _ => said == wanted,
                })
            };
            may_read && wanted.iter().all(is_said)
        }
    }
}

/// What a character is to a search, among those that the tests say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Letter,
    /// Of Thai, Chinese, Japanese or Korean.
    Unparted,
    Emoji,
    Gap,
}

fn kind(c: char) -> Kind {
    match c {
        '\u{E00}'..='\u{E7F}' | '\u{3040}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}' => Kind::Unparted,
        '\u{1F3FB}'..='\u{1F3FF}' => Kind::Gap,
        '\u{1F300}'..='\u{1FAFF}' => Kind::Emoji,
        c if c.is_alphanumeric() => Kind::Letter,
        _ => Kind::Gap,
    }
}

/// Words as a search compares them. Persian and Arabic write yeh and kaf with different letters.
fn pieces(text: &str) -> Vec<String> {
    let mut chars: Vec<char> = Vec::new();
    for c in text.chars() {
        // What nobody sees is nothing in a script without gaps.
        if c != '\u{200C}' || chars.last().is_none_or(|before| kind(*before) != Kind::Unparted) {
            chars.push(c);
        }
    }
    let goes_on =
        |one: &char, other: &char| kind(*one) == kind(*other) && kind(*one) != Kind::Emoji;
    let pieces = chars.chunk_by(goes_on).filter(|piece| kind(piece[0]) != Kind::Gap);
    let word = |piece: &[char]| String::from_iter(piece).to_lowercase();
    pieces.map(|piece| word(piece).replace(['ي', 'ى'], "ی").replace('ك', "ک")).collect()
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
