//! The file `archive.sqlite`: its schema, its settings, and what becomes of one that can't be used.
//!
//! It is a view, so one that is damaged or of an older server is removed and made again from the
//! log. One that is not ours stays as it is.

use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use chatroom_proto::Seq;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tracing::{error, warn};

use super::erasure;
use super::position::{self, ArchivePosition};
use super::row;
use super::search_index;
use super::snapshot::{self, SnapshotError};
use crate::chat::{ChatState, SNAPSHOT_LAYOUT};
use crate::config::ARCHIVE_BUSY_TIMEOUT;
use crate::private_file;
use crate::storage::disk_error;
use crate::storage::log::LogError;

/// The archive's file, in the directory of its log.
pub(super) const FILE_NAME: &str = "archive.sqlite";

/// The number of what the columns mean. A change of the tables, of what the fold makes of an entry,
/// or of how words are folded raises it.
const COLUMNS: i64 = 3;

/// The schema that this program writes, kept in the file's `user_version`: of the columns, and of
/// the snapshot. Neither ever falls, so their sum is another one when either has changed. The
/// archive is then made again.
const SCHEMA: i64 = COLUMNS + SNAPSHOT_LAYOUT;

/// Marks a file as ours, in its `application_id`: "ChaV" in ASCII, a view of a chat.
const APPLICATION: i64 = 0x4368_6156;

/// Settings of the connection that writes. What a power failure takes is in the log.
/// `secure_delete` overwrites what is deleted with zeros: a post that was deleted is in no free
/// page.
const SETTINGS: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA secure_delete = ON;
    PRAGMA wal_autocheckpoint = 4000;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA cache_size = -32768;
    PRAGMA temp_store = MEMORY;
    PRAGMA trusted_schema = OFF;
";

/// Settings of those that read.
const READER_SETTINGS: &str = "
    PRAGMA cache_size = -8192;
    PRAGMA temp_store = MEMORY;
    PRAGMA trusted_schema = OFF;
    PRAGMA busy_timeout = 5000;
";

/// What is behind an open archive.
pub(super) struct OpenedArchive {
    pub(super) db: Connection,
    pub(super) position: ArchivePosition,
    /// The newest snapshot.
    pub(super) state: Option<ChatState>,
}

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file can't be used.
    #[error("{doing}")]
    Storage {
        /// What was to be done, as a sentence that an operator understands.
        doing: String,
        /// What went wrong.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file was written by something else, or by a newer server.
    #[error("{0}")]
    NotOurs(String),
    /// The log does not say what it begins with.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log ends before what the archive has seen of it.
    #[error(
        "the log has lost its end: it has entries up to {log}, and the archive {} has seen up to \
         {archive}. An older \
         copy of the log may have been put in its place. To go on without what is lost, remove \
         the archive; it is made \
         again from the log",
        path.display()
    )]
    Ahead {
        /// Which archive.
        path: PathBuf,
        /// How far the archive has come.
        archive: Seq,
        /// Where the log ends.
        log: Seq,
    },
    /// There was a log here, which is gone.
    #[error(
        "the log is gone: there is none in this directory, or an empty one, and the archive {} has \
         seen one up to {seen}. log.sqlite, or the log.sqlite-wal that belonged to it, is missing. \
         Put both back, or restore a backup (chatroom-server restore). To begin as a new server \
         without what is lost, remove the archive",
        path.display()
    )]
    LogIsGone {
        /// Which archive.
        path: PathBuf,
        /// How far it has come.
        seen: Seq,
    },
}

/// Why a file can't be opened.
enum Unusable {
    /// It is to be made again.
    Damaged(Box<dyn Error + Send + Sync>),
    /// Somebody has to decide.
    Refused(ArchiveError),
}

/// Opens the archive, or makes it; again, when it can't be used.
pub(super) fn open(path: &Path) -> Result<OpenedArchive, ArchiveError> {
    let marker = marker(path);
    let opened = if marker.exists() {
        Err(Unusable::Damaged("it was found damaged while it was in use".into()))
    } else {
        try_open(path)
    };
    let why = match opened {
        Ok(opened) => return Ok(opened),
        Err(Unusable::Refused(error)) => return Err(error),
        Err(Unusable::Damaged(why)) => why,
    };
    warn!(path = %path.display(), %why, "the archive can't be used; it is made again from the log");
    remove(path)?;
    try_open(path).map_err(|unusable| match unusable {
        Unusable::Refused(error) => error,
        Unusable::Damaged(source) => ArchiveError::Storage {
            doing: format!("can't make the archive {}", path.display()),
            source,
        },
    })
}

/// A connection that reads an archive which is open.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.execute_batch(READER_SETTINGS)?;
    Ok(db)
}

/// Lets the next start make the archive again, if this error says that it is damaged.
pub(super) fn note_damage(path: &Path, error: &rusqlite::Error) {
    if !is_damage(error) {
        return;
    }
    error!(path = %path.display(), %error, "the archive is damaged; it is made again at the next \
        start");
    if let Err(error) = File::create(marker(path)) {
        error!(%error, "can't note that the archive is damaged: remove it before the next start");
    }
}

/// A file beside the archive that says that it is damaged.
fn marker(path: &Path) -> PathBuf {
    path.with_extension("damaged")
}

fn try_open(path: &Path) -> Result<OpenedArchive, Unusable> {
    let cannot = |source| {
        Unusable::Refused(storage(&format!("can't open the archive {}", path.display()), source))
    };
    if fs::metadata(path).map_or(0, |file| file.len()) == 0 {
        // What SQLite has written beside a file that is gone must not become a part of the new one.
        remove(path).map_err(Unusable::Refused)?;
    }
    // For nobody else's eyes; the files that SQLite makes beside it get the same mode.
    private_file::open(path).map_err(cannot)?;
    let failed = |error| unusable(path, error);
    let mut db = Connection::open(path).map_err(failed)?;
    let is_new = identify(&db, path)?;
    db.busy_timeout(ARCHIVE_BUSY_TIMEOUT)
        .and_then(|()| db.execute_batch(SETTINGS))
        .map_err(failed)?;
    if is_new {
        create(&mut db).map_err(failed)?;
    }
    let position = position(&db).map_err(failed)?;
    let state = snapshot::read(&db).map_err(|error| match error {
        SnapshotError::File(error) => failed(error),
        error => Unusable::Damaged(error.into()),
    })?;
    if state.as_ref().is_some_and(|state| state.head() > position.head) {
        return Err(Unusable::Damaged("its snapshot is newer than its rows".into()));
    }
    Ok(OpenedArchive { db, position, state })
}

/// What a file is.
pub(super) enum ArchiveSchema {
    /// Nothing yet.
    Empty,
    /// An archive as this program writes it.
    Ours,
    /// One of this other schema.
    Other(i64),
    /// No archive.
    NotOurs,
}

/// Looks what a file is.
pub(super) fn schema(db: &Connection) -> rusqlite::Result<ArchiveSchema> {
    let number = |query: &str| db.query_row(query, [], |row| row.get::<_, i64>(0));
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    Ok(match (number("PRAGMA application_id")?, number("PRAGMA user_version")?, tables) {
        (0, 0, 0) => ArchiveSchema::Empty,
        (APPLICATION, SCHEMA, _) => ArchiveSchema::Ours,
        (APPLICATION, other, _) => ArchiveSchema::Other(other),
        _ => ArchiveSchema::NotOurs,
    })
}

/// Whether a file is empty (`true`) or an archive of this schema (`false`).
fn identify(db: &Connection, path: &Path) -> Result<bool, Unusable> {
    let refused = |why: String| Err(Unusable::Refused(ArchiveError::NotOurs(why)));
    match schema(db).map_err(|error| unusable(path, error))? {
        ArchiveSchema::Empty => Ok(true),
        ArchiveSchema::Ours => Ok(false),
        ArchiveSchema::Other(newer) if newer > SCHEMA => refused(format!(
            "the archive {} was written by a newer server (schema {newer}; this one knows \
             {SCHEMA})",
            path.display()
        )),
        ArchiveSchema::Other(older) => {
            Err(Unusable::Damaged(format!("it is of the older schema {older}").into()))
        }
        ArchiveSchema::NotOurs => refused(format!(
            "can't open the archive {}: it is not one of this program",
            path.display()
        )),
    }
}

fn create(db: &mut Connection) -> rusqlite::Result<()> {
    let change = db.transaction()?;
    for part in
        [position::CREATE, row::CREATE, snapshot::CREATE, search_index::CREATE, erasure::CREATE]
    {
        change.execute_batch(part)?;
    }
    position::write(&change, &ArchivePosition::START)?;
    change.execute_batch(&format!(
        "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {SCHEMA};"
    ))?;
    change.commit()
}

/// How far it has come. Looks at the other tables, too, whether they are there.
fn position(db: &Connection) -> rusqlite::Result<ArchivePosition> {
    db.prepare(&format!("SELECT {} FROM posts, words, erasures", row::COLUMNS))?;
    position::read(db)
}

/// How far the archive in this file has come, whatever its schema is; nothing when there is none,
/// or it does not say.
pub(super) fn head_of(path: &Path) -> Option<Seq> {
    let db = open_reader(path).ok()?;
    let head = db.query_row("SELECT head FROM state", [], |row| row.get(0).map(row::seq));
    match schema(&db).ok()? {
        ArchiveSchema::Ours | ArchiveSchema::Other(_) => head.ok(),
        ArchiveSchema::Empty | ArchiveSchema::NotOurs => None,
    }
}

fn unusable(path: &Path, error: rusqlite::Error) -> Unusable {
    if is_damage(&error) {
        return Unusable::Damaged(error.into());
    }
    let doing = format!("can't open the archive {}", path.display());
    Unusable::Refused(storage(&disk_error::told(doing, &error), error))
}

/// Whether it is the file that is wrong, and not the disk, the rights or another program.
fn is_damage(error: &rusqlite::Error) -> bool {
    match error.sqlite_error_code() {
        // The unknown one is SQLite's general error: a table that is not there.
        Some(code) => {
            matches!(
                code,
                ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt | ErrorCode::Unknown
            )
        }
        // Values that are not what was written.
        None => true,
    }
}

/// Removes the file, and everything that belongs to it.
pub(super) fn remove(path: &Path) -> Result<(), ArchiveError> {
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    for file in [path.to_owned(), beside("-wal"), beside("-shm"), marker(path)] {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(storage(&format!("can't remove {}", file.display()), error));
            }
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn storage(
    doing: &str,
    source: impl Into<Box<dyn Error + Send + Sync>>,
) -> ArchiveError {
    ArchiveError::Storage { doing: doing.to_owned(), source: source.into() }
}
