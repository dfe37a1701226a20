//! The file of the servers that are known: a line for each, which a person can read and delete.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::judgement::{Known, Untrusted};
use crate::private_file;

/// What a new file begins with.
const HEADING: &str = "# The servers that chatroom knows: host, port, and the fingerprint of the \
                       key, or who vouches for it.\n\
                       # One whose line is deleted is new again.\n";

/// The longest file that is read: some ten thousand servers.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// How often the file may be replaced by others between our opening and our locking it.
const TRIES_MAX: usize = 16;

/// Why the file does not say by what a server is known, or was not written.
#[derive(Debug)]
pub(super) enum FileFault {
    /// The system says so.
    Io(io::Error),
    /// This line can't be read, counted from one, and may be the server's.
    Damaged(usize),
    /// The server is not to be trusted, by what the file says of it now.
    Untrusted(Untrusted),
}

impl From<io::Error> for FileFault {
    fn from(error: io::Error) -> FileFault {
        FileFault::Io(error)
    }
}

/// By what this server is known.
pub(super) fn find(path: &Path, host: &str, port: u16) -> Result<Option<Known>, FileFault> {
    match File::open(path) {
        Ok(file) => known_in(&text_of(file)?, host, port),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Writes down by what this server is known from now on, which is decided by what the file says at
/// that moment: gives both. The lines of the others stay as they are. Who reads the file sees it as
/// it was or as it is now, and two clients that write at the same time do so one after the other.
pub(super) fn put(
    path: &Path,
    host: &str,
    port: u16,
    decide: impl FnOnce(Option<Known>) -> Result<Known, Untrusted>,
) -> Result<(Option<Known>, Known), FileFault> {
    private_file::make_directories(path)?;
    let file = locked(path)?;
    let text = text_of(&file)?;
    let before = known_in(&text, host, port)?;
    let known = decide(before).map_err(FileFault::Untrusted)?;
    if before != Some(known) {
        replace(path, &with(&text, host, port, known))?;
    }
    Ok((before, known))
}

fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut new = private_file::beside(path)?;
    new.write_all(text)?;
    new.as_file().sync_all()?;
    new.persist(path)?;
    Ok(())
}

/// The file that is there, while nobody else writes it.
fn locked(path: &Path) -> io::Result<File> {
    for _ in 0..TRIES_MAX {
        let file = private_file::open(path)?;
        file.lock()?;
        let (ours, there) = (file.metadata()?, fs::metadata(path));
        if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
            return Ok(file);
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

fn text_of(file: impl Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    match file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text)? as u64 {
        0..=FILE_BYTES_MAX => Ok(text),
        _ => Err(io::ErrorKind::FileTooLarge.into()),
    }
}

/// What a line says to one who looks for a server.
enum Line {
    /// That it is known by this.
    Known(Known),
    /// Nothing: it is about another one, or about none.
    Other,
    /// It can't be read, and may be about this one.
    Damaged,
}

/// By what a server is known. One whose line is damaged is not new, so a line that can't be read is
/// passed over only if it is certain to be about another one.
fn known_in(text: &[u8], host: &str, port: u16) -> Result<Option<Known>, FileFault> {
    let mut found = None;
    for (number, line) in lines(text).enumerate() {
        match read(line, host, port) {
            Line::Known(known) => found = found.or(Some(known)),
            Line::Other => {}
            Line::Damaged => return Err(FileFault::Damaged(number + 1)),
        }
    }
    Ok(found)
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.split(|byte| *byte == b'\n')
}

fn read(line: &[u8], host: &str, port: u16) -> Line {
    let Ok(line) = str::from_utf8(line) else { return Line::Damaged };
    let words: Vec<_> = line.split_whitespace().collect();
    let [there, at, known] = match &words[..] {
        [] => return Line::Other,
        [word, ..] if word.starts_with('#') => return Line::Other,
        [there, at, known] => [*there, *at, *known],
        // A piece of a line, or two in one: whose, nobody knows.
        _ => return Line::Damaged,
    };
    if !there.chars().all(may_be_in_host) {
        return Line::Damaged;
    }
    match (there.to_lowercase() == host, at.parse::<u16>(), known.parse()) {
        (true, Ok(at), Ok(known)) if at == port => Line::Known(known),
        (false, ..) => Line::Other,
        (true, Ok(at), _) if at != port => Line::Other,
        (true, ..) => Line::Damaged,
    }
}

/// Names, in any alphabet, and addresses, with the zone of one or without.
fn may_be_in_host(c: char) -> bool {
    c.is_alphanumeric() || "-._:%[]".contains(c)
}

/// The text with this server's line in it, and no other about it.
fn with(text: &[u8], host: &str, port: u16, known: Known) -> Vec<u8> {
    let mut new = if text.is_empty() { HEADING.as_bytes().to_vec() } else { Vec::new() };
    let others = lines(text)
        .filter(|line| !text.is_empty() && !matches!(read(line, host, port), Line::Known(_)));
    for line in others {
        new.extend_from_slice(line);
        new.push(b'\n');
    }
    new.extend_from_slice(format!("{host} {port} {known}\n").as_bytes());
    new
}
