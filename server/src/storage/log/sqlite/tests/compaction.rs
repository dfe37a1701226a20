//! What a compaction leaves of the entries that it replaces.

use std::collections::BTreeSet;
use std::fs;

use super::*;

/// What is said in the entry with this number, to be found in the files.
fn text(number: u64) -> String {
    format!("[the secret of {number:04}]")
}

/// A proposal that says this text so often that it takes about so many bytes.
fn saying(number: u64, bytes: usize) -> Proposal {
    let mut proposal = proposal_of(1, number, 1);
    if let crate::chat::entry::Command::Post { body, .. } = &mut proposal.command {
        let text = text(number);
        *body = chatroom_proto::Body::parse(&text.repeat(bytes.div_ceil(text.len()))).unwrap();
    }
    proposal
}

/// Rows of all sizes, one entry each.
pub(super) fn filled(directory: &Path, rows: u64) -> LogFile {
    let mut file = LogFile::open(&directory.join(FILE_NAME), Durability::Normal).unwrap();
    for number in 1..=rows {
        let sizes = [20, 300, 7_900, 20, 3_900, 60, 4_200, 900];
        let proposal = saying(number, sizes[usize::try_from(number).unwrap() % sizes.len()]);
        file.append(&[Entry { seq: Seq(number), proposal }]).unwrap();
    }
    file
}

pub(super) fn snapshot(seq: u64) -> LogSnapshot {
    LogSnapshot { seq: Seq(seq), state: b"what it has come to".to_vec() }
}

/// The numbers of the texts that are in any file of the directory.
pub(super) fn found_in_files(directory: &Path) -> Vec<u64> {
    let files =
        fs::read_dir(directory).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
    let bytes: Vec<u8> = files.flatten().collect();
    let number = |rest: &str| rest.get(..4)?.parse().ok();
    let texts = String::from_utf8_lossy(&bytes);
    let found: BTreeSet<u64> = texts.split("secret of ").skip(1).filter_map(number).collect();
    found.into_iter().collect()
}

#[test]
fn what_was_compacted_is_in_no_file_any_more_and_what_was_not_is() {
    const ROWS: u64 = 900;
    let directory = tempfile::tempdir().unwrap();
    let mut file = filled(directory.path(), ROWS);
    for until in [1, 2, 50, 51, 333, 700, 899, 900] {
        file.set_snapshot(&snapshot(until)).unwrap();
        while file.tidy() {}
        let rest: Vec<u64> = (until + 1..=ROWS).collect();
        assert_eq!(found_in_files(directory.path()), rest, "until {until}");
        assert_eq!(file.head().unwrap(), Seq(ROWS));
    }
}

#[test]
fn a_log_that_was_interrupted_while_it_forgot_goes_on_with_that() {
    const ROWS: u64 = 900;
    let directory = tempfile::tempdir().unwrap();
    let mut file = filled(directory.path(), ROWS);
    file.set_snapshot(&snapshot(800)).unwrap();
    assert!(file.tidy(), "there is more than is deleted at once");
    let mut reader = LogReader::open(directory.path()).unwrap();
    let last_gone = reader.after(Seq(799));
    assert!(matches!(last_gone, Err(LogError::Compacted { oldest: Seq(801) })), "{last_gone:?}");
    assert_eq!(reader.after(Seq(800)).unwrap()[0].seq, Seq(801));
    assert_eq!(reader.batch_end(Seq(800)).unwrap(), None);
    drop((file, reader));
    let mut file = LogFile::open(&directory.path().join(FILE_NAME), Durability::Normal).unwrap();
    assert!(found_in_files(directory.path()).contains(&800));
    while file.tidy() {}
    assert_eq!(found_in_files(directory.path()), (801..=ROWS).collect::<Vec<_>>());
}

#[test]
fn a_reader_is_no_obstacle_to_deleting_for_long() {
    let directory = tempfile::tempdir().unwrap();
    let mut file = filled(directory.path(), 50);
    let other = Connection::open(directory.path().join(FILE_NAME)).unwrap();
    other.execute_batch("BEGIN; SELECT count(*) FROM batches").unwrap();
    file.set_snapshot(&snapshot(40)).unwrap();
    let began = time::Instant::now();
    while file.tidy() {}
    assert!(began.elapsed() < LOG_BUSY_TIMEOUT, "nobody who posts waits for the reader");
    assert!(found_in_files(directory.path()).contains(&1), "the reader still sees it");
    other.execute_batch("COMMIT").unwrap();
    file.tidy();
    assert_eq!(found_in_files(directory.path()), (41..=50).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_log_on_disk_begins_with_its_base() {
    let directory = log_with(9).await;
    let log = SqliteLog::open(directory.path(), Durability::Full).unwrap();
    log.compact(snapshot(9)).unwrap();
    drop(log);
    let log = SqliteLog::open(directory.path(), Durability::Full).unwrap();
    assert_eq!(log.snapshot().unwrap(), Some(snapshot(9)));
    assert_eq!(log.head(), Seq(9));
    log.append(vec![proposal_of(2, 1, 10)]).unwrap();
    assert_eq!(log.follow(Seq(9)).next().await.unwrap().unwrap()[0].seq, Seq(10));
    let compacted = log.follow(Seq(8)).next().await.unwrap();
    assert!(matches!(compacted, Err(LogError::Compacted { oldest: Seq(10) })), "{compacted:?}");
}

#[tokio::test]
async fn a_base_that_was_damaged_is_noticed() {
    let directory = log_with(3).await;
    let log = SqliteLog::open(directory.path(), Durability::Full).unwrap();
    log.compact(snapshot(3)).unwrap();
    drop(log);
    tamper(&directory, "UPDATE base SET world = x'00'");
    let read = LogReader::open(directory.path()).unwrap().snapshot();
    assert!(matches!(&read, Err(LogError::Corrupt(why)) if why.contains("checksum")), "{read:?}");
}
