//! What goes wrong, and how it ends.

use super::state::{Sim, What};

impl Sim {
    pub(super) fn make_trouble(&mut self) {
        if self.is_calm {
            return;
        }
        let open: Vec<u64> = self.wires.keys().copied().collect();
        let line = self.chance.pick(&open).copied();
        match (self.chance.below(10), line) {
            (0..=3, Some(id)) => self.cut(id),
            (4..=6, Some(id)) => self.stall(id),
            (7, _) => {
                let epoch = self.epoch;
                let in_order = self.chance.once_in(4);
                self.after(0, if in_order { What::Stops(epoch) } else { What::Crashes(epoch) });
            }
            _ => {}
        }
        let delay = self.chance.between(10, 900);
        self.after(delay, What::Trouble);
    }

    pub(super) fn cut(&mut self, id: u64) {
        self.tally.cuts += 1;
        self.trace.note(&[self.now, 5, id]);
        if let Some(wire) = self.wires.get_mut(&id) {
            wire.cut(&mut self.chance);
            let at_once = self.chance.once_in(2);
            let (client, server) = if at_once { (50, 50) } else { (3_000, 8_000) };
            let (client, server) = (self.chance.below(client), self.chance.below(server));
            self.after(client, What::Misses(id));
            self.after(server, What::HearsNothing(id));
        }
    }

    pub(super) fn stall(&mut self, id: u64) {
        self.tally.stalls += 1;
        let until = self.now + self.chance.between(10, 7_000);
        let (up, down) = (self.chance.once_in(2), self.chance.once_in(2));
        self.trace.note(&[self.now, 6, id, until]);
        if let Some(wire) = self.wires.get_mut(&id) {
            if up {
                wire.up.stall(until);
            }
            if down || !up {
                wire.down.stall(until);
            }
            self.after(until - self.now, What::Up(id));
            self.after(until - self.now, What::Down(id));
        }
    }

    pub(super) fn crash(&mut self) {
        self.tally.crashes += 1;
        self.trace.note(&[self.now, 7, self.epoch]);
        self.node = None;
        self.is_syncing = false;
        self.log.crash();
        let wires: Vec<u64> = self.wires.keys().copied().collect();
        for id in wires {
            if let Some(wire) = self.wires.get_mut(&id) {
                wire.cut(&mut self.chance);
                // Clients find out at once, as the kernel tells them, or when they have waited for
                // too long.
                let delay = if self.chance.once_in(4) { 3_000 } else { 30 };
                let delay = self.chance.below(delay);
                self.after(delay, What::Misses(id));
                self.after(delay + 1, What::GivesUp(id));
            }
        }
        let delay = if self.chance.once_in(5) { 6_000 } else { 800 };
        let delay = self.chance.between(10, delay);
        self.after(delay, What::ServerStarts);
    }

    pub(super) fn start_server_again(&mut self) {
        if self.node.is_none() {
            self.start_server();
        }
    }

    pub(super) fn calm_down(&mut self) {
        self.is_calm = true;
        for number in 0..self.clients.len() {
            self.client_starts(number);
            self.client_reads_again(number);
        }
        let wires: Vec<u64> = self.wires.keys().copied().collect();
        for id in wires {
            if let Some(wire) = self.wires.get_mut(&id) {
                wire.up.stall(self.now);
                wire.down.stall(self.now);
                self.after(0, What::Up(id));
                self.after(0, What::Down(id));
            }
        }
    }
}
