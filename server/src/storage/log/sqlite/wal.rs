//! The write-ahead log, looked at before SQLite recovers it.
//!
//! SQLite takes whatever is damaged in it for the end of a write that a crash interrupted, and
//! drops everything from there on without a word. With full durability that is right for the last
//! transaction only: it is synced before the next one is written. So when something of a later
//! transaction stands behind the damage, what is dropped was acknowledged. Here the file is read as
//! it is documented (sqlite.org/fileformat2.html#walformat): a header, and frames of one page each,
//! every checksum going on from the one before.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::RangeInclusive;
use std::path::Path;

use tracing::warn;

use super::format::{Durability, PAGE_BYTES};
use crate::storage::log::interface::LogError;

const HEADER_BYTES: u64 = 32;
const FRAME_HEADER_BYTES: usize = 24;

/// The first word of the header; its lowest bit says whether checksums take words big-endian.
const MAGIC: u32 = 0x377f_0682;

/// How large the pages of any database may be, in bytes.
const PAGES_BYTES: RangeInclusive<usize> = 512..=65_536;

/// What is read from the file at once, in bytes.
const BUFFER_BYTES: usize = 256 * 1024;

/// Refuses a write-ahead log whose file is gone or empty: SQLite would delete it without a word.
pub(super) fn refuse_alone(path: &Path) -> Result<(), LogError> {
    let bytes_in = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
    let wal = path.with_extension("sqlite-wal");
    if bytes_in(path) > 0 || bytes_in(&wal) == 0 {
        return Ok(());
    }
    let (path, wal) = (path.display(), wal.display());
    Err(LogError::Corrupt(format!(
        "{path} is missing or empty, and {wal} is there, which has the newest of it: put {path} \
         back, or restore a backup (chatroom-server restore). To begin as a new server without \
         what is lost, move {wal} away"
    )))
}

/// Checks the write-ahead log, which nobody may be writing.
pub(super) fn check(path: &Path, durability: Durability) -> Result<(), LogError> {
    let path = path.with_extension("sqlite-wal");
    let doing = || format!("can't read {}", path.display());
    let damage = damage(&path)
        .map_err(|source| LogError::Storage { doing: doing(), source: source.into() })?;
    let Some(at) = damage else { return Ok(()) };
    let path = path.display();
    let what = format!("{path} is damaged at byte {at}, and there is more behind it");
    match durability {
        Durability::Full => Err(LogError::Corrupt(format!(
            "{what}: messages that were acknowledged may be among it. Restore the data directory \
             from a copy; or, to go \
             on without everything from there on, cut the file there: truncate -s {at} {path}"
        ))),
        // A power failure may leave holes in what was never synced, which is what was asked for.
        Durability::Normal => {
            warn!(
                "{what}, as a power failure leaves it without full durability; going on without it"
            );
            Ok(())
        }
    }
}

/// Where the file is damaged in a way that no interrupted write explains, in bytes from its
/// beginning: everything before that place can be trusted. Damage that may be an interrupted write
/// is none.
fn damage(path: &Path) -> io::Result<Option<u64>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut file = BufReader::with_capacity(BUFFER_BYTES, file);
    let mut bytes = [0; HEADER_BYTES as usize];
    if !fill(&mut file, &mut bytes)? {
        return Ok(None);
    }
    let header = Header::read(&bytes, word(&bytes, 0) & 1 == 1);
    if let Some(page_bytes) = header.valid_page_bytes(&bytes) {
        return Scan::new(&header).first_damage(&mut file, page_bytes);
    }
    // The header was on the disk before anything was written behind it. The broken one does not
    // tell how to read on.
    for is_big_endian in [false, true] {
        file.seek(SeekFrom::Start(HEADER_BYTES))?;
        let header = Header::read(&bytes, is_big_endian);
        if Scan::new(&header).finds_anything(&mut file, PAGE_BYTES)? {
            return Ok(Some(0));
        }
    }
    Ok(None)
}

/// A checksum: two words, each of which goes into the other.
type Sum = (u32, u32);

/// Two random words that every frame repeats from the header, so that what is left of an older
/// write-ahead log in the same file is not taken for a part of this one.
type Salts = (u32, u32);

struct Header {
    is_big_endian: bool,
    salts: Salts,
    stored: Sum,
    computed: Sum,
}

impl Header {
    fn read(bytes: &[u8; HEADER_BYTES as usize], is_big_endian: bool) -> Header {
        Header {
            is_big_endian,
            salts: (word(bytes, 16), word(bytes, 20)),
            stored: (word(bytes, 24), word(bytes, 28)),
            computed: sum((0, 0), &bytes[..24], is_big_endian),
        }
    }

    /// The size of its pages, unless it is damaged.
    fn valid_page_bytes(&self, bytes: &[u8; HEADER_BYTES as usize]) -> Option<usize> {
        let is_valid = word(bytes, 0) & !1 == MAGIC && self.stored == self.computed;
        let page_bytes = word(bytes, 8) as usize;
        (is_valid && PAGES_BYTES.contains(&page_bytes)).then_some(page_bytes)
    }
}

struct Frame {
    page: u32,
    is_commit: bool,
    salts: Salts,
    stored: Sum,
}

/// A walk along the frames.
struct Scan {
    is_big_endian: bool,
    salts: Salts,
    /// The checksum of the frame before, as it is there and as it should be: the same until one is
    /// damaged.
    before: (Sum, Sum),
}

/// Damage that was found, and how far the transaction goes in which it is.
struct Damage {
    at: u64,
    /// The end of that transaction was seen.
    is_over: bool,
    /// The newest page of that transaction. SQLite writes the pages of one transaction in rising
    /// order.
    page: u32,
}

impl Scan {
    fn new(header: &Header) -> Scan {
        let Header { is_big_endian, salts, stored, computed } = *header;
        Scan { is_big_endian, salts, before: (stored, computed) }
    }

    /// Behind a valid header: the first damage behind which there is something of a later
    /// transaction.
    fn first_damage(mut self, file: &mut impl Read, page_bytes: usize) -> io::Result<Option<u64>> {
        let mut bytes = vec![0; FRAME_HEADER_BYTES + page_bytes];
        let mut at = HEADER_BYTES;
        let mut found: Option<Damage> = None;
        while fill(file, &mut bytes)? {
            let (frame, goes_on) = self.step(&bytes);
            let goes_on = goes_on && frame.salts == self.salts;
            // One of the two is damaged sooner than that another log's frame has the same by
            // chance.
            let is_ours = frame.salts.0 == self.salts.0 || frame.salts.1 == self.salts.1;
            match &mut found {
                None if goes_on => {}
                None => {
                    found =
                        Some(Damage { at, is_over: is_ours && frame.is_commit, page: frame.page });
                }
                Some(found) if goes_on && (found.is_over || frame.page <= found.page) => {
                    return Ok(Some(found.at));
                }
                Some(found) if is_ours => {
                    found.is_over |= frame.is_commit;
                    found.page = frame.page;
                }
                Some(_) => {}
            }
            at += bytes.len() as u64;
        }
        Ok(None)
    }

    /// Behind a damaged header: whether there is any frame that was written as it is.
    fn finds_anything(mut self, file: &mut impl Read, page_bytes: usize) -> io::Result<bool> {
        let mut bytes = vec![0; FRAME_HEADER_BYTES + page_bytes];
        while fill(file, &mut bytes)? {
            let (frame, goes_on) = self.step(&bytes);
            if goes_on && frame.salts == self.salts {
                return Ok(true);
            }
            self.salts = frame.salts;
        }
        Ok(false)
    }

    /// The next frame, and whether its checksum goes on from the one before it.
    fn step(&mut self, bytes: &[u8]) -> (Frame, bool) {
        let frame = Frame {
            page: word(bytes, 0),
            is_commit: word(bytes, 4) != 0,
            salts: (word(bytes, 8), word(bytes, 12)),
            stored: (word(bytes, 16), word(bytes, 20)),
        };
        let (stored, computed) = self.before;
        let goes_on = self.sum_of(bytes, stored);
        // The checksum before may be what is damaged.
        let is_valid = goes_on == frame.stored
            || (stored != computed && self.sum_of(bytes, computed) == frame.stored);
        self.before = (frame.stored, goes_on);
        (frame, is_valid)
    }

    /// A frame's checksum: of the first 8 bytes, and the page.
    fn sum_of(&self, bytes: &[u8], before: Sum) -> Sum {
        let header = sum(before, &bytes[..8], self.is_big_endian);
        sum(header, &bytes[FRAME_HEADER_BYTES..], self.is_big_endian)
    }
}

/// Goes on with a checksum over these bytes, which are a multiple of 8.
fn sum(before: Sum, bytes: &[u8], is_big_endian: bool) -> Sum {
    let word: fn([u8; 4]) -> u32 =
        if is_big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
    let (pairs, _) = bytes.as_chunks::<8>();
    pairs.iter().fold(before, |(one, two), &[a, b, c, d, e, f, g, h]| {
        let one = one.wrapping_add(word([a, b, c, d])).wrapping_add(two);
        (one, two.wrapping_add(word([e, f, g, h])).wrapping_add(one))
    })
}

/// The word at this place of a header; all of them are big-endian.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |word| u32::from_be_bytes(*word))
}

/// Fills all of `bytes`; `false` when the file ends before that.
fn fill(file: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
