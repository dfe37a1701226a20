//! The journal's file: records one behind the other, each with its length and a checksum.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chatroom_proto::{UserName, codec};

use super::state::{JournalRecord, JournalState};
use crate::error::KeepError;
use crate::private_file;

/// What such a file begins with; the number is its version.
const MAGIC: &[u8] = b"chatroom client 1\n";

/// Before a record: its length and its checksum, four bytes each, little-endian.
const HEADER_BYTES: usize = 8;

/// The longest record: the longest post is under 9 KiB.
const RECORD_BYTES_MAX: usize = 16 * 1024;

/// The longest file that is read: several times what compacting leaves of the most posts that are
/// kept.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A file is not compacted before it is so long: tens of thousands of events.
const COMPACT_BYTES_MIN: u64 = 1024 * 1024;

/// And not before it is so many times as long as after it was compacted last.
const COMPACT_GROWTH: u64 = 2;

/// The file, locked, and what it says.
#[derive(Debug)]
pub(super) struct JournalFile {
    file: File,
    path: PathBuf,
    state: JournalState,
    bytes: u64,
    compact_at: u64,
}

/// A file that was opened.
#[derive(Debug)]
pub(super) struct OpenedJournal {
    pub(super) file: JournalFile,
    pub(super) is_damaged: bool,
    /// When it was written last, if it was there.
    pub(super) last_used: Option<SystemTime>,
}

/// Whether a client uses this file now.
pub(crate) fn is_in_use(path: &Path) -> bool {
    // Shared: two that ask at once don't take each other for its user.
    File::open(path).is_ok_and(|file| match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => true,
        _ => {
            release(&file);
            false
        }
    })
}

/// Lets the next one have a file, now. A process that is just being started still has all files of
/// its parent, and would hold the lock until it runs its program.
fn release(file: &File) {
    if let Err(error) = file.unlock() {
        tracing::debug!(%error, "a file is unlocked only when it is closed");
    }
}

impl Drop for JournalFile {
    fn drop(&mut self) {
        release(&self.file);
    }
}

impl JournalFile {
    /// Takes the file for a client of this name. Nobody else can read it: it holds a token.
    pub(super) fn open(path: &Path, name: &UserName) -> Result<OpenedJournal, KeepError> {
        private_file::make_directories(path)?;
        let mut file = private_file::open(path)?;
        lock(&file)?;
        if !is_at(&file, path)? {
            // It was compacted between our opening and our locking it.
            return Err(KeepError::InUse);
        }
        let found = file.metadata()?;
        let last_used = if found.len() > 0 { found.modified().ok() } else { None };
        let mut bytes = Vec::new();
        if (&mut file).take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)? as u64 > FILE_BYTES_MAX {
            return Err(KeepError::Foreign);
        }
        let (state, is_damaged) = read(&bytes)?;
        if let Some(session) = &state.session
            && session.name.key() != name.key()
        {
            return Err(KeepError::OtherName(session.name.clone()));
        }
        let path = path.to_owned();
        let mut file = JournalFile { file, path, state, bytes: 0, compact_at: 0 };
        file.compact()?;
        Ok(OpenedJournal { file, is_damaged, last_used })
    }

    pub(super) fn state(&self) -> &JournalState {
        &self.state
    }

    /// Appends records in one write, and compacts the file when it has grown.
    pub(super) fn append(&mut self, records: Vec<JournalRecord>) -> io::Result<()> {
        let mut bytes = Vec::new();
        for record in &records {
            bytes.extend(framed(record)?);
        }
        self.file.write_all(&bytes)?;
        self.bytes += bytes.len() as u64;
        records.into_iter().for_each(|record| self.state.apply(record));
        if self.bytes > self.compact_at { self.compact() } else { Ok(()) }
    }

    /// Puts a file in its place that says the same in the fewest records. One who is killed
    /// meanwhile leaves the old one.
    fn compact(&mut self) -> io::Result<()> {
        let bytes = self.compacted()?;
        let mut new = private_file::beside(&self.path)?;
        // Before it is in its place: nobody else may take it then.
        lock(new.as_file()).map_err(|_| io::Error::from(io::ErrorKind::WouldBlock))?;
        new.write_all(&bytes)?;
        self.file = new.persist(&self.path)?;
        self.bytes = bytes.len() as u64;
        self.compact_at = COMPACT_BYTES_MIN.max(COMPACT_GROWTH * self.bytes);
        Ok(())
    }

    /// It can't be kept true any longer: who the client is, and how far it came, takes the place of
    /// all. That is less than what is there, so a full disk has room for it.
    pub(super) fn retire(mut self) {
        self.state.posts.clear();
        let bytes = self.compacted();
        if let Err(error) =
            bytes.and_then(|bytes| self.file.set_len(0).and_then(|()| self.file.write_all(&bytes)))
        {
            tracing::warn!(%error, "not even who this client is can be kept");
        }
    }

    /// What the state says, in the fewest records.
    fn compacted(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = MAGIC.to_vec();
        for record in self.state.records() {
            bytes.extend(framed(&record)?);
        }
        Ok(bytes)
    }
}

fn lock(file: &File) -> Result<(), KeepError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(KeepError::InUse),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Whether this file is the one of that path.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn framed(record: &JournalRecord) -> io::Result<Vec<u8>> {
    let payload = codec::pack(record).map_err(io::Error::other)?;
    let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
    bytes.extend(length.to_le_bytes());
    bytes.extend(crc32fast::hash(&payload).to_le_bytes());
    bytes.extend(payload);
    Ok(bytes)
}

/// A record that could not be read.
enum Unread {
    /// The file ends in it, as when its writer was killed: it was never there.
    Torn,
    /// So many bytes are none, and more follow.
    Damaged(usize),
    /// Where the next one begins is unknown.
    Lost,
}

/// What a file says, and whether a part of it is damaged.
fn read(bytes: &[u8]) -> Result<(JournalState, bool), KeepError> {
    let mut state = JournalState::default();
    let Some(mut rest) = bytes.strip_prefix(MAGIC) else {
        return if MAGIC.starts_with(bytes) { Ok((state, false)) } else { Err(KeepError::Foreign) };
    };
    let mut is_damaged = false;
    while !rest.is_empty() {
        let bytes = match next(rest) {
            Ok((record, bytes)) => {
                state.apply(record);
                bytes
            }
            Err(Unread::Torn) => break,
            Err(unread) => {
                is_damaged = true;
                state.doubt();
                match unread {
                    Unread::Damaged(bytes) => bytes,
                    _ => break,
                }
            }
        };
        rest = &rest[bytes..];
    }
    state.be_sure();
    Ok((state, is_damaged))
}

fn next(bytes: &[u8]) -> Result<(JournalRecord, usize), Unread> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Err(Unread::Torn);
    };
    let [l0, l1, l2, l3, c0, c1, c2, c3] = *header;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if length > RECORD_BYTES_MAX {
        return Err(Unread::Lost);
    }
    let Some(payload) = rest.get(..length) else { return Err(Unread::Torn) };
    let is_last = rest.len() == length;
    let is_whole = crc32fast::hash(payload) == u32::from_le_bytes([c0, c1, c2, c3]);
    match codec::decode(payload) {
        Ok(record) if is_whole => Ok((record, HEADER_BYTES + length)),
        _ if is_last => Err(Unread::Torn),
        _ => Err(Unread::Damaged(HEADER_BYTES + length)),
    }
}
