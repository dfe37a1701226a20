//! What a run was like.

use std::collections::BTreeMap;
use std::fmt;

use super::Failure;
use crate::history::Kind;

/// What a run was like.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Directories that were played on.
    pub stages: u64,
    /// Rounds: the server is killed, started again, and everybody is back.
    pub rounds: u64,
    /// Of the server, by SIGKILL.
    pub kills: u64,
    /// Of the server, by SIGTERM.
    pub stops: u64,
    /// Of clients.
    pub clients_killed: u64,
    /// Lines that were cut.
    pub cuts: u64,
    /// Lines that were stalled.
    pub stalls: u64,
    /// Copies of the log that were put back.
    pub restores: u64,
    /// How often the server's clock was set.
    pub clock_jumps: u64,
    /// Posts that clients made.
    pub sent: u64,
    /// Posts that were acknowledged.
    pub acknowledged: u64,
    /// Posts that were shown.
    pub shown: u64,
    /// Of these, to somebody who had been away.
    pub replayed: u64,
    /// Posts that were deleted.
    pub deleted: u64,
    /// What is broken, counted.
    pub broken: BTreeMap<Kind, u64>,
    /// Stages that broke something.
    pub failures: Vec<Failure>,
}

impl Report {
    /// Adds what another stage was like.
    pub fn add(&mut self, other: &Report) {
        self.stages += other.stages;
        self.rounds += other.rounds;
        self.kills += other.kills;
        self.stops += other.stops;
        self.clients_killed += other.clients_killed;
        self.cuts += other.cuts;
        self.stalls += other.stalls;
        self.restores += other.restores;
        self.clock_jumps += other.clock_jumps;
        self.sent += other.sent;
        self.acknowledged += other.acknowledged;
        self.shown += other.shown;
        self.replayed += other.replayed;
        self.deleted += other.deleted;
        for (kind, count) in &other.broken {
            *self.broken.entry(*kind).or_default() += count;
        }
        self.failures.extend(other.failures.iter().cloned());
    }

    /// Whether all promises were kept, and the run came to its end.
    pub fn is_fine(&self) -> bool {
        self.failures.is_empty() && self.broken.values().all(|count| *count == 0)
    }

    fn broken(&self, kind: Kind) -> u64 {
        self.broken.get(&kind).copied().unwrap_or_default()
    }
}

/// The table.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = [
            ("rounds", self.rounds),
            ("server killed", self.kills),
            ("server stopped", self.stops),
            ("clients killed", self.clients_killed),
            ("lines cut", self.cuts),
            ("lines stalled", self.stalls),
            ("put back", self.restores),
            ("clock set", self.clock_jumps),
            ("sent", self.sent),
            ("acknowledged", self.acknowledged),
            ("shown", self.shown),
            ("of these later", self.replayed),
            ("deleted", self.deleted),
            ("lost", self.broken(Kind::Lost)),
            ("doubled", self.broken(Kind::Doubled)),
            ("reordered", self.broken(Kind::Reordered)),
            ("gaps", self.broken(Kind::Gap)),
            ("shown to outsiders", self.broken(Kind::Outside)),
            ("told after deletion", self.broken(Kind::Deleted)),
            ("otherwise wrong", self.broken(Kind::Other)),
        ];
        writeln!(f, "| {} |", columns.map(|(name, _)| name).join(" | "))?;
        writeln!(f, "|{}", "---:|".repeat(columns.len()))?;
        writeln!(f, "| {} |", columns.map(|(_, count)| count.to_string()).join(" | "))
    }
}
