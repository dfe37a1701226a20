//! What is deleted, really.
//!
//! What guarantees that nothing of a post is left in the files when this is done:
//! - its row and its entries in the indexes of the table are deleted with `secure_delete`, which
//!   overwrites with zeros what was deleted, in pages that stay and in pages that become free;
//! - the search index takes its entries out of the pages they are in (`secure-delete` of FTS5), and
//!   a page that it merges away becomes free as above;
//! - the write-ahead log still has older versions of these pages, until the checkpoint at the end
//!   cuts it to nothing.

use std::time::Duration;

use chatroom_proto::Seq;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;
use tracing::{debug, info};

use super::position::ArchivePosition;
use super::row::{self, number, seq};
use super::search_index;
use crate::chat::effect as chat;
use crate::config::ARCHIVE_BUSY_TIMEOUT;

/// Posts that one step deletes: what a read of new posts may have to wait for it.
const POSTS_A_STEP: usize = 200;

/// How long a checkpoint waits for readers before it is left for later.
const CHECKPOINT_WAIT: Duration = Duration::from_millis(50);

/// Deletes in steps.
#[derive(Debug)]
pub(super) struct Deleter {
    until: Seq,
    is_under_way: bool,
    /// Who wants to know when it is done.
    waiting: Vec<oneshot::Sender<()>>,
}

impl Deleter {
    /// One that looks whether everything up to here is deleted: an earlier run may have been
    /// stopped over it.
    pub(super) fn up_to(until: Seq) -> Deleter {
        Deleter { until, is_under_way: until > Seq::ZERO, waiting: Vec::new() }
    }

    /// What was deleted one by one is to be cut off from the write-ahead log.
    pub(super) fn cut_off(&mut self) {
        self.is_under_way = true;
    }

    /// Everything up to here is to be deleted.
    pub(super) fn begin(&mut self, until: Seq, done: oneshot::Sender<()>) {
        (self.until, self.is_under_way) = (until, true);
        self.waiting.push(done);
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.is_under_way
    }

    /// Deletes some posts; when none are left, cuts off what the write-ahead log has of them.
    pub(super) fn step(
        &mut self,
        db: &mut Connection,
        position: ArchivePosition,
    ) -> rusqlite::Result<()> {
        if delete_some(db, self.until, position)? == POSTS_A_STEP {
            return Ok(());
        }
        if !checkpoint(db)? {
            debug!("somebody reads what was deleted; it is cut off later");
            return Ok(());
        }
        if !self.waiting.is_empty() {
            info!(until = %self.until, "old posts are deleted");
        }
        self.is_under_way = false;
        for done in self.waiting.drain(..) {
            // One who waits no longer need not know.
            let _ = done.send(());
        }
        Ok(())
    }
}

/// Deletes the oldest posts, and says how many there were.
fn delete_some(
    db: &mut Connection,
    until: Seq,
    position: ArchivePosition,
) -> rusqlite::Result<usize> {
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (mut count, mut last) = (0, None);
    {
        let select = "SELECT seq, low, high, body, deletion FROM posts WHERE seq <= ? ORDER BY seq
            LIMIT ?";
        let mut select = change.prepare_cached(select)?;
        let mut rows = select.query((number(until), POSTS_A_STEP as i64))?;
        while let Some(row) = rows.next()? {
            let post = row.get(0)?;
            if seq(post) <= position.indexed && row.get::<_, Option<i64>>(4)?.is_none() {
                let conversation = row::conversation(row.get(1)?, row.get(2)?);
                search_index::remove(&change, post, conversation, row.get_ref(3)?.as_str()?)?;
            }
            (count, last) = (count + 1, Some(post));
        }
    }
    if let Some(last) = last {
        change.prepare_cached("DELETE FROM posts WHERE seq <= ?")?.execute([last])?;
    }
    change.commit()?;
    Ok(count)
}

/// Deletes the text of one post, if it is there and was not deleted; whether there was any.
pub(super) fn delete_one(
    db: &Connection,
    post: Seq,
    by: chat::Deletion,
    position: ArchivePosition,
) -> rusqlite::Result<bool> {
    let found = row::find(db, post)?.filter(|stored| stored.deletion.is_none());
    let Some(stored) = found else { return Ok(false) };
    if post <= position.indexed {
        let body = stored.post.body.as_str();
        search_index::remove(db, number(post), stored.thread, body)?;
    }
    row::delete(db, stored, by)?;
    Ok(true)
}

/// Writes everything from the write-ahead log into the file, and cuts it to nothing; whether that
/// was possible. Readers may be in the way, one after the other: what is said meanwhile must not
/// wait for them.
pub(super) fn checkpoint(db: &Connection) -> rusqlite::Result<bool> {
    db.busy_timeout(CHECKPOINT_WAIT)?;
    let is_busy = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    db.busy_timeout(ARCHIVE_BUSY_TIMEOUT)?;
    Ok(is_busy? == 0)
}
