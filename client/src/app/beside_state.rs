//! Small files beside a client's state: what a person has chosen, kept between runs.
//!
//! Two terminals of one name share them. So each change reads the file again, and is made while the
//! directory is locked.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::private_file;

/// The file of this kind that belongs to a client's state. No name of a person ends so, as a file.
pub(super) fn path(state: &Path, kind: &str) -> PathBuf {
    let mut name = state.as_os_str().to_owned();
    name.push("_");
    name.push(kind);
    PathBuf::from(name)
}

/// Keeps others from changing a file until this is dropped. It is its directory that is locked: the
/// file itself is replaced.
pub(super) fn lock(file: &Path) -> io::Result<File> {
    private_file::make_directories(file)?;
    let directory = File::open(file.parent().unwrap_or(Path::new(".")))?;
    directory.lock()?;
    Ok(directory)
}

/// What is in it.
///
/// # Errors
/// Also when it has more than so many bytes: it is another file then.
pub(super) fn read(file: &Path, bytes_max: u64) -> io::Result<String> {
    if fs::metadata(file)?.len() > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it is too long to be such a file",
        ));
    }
    fs::read_to_string(file)
}

/// Puts this in its place.
pub(super) fn write(file: &Path, text: &str) -> io::Result<()> {
    private_file::make_directories(file)?;
    let mut new = private_file::beside(file)?;
    new.write_all(text.as_bytes())?;
    new.persist(file)?;
    Ok(())
}
