//! The log and the archive in time: when entries are on disk, when the server is told, when they
//! can be read back.

use super::Fault;
use super::state::{Sim, What};

impl Sim {
    pub(super) fn expect_sync(&mut self) {
        if !std::mem::replace(&mut self.is_syncing, true) {
            let delay = if self.chance.once_in(40) { 400 } else { 12 };
            let delay = self.chance.between(1, delay);
            self.after(delay, What::Syncs(self.epoch));
        }
        if self.fault == Some(Fault::ReplyBeforeCommit) {
            self.after(1, What::Tells(self.epoch));
        }
    }

    pub(super) fn sync(&mut self) {
        self.is_syncing = false;
        if !self.is_calm && self.chance.once_in(3_000) {
            // The disk fails, and the server with it; what was being written is there, or not.
            if self.chance.once_in(2) {
                self.log.sync(&mut self.chance);
            }
            return self.crash();
        }
        if !self.log.sync(&mut self.chance) {
            self.expect_sync();
        }
        let delay = if self.chance.once_in(40) { 300 } else { 6 };
        let delay = self.chance.below(delay);
        self.after(delay, What::Tells(self.epoch));
        let delay = if self.chance.once_in(20) { 1_000 } else { 40 };
        let delay = self.chance.between(1, delay);
        self.after(delay, What::Archives);
    }

    pub(super) fn tell(&mut self) {
        for entry in self.log.tell(&mut self.chance) {
            self.apply(&entry);
        }
        if self.log.has_news() {
            self.after(1, What::Tells(self.epoch));
        }
    }

    pub(super) fn read_archive(&mut self) {
        for entry in &self.log.on_disk()[self.archived..] {
            self.archive.follow(entry);
        }
        self.archived = self.log.on_disk().len();
    }
}
