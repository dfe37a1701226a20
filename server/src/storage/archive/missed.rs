//! A part of what somebody missed: posts of several conversations, merged into the one order.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use chatroom_proto::Seq;
use rusqlite::{Connection, params};

use super::request::Missed;
use super::row::{self, number, seq};
use crate::chat::effect::{ConversationId, Replay, ReplayGroup, StoredPost};
use crate::chat::entry::GroupId;

/// Posts in one part, the reader's own counted: some for every write to the connection, not so many
/// that others wait long for the reader.
const POSTS_MAX: usize = 200;

/// What one part may take, in bytes: a quarter of what the outbox holds before its connection has
/// to read.
const PART_BYTES_MAX: usize = 128 * 1024;

/// What a post takes besides its text, in bytes; an estimate.
const POST_BYTES: usize = 128;

/// Places that are looked up at a time in one conversation. Most have few new posts, so a part of a
/// hundred groups costs a hundred short looks and not a hundred parts.
const PLACES_AT_ONCE: usize = 16;

/// Posts of one kind that somebody missed, the next first.
struct MissedPosts {
    from: MissedKind,
    /// Where each is told, and the row that tells it: the same, but for a deletion.
    places: VecDeque<(Seq, Seq)>,
    /// Everything up to here was looked up.
    after: Seq,
    has_more: bool,
}

enum MissedKind {
    Group {
        group: GroupId,
        until: Seq,
    },
    /// Said to the reader alone.
    Others,
    /// Said by the reader to somebody alone.
    Own,
    /// Said earlier, and deleted since.
    Deletions,
}

/// The first part of what somebody missed.
pub(super) fn part(db: &Connection, replay: &Replay) -> rusqlite::Result<Missed> {
    let mut kinds = kinds(replay);
    let mut next = BinaryHeap::new();
    for (index, posts) in kinds.iter_mut().enumerate() {
        next.extend(posts.take(db, replay)?.map(|(place, row)| Reverse((place, index, row))));
    }
    let mut select =
        db.prepare_cached(&format!("SELECT {} FROM posts WHERE seq = ?", row::COLUMNS))?;
    let (mut notifications, mut looked_at, mut bytes, mut reached) =
        (Vec::new(), 0, 0, replay.after);
    while let Some(Reverse((place, index, row))) = next.pop() {
        if looked_at == POSTS_MAX || bytes >= PART_BYTES_MAX {
            return Ok(Missed { notifications, reached });
        }
        let stored = select.query_row([number(row)], row::stored_post)?;
        looked_at += 1;
        reached = place;
        // What the device itself said is not news. It counts all the same: a part must not go
        // through thousands of these.
        if place != row {
            bytes += POST_BYTES;
            notifications.extend(stored.deletion_told());
        } else if stored.device != replay.device {
            bytes += POST_BYTES + stored.post.body.as_str().len();
            notifications.push(stored.told_again());
        }
        let more = kinds[index].take(db, replay)?;
        next.extend(more.map(|(place, row)| Reverse((place, index, row))));
    }
    Ok(Missed { notifications, reached: replay.until })
}

fn kinds(replay: &Replay) -> Vec<MissedPosts> {
    let posts = |from, after| MissedPosts { from, places: VecDeque::new(), after, has_more: true };
    let groups = replay.groups.iter();
    let groups = groups.map(|&ReplayGroup { group, since, until }| {
        posts(MissedKind::Group { group, until }, replay.after.max(since))
    });
    let own = replay.has_others.then(|| posts(MissedKind::Own, replay.after));
    let (others, deletions) = (MissedKind::Others, MissedKind::Deletions);
    let private = [posts(others, replay.after), posts(deletions, replay.after)];
    groups.chain(private).chain(own).collect()
}

impl MissedPosts {
    /// The next one: where it is told, and its row.
    fn take(&mut self, db: &Connection, replay: &Replay) -> rusqlite::Result<Option<(Seq, Seq)>> {
        if self.places.is_empty() && self.has_more {
            self.look_up(db, replay)?;
        }
        Ok(self.places.pop_front())
    }

    fn look_up(&mut self, db: &Connection, replay: &Replay) -> rusqlite::Result<()> {
        let (after, until, reader) =
            (number(self.after), number(replay.until), number(replay.reader.0));
        let limit = PLACES_AT_ONCE as i64;
        let place = |row: &rusqlite::Row<'_>| row.get(0).map(|at| (seq(at), seq(at)));
        match self.from {
            MissedKind::Group { group, until } => {
                let mut select = db.prepare_cached(
                    "SELECT seq FROM posts WHERE low = ? AND high = 0 AND seq > ? AND seq <= ?
                     ORDER BY seq LIMIT ?",
                )?;
                let params =
                    params![number(group.0), after, number(until.min(replay.until)), limit];
                self.places
                    .extend(select.query_map(params, place)?.collect::<Result<Vec<_>, _>>()?);
            }
            MissedKind::Others => {
                let mut select = db.prepare_cached(
                    "SELECT seq FROM posts WHERE addressee = ? AND seq > ? AND seq <= ?
                     ORDER BY seq LIMIT ?",
                )?;
                let params = params![reader, after, until, limit];
                self.places
                    .extend(select.query_map(params, place)?.collect::<Result<Vec<_>, _>>()?);
            }
            MissedKind::Own => {
                let mut select = db.prepare_cached(
                    "SELECT seq FROM posts WHERE by = ? AND addressee IS NOT NULL AND addressee \
                     <> by AND seq > ? AND seq <= ?
                     ORDER BY seq LIMIT ?",
                )?;
                let params = params![reader, after, until, limit];
                self.places
                    .extend(select.query_map(params, place)?.collect::<Result<Vec<_>, _>>()?);
            }
            MissedKind::Deletions => self.places = deletions(db, replay, self.after)?,
        }
        self.has_more = self.places.len() == PLACES_AT_ONCE;
        self.after = self.places.back().map_or(replay.until, |(place, _)| *place);
        Ok(())
    }
}

/// The next deletions of what the reader may have heard: what is told again is told without its
/// text, and needs no more.
fn deletions(
    db: &Connection,
    replay: &Replay,
    after: Seq,
) -> rusqlite::Result<VecDeque<(Seq, Seq)>> {
    let select = format!(
        "SELECT {} FROM posts WHERE deletion > ? AND deletion <= ? ORDER BY deletion",
        row::COLUMNS
    );
    let mut select = db.prepare_cached(&select)?;
    let found = select.query_map([number(after), number(replay.until)], row::stored_post)?;
    let mut places = VecDeque::new();
    for stored in found {
        let stored = stored?;
        let Some(deletion) = stored.deletion.as_ref().filter(|_| is_told(&stored, replay)) else {
            continue;
        };
        places.push_back((deletion.seq, stored.post.seq));
        if places.len() == PLACES_AT_ONCE {
            break;
        }
    }
    Ok(places)
}

/// Whether somebody who comes back is to be told that this was deleted.
fn is_told(stored: &StoredPost, replay: &Replay) -> bool {
    let Some(deletion) = &stored.deletion else { return false };
    let is_there = match stored.thread {
        ConversationId::Group(group) => replay.groups.iter().any(|in_it| {
            in_it.group == group
                && in_it.since < deletion.seq
                && deletion.seq <= in_it.until
                && stored.post.seq <= replay.began.max(in_it.since)
        }),
        ConversationId::Pair(one, other) => {
            [one, other].contains(&replay.reader) && stored.post.seq <= replay.began
        }
    };
    is_there && deletion.device != replay.device
}
