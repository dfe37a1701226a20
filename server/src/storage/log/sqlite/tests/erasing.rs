//! What erasing leaves of a text, and of everything else.

use chatroom_proto::Body;

use super::compaction::{filled, found_in_files, snapshot};
use super::*;

/// The posts that have no text any more, of so many.
fn erased_posts(directory: &Path, rows: u64) -> Vec<u64> {
    let mut reader = LogReader::open(directory).unwrap();
    let mut erased = Vec::new();
    for number in 1..=rows {
        let entry = reader.after(Seq(number - 1)).unwrap()[0].clone();
        assert_eq!(entry.seq, Seq(number));
        let crate::chat::entry::Command::Post { body, .. } = &entry.proposal.command else {
            panic!("{entry:?}")
        };
        erased.extend((*body == Body::deleted()).then_some(number));
    }
    erased
}

#[test]
fn a_text_that_was_erased_is_in_no_file_any_more_and_all_others_are() {
    const ROWS: u64 = 300;
    let directory = tempfile::tempdir().unwrap();
    let mut file = filled(directory.path(), ROWS);
    let mut rest: Vec<u64> = (1..=ROWS).collect();
    let turns: [&[u64]; 4] = [&[1], &[7, 8, 9, 10, 300], &[123, 11, 122], &[7]];
    for posts in turns {
        file.erase(&posts.iter().copied().map(Seq).collect::<Vec<_>>()).unwrap();
        rest.retain(|number| !posts.contains(number));
        assert_eq!(found_in_files(directory.path()), rest);
    }
    file.set_snapshot(&snapshot(100)).unwrap();
    while file.tidy() {}
    file.erase(&[Seq(50), Seq(101), Seq(400)]).unwrap();
    rest.retain(|number| *number > 101);
    assert_eq!(found_in_files(directory.path()), rest, "what was compacted needs no erasing");
    assert_eq!(file.head().unwrap(), Seq(ROWS));
}

#[tokio::test]
async fn an_entry_without_its_text_is_read_like_any_other_and_has_the_same_checksum() {
    let directory = log_with(9).await;
    let log = SqliteLog::open(directory.path(), Durability::Full).unwrap();
    let before = log.checksum(Seq(4)).unwrap();
    assert!(before.is_some());
    log.erase(vec![Seq(4), Seq(5)]).await.unwrap();
    assert_eq!(log.checksum(Seq(4)).unwrap(), before);
    drop(log);
    assert_eq!(erased_posts(directory.path(), 9), [4, 5]);
    LogReader::open_checked(directory.path()).unwrap();
}

#[test]
fn one_who_reads_is_in_the_way_and_it_is_done_when_asked_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut file = filled(directory.path(), 50);
    let other = Connection::open(directory.path().join(FILE_NAME)).unwrap();
    other.execute_batch("BEGIN; SELECT count(*) FROM batches").unwrap();
    let first = file.erase(&[Seq(20)]);
    assert!(matches!(first, Err(LogError::InUse)), "{first:?}");
    assert!(found_in_files(directory.path()).contains(&20), "the reader still sees it");
    other.execute_batch("COMMIT").unwrap();
    drop(file);
    // Also by another run, which finds nothing to write.
    let mut file = LogFile::open(&directory.path().join(FILE_NAME), Durability::Normal).unwrap();
    file.erase(&[Seq(20)]).unwrap();
    assert!(!found_in_files(directory.path()).contains(&20));
}

#[test]
fn a_batch_that_is_damaged_stays_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let mut file = filled(directory.path(), 5);
    let db = Connection::open(directory.path().join(FILE_NAME)).unwrap();
    db.execute_batch("UPDATE batches SET crc = crc + 1 WHERE last = 3").unwrap();
    let erased = file.erase(&[Seq(3)]);
    assert!(matches!(erased, Err(LogError::Corrupt(_))), "{erased:?}");
}
