//! A backup: what makes a server this one, its log and its own key, in a directory of its own; and
//! the way back.
//!
//! The archive is not in it: it is a view of the log, and is made again. The code for the first
//! operator is in no file: each start makes another one.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::log_reading::{ToolError, time};
use super::verify::{Summary, verify};
use crate::net::tls::OWN_FILES;
use crate::private_file::{self, NewDirectory};
use crate::storage::archive::{Archive, ArchiveError};
use crate::storage::log::{LogError, LogReader, VacantDirectory};

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub(super) enum BackupError {
    /// The log can't be copied, or the copy is not whole.
    #[error(transparent)]
    Log(#[from] ToolError),
    /// The archive of an earlier log can't be removed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A file can't be copied.
    #[error("can't {doing} {}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Something is where the backup should be.
    #[error("{} is there already: a backup is a new directory", .0.display())]
    IsThere(PathBuf),
    /// There is a key, and it is another one.
    #[error(
        "{} is another one than that of the backup, and nothing is overwritten: clients know a \
         server by its key. \
         Move it away to have the one of the backup",
        .0.display()
    )]
    OtherKey(PathBuf),
}

impl From<LogError> for BackupError {
    fn from(error: LogError) -> BackupError {
        BackupError::Log(error.into())
    }
}

/// What was copied.
#[derive(Debug)]
pub(super) struct Copied {
    to: PathBuf,
    log: Summary,
    has_key: bool,
}

impl fmt::Display for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Copied { to, log, has_key } = self;
        write!(f, "{} has everything up to entry {}", to.display(), log.newest)?;
        if let Some((_, last)) = log.times {
            write!(f, " of {}", time(last))?;
        }
        match has_key {
            true => writeln!(f, ", and the server's own key")?,
            false => writeln!(f, ", and no key: the server has not made one of its own")?,
        }
        write!(f, "{log}")
    }
}

/// Copies the log in this data directory, and the server's own key, to a new directory. A server
/// may be running. What was acknowledged before is in the copy, which is checked before it gets its
/// name.
///
/// # Errors
/// [`BackupError`]
pub(super) fn backup(data: &Path, to: &Path) -> Result<Copied, BackupError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => BackupError::IsThere(to.to_owned()),
        _ => BackupError::File { doing: "make", path: to.to_owned(), source },
    };
    let log = LogReader::open_checked(data)?;
    let copy = NewDirectory::beside(to).map_err(failed)?;
    log.copy_to(copy.path())?;
    let has_key = copy_key(data, copy.path())?;
    let log = verify(copy.path())?;
    copy.persist().map_err(failed)?;
    Ok(Copied { to: to.to_owned(), log, has_key })
}

/// Puts the log and the key of a backup into a data directory that has no log. The log comes last:
/// with it, the directory is one that a server can begin with.
///
/// # Errors
/// [`BackupError`]
pub(super) fn restore(from: &Path, data: &Path) -> Result<Copied, BackupError> {
    let log = LogReader::open_checked(from)?;
    let vacant = VacantDirectory::reserve(data)?;
    let copy = vacant.copy(&log)?;
    let log = verify(copy.directory())?;
    let has_key = copy_key(from, data)?;
    // What is left of an archive is one of a log that is gone.
    Archive::remove(data)?;
    copy.put_in_place()?;
    Ok(Copied { to: data.to_owned(), log, has_key })
}

/// Copies the server's own key and certificate, for nobody else's eyes, if it has made any. Does
/// not touch others.
fn copy_key(from: &Path, to: &Path) -> Result<bool, BackupError> {
    let mut wanted = Vec::new();
    for name in OWN_FILES {
        let Some(bytes) = read(&from.join(name))? else { continue };
        let path = to.join(name);
        match read(&path)? {
            Some(other) if other != bytes => return Err(BackupError::OtherKey(path)),
            Some(_) => {}
            None => wanted.push((path, bytes)),
        }
    }
    for (path, bytes) in wanted {
        private_file::replace(&path, &bytes).map_err(|source| BackupError::File {
            doing: "write",
            path,
            source,
        })?;
    }
    Ok(to.join(OWN_FILES[0]).exists())
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, BackupError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(BackupError::File { doing: "read", path: path.to_owned(), source }),
    }
}
