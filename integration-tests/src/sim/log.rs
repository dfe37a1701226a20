//! The log of a simulation: entries are ordered at once, are on disk some time later, and the
//! server is told of them some time after that. A crash forgets what was not on disk.

use chatroom_proto::Seq;
use chatroom_server::chat::entry::{Entry, Proposal};

use crate::chance::Chance;

/// The log. It outlives the servers that write it.
#[derive(Debug, Default)]
pub struct Log {
    entries: Vec<Entry>,
    /// How many are on disk.
    synced: usize,
    /// How many the running server was told of.
    told: usize,
    /// Whether the server is told before anything is on disk: a planted bug.
    tells_early: bool,
}

impl Log {
    /// An empty log.
    pub fn new(tells_early: bool) -> Log {
        Log { tells_early, ..Log::default() }
    }

    /// Orders a proposal. Places may skip.
    pub fn append(&mut self, proposal: Proposal, chance: &mut Chance) {
        let last = self.entries.last().map_or(Seq::ZERO, |entry| entry.seq);
        let skips = if chance.once_in(8) { chance.below(3) } else { 0 };
        self.entries.push(Entry { seq: Seq(last.0 + 1 + skips), proposal });
    }

    /// Brings some of what is not on disk there. Whether all is.
    pub fn sync(&mut self, chance: &mut Chance) -> bool {
        let left = self.entries.len() - self.synced;
        self.synced += portion(left, chance);
        self.synced == self.entries.len()
    }

    /// What the server is told next; some of what it could be told.
    pub fn tell(&mut self, chance: &mut Chance) -> Vec<Entry> {
        let known = if self.tells_early { self.entries.len() } else { self.synced };
        let count = portion(known - self.told, chance);
        let told = self.entries[self.told..self.told + count].to_vec();
        self.told += count;
        told
    }

    /// Whether there is something that the server could be told.
    pub fn has_news(&self) -> bool {
        self.told < if self.tells_early { self.entries.len() } else { self.synced }
    }

    /// Whether everything is on disk and told.
    pub fn is_quiet(&self) -> bool {
        self.synced == self.entries.len() && self.told == self.entries.len()
    }

    /// The machine goes down.
    pub fn crash(&mut self) {
        self.entries.truncate(self.synced);
    }

    /// A new server reads everything.
    pub fn restore(&mut self) -> &[Entry] {
        self.told = self.entries.len();
        &self.entries
    }

    /// What is on disk.
    pub fn on_disk(&self) -> &[Entry] {
        &self.entries[..self.synced]
    }
}

/// All of it mostly, and at least one of what there is.
fn portion(of: usize, chance: &mut Chance) -> usize {
    if of == 0 || chance.once_in(3) {
        of.min(1)
    } else {
        chance.between(of.div_ceil(2) as u64, of as u64) as usize
    }
}
