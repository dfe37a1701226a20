//! Files for nobody else's eyes: what a client keeps between runs is its owner's alone.
//!
//! One that is replaced is written beside its place and then renamed: whoever reads it sees it as
//! it was or as it is now, and a client that is killed meanwhile leaves the old one. What it had
//! written beside it is removed the next time.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use tempfile::NamedTempFile;

/// What the name of a file ends in that is written beside its place.
const SUFFIX: &str = ".new";

/// Makes the directories above a file that are missing (mode 0700).
pub(crate) fn make_directories(path: &Path) -> io::Result<()> {
    match path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        Some(directory) => DirBuilder::new().recursive(true).mode(0o700).create(directory),
        None => Ok(()),
    }
}

/// Opens a file to read it and to append to it. One that is missing is made (mode 0600); one that
/// is there keeps its mode.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

/// An empty file (mode 0600) in the same directory, to be written and then put in the place of this
/// one with [`NamedTempFile::persist`]. One that is dropped before is removed. Its name is always
/// the same, NAME.new, so that one that a killed client has left does not stay for ever: only one
/// may be written at a time, and it takes the place of what has its name.
pub(crate) fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let mut left_over = name.to_owned();
    left_over.push(SUFFIX);
    match fs::remove_file(directory.join(left_over)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    tempfile::Builder::new()
        .prefix(name)
        .suffix(SUFFIX)
        .rand_bytes(0)
        .append(true)
        .tempfile_in(directory)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_that_is_replaced_is_for_nobody_elses_eyes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deeper/file");
        make_directories(&path).unwrap();
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let mut new = beside(&path).unwrap();
        new.write_all(b"new").unwrap();
        new.persist(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }

    #[test]
    fn one_that_is_given_up_leaves_the_old_one_alone_and_nothing_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        open(&path).unwrap().write_all(b"old").unwrap();
        let mut new = beside(&path).unwrap();
        new.write_all(b"new").unwrap();
        drop(new);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn one_that_a_killed_client_has_left_is_replaced_and_gone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let left_over = directory.path().join("file.new");
        fs::write(&left_over, "half of what was to be written").unwrap();
        fs::set_permissions(&left_over, fs::Permissions::from_mode(0o644)).unwrap();
        let mut new = beside(&path).unwrap();
        new.write_all(b"new").unwrap();
        new.persist(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
