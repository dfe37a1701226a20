//! Which posts are old.

use chatroom_proto::{Seq, UnixMillis};
use rusqlite::{Connection, OptionalExtension};

use super::request::{AgeQuery, AgedPosts, BEHIND_NEWER_LOOKED_AT};
use super::row::{number, seq};

/// The first that is not old. The rows are in the order of the log, so this ends there.
const FIRST_YOUNG: &str = "SELECT seq, at FROM posts WHERE at BETWEEN ? AND ? ORDER BY seq LIMIT 1";

/// What is old before that.
const OLD: &str = "SELECT max(seq), max(at) FROM posts WHERE at < ? AND seq < ?";

/// What is behind the old ones.
const BEHIND: &str = "SELECT min(seq), count(*) FROM posts WHERE seq > ? AND seq < ?";

/// The old ones behind one that is not.
const BEHIND_NEWER: &str = "SELECT count(*) FROM (SELECT at FROM posts WHERE seq > ? ORDER BY seq \
                            LIMIT ?) WHERE at < ?";

/// Looks at the old posts, and at what is behind them.
pub(super) fn older_than(db: &Connection, query: AgeQuery) -> rusqlite::Result<AgedPosts> {
    let AgeQuery { before, now, head } = query;
    let (before, now) = (millis(before), millis(now));
    let young: Option<(i64, i64)> = db
        .prepare_cached(FIRST_YOUNG)?
        .query_row([before, now], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let end = young.map_or(number(head.next()), |(seq, _)| seq);
    let (last, newest): (Option<i64>, Option<i64>) =
        db.prepare_cached(OLD)?.query_row([before, end], |row| Ok((row.get(0)?, row.get(1)?)))?;
    // These are of a time that is yet to come.
    let (first_ahead, ahead): (Option<i64>, i64) = db
        .prepare_cached(BEHIND)?
        .query_row([last.unwrap_or(0), end], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let behind_newer: i64 = db
        .prepare_cached(BEHIND_NEWER)?
        .query_row([end, BEHIND_NEWER_LOOKED_AT.into(), before], |row| row.get(0))?;
    Ok(AgedPosts {
        until: Seq(seq(first_ahead.unwrap_or(end)).0.saturating_sub(1)),
        newest: newest.map(|at| UnixMillis(at.cast_unsigned())),
        next: young.map(|(_, at)| UnixMillis(at.cast_unsigned())),
        ahead: if young.is_some() { 0 } else { ahead.cast_unsigned() },
        behind_newer: behind_newer.cast_unsigned(),
    })
}

/// No clock tells a time that is not one of SQLite's numbers.
fn millis(at: UnixMillis) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}
