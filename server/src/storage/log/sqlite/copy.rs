//! Whole copies of the log's file. SQLite makes them, so one can be made while a server writes.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::directory::{self, DirectoryLock};
use super::error::storage;
use super::format::FILE_NAME;
use super::reader::LogReader;
use crate::private_file::{self, NewDirectory};
use crate::storage::log::interface::LogError;

/// How long a copy waits for another program's lock on the log. A server's is never in the way.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Settings of the connection that writes a copy. One that was interrupted is thrown away, and a
/// whole one is synced in the end.
const SETTINGS: &str = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;";

impl LogReader {
    /// Puts a copy of the log into this directory, which has none, and onto the disk. It is of one
    /// moment, in one file, and has everything that was acknowledged before.
    ///
    /// # Errors
    /// [`LogError`]
    pub(crate) fn copy_to(&self, directory: &Path) -> Result<(), LogError> {
        let path = directory.join(FILE_NAME);
        let doing = || format!("can't copy the log to {}", path.display());
        let failed =
            |source: io::Error| LogError::Storage { doing: doing(), source: source.into() };
        // For nobody else's eyes.
        private_file::open(&path).map_err(failed)?;
        self.copy_pages(&path).map_err(|source| storage(doing(), source))?;
        File::open(&path).and_then(|copy| copy.sync_all()).map_err(failed)?;
        private_file::sync_directory(directory).map_err(failed)
    }

    fn copy_pages(&self, path: &Path) -> rusqlite::Result<()> {
        let mut copy = Connection::open(path)?;
        copy.execute_batch(SETTINGS)?;
        self.0.busy_timeout(BUSY_TIMEOUT)?;
        // In one step, which is one transaction: what is written meanwhile does not get into it,
        // and does not make it begin again.
        match Backup::new(&self.0, &mut copy)?.step(-1)? {
            StepResult::Done => {}
            _ => return Err(busy()),
        }
        // The copy says that it has a write-ahead log, as the original has. It is one file.
        copy.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
        copy.close().map_err(|(_, error)| error)
    }
}

/// As SQLite says that another program has a lock.
fn busy() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None)
}

/// A data directory that has no log, locked against every server, for a copy to be put into.
#[derive(Debug)]
pub(crate) struct VacantDirectory {
    path: PathBuf,
    _lock: DirectoryLock,
}

/// A copy of a log beside its place.
#[derive(Debug)]
pub(crate) struct LogCopy {
    beside: NewDirectory,
    place: PathBuf,
}

impl VacantDirectory {
    /// Reserves this directory, and makes it if it is not there.
    ///
    /// # Errors
    /// [`LogError::Storage`] when there is a log in it, or it can't be used.
    pub(crate) fn reserve(path: &Path) -> Result<VacantDirectory, LogError> {
        let doing = |doing: &str| format!("can't {doing} the data directory {}", path.display());
        directory::make(path)
            .map_err(|source| LogError::Storage { doing: doing("make"), source: source.into() })?;
        let lock = directory::lock(path)?;
        for name in [FILE_NAME, &format!("{FILE_NAME}-wal")] {
            let file = path.join(name);
            if fs::symlink_metadata(&file).is_ok() {
                return Err(LogError::Storage {
                    doing: doing("restore into"),
                    source: format!(
                        "there is a log in it already, and nothing is overwritten: choose another \
                         directory with --data, or move {} away",
                        file.display()
                    )
                    .into(),
                });
            }
        }
        Ok(VacantDirectory { path: path.to_owned(), _lock: lock })
    }

    /// Copies this log beside its place here.
    ///
    /// # Errors
    /// [`LogError`]
    pub(crate) fn copy(&self, log: &LogReader) -> Result<LogCopy, LogError> {
        let place = self.path.join(FILE_NAME);
        let beside = NewDirectory::beside(&place).map_err(|source| cant_write(&place, source))?;
        log.copy_to(beside.path())?;
        Ok(LogCopy { beside, place })
    }
}

impl LogCopy {
    /// The directory that it is in until it is in its place.
    pub(crate) fn directory(&self) -> &Path {
        self.beside.path()
    }

    /// Puts it in its place. From then on, a server has this log.
    ///
    /// # Errors
    /// [`LogError::Storage`]
    pub(crate) fn put_in_place(self) -> Result<(), LogError> {
        let place = &self.place;
        let put = || {
            fs::rename(self.beside.path().join(FILE_NAME), place)?;
            private_file::sync_directory(place.parent().unwrap_or(Path::new("")))
        };
        put().map_err(|source| cant_write(place, source))
    }
}

fn cant_write(path: &Path, source: io::Error) -> LogError {
    LogError::Storage { doing: format!("can't write {}", path.display()), source: source.into() }
}
