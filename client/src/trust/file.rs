//! The file of the servers that are known: a line for each, which a person can read and delete.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Known;

/// What a new file begins with.
const HEADING: &str = "# The servers that chatroom knows: host, port, and the fingerprint of the key, or who vouches for it.\n\
                       # One whose line is deleted is new again.\n";

/// The longest file that is read: some ten thousand servers.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// How often the file may be replaced by others between our opening and our locking it.
const TRIES_MAX: usize = 16;

/// By what this server is known.
pub(super) fn find(path: &Path, host: &str, port: u16) -> io::Result<Option<Known>> {
    match File::open(path) {
        Ok(file) => known_in(&text_of(file)?, host, port),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes down by what this server is known from now on. The lines of the others stay as they are. Who reads the file sees
/// it as it was or as it is now, and two clients that write at the same time do so one after the other.
pub(super) fn put(path: &Path, host: &str, port: u16, before: Option<Known>, known: Known) -> io::Result<()> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let file = locked(path)?;
    let text = text_of(&file)?;
    if before.is_none() && known_in(&text, host, port)?.is_some_and(|there| there != known) {
        return Err(io::Error::other("another client has met another key there at the same time"));
    }
    let mut beside = OsString::from(path);
    beside.push(".new");
    let beside = PathBuf::from(beside);
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    new.write_all(with(&text, host, port, known).as_bytes())?;
    new.sync_all()?;
    fs::rename(&beside, path)
}

/// The file that is there, while nobody else writes it.
fn locked(path: &Path) -> io::Result<File> {
    for _ in 0..TRIES_MAX {
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        file.lock()?;
        let (ours, there) = (file.metadata()?, fs::metadata(path));
        if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
            return Ok(file);
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

fn text_of(file: impl Read) -> io::Result<String> {
    let mut text = String::new();
    match file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)? as u64 {
        0..=FILE_BYTES_MAX => Ok(text),
        _ => Err(io::ErrorKind::FileTooLarge.into()),
    }
}

/// By what a server is known. A line about it that can't be understood is an error: it is not new.
fn known_in(text: &str, host: &str, port: u16) -> io::Result<Option<Known>> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| is_about(line, host, port));
    let Some((number, line)) = lines.next() else { return Ok(None) };
    let known = line.split_whitespace().nth(2).and_then(|known| known.parse().ok());
    let damaged = || io::Error::other(format!("line {} is damaged", number + 1));
    known.map(Some).ok_or_else(damaged)
}

fn is_about(line: &str, host: &str, port: u16) -> bool {
    let mut words = line.split_whitespace();
    words.next().is_some_and(|word| word.to_lowercase() == host)
        && words.next().is_some_and(|word| word.parse() == Ok(port))
}

/// The text with this server's line in it, and no other about it.
fn with(text: &str, host: &str, port: u16, known: Known) -> String {
    let mut new = if text.is_empty() { HEADING.to_owned() } else { String::new() };
    for line in text.lines().filter(|line| !is_about(line, host, port)) {
        new.push_str(line);
        new.push('\n');
    }
    let _ = writeln!(new, "{host} {port} {known}");
    new
}
