//! A post as a row.

use chatroom_proto::{Body, Conversation, GroupName, Post, PostId, Seq, UnixMillis, UserName};
use rusqlite::types::Type;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};

use crate::chat::effect::{ConversationId, Deletion, StoredPost};
use crate::chat::entry::{DeviceId, GroupId, PersonId};

/// A conversation is two numbers: the two people, or the group and 0, which is nobody. `addressee`
/// is who it was said to alone. `deletion` is the entry by which it was deleted, if it was; then
/// `body` is [`Body::deleted`]. `crc` is the CRC-32 of the rest, as [`checksum`] makes it: a row is
/// shown as it was written or not at all. An index holds the rows' `seq` behind its columns, so
/// each serves "of these, in order, from there on".
pub(super) const CREATE: &str = "
    CREATE TABLE posts (
        seq INTEGER PRIMARY KEY,
        low INTEGER NOT NULL,
        high INTEGER NOT NULL,
        addressee INTEGER,
        prev INTEGER NOT NULL,
        at INTEGER NOT NULL,
        id BLOB NOT NULL,
        by INTEGER NOT NULL,
        device INTEGER NOT NULL,
        sender TEXT NOT NULL,
        place TEXT NOT NULL,
        body TEXT NOT NULL,
        deletion INTEGER,
        deleted_at INTEGER,
        deleted_by TEXT,
        deleted_with INTEGER,
        crc INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX posts_by_thread ON posts (low, high);
    CREATE INDEX posts_by_addressee ON posts (addressee) WHERE addressee IS NOT NULL;
    CREATE INDEX private_posts_by_author ON posts (by) WHERE addressee IS NOT NULL;
    CREATE INDEX posts_by_deletion ON posts (deletion) WHERE deletion IS NOT NULL;
";

/// The order in which [`stored_post`] expects the columns.
pub(super) const COLUMNS: &str = "seq, low, high, prev, at, id, by, sender, place, body, \
     device, addressee, crc, deletion, deleted_at, deleted_by, deleted_with";

const INSERT: &str = "
    INSERT INTO posts
        (seq, low, high, addressee, prev, at, id, by, device, sender, place, body, crc)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
";

const DELETE: &str = "
    UPDATE posts
    SET body = ?, deletion = ?, deleted_at = ?, deleted_by = ?, deleted_with = ?, crc = ?
    WHERE seq = ?
";

/// The statement for [`insert`].
pub(super) fn inserting(db: &Connection) -> rusqlite::Result<CachedStatement<'_>> {
    db.prepare_cached(INSERT)
}

/// Writes a row.
pub(super) fn insert(
    insert: &mut CachedStatement<'_>,
    stored: &StoredPost,
) -> rusqlite::Result<()> {
    let StoredPost { thread: conversation, by, device, to, post, .. } = stored;
    let (low, high) = numbers(*conversation);
    let (place, crc) = (place(to), checksum(stored));
    let (seq, prev, at) = (number(post.seq), number(post.prev), post.at.0.cast_signed());
    let (from, body) = (post.from.as_str(), post.body.as_str());
    let addressee = addressee(*conversation, *by).map(|person| number(person.0));
    insert.execute(params![
        seq,
        low,
        high,
        addressee,
        prev,
        at,
        post.id.0,
        number(by.0),
        number(device.0),
        from,
        place,
        body,
        crc
    ])?;
    Ok(())
}

/// The row at this place, if there is one.
pub(super) fn find(db: &Connection, at: Seq) -> rusqlite::Result<Option<StoredPost>> {
    let select = format!("SELECT {COLUMNS} FROM posts WHERE seq = ?");
    db.prepare_cached(&select)?.query_row([number(at)], stored_post).optional()
}

/// Deletes the text of a row.
pub(super) fn delete(
    db: &Connection,
    mut stored: StoredPost,
    deletion: Deletion,
) -> rusqlite::Result<()> {
    let Deletion { seq, at, by, device } = deletion.clone();
    stored.delete(deletion);
    db.prepare_cached(DELETE)?.execute(params![
        stored.post.body.as_str(),
        number(seq),
        at.0.cast_signed(),
        by.as_str(),
        number(device.0),
        checksum(&stored),
        number(stored.post.seq)
    ])?;
    Ok(())
}

/// The name that a conversation has for the one who spoke.
fn place(to: &Conversation) -> &str {
    match to {
        Conversation::Group(group) => group.as_str(),
        Conversation::User(user) => user.as_str(),
    }
}

/// The CRC-32 of everything that a row has.
fn checksum(stored: &StoredPost) -> u32 {
    let StoredPost { thread: conversation, by, device, to, post, deletion } = stored;
    let (low, high) = numbers(*conversation);
    let mut crc = crc32fast::Hasher::new();
    for number in [number(post.seq), low, high, number(post.prev), post.at.0.cast_signed()] {
        crc.update(&number.to_le_bytes());
    }
    for id in [by.0, device.0] {
        crc.update(&id.0.to_le_bytes());
    }
    crc.update(&post.id.0);
    for text in [place(to), post.from.as_str(), post.body.as_str()] {
        crc.update(&text.len().to_le_bytes());
        crc.update(text.as_bytes());
    }
    if let Some(Deletion { seq, at, by, device }) = deletion {
        for number in [number(*seq), at.0.cast_signed(), number(device.0)] {
            crc.update(&number.to_le_bytes());
        }
        crc.update(by.as_str().as_bytes());
    }
    crc.finalize()
}

/// Reads a row of [`COLUMNS`].
pub(super) fn stored_post(row: &Row<'_>) -> rusqlite::Result<StoredPost> {
    let conversation = conversation(row.get(1)?, row.get(2)?);
    let to = match conversation {
        ConversationId::Group(_) => Conversation::Group(parsed(row, 8, GroupName::parse)?),
        ConversationId::Pair(..) => Conversation::User(parsed(row, 8, UserName::parse)?),
    };
    let post = Post {
        seq: seq(row.get(0)?),
        prev: seq(row.get(3)?),
        at: UnixMillis(row.get::<_, i64>(4)?.cast_unsigned()),
        id: PostId(row.get(5)?),
        from: parsed(row, 7, UserName::parse)?,
        body: parsed(row, 9, Body::parse)?,
    };
    let (by, device) = (PersonId(row.get(6).map(seq)?), DeviceId(row.get(10).map(seq)?));
    let deletion = deletion(row)?;
    let stored = StoredPost { thread: conversation, by, device, to, post, deletion };
    let found = addressee(conversation, by).map(|person| number(person.0));
    if row.get::<_, Option<i64>>(11)? != found || row.get::<_, u32>(12)? != checksum(&stored) {
        return Err(wrong_checksum(12, format!("of the post at {}", stored.post.seq)));
    }
    Ok(stored)
}

fn deletion(row: &Row<'_>) -> rusqlite::Result<Option<Deletion>> {
    let Some(place) = row.get::<_, Option<i64>>(13)? else { return Ok(None) };
    Ok(Some(Deletion {
        seq: seq(place),
        at: UnixMillis(row.get::<_, i64>(14)?.cast_unsigned()),
        by: parsed(row, 15, UserName::parse)?,
        device: DeviceId(row.get(16).map(seq)?),
    }))
}

/// What is read is not what was written.
#[derive(Debug, thiserror::Error)]
#[error("the checksum {0} is wrong")]
struct WrongChecksum(String);

/// The error for it, which says that the file is damaged.
pub(super) fn wrong_checksum(column: usize, what: String) -> rusqlite::Error {
    let error = WrongChecksum(what).into();
    rusqlite::Error::FromSqlConversionFailure(column, Type::Integer, error)
}

/// A text that was valid when it was written.
fn parsed<T, E>(
    row: &Row<'_>,
    column: usize,
    parse: fn(&str) -> Result<T, E>,
) -> rusqlite::Result<T>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let text = row.get_ref(column)?.as_str()?;
    parse(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
    })
}

/// Whom something was said to alone.
fn addressee(conversation: ConversationId, by: PersonId) -> Option<PersonId> {
    match conversation {
        ConversationId::Group(_) => None,
        ConversationId::Pair(one, other) => Some(if one == by { other } else { one }),
    }
}

/// A conversation as the columns `low` and `high`.
pub(super) fn numbers(conversation: ConversationId) -> (i64, i64) {
    match conversation {
        ConversationId::Group(group) => (number(group.0), 0),
        ConversationId::Pair(one, other) => (number(one.0), number(other.0)),
    }
}

/// The conversation that they mean.
pub(super) fn conversation(low: i64, high: i64) -> ConversationId {
    match high {
        0 => ConversationId::Group(GroupId(seq(low))),
        _ => ConversationId::Pair(PersonId(seq(low)), PersonId(seq(high))),
    }
}

/// A place as SQLite keeps it. No log comes as far as where the two differ.
pub(super) fn number(seq: Seq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}

/// The place that it means.
pub(super) fn seq(number: i64) -> Seq {
    Seq(number.cast_unsigned())
}
