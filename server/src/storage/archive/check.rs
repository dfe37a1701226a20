//! Whether an archive is what its log has come to: each of its rows, the tables and their indexes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use chatroom_proto::{Body, Seq};
use rusqlite::Connection;

use super::file::{self, ArchiveSchema, FILE_NAME};
use super::position::{self, ArchivePosition};
use super::row::{self, number};
use crate::chat::effect::{ArchiveChange, Deletion, StoredPost};
use crate::chat::entry::Entry;
use crate::storage::log::{LogError, LogIdentity, entry_checksum};

/// Rows that are read at a time.
const ROWS_AT_ONCE: i64 = 500;

/// What is not as it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveFault {
    /// Something in the file is not what was written.
    #[error(
        "the log is whole, and the archive {} is damaged ({what}). Nothing is lost, as it is a \
         view of the log: stop the server and remove the archive, and it is made again",
        path.display()
    )]
    Damaged {
        /// Which archive.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// An entry of the log has no checksum.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// What there is to compare.
pub(crate) enum ArchiveFound {
    /// None: it is made when a server starts.
    Nothing,
    /// One that the next start makes again, and why.
    MadeAgain(String),
    /// A view of this log.
    View(Box<ArchiveCheck>),
}

/// Compares an archive with the log while that is read, as both were at one moment.
pub(crate) struct ArchiveCheck {
    db: Connection,
    path: PathBuf,
    position: ArchivePosition,
    /// Rows that were read and not compared.
    rows: VecDeque<StoredPost>,
    /// Everything up to here was read.
    read_until: Seq,
    /// Rows that were deleted, by entries that are still to come.
    deleted: BTreeMap<Seq, Deletion>,
    /// Posts that the log has erased and the archive has not yet deleted.
    erased: BTreeSet<Seq>,
}

impl ArchiveCheck {
    /// Looks for the archive of this log. A server may be writing both: the archive has to be asked
    /// first, as the log is ahead of it.
    ///
    /// # Errors
    /// [`ArchiveFault`]
    pub(crate) fn open(
        directory: &Path,
        log: Option<LogIdentity>,
    ) -> Result<ArchiveFound, ArchiveFault> {
        let path = directory.join(FILE_NAME);
        if !path.exists() {
            return Ok(ArchiveFound::Nothing);
        }
        let damaged = |what: String| ArchiveFault::Damaged { path: path.clone(), what };
        let opened = file::open_reader(&path).and_then(|db| {
            // One moment, until this is dropped.
            db.execute_batch("BEGIN")?;
            let schema = file::schema(&db)?;
            Ok((db, schema))
        });
        let (db, schema) = opened.map_err(|error| damaged(error.to_string()))?;
        match schema {
            ArchiveSchema::Ours => {}
            ArchiveSchema::Empty => return Ok(ArchiveFound::Nothing),
            ArchiveSchema::Other(schema) => {
                return Ok(ArchiveFound::MadeAgain(format!("it is of another schema, {schema}")));
            }
            ArchiveSchema::NotOurs => return Err(damaged("it is not one of this program".into())),
        }
        let position = position::read(&db).map_err(|error| damaged(error.to_string()))?;
        if position.head > Seq::ZERO && position.log != log {
            return Ok(ArchiveFound::MadeAgain("it is a view of another log".to_owned()));
        }
        Ok(ArchiveFound::View(Box::new(ArchiveCheck {
            db,
            path,
            position,
            rows: VecDeque::new(),
            read_until: Seq::ZERO,
            deleted: BTreeMap::new(),
            erased: BTreeSet::new(),
        })))
    }

    /// Takes the next entry of the log, and what it changes.
    ///
    /// # Errors
    /// [`ArchiveFault`] when the archive does not have it as it is.
    pub(crate) fn compare(
        &mut self,
        entry: &Entry,
        change: Option<&ArchiveChange>,
    ) -> Result<(), ArchiveFault> {
        let ArchivePosition { head, delete_until, entry: seen, .. } = self.position;
        if entry.seq == head && entry_checksum(entry)? != seen {
            return Err(
                self.damaged(format!("it has seen another entry at {head} than the log has"))
            );
        }
        if let Some(ArchiveChange::Deleted(post, deletion)) = change {
            return self.compare_deletion(*post, deletion);
        }
        if entry.seq > head {
            return Ok(());
        }
        let row = self.row_at(entry.seq)?;
        let is_deleted = row.is_none() && entry.seq <= delete_until;
        let stored = match change {
            Some(ArchiveChange::Said(stored)) => Some(stored),
            Some(ArchiveChange::Deleted(..)) | None => None,
        };
        if row.as_ref() == stored || is_deleted || self.is_deleted_since(row.as_ref(), stored) {
            return Ok(());
        }
        Err(self.damaged(match row {
            None => format!("the post at {} is missing", entry.seq),
            Some(_) => format!("the post at {} is not as it was said", entry.seq),
        }))
    }

    /// Whether a row and a post are the same but for the text, which one of the two has no more.
    /// The deletion is still to come, and is waited for.
    fn is_deleted_since(&mut self, row: Option<&StoredPost>, stored: Option<&StoredPost>) -> bool {
        let (Some(row), Some(stored)) = (row, stored) else { return false };
        let (mut row, mut stored) = (row.clone(), stored.clone());
        let (seq, deletion) = (row.post.seq, row.deletion.take());
        let has_text = |stored: &StoredPost| stored.post.body != Body::deleted();
        let (in_row, in_log) = (has_text(&row), has_text(&stored));
        (row.post.body, stored.post.body) = (Body::deleted(), Body::deleted());
        if row != stored {
            return false;
        }
        match deletion {
            Some(deletion) if !in_row => drop(self.deleted.insert(seq, deletion)),
            None if in_row && !in_log => drop(self.erased.insert(seq)),
            Some(_) | None => return false,
        }
        true
    }

    /// Takes a deletion. The first one of a post is the one that counts.
    fn compare_deletion(&mut self, post: Seq, deletion: &Deletion) -> Result<(), ArchiveFault> {
        if deletion.seq > self.position.head {
            self.erased.remove(&post);
            return Ok(());
        }
        let first = row::find(&self.db, post)
            .map_err(|error| self.damaged(error.to_string()))?
            .map(|stored| stored.deletion);
        let is_so = match first {
            None => true,
            Some(None) => false,
            Some(Some(first)) => first.seq < deletion.seq || first == *deletion,
        };
        if !is_so {
            return Err(self.damaged(format!("the post at {post} is not deleted as it was")));
        }
        self.deleted.remove(&post);
        Ok(())
    }

    /// The log has no more. Up to where the archive has come.
    ///
    /// # Errors
    /// [`ArchiveFault`] when the archive has something that the log has not, or its file is
    /// damaged.
    pub(crate) fn end(mut self, log: Seq) -> Result<Seq, ArchiveFault> {
        let head = self.position.head;
        if head > log {
            return Err(self
                .damaged(format!("it has seen the log up to {head}, and the log ends at {log}")));
        }
        if let Some(post) = self.deleted.keys().chain(&self.erased).next() {
            let what = format!("the text of the post at {post} is gone, and nobody deleted it");
            return Err(self.damaged(what));
        }
        if self.row_at(Seq(u64::MAX >> 1))?.is_some() {
            return Err(self.damaged("it has posts that the log has not".to_owned()));
        }
        let check = "PRAGMA integrity_check(1)";
        let found = self.db.query_row(check, [], |row| row.get::<_, String>(0));
        match found {
            Ok(found) if found == "ok" => Ok(head),
            Ok(found) => Err(self.damaged(found)),
            Err(error) => Err(self.damaged(error.to_string())),
        }
    }

    /// The row of this entry. What is between the one before and this belongs to entries that the
    /// log keeps no longer, and must be on its way out.
    fn row_at(&mut self, at: Seq) -> Result<Option<StoredPost>, ArchiveFault> {
        loop {
            if self.rows.is_empty() {
                self.read_on()?;
            }
            match self.rows.front() {
                Some(row) if row.post.seq < at => {
                    let seq = row.post.seq;
                    if seq > self.position.delete_until {
                        let what = format!("it has a post at {seq}, which the log has not");
                        return Err(self.damaged(what));
                    }
                    self.rows.pop_front();
                }
                Some(row) if row.post.seq == at => return Ok(self.rows.pop_front()),
                Some(_) | None => return Ok(None),
            }
        }
    }

    fn read_on(&mut self) -> Result<(), ArchiveFault> {
        let select =
            format!("SELECT {} FROM posts WHERE seq > ? ORDER BY seq LIMIT ?", row::COLUMNS);
        let read = || {
            let mut select = self.db.prepare_cached(&select)?;
            let from = (number(self.read_until), ROWS_AT_ONCE);
            select.query_map(from, row::stored_post)?.collect::<Result<VecDeque<_>, _>>()
        };
        let rows = read().map_err(|error: rusqlite::Error| self.damaged(error.to_string()))?;
        if let Some(last) = rows.back() {
            self.read_until = last.post.seq;
        }
        self.rows = rows;
        Ok(())
    }

    fn damaged(&self, what: String) -> ArchiveFault {
        ArchiveFault::Damaged { path: self.path.clone(), what }
    }
}
