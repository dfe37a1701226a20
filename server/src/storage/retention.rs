//! Retention: what is older than the server keeps is deleted. It goes from the archive and its
//! search index, and from the log, where a snapshot of the state takes the place of the entries.
//!
//! **No single reading of a clock deletes a message.** Nothing goes before the clock has run
//! without a jump for [`STEADY_BEFORE_DELETING`], which `steadiness` measures: a server that has
//! just started can't tell whether its clock is right. What was said with a clock that was ahead of
//! now does not count: it keeps nothing else, and goes with what was said after it.

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

/// How long a clock has to run without a jump before it is believed: long enough for somebody to
/// see that it is wrong, and short enough for a server that is started anew every night.
const STEADY_BEFORE_DELETING: Duration = Duration::from_secs(12 * 60 * 60);

/// How often it is said that messages are kept for longer than they should be.
const LONGER_SAID_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Deletes what is older than so many days, at once and then every hour, until it is dropped.
pub(crate) async fn run(log: Arc<dyn Log>, archive: Archive, days: u32, clock: Clock) {
    let mut turns = time::interval(EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut steadiness = Steadiness::new(clock.now(), Instant::now());
    let mut said_longer = None;
    loop {
        turns.tick().await;
        let (now, instant) = (clock.now(), Instant::now());
        let steady = steadiness.look(now, instant);
        match delete_older(Arc::clone(&log), &archive, u64::from(days) * DAY_MS, now, steady).await
        {
            Ok(turn) => {
                turn.say(days);
                let is_due = said_longer.is_none_or(|said| instant - said >= LONGER_SAID_EVERY);
                if is_due && turn.say_longer() {
                    said_longer = Some(instant);
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
    /// How many are kept though they are old, because one before them is not.
    behind_newer: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// There was nothing to delete.
    Nothing,
    /// Everything up to here is gone.
    Deleted(Seq),
    /// There is something to delete, and the clock is not believed yet.
    Waits {
        /// From the newest that would go to what came next, or to now.
        gap_ms: u64,
        /// The clock has run without a jump for so long.
        steady: Duration,
    },
}

impl Turn {
    fn say(&self, days: u32) {
        let hours = |duration: Duration| duration.as_secs() / (60 * 60);
        match self.outcome {
            Outcome::Nothing => {}
            Outcome::Deleted(until) => info!(%until, days, "what was said before is deleted"),
            Outcome::Waits { gap_ms, steady } if gap_ms <= u64::from(days) * DAY_MS => {
                info!(
                    days,
                    steady_hours = hours(steady),
                    "what is too old is deleted when the server has run for {} hours and the \
                     clock has not jumped",
                    hours(STEADY_BEFORE_DELETING)
                );
            }
            Outcome::Waits { gap_ms, steady } => {
                warn!(
                    days,
                    gap_days = gap_ms / DAY_MS,
                    steady_hours = hours(steady),
                    "NOTHING IS DELETED YET: by this machine's clock, nothing was said for longer \
                     than messages are kept. If the clock is wrong, set it right. What is too old \
                     is deleted when the server has run for {} hours and the clock has not jumped",
                    hours(STEADY_BEFORE_DELETING)
                );
            }
        }
    }

    /// Says what is kept for longer than it should be, and tells whether there is any.
    fn say_longer(&self) -> bool {
        if self.ahead > 0 {
            warn!(
                messages = self.ahead,
                "the newest messages have a time that is yet to come: this machine's clock was \
                 ahead, or is behind now. They are kept until something that was said after them \
                 is too old"
            );
        }
        if self.behind_newer > 0 {
            warn!(
                messages = self.behind_newer,
                "messages that seem too old are kept, as one before them has a later time: this \
                 machine's clock was ahead when that was said, or behind when these were. They are \
                 deleted with it"
            );
        }
        self.ahead > 0 || self.behind_newer > 0
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
    let AgedPosts { until, newest, next, ahead, behind_newer } = aged;
    let outcome = match newest {
        Some(newest) if steady < STEADY_BEFORE_DELETING => {
            let gap_ms = next.unwrap_or(now).0.saturating_sub(newest.0);
            Outcome::Waits { gap_ms, steady }
        }
        _ => compact(log, archive, until).await?.map_or(Outcome::Nothing, Outcome::Deleted),
    };
    Ok(Turn { outcome, ahead, behind_newer })
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
