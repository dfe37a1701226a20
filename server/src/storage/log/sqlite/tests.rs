//! What becomes of files that are not as this program left them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::time;

use super::super::contract::proposal_of;
use super::*;
use crate::chat::entry::Entry;
use crate::config::LOG_BUSY_TIMEOUT;

mod compaction;
mod erasing;
mod wal;

/// A log with this many rows of one entry each.
async fn log_with(rows: u64) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let log = SqliteLog::open(directory.path(), Durability::Normal).unwrap();
    let mut entries = log.follow(Seq::ZERO);
    for number in 1..=rows {
        log.append(vec![proposal_of(1, number, 10)]).unwrap();
        // One at a time, so that each is a row of its own.
        entries.next().await.unwrap().unwrap();
    }
    directory
}

fn tamper(directory: &TempDir, sql: &str) {
    Connection::open(directory.path().join("log.sqlite")).unwrap().execute_batch(sql).unwrap();
}

/// How long a log may take to be read. It only bounds how long a failure takes.
const DEADLINE: Duration = Duration::from_secs(30);

async fn read_all(directory: &TempDir) -> Result<usize, LogError> {
    time::timeout(DEADLINE, read_to_the_head(directory.path()))
        .await
        .expect("a log is read to its head")
}

async fn read_to_the_head(directory: &Path) -> Result<usize, LogError> {
    let log = SqliteLog::open(directory, Durability::Normal)?;
    let (head, mut entries, mut count) = (log.head(), log.follow(Seq::ZERO), 0);
    while count < usize::try_from(head.0).unwrap() {
        count += entries.next().await.unwrap()?.len();
    }
    Ok(count)
}

#[tokio::test]
async fn a_row_that_is_gone_is_noticed() {
    let directory = log_with(9).await;
    assert_eq!(read_all(&directory).await.unwrap(), 9);
    tamper(&directory, "DELETE FROM batches WHERE last = 5");
    let read = read_all(&directory).await;
    assert!(
        matches!(&read, Err(LogError::Corrupt(why)) if why.contains("missing between 4 and 6")),
        "{read:?}"
    );
}

#[tokio::test]
async fn a_row_that_says_another_place_is_noticed() {
    let directory = log_with(3).await;
    tamper(&directory, "UPDATE batches SET first = 1, last = 1000 WHERE last = 3");
    let read = read_all(&directory).await;
    assert!(matches!(&read, Err(LogError::Corrupt(why)) if why.contains("missing")), "{read:?}");
}

#[tokio::test]
async fn a_row_that_can_be_read_and_is_not_what_was_written_is_noticed() {
    let directory = log_with(3).await;
    // The last byte is one of the text.
    let end = "substr(entries, 1, length(entries) - 1) || x'79'";
    tamper(&directory, &format!("UPDATE batches SET entries = CAST({end} AS BLOB) WHERE last = 2"));
    let read = read_all(&directory).await;
    assert!(
        matches!(&read, Err(LogError::Corrupt(why)) if why.contains("checksum of the batch at 2")),
        "{read:?}"
    );
}

#[tokio::test]
async fn a_directory_that_is_used_is_refused() {
    let directory = log_with(1).await;
    let log = SqliteLog::open(directory.path(), Durability::Full).unwrap();
    let second = SqliteLog::open(directory.path(), Durability::Full);
    assert!(
        matches!(&second, Err(error) if error::chain(error).contains("another server is using \
            it")),
        "{second:?}"
    );
    drop(log);
    SqliteLog::open(directory.path(), Durability::Full).unwrap();
}

#[tokio::test]
async fn another_programs_database_is_refused_and_left_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    tamper(&directory, "CREATE TABLE cats (name TEXT)");
    let path = directory.path().join("log.sqlite");
    let before = std::fs::read(&path).unwrap();
    let opened = SqliteLog::open(directory.path(), Durability::Full);
    assert!(matches!(opened, Err(LogError::Corrupt(_))), "{opened:?}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_log_of_a_newer_server_is_refused() {
    let directory = log_with(1).await;
    tamper(&directory, "PRAGMA user_version = 99");
    let opened = SqliteLog::open(directory.path(), Durability::Full);
    assert!(
        matches!(&opened, Err(LogError::Corrupt(why)) if why.contains("newer server")),
        "{opened:?}"
    );
}

#[tokio::test]
async fn a_log_from_before_the_first_release_is_refused_and_left_as_it_was() {
    let directory = log_with(1).await;
    tamper(&directory, "PRAGMA user_version = 1");
    let path = directory.path().join("log.sqlite");
    let before = std::fs::read(&path).unwrap();
    let opened = SqliteLog::open(directory.path(), Durability::Full);
    assert!(
        matches!(&opened, Err(LogError::Corrupt(why)) if why.contains("before the first \
            release") && why.contains("--data")),
        "{opened:?}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_log_of_the_schema_before_is_gone_on_with_unless_there_is_a_state_in_it() {
    let directory = log_with(3).await;
    tamper(&directory, "PRAGMA user_version = 3");
    let log = SqliteLog::open(directory.path(), Durability::Full).unwrap();
    assert_eq!(log.head(), Seq(3));
    drop(log);
    tamper(&directory, "INSERT INTO base VALUES (1, 1, 0, x'00'); PRAGMA user_version = 3");
    let opened = SqliteLog::open(directory.path(), Durability::Full);
    assert!(
        matches!(&opened, Err(LogError::Corrupt(why)) if why.contains("schema 3")),
        "{opened:?}"
    );
}

#[tokio::test]
async fn a_lock_of_another_program_is_waited_for() {
    let directory = log_with(1).await;
    let log = SqliteLog::open(directory.path(), Durability::Full).unwrap();
    let other = Connection::open(directory.path().join("log.sqlite")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    log.append(vec![proposal_of(2, 1, 10)]).unwrap();
    let mut entries = log.follow(Seq(1));
    assert!(futures_util::poll!(entries.next()).is_pending(), "nothing is told before it is kept");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(entries.next().await.unwrap().unwrap()[0].seq, Seq(2));
}

#[tokio::test]
async fn a_disk_that_hangs_is_given_up_by_one_who_closes_the_log() {
    let directory = log_with(1).await;
    let mut log = SqliteLog::open(directory.path(), Durability::Full).unwrap();
    log.close_deadline = Duration::from_millis(100);
    let other = Connection::open(directory.path().join("log.sqlite")).unwrap();
    // The thread waits for this lock as it would for a disk, and much longer than the deadline.
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    log.append(vec![proposal_of(2, 1, 10)]).unwrap();
    let closed = time::timeout(LOG_BUSY_TIMEOUT, tokio::task::spawn_blocking(move || drop(log)));
    closed.await.expect("it is given up before the lock is").unwrap();
    let again = SqliteLog::open(directory.path(), Durability::Full);
    assert!(
        matches!(again, Err(LogError::Storage { .. })),
        "the thread that hangs still has the directory"
    );
}

#[test]
fn a_directory_is_made_with_all_that_is_above_it_and_for_nobody_else() {
    let above = tempfile::tempdir().unwrap();
    let directory = above.path().join("some/where/deep");
    let log = SqliteLog::open(&directory, Durability::Full).unwrap();
    for path in [directory.clone(), directory.join("log.sqlite"), directory.join("log.sqlite-wal")]
    {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
    drop(log);
}

#[test]
fn a_place_without_write_ahead_logging_is_refused() {
    let memory = Connection::open_in_memory().unwrap();
    let set = log_file::set_journal(&memory, Path::new("here"));
    assert!(
        matches!(&set, Err(error) if error::chain(error).contains("it must be a local one")),
        "{set:?}"
    );
}

/// Which log is in a directory, as a server and as a reader are told.
fn identity_in(directory: &Path) -> LogIdentity {
    let log = SqliteLog::open(directory, Durability::Full).unwrap();
    let read = LogReader::open(directory).unwrap().identity().unwrap();
    assert_eq!(log.identity(), read);
    read.unwrap()
}

#[test]
fn a_log_and_its_copies_are_the_same_log_and_others_are_not() {
    let [one, copy, other] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let identity = identity_in(one.path());
    assert_eq!(identity_in(one.path()), identity);
    LogReader::open(one.path()).unwrap().copy_to(copy.path()).unwrap();
    assert_eq!(identity_in(copy.path()), identity);
    assert_ne!(identity_in(other.path()), identity);
}

#[test]
fn a_log_from_before_there_were_identities_gets_one_that_stays() {
    let directory = tempfile::tempdir().unwrap();
    drop(SqliteLog::open(directory.path(), Durability::Full).unwrap());
    let path = directory.path().join(FILE_NAME);
    Connection::open(&path).unwrap().execute_batch("DROP TABLE identity").unwrap();
    assert_eq!(LogReader::open(directory.path()).unwrap().identity().unwrap(), None);
    let log = SqliteLog::open(directory.path(), Durability::Full).unwrap();
    // As one is left that is killed now, and then loses its write-ahead log.
    let alone = tempfile::tempdir().unwrap();
    std::fs::copy(&path, alone.path().join(FILE_NAME)).unwrap();
    assert_eq!(log.identity(), Some(identity_in(alone.path())));
}
