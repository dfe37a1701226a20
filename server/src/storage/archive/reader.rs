//! A thread that reads. It serves one after another: what it is asked for is there, so nobody waits
//! long.

use std::path::{Path, PathBuf};

use chatroom_proto::{ArchivedPost, Conversation};
use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::error;

use super::request::{FoundPosts, ReadError, ReadRequest};
use super::row::{self, COLUMNS, number};
use super::search_text::{IndexQuery, NoQuery};
use super::{age, erasure, file, missed, search_text};
use crate::chat::effect::{ConversationId, Query, Read, StoredPost};
use crate::chat::entry::PersonId;
use crate::config::{READ_DEADLINE, SEARCH_DEADLINE};

/// What the posts of a page may take, in bytes: they fit into a frame, with something to spare.
const PAGE_BYTES_MAX: usize = 60 * 1024;

/// What a post takes on a page besides its texts, in bytes: 8 for each of seven numbers and
/// lengths, 16 for its id, and some to spare.
const POST_BYTES: usize = 96;

/// How often a query looks at the clock, in steps of SQLite's machine: every few milliseconds.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;

/// Reads from an archive that is open.
pub(super) struct ArchiveReader {
    db: Connection,
    path: PathBuf,
}

impl ArchiveReader {
    pub(super) fn open(path: &Path) -> rusqlite::Result<ArchiveReader> {
        Ok(ArchiveReader { db: file::open_reader(path)?, path: path.to_owned() })
    }

    /// Answers as long as somebody can ask.
    pub(super) fn run(mut self, mut asks: mpsc::Receiver<ReadRequest>) {
        while let Some(ask) = asks.blocking_recv() {
            match ask {
                ReadRequest::Read(read, answer) => self.read(&read, answer),
                ReadRequest::Replay(replay, answer) => {
                    self.answer(answer, None, |db| missed::part(db, &replay));
                }
                ReadRequest::OlderThan(query, answer) => {
                    self.answer(answer, None, |db| age::older_than(db, query));
                }
                ReadRequest::Find(post, answer) => {
                    self.answer(answer, None, |db| row::find(db, post));
                }
                ReadRequest::ToErase(answer) => self.answer(answer, None, erasure::next),
            }
        }
    }

    fn read(&mut self, read: &Read, answer: oneshot::Sender<Result<FoundPosts, ReadError>>) {
        let query = match lookup(read) {
            Ok(query) => query,
            Err(error) => {
                // One who waits no longer need not know.
                let _ = answer.send(Err(error));
                return;
            }
        };
        let deadline = match query {
            Lookup::Index(_) => SEARCH_DEADLINE,
            Lookup::Conversation(_) | Lookup::Nothing => READ_DEADLINE,
        };
        self.answer(answer, Some(Instant::now() + deadline), |db| match &query {
            Lookup::Conversation(conversation) => history(db, *conversation, read),
            Lookup::Index(query) => search(db, query, read),
            Lookup::Nothing => {
                Ok(FoundPosts { posts: Vec::new(), deleted: Vec::new(), next: None })
            }
        });
    }

    /// Answers one, unless it waits no longer.
    fn answer<T>(
        &mut self,
        answer: oneshot::Sender<Result<T, ReadError>>,
        deadline: Option<Instant>,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) {
        if answer.is_closed() {
            return;
        }
        let found = self.by(deadline, read).map_err(|error| {
            if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) {
                return ReadError::TookTooLong;
            }
            error!(%error, "the archive can't be read");
            file::note_damage(&self.path, &error);
            ReadError::Stopped
        });
        // One who waits no longer need not know.
        let _ = answer.send(found);
    }

    /// Reads, until this moment at the latest. All that one read looks at is of the same moment.
    fn by<T>(
        &mut self,
        deadline: Option<Instant>,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let is_late = move || deadline.is_some_and(|deadline| Instant::now() > deadline);
        self.db.progress_handler(STEPS_BETWEEN_LOOKS, Some(is_late))?;
        let moment = self.db.transaction()?;
        let found = read(&moment)?;
        moment.commit()?;
        Ok(found)
    }
}

/// What a read comes to.
enum Lookup {
    Conversation(ConversationId),
    Index(IndexQuery),
    /// Nobody said anything where the reader may look.
    Nothing,
}

fn lookup(read: &Read) -> Result<Lookup, ReadError> {
    match &read.query {
        Query::History(conversation) => Ok(Lookup::Conversation(*conversation)),
        Query::Search { words, groups, in_private } => {
            match search_text::query(words, groups, in_private.then_some(read.reader)) {
                Ok(query) => Ok(Lookup::Index(query)),
                Err(NoQuery::NoPlaces) => Ok(Lookup::Nothing),
                Err(NoQuery::NoWords) => Err(ReadError::NoWords),
            }
        }
    }
}

fn history(
    db: &Connection,
    conversation: ConversationId,
    read: &Read,
) -> rusqlite::Result<FoundPosts> {
    let (low, high) = row::numbers(conversation);
    let select = format!(
        "SELECT {COLUMNS} FROM posts WHERE low = ? AND high = ? AND seq < ? ORDER BY seq DESC"
    );
    let mut select = db.prepare_cached(&select)?;
    let rows = select.query_map((low, high, below(read)), row::stored_post)?;
    page(rows, read)
}

fn search(db: &Connection, query: &IndexQuery, read: &Read) -> rusqlite::Result<FoundPosts> {
    let find = "SELECT rowid FROM words WHERE words MATCH ? AND rowid < ? ORDER BY rowid DESC";
    let mut find = db.prepare_cached(find)?;
    let mut select = db.prepare_cached(&format!("SELECT {COLUMNS} FROM posts WHERE seq = ?"))?;
    let found = find.query_map((&query.expression, below(read)), |row| row.get::<_, i64>(0))?;
    let posts = found.map(|post| select.query_row([post?], row::stored_post));
    let is_meant = |found: &rusqlite::Result<StoredPost>| {
        found.as_ref().map_or(true, |stored| query.matches(stored.post.body.as_str()))
    };
    page(posts.filter(is_meant), read)
}

/// The place behind the last that is meant. What was said after the head is news to the reader, who
/// hears it anyway.
fn below(read: &Read) -> i64 {
    number(read.before.min(read.head.next()))
}

/// As many posts as were asked for and fit.
fn page(
    posts_found: impl Iterator<Item = rusqlite::Result<StoredPost>>,
    read: &Read,
) -> rusqlite::Result<FoundPosts> {
    let (mut posts, mut deleted, mut bytes) = (Vec::new(), Vec::new(), 0);
    let mut last = None;
    for stored in posts_found {
        let mut stored = stored?;
        let (seq, deletion) = (stored.post.seq, stored.deletion.take());
        let post = archived(stored, read.reader);
        let by = deletion.as_ref().map_or(0, |deletion| deletion.by.as_str().len());
        bytes += cost(&post) + by;
        if posts.len() + deleted.len() == read.count || bytes > PAGE_BYTES_MAX {
            return Ok(FoundPosts { posts, deleted, next: last });
        }
        match deletion {
            Some(deletion) => deleted.push(post.post.deleted(deletion.by)),
            None => posts.push(post),
        }
        last = Some(seq);
    }
    Ok(FoundPosts { posts, deleted, next: None })
}

fn cost(archived: &ArchivedPost) -> usize {
    let place = match &archived.place {
        Conversation::Group(group) => group.as_str(),
        Conversation::User(user) => user.as_str(),
    };
    POST_BYTES + place.len() + archived.post.from.as_str().len() + archived.post.body.as_str().len()
}

/// A post as its reader sees it: what is private is among the reader and the other one, whoever
/// said it.
fn archived(stored: StoredPost, reader: PersonId) -> ArchivedPost {
    let place = match stored.to {
        Conversation::User(_) if stored.by != reader => {
            Conversation::User(stored.post.from.clone())
        }
        to => to,
    };
    ArchivedPost { place, post: stored.post }
}
