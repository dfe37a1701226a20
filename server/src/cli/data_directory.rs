//! Whether the data directory can be served from: nobody else writes to it, and there is room.

use std::fs::{self, Metadata};
use std::io;
use std::iter;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};
use tracing::warn;

use crate::private_file;

/// What a mode has when everybody, or the group, may write.
const EVERYBODY_WRITES: u32 = 0o002;
const GROUP_WRITES: u32 = 0o020;

/// What must be free for a server to begin, in bytes: some hundred messages. One that begins with
/// less has its clients come back, and is gone again when the first of them speaks.
const ROOM_BYTES_MIN: u64 = 1024 * 1024;

/// What the files end in that grow as long as the server is used.
const GROWING: &str = "sqlite";

/// Why a directory can't be served from.
#[derive(Debug, thiserror::Error)]
pub(super) enum DirectoryError {
    #[error("can't look at {}", path.display())]
    Unseen { path: PathBuf, source: io::Error },
    #[error(
        "everybody on this machine may write to {}, and could change what was said, or be this \
         server: chmod -R go-w '{}'",
        path.display(),
        directory.display()
    )]
    Everybodys { path: PathBuf, directory: PathBuf },
    #[error(
        "there is no room to go on in {}: at least {} MiB must be free",
        directory.display(),
        ROOM_BYTES_MIN >> 20
    )]
    NoRoom { directory: PathBuf, source: io::Error },
    #[error(
        "there is no room to go on: {} has {length} bytes, and no file may have more than {limit} \
         (ulimit -f)",
        path.display()
    )]
    FileLimit { path: PathBuf, length: u64, limit: u64 },
}

/// Refuses a directory to which everybody may write, or to a file in it. That a group may is
/// somebody's choice, and is told. A directory that is not there yet is made for nobody else.
pub(super) fn check_writers(directory: &Path) -> Result<(), DirectoryError> {
    let Some(itself) = look_at(directory)? else { return Ok(()) };
    let mut groups = None;
    for found in iter::once(Ok((directory.to_owned(), itself))).chain(files(directory)?) {
        let (path, found) = found?;
        if found.mode() & EVERYBODY_WRITES != 0 {
            return Err(DirectoryError::Everybodys { path, directory: directory.to_owned() });
        }
        if found.mode() & GROUP_WRITES != 0 {
            groups.get_or_insert(path);
        }
    }
    if let Some(path) = groups {
        warn!(
            "the group of {} may write to it, and could change what was said, or be this server: \
             chmod -R go-w '{}'",
            path.display(),
            directory.display()
        );
    }
    Ok(())
}

/// Refuses a directory where nothing more can be kept: the disk is full, a quota is used up, or no
/// file may get longer.
pub(super) fn check_room(directory: &Path) -> Result<(), DirectoryError> {
    let limit = getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX);
    for found in files(directory)? {
        let (path, found) = found?;
        let length = found.len();
        let grows = path.extension().is_some_and(|extension| extension == GROWING);
        if grows && length.saturating_add(ROOM_BYTES_MIN) > limit {
            return Err(DirectoryError::FileLimit { path, length, limit });
        }
    }
    private_file::try_to_write(directory, ROOM_BYTES_MIN)
        .map_err(|source| DirectoryError::NoRoom { directory: directory.to_owned(), source })
}

/// The files that are directly in it. Folders are no server's.
fn files(
    directory: &Path,
) -> Result<impl Iterator<Item = Result<(PathBuf, Metadata), DirectoryError>>, DirectoryError> {
    let unseen = |source| DirectoryError::Unseen { path: directory.to_owned(), source };
    let entries = fs::read_dir(directory).map_err(unseen)?;
    Ok(entries.filter_map(move |entry| {
        let path = match entry {
            Ok(entry) => entry.path(),
            Err(error) => return Some(Err(unseen(error))),
        };
        // Through a link: what it leads to is what is read.
        let found = look_at(&path).transpose()?;
        let file = found.map(|found| found.is_file().then_some((path, found))).transpose()?;
        Some(file)
    }))
}

/// What is there, if anything is.
fn look_at(path: &Path) -> Result<Option<Metadata>, DirectoryError> {
    match fs::metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(DirectoryError::Unseen { path: path.to_owned(), source }),
    }
}
