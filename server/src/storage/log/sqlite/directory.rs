//! The directory: made so that it outlives a power failure, and locked against a second server.

use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use crate::private_file;
use crate::storage::log::interface::LogError;

/// The file that is locked.
const LOCK: &str = "lock";

/// Makes a directory, unless it is there, for nobody else's eyes.
pub(super) fn make(directory: &Path) -> io::Result<()> {
    let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
    let missing: Vec<&Path> = directory.ancestors().take_while(is_missing).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    // A new directory is kept when the one that names it is.
    missing.iter().filter_map(|made| made.parent()).try_for_each(private_file::sync_directory)
}

/// A directory that is locked for as long as this is there.
#[derive(Debug)]
pub(super) struct DirectoryLock(File);

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // Closing it is not enough: a process that is just being started has all files of its
        // parent until it runs its program.
        let _ = self.0.unlock();
    }
}

/// Locks a directory.
pub(super) fn lock(directory: &Path) -> Result<DirectoryLock, LogError> {
    let path = directory.join(LOCK);
    let doing = || format!("can't lock the data directory {}", directory.display());
    let file = private_file::open(&path)
        .map_err(|source| LogError::Storage { doing: doing(), source: source.into() })?;
    match file.try_lock() {
        Ok(()) => Ok(DirectoryLock(file)),
        Err(TryLockError::WouldBlock) => Err(LogError::Storage {
            doing: doing(),
            source: "another server is using it; choose another one with --data".into(),
        }),
        Err(TryLockError::Error(source)) => {
            Err(LogError::Storage { doing: doing(), source: source.into() })
        }
    }
}

/// Locks a directory that nobody uses. Makes no file.
pub(super) fn lock_unless_used(directory: &Path) -> Option<DirectoryLock> {
    let file = File::open(directory.join(LOCK)).ok()?;
    file.try_lock().ok().map(|()| DirectoryLock(file))
}
