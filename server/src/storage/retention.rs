//! Retention: what is older than the server keeps is deleted. It goes from the archive and its
//! search index, and from the log, where a snapshot of the state takes the place of the entries.

use std::sync::Arc;
use std::time::Duration;

use chatroom_proto::{Seq, UnixMillis, codec};
use futures_util::StreamExt;
use tokio::runtime::Handle;
use tokio::time::{self, MissedTickBehavior};
use tracing::{error, info};

use crate::clock::Clock;
use crate::storage::archive::{Archive, ReadError, oldest_state};
use crate::storage::log::{Log, LogError, LogSnapshot};

/// How often what is too old is looked for. What is promised is days: an hour more does no harm.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// A day, in milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Deletes what is older than so many days, at once and then every hour, until it is dropped.
pub(crate) async fn run(log: Arc<dyn Log>, archive: Archive, days: u32, clock: Clock) {
    let mut turns = time::interval(EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let before = UnixMillis(clock.now().0.saturating_sub(u64::from(days) * DAY_MS));
        match compact(Arc::clone(&log), &archive, before).await {
            Ok(None) => {}
            Ok(Some(until)) => info!(%until, days, "what was said before is deleted"),
            Err(error) => {
                error!(%error, "what is too old could not be deleted; tried again in an hour");
            }
        }
    }
}

/// Deletes what was said before this moment, and says up to which place, if there was anything.
async fn compact(
    log: Arc<dyn Log>,
    archive: &Archive,
    before: UnixMillis,
) -> Result<Option<Seq>, Failure> {
    let head = log.head();
    let first_kept = archive.first_at_or_after(before, head).await?;
    let until = first_kept.map_or(head, |first| Seq(first.0.saturating_sub(1)));
    // The log has to be folded once more up to there, which takes a while: on a thread where that
    // is allowed.
    let runtime = Handle::current();
    let folding = tokio::task::spawn_blocking(move || {
        let snapshot = runtime.block_on(snapshot_at(&*log, until))?;
        Ok::<_, LogError>(snapshot.map(|snapshot| (log, snapshot)))
    });
    let Some((log, snapshot)) = folding.await?? else { return Ok(None) };
    archive.delete(until).await?;
    tokio::task::spawn_blocking(move || log.compact(snapshot)).await??;
    Ok(Some(until))
}

/// What the log has come to at the last end of a batch up to `until`. Nothing when it has no batch
/// up to there.
async fn snapshot_at(log: &dyn Log, until: Seq) -> Result<Option<LogSnapshot>, LogError> {
    let mut state = oldest_state(log)?;
    let Some(end) = log.batch_end(until)?.filter(|end| *end > state.head()) else {
        return Ok(None);
    };
    let mut batches = log.follow(state.head());
    while state.head() < end
        && let Some(batch) = batches.next().await
    {
        for entry in batch?.iter().filter(|entry| entry.seq <= end) {
            state.fold(entry);
        }
    }
    let doing = "can't write down what the log has come to".to_owned();
    let packed =
        codec::pack(&state).map_err(|source| LogError::Storage { doing, source: source.into() })?;
    Ok(Some(LogSnapshot { seq: state.head(), state: packed }))
}

/// Why nothing was deleted.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The log can't be read, or does not take its snapshot.
    #[error("{0}")]
    Log(#[from] LogError),
    /// The archive can't be asked.
    #[error("{0}")]
    Archive(#[from] ReadError),
    /// A bug of ours.
    #[error("the task panicked")]
    Panicked(#[from] tokio::task::JoinError),
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use chatroom_proto::{Body, Conversation, GroupName, PostId, Tag, UserName};
    use tempfile::TempDir;

    use super::*;
    use crate::Restored;
    use crate::chat::Limits;
    use crate::chat::entry::{
        Command, ConnAddr, ConnectionId, DeviceId, NodeId, Origin, Proposal, ProposalId,
        TokenDigest,
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
        assert_eq!(
            compact(Arc::clone(&log), &restored.archive, UnixMillis(5_000)).await.unwrap(),
            Some(Seq(4))
        );
        // What comes behind it in the log knows that the snapshot is kept.
        let Command::Post { to, id, body, .. } = post("another-young-one") else {
            unreachable!("it is a post")
        };
        live(&*log, vec![(9_500, Command::Post { by: DeviceId(Seq(2)), to, id, body })]).await;
        let again = compact(Arc::clone(&log), &restored.archive, UnixMillis(5_000)).await.unwrap();
        assert_eq!(again, None, "there is nothing left to delete");
        drop((log, restored));

        let (log, restored) = open(directory.path());
        assert_eq!(log.snapshot().unwrap().map(|snapshot| snapshot.seq), Some(Seq(4)));
        let mut state = oldest_state(&*log).unwrap();
        let mut entries = log.follow(state.head());
        for entry in entries.next().await.unwrap().unwrap() {
            let stored = state.fold(&entry).expect("the device is known from the snapshot");
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
        compact(Arc::clone(&log), &restored.archive, UnixMillis(5_000)).await.unwrap();
        drop((log, restored));
        for name in ["archive.sqlite", "archive.sqlite-wal", "archive.sqlite-shm"] {
            let _ = std::fs::remove_file(directory.path().join(name));
        }
        let (log, restored) = open(directory.path());
        let first = restored.archive.first_at_or_after(UnixMillis(0), log.head()).await.unwrap();
        assert_eq!(first, Some(Seq(3)));
        assert_eq!(restored.state.head(), Seq(2));
    }
}
