//! What is deleted, and what a clock that jumps does not delete.

use std::path::Path;

use chatroom_proto::{Body, Conversation, GroupName, PostId, Tag, UserName};
use tempfile::TempDir;

use super::*;
use crate::Restored;
use crate::chat::Limits;
use crate::chat::effect::ArchiveChange;
use crate::chat::entry::{
    Command, ConnAddr, ConnectionId, DeviceId, NodeId, Origin, Proposal, ProposalId, TokenDigest,
};
use crate::storage::log::{Durability, SqliteLog};

fn open(directory: &Path) -> (Arc<dyn Log>, Restored) {
    let log: Arc<dyn Log> = Arc::new(SqliteLog::open(directory, Durability::Normal).unwrap());
    let restored = Archive::open(directory, Arc::clone(&log)).unwrap();
    (log, restored)
}

/// Appends commands at these times, one batch each.
async fn live(log: &dyn Log, commands: Vec<(u64, Command)>) {
    let mut entries = log.follow(log.head());
    for (at, command) in commands {
        let number = log.head().0 + 1;
        let place = ConnAddr { node: NodeId(1), connection: ConnectionId(1) };
        let origin = Some(Origin { place, tag: Tag(0) });
        let id = ProposalId { node: NodeId(1), number };
        log.append(vec![Proposal { id, origin, at: UnixMillis(at), command }]).unwrap();
        entries.next().await.unwrap().unwrap();
    }
}

fn post(text: &str) -> Command {
    let to = Conversation::Group(GroupName::general());
    // Ids are remembered for longer than what they stand for.
    let id = PostId([u8::try_from(text.len()).unwrap(); 16]);
    Command::Post { by: DeviceId(Seq(1)), to, id, body: Body::parse(text).unwrap() }
}

fn arrival() -> Command {
    let (presented, fresh) = (None, TokenDigest([7; 32]));
    let address = "192.0.2.1:1".parse().unwrap();
    Command::Arrive { name: UserName::parse("jim").unwrap(), presented, fresh, address }
}

/// Deletes what is older than 5,000 at 10,000, on a clock that has run for long.
async fn deleted(log: &Arc<dyn Log>, restored: &Restored) -> Outcome {
    let (now, steady) = (UnixMillis(10_000), STEADY_BEFORE_DELETING);
    delete_older(Arc::clone(log), &restored.archive, 5_000, now, steady).await.unwrap().outcome
}

/// What is anywhere in the files of this directory.
fn holds(directory: &TempDir, text: &str) -> bool {
    std::fs::read_dir(directory.path()).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[tokio::test]
async fn what_is_too_old_is_gone_from_every_file_and_everything_else_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let (log, restored) = open(directory.path());
    let limits = Limits::default();
    let commands = vec![
        (1_000, Command::Began { limits }),
        (1_000, arrival()),
        (2_000, post("an-old-secret")),
        (3_000, post("another-old-one")),
        (9_000, post("a-young-one")),
    ];
    // The arrival is the second entry; the posts are by its device.
    let commands = commands.into_iter().map(|(at, command)| match command {
        Command::Post { to, id, body, .. } => {
            (at, Command::Post { by: DeviceId(Seq(2)), to, id, body })
        }
        command => (at, command),
    });
    live(&*log, commands.collect()).await;
    assert_eq!(deleted(&log, &restored).await, Outcome::Deleted(Seq(4)));
    // What comes behind it in the log knows that the snapshot is kept.
    let Command::Post { to, id, body, .. } = post("another-young-one") else {
        unreachable!("it is a post")
    };
    live(&*log, vec![(9_500, Command::Post { by: DeviceId(Seq(2)), to, id, body })]).await;
    let again = deleted(&log, &restored).await;
    assert_eq!(again, Outcome::Nothing, "there is nothing left to delete");
    drop((log, restored));

    let (log, restored) = open(directory.path());
    assert_eq!(log.snapshot().unwrap().map(|snapshot| snapshot.seq), Some(Seq(4)));
    let mut state = oldest_state(&*log).unwrap();
    let mut entries = log.follow(state.head());
    for entry in entries.next().await.unwrap().unwrap() {
        let Some(ArchiveChange::Said(stored)) = state.fold(&entry) else {
            panic!("the device is known from the snapshot")
        };
        assert_eq!((stored.post.body.as_str(), stored.post.prev), ("a-young-one", Seq(4)));
    }
    drop((entries, log, restored));
    assert!(holds(&directory, "a-young-one"));
    for secret in ["an-old-secret", "another-old-one"] {
        assert!(!holds(&directory, secret), "{secret} is still there");
    }
}

#[tokio::test]
async fn an_archive_is_made_again_from_what_a_cut_log_has() {
    let directory = tempfile::tempdir().unwrap();
    let (log, restored) = open(directory.path());
    let by = DeviceId(Seq(1));
    let say = |text| match post(text) {
        Command::Post { to, id, body, .. } => Command::Post { by, to, id, body },
        command => command,
    };
    live(&*log, vec![(1_000, arrival()), (2_000, say("old")), (9_000, say("young"))]).await;
    assert_eq!(deleted(&log, &restored).await, Outcome::Deleted(Seq(2)));
    drop((log, restored));
    for name in ["archive.sqlite", "archive.sqlite-wal", "archive.sqlite-shm"] {
        let _ = std::fs::remove_file(directory.path().join(name));
    }
    let (log, restored) = open(directory.path());
    let now = UnixMillis(10_000);
    let aged = restored.archive.older_than(now, now, log.head()).await.unwrap();
    assert_eq!((aged.until, aged.newest), (Seq(3), Some(UnixMillis(9_000))));
    assert_eq!(restored.state.head(), Seq(2));
}

/// A log in which somebody has posted on these days, and what its archive is asked on another.
struct Posted {
    _directory: TempDir,
    log: Arc<dyn Log>,
    restored: Restored,
}

/// How long is kept here.
const KEPT_DAYS: u64 = 30;

/// Ten years, in days.
const TEN_YEARS: u64 = 3_650;

impl Posted {
    async fn on(days: &[u64]) -> Posted {
        let directory = tempfile::tempdir().unwrap();
        let (log, restored) = open(directory.path());
        live(&*log, vec![(days[0] * DAY_MS, arrival())]).await;
        let posted = Posted { _directory: directory, log, restored };
        posted.post_on(days).await;
        posted
    }

    async fn post_on(&self, days: &[u64]) {
        for day in days {
            let id = PostId(u128::from(self.log.head().0).to_be_bytes());
            let (by, to) = (DeviceId(Seq(1)), Conversation::Group(GroupName::general()));
            let body = Body::parse("said").unwrap();
            live(&*self.log, vec![(day * DAY_MS, Command::Post { by, to, id, body })]).await;
        }
    }

    /// Looks on this day, when the clock has run without a jump for so many hours.
    async fn look(&self, day: u64, steady_hours: u64) -> Turn {
        let steady = Duration::from_secs(steady_hours * 60 * 60);
        let (log, now) = (Arc::clone(&self.log), UnixMillis(day * DAY_MS));
        let kept = KEPT_DAYS * DAY_MS;
        let turn = delete_older(log, &self.restored.archive, kept, now, steady).await.unwrap();
        if let Outcome::Deleted(_) = turn.outcome {
            // What comes behind it in the log knows that the snapshot is kept.
            live(&*self.log, vec![(0, Command::Offer { digest: TokenDigest([1; 32]) })]).await;
        }
        turn
    }
}

fn turn(outcome: Outcome) -> Turn {
    Turn { outcome, ahead: 0, behind_newer: 0 }
}

#[tokio::test]
async fn a_post_from_ten_years_ahead_keeps_nothing_and_goes_with_what_follows_it() {
    let posted = Posted::on(&[100, 101, 102 + TEN_YEARS, 103, 120]).await;
    assert_eq!(posted.look(130, 12).await, turn(Outcome::Deleted(Seq(1))), "the arrival");
    assert_eq!(posted.look(132, 12).await, turn(Outcome::Deleted(Seq(3))));
    assert_eq!(posted.look(134, 12).await, turn(Outcome::Deleted(Seq(5))), "it is gone, too");
}

#[tokio::test]
async fn the_newest_posts_stay_when_their_clock_was_ahead_and_that_is_told() {
    let ahead = [102, 103].map(|day| day + TEN_YEARS);
    let posted = Posted::on(&[100, ahead[0], ahead[1]]).await;
    // They may have been said today.
    let kept = Turn { ahead: 2, ..turn(Outcome::Deleted(Seq(2))) };
    assert_eq!(posted.look(140, 12).await, kept);
    posted.post_on(&[141]).await;
    assert_eq!(posted.look(171, 12).await, turn(Outcome::Nothing));
    assert_eq!(posted.look(172, 12).await, turn(Outcome::Deleted(Seq(6))));
}

#[tokio::test]
async fn a_post_that_is_ahead_by_less_than_is_kept_delays_what_follows_it_and_that_is_told() {
    // On day 101 the clock was 20 days ahead.
    let posted = Posted::on(&[100, 121, 102, 103]).await;
    let kept = Turn { behind_newer: 2, ..turn(Outcome::Deleted(Seq(2))) };
    assert_eq!(posted.look(134, 12).await, kept);
    assert_eq!(posted.look(152, 12).await, turn(Outcome::Deleted(Seq(6))));
}

/// What waits until the clock is believed.
fn waits(gap_days: u64, steady_hours: u64) -> Turn {
    let steady = Duration::from_secs(steady_hours * 60 * 60);
    turn(Outcome::Waits { gap_ms: gap_days * DAY_MS, steady })
}

#[tokio::test]
async fn a_start_with_the_clock_ahead_deletes_nothing() {
    for (wrong, gap_days) in [(131, 10), (146, 10), (161, 41), (TEN_YEARS, TEN_YEARS - 120)] {
        let posted = Posted::on(&[100, 110, 120]).await;
        assert_eq!(posted.look(wrong, 0).await, waits(gap_days, 0), "on day {wrong}");
        // What is said meanwhile makes nothing certain; nor does another start.
        posted.post_on(&[wrong]).await;
        assert_eq!(posted.look(wrong, 11).await, waits(gap_days, 11));
        // The clock is right again. What is before the first message is none.
        assert_eq!(posted.look(121, 0).await, turn(Outcome::Deleted(Seq(1))), "the arrival");
        assert_eq!(posted.look(131, 12).await, turn(Outcome::Deleted(Seq(2))));
    }
}

#[tokio::test]
async fn a_clock_that_stays_so_is_believed() {
    let posted = Posted::on(&[100, 110]).await;
    assert_eq!(posted.look(200, 11).await, waits(90, 11));
    assert_eq!(posted.look(200, 12).await, turn(Outcome::Deleted(Seq(3))));
}

#[tokio::test]
async fn a_clock_that_was_behind_deletes_nothing_that_was_said_meanwhile_with_others() {
    // No battery, no network: it is 1970 until the clock is set.
    let posted = Posted::on(&[100, 110, 0, 0, 111]).await;
    let kept = |outcome| Turn { behind_newer: 2, ..turn(outcome) };
    assert_eq!(posted.look(112, 12).await, kept(Outcome::Deleted(Seq(1))), "the arrival");
    assert_eq!(posted.look(131, 12).await, kept(Outcome::Deleted(Seq(2))), "and no more");
    assert_eq!(posted.look(0, 12).await, turn(Outcome::Nothing));
}
