//! Chaos: a real server that is killed at random moments, lines that are cut and stalled at random
//! bytes, and clients, built on the client library, that are killed and go on from what they keep
//! on disk. Copies of the log are put back, and the clock of the server is set. What each of them
//! has lived through is written down, and checked.
//!
//! - [`actor`]: one client: what it does, and what it writes down.
//! - [`stage`]: a fresh directory, the server on it, the proxy before it, and the cast.
//! - `machine`: what the server keeps, copies of it, and the clock.
//! - [`report`]: what a run was like, as a table.
//!
//! Everything that chance decides hangs on one seed; what the system makes of it in time does not.

use std::path::PathBuf;

use crate::chance::Chance;
use crate::history::Violation;

pub mod actor;
mod machine;
pub mod report;
pub mod stage;

pub use report::Report;
use stage::Stage;

/// How many rounds are played on one directory, before everybody comes to rest and the histories
/// are checked: few enough that they fit into memory easily.
const ROUNDS_A_STAGE_MAX: u64 = 25;

/// What to play.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many times the server is killed at least.
    pub rounds: u64,
    /// Decides everything that chance decides.
    pub seed: u64,
    /// After how many days the server deletes what was said; 0 for never.
    pub keep_days: u32,
    /// How the server syncs: what `--durability` says.
    pub durability: &'static str,
    /// What one person may ask for in a second: what `--rate` says.
    pub rate: u32,
}

/// A run that has broken a promise, or could not be played to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// In which stage, counted from zero.
    pub stage: u64,
    /// What is broken.
    pub violations: Vec<Violation>,
    /// What went wrong otherwise.
    pub trouble: Option<String>,
    /// Where the journals and the server's directory are kept.
    pub directory: PathBuf,
}

/// Plays all rounds, and tells of each stage when it is over.
pub async fn play(plan: &Plan, mut tell: impl FnMut(&Report)) -> Report {
    let mut chance = Chance::new(plan.seed);
    let mut report = Report::default();
    while report.rounds < plan.rounds && report.failures.len() < 3 {
        let rounds = (plan.rounds - report.rounds).min(ROUNDS_A_STAGE_MAX);
        let played = Stage::play(plan, report.stages, rounds, chance.fork()).await;
        report.add(&played);
        tell(&report);
    }
    report
}
