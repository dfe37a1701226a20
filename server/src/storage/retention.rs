//! Retention: what is older than the server keeps is deleted. It goes from the archive and its
//! search index, and from the log, where a snapshot of the state takes the place of the entries.
//!
//! **No single reading of a clock deletes anything.** What was said with a clock that was ahead
//! does not count: it keeps nothing else, and goes with what was said after it. Where more than the
//! whole retention lies between the newest message that would go and what came after it, nobody was
//! here for so long, or a clock has jumped. Then nothing goes before the clock has run without a
//! jump for [`STEADY_BEFORE_DOUBTFUL`], which `steadiness` measures.

use std::sync::Arc;
use std::time::Duration;

use chatroom_proto::{Seq, UnixMillis, codec};
use futures_util::StreamExt;
use tokio::runtime::Handle;
use tokio::time::{self, Instant, MissedTickBehavior};
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::storage::archive::{AgedPosts, Archive, ReadError, oldest_state};
use crate::storage::log::{Log, LogError, LogSnapshot};
use steadiness::Steadiness;

mod steadiness;
#[cfg(test)]
mod tests;

/// How often what is too old is looked for. What is promised is days: an hour more does no harm.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// A day, in milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// How long a clock has to run without a jump before it is believed that everything is old: long
/// enough for somebody to see it, and short enough for a server that is started anew every night.
const STEADY_BEFORE_DOUBTFUL: Duration = Duration::from_secs(12 * 60 * 60);

/// How often it is said that messages with a time that is yet to come are kept.
const AHEAD_SAID_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Deletes what is older than so many days, at once and then every hour, until it is dropped.
pub(crate) async fn run(log: Arc<dyn Log>, archive: Archive, days: u32, clock: Clock) {
    let mut turns = time::interval(EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut steadiness = Steadiness::new(clock.now(), Instant::now());
    let mut said_ahead = None;
    loop {
        turns.tick().await;
        let (now, instant) = (clock.now(), Instant::now());
        let steady = steadiness.look(now, instant);
        match delete_older(Arc::clone(&log), &archive, u64::from(days) * DAY_MS, now, steady).await
        {
            Ok(turn) => {
                turn.say(days);
                let is_due = said_ahead.is_none_or(|said| instant - said >= AHEAD_SAID_EVERY);
                if turn.ahead > 0 && is_due {
                    turn.say_ahead();
                    said_ahead = Some(instant);
                }
            }
            Err(error) => {
                error!(%error, "what is too old could not be deleted; tried again in an hour");
            }
        }
    }
}

/// What one look has come to.
#[derive(Debug, PartialEq, Eq)]
struct Turn {
    outcome: Outcome,
    /// How many messages are kept because they have a time that is yet to come, and nothing that
    /// was said after them tells how old they are.
    ahead: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// There was nothing to delete.
    Nothing,
    /// Everything up to here is gone.
    Deleted(Seq),
    /// It would be too much to believe the clock at once.
    Doubtful {
        /// The newest that would go is of this time.
        newest: UnixMillis,
        /// What came next, by the clock.
        next: UnixMillis,
        /// The clock has run without a jump for so long.
        steady: Duration,
    },
}

impl Turn {
    fn say(&self, days: u32) {
        match &self.outcome {
            Outcome::Nothing => {}
            Outcome::Deleted(until) => info!(%until, days, "what was said before is deleted"),
            Outcome::Doubtful { newest, next, steady } => {
                let gap = next.0.saturating_sub(newest.0) / DAY_MS;
                let hours = |duration: Duration| duration.as_secs() / (60 * 60);
                warn!(
                    days,
                    gap_days = gap,
                    steady_hours = hours(*steady),
                    "NOTHING IS DELETED YET: by this machine's clock, nothing was said for longer \
                     than messages are kept. If the clock is wrong, set it right. What is too old \
                     is deleted when the server has run for {} hours and the clock has not jumped",
                    hours(STEADY_BEFORE_DOUBTFUL)
                );
            }
        }
    }

    fn say_ahead(&self) {
        warn!(
            messages = self.ahead,
            "the newest messages have a time that is yet to come: this machine's clock was ahead, \
             or is behind now. They are kept until something that was said after them is too old"
        );
    }
}

/// Deletes what was said more than `retention_ms` before `now`. The clock has run without a jump
/// for the time `steady`.
async fn delete_older(
    log: Arc<dyn Log>,
    archive: &Archive,
    retention_ms: u64,
    now: UnixMillis,
    steady: Duration,
) -> Result<Turn, Failure> {
    let before = UnixMillis(now.0.saturating_sub(retention_ms));
    let aged = archive.older_than(before, now, log.head()).await?;
    let AgedPosts { until, newest, next, ahead } = aged;
    let next = next.unwrap_or(now);
    if let Some(newest) = newest
        && next.0.saturating_sub(newest.0) > retention_ms
        && steady < STEADY_BEFORE_DOUBTFUL
    {
        return Ok(Turn { outcome: Outcome::Doubtful { newest, next, steady }, ahead });
    }
    let deleted = compact(log, archive, until).await?;
    Ok(Turn { outcome: deleted.map_or(Outcome::Nothing, Outcome::Deleted), ahead })
}

/// Deletes everything up to this place, and says so, if there was anything.
async fn compact(log: Arc<dyn Log>, archive: &Archive, until: Seq) -> Result<Option<Seq>, Failure> {
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
