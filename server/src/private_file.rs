//! Files for nobody else's eyes: what a server keeps is readable by its own user alone.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Its owner may read and write it, and nobody else.
const PRIVATE: u32 = 0o600;

/// The same for a directory, which its owner may enter, too.
const PRIVATE_DIRECTORY: u32 = 0o700;

/// What the name of a file ends in that is written beside its place.
const SUFFIX: &str = ".new";

/// Opens a file for writing, and makes it if it is not there. What is in it stays.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(PRIVATE).open(path)
}

/// Puts a file in its place, whole or not at all, also when the power fails. It is written beside
/// its place first, always as NAME.new: one that a killed server has left there is removed.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let directory = parent(path);
    let mut left_over = name.to_owned();
    left_over.push(SUFFIX);
    match fs::remove_file(directory.join(left_over)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut beside = tempfile::Builder::new()
        .prefix(name)
        .suffix(SUFFIX)
        .rand_bytes(0)
        .permissions(Permissions::from_mode(PRIVATE))
        .tempfile_in(directory)?;
    beside.write_all(bytes)?;
    beside.as_file().sync_all()?;
    beside.persist(path)?;
    sync_directory(directory)
}

/// A directory that is made beside its place. It is in its place whole or not at all, also when the
/// power fails. One that is dropped before is removed with everything in it.
#[derive(Debug)]
pub(crate) struct NewDirectory {
    beside: TempDir,
    place: PathBuf,
}

impl NewDirectory {
    /// Makes it, beside a place where nothing is.
    pub(crate) fn beside(place: &Path) -> io::Result<NewDirectory> {
        let name = place.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        if fs::symlink_metadata(place).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut prefix = std::ffi::OsString::from(".");
        prefix.push(name);
        let beside = tempfile::Builder::new()
            .prefix(&prefix)
            .permissions(Permissions::from_mode(PRIVATE_DIRECTORY))
            .tempdir_in(parent(place))?;
        Ok(NewDirectory { beside, place: place.to_owned() })
    }

    /// Where it is until it is in its place.
    pub(crate) fn path(&self) -> &Path {
        self.beside.path()
    }

    /// Puts it in its place. The files in it are on the disk already.
    pub(crate) fn persist(self) -> io::Result<()> {
        sync_directory(self.path())?;
        fs::rename(self.path(), &self.place)?;
        let _gone_from_there = self.beside.keep();
        sync_directory(parent(&self.place))
    }
}

/// The directory that a path is in.
fn parent(path: &Path) -> &Path {
    here_if_empty(path.parent().unwrap_or(Path::new("")))
}

/// Finds out whether so many bytes can be written into this directory. Nothing of them stays.
pub(crate) fn try_to_write(directory: &Path, bytes: u64) -> io::Result<()> {
    let mut file = tempfile::tempfile_in(here_if_empty(directory))?;
    io::copy(&mut io::repeat(0).take(bytes), &mut file)?;
    // Some file systems look for room only now.
    file.sync_all()
}

/// Puts on the disk which files are in a directory.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(here_if_empty(directory))?.sync_all()
}

/// The parent of a path that is one name is empty, which opens nothing.
fn here_if_empty(directory: &Path) -> &Path {
    if directory.as_os_str().is_empty() { Path::new(".") } else { directory }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_replaced_is_private_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, "an older one, which everybody could read").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        replace(&path, b"secret").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"secret");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, PRIVATE);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_new_directory_is_private_and_whole_or_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("copy");
        let new = NewDirectory::beside(&place).unwrap();
        fs::write(new.path().join("one"), "1").unwrap();
        assert!(!place.exists());
        drop(new);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is left of it");

        let new = NewDirectory::beside(&place).unwrap();
        fs::write(new.path().join("one"), "1").unwrap();
        new.persist().unwrap();
        assert_eq!(fs::read(place.join("one")).unwrap(), b"1");
        let mode = fs::metadata(&place).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, PRIVATE_DIRECTORY);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        let again = NewDirectory::beside(&place).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn of_what_is_only_tried_nothing_is_left() {
        let directory = tempfile::tempdir().unwrap();
        try_to_write(directory.path(), 64 * 1024).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        assert!(try_to_write(&directory.path().join("nowhere"), 1).is_err());
    }

    #[test]
    fn what_can_not_be_put_in_its_place_leaves_nothing_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::create_dir(&path).unwrap();
        assert!(replace(&path, b"secret").is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_server_has_left_is_replaced_and_gone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let left_over = directory.path().join("key.new");
        fs::write(&left_over, "half of a secret that is longer").unwrap();
        fs::set_permissions(&left_over, Permissions::from_mode(0o644)).unwrap();
        replace(&path, b"secret").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"secret");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, PRIVATE);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
