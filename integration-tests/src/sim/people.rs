//! What clients do, and when: connect, talk, are killed, come to rest.

use chatroom_proto::{ClientFrame, Seq};

use super::client::{Client, Desk};
use super::state::{Sim, What};
use super::wire::Wire;

/// How long a client waits for an answer before it gives its connection up, in virtual
/// milliseconds.
const ANSWER_MS_MAX: u64 = 4_000;

/// What may wait for one connection, in frames: few, so that it is too much now and then.
const OUTBOX_FRAMES_MAX: usize = 48;

impl Sim {
    pub(super) fn with_client<T>(
        &mut self,
        number: usize,
        act: impl FnOnce(&mut Client, &mut Desk<'_>) -> T,
    ) -> T {
        let mut out = Vec::new();
        let mut desk = Desk {
            now: self.now,
            fault: self.fault,
            out: &mut out,
            broken: &mut self.broken,
            tally: &mut self.tally,
            next_post: &mut self.next_post,
        };
        let client = &mut self.clients[number];
        let done = act(client, &mut desk);
        if let Some(id) = client.wire {
            self.send_up(id, out);
        }
        done
    }

    pub(super) fn send_up(&mut self, id: u64, frames: Vec<ClientFrame>) {
        for frame in frames {
            let at = self.now + self.chance.between(1, 12);
            let Some(wire) = self.wires.get_mut(&id) else { return };
            let at = wire.up.send(Some(frame), at);
            self.after(at - self.now, What::Up(id));
        }
    }

    pub(super) fn client_dials(&mut self, number: usize, life: u64) {
        let client = &self.clients[number];
        if !client.is_alive || client.life != life || client.wire.is_some() {
            return;
        }
        if self.is_calm && client.is_locked_out() {
            return;
        }
        if self.node.as_ref().is_none_or(|node| node.is_stopping) {
            return self.dial_later(number);
        }
        self.wires_made += 1;
        let id = self.wires_made;
        self.wires.insert(id, Wire::new(number, self.epoch, OUTBOX_FRAMES_MAX));
        self.with_client(number, |client, desk| client.hello(id, desk));
    }

    pub(super) fn dial_later(&mut self, number: usize) {
        let client = &mut self.clients[number];
        client.tries += 1;
        let (life, most) = (client.life, 50 << client.tries.min(5));
        let delay = self.chance.between(1, most);
        self.after(delay, What::Dials(number, life));
    }

    /// The client has no connection any more, and makes another one.
    pub(super) fn lose_wire(&mut self, number: usize) {
        if let Some(id) = self.clients[number].leave_wire() {
            self.hang_up(id);
        }
        self.dial_later(number);
    }

    /// The client closes its side: the server hears of it, if it hears anything.
    pub(super) fn hang_up(&mut self, id: u64) {
        let at = self.now + self.chance.between(1, 12);
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let at = wire.up.send(None, at);
        self.after(at - self.now, What::Up(id));
        // What it is still sent is read by nobody.
        self.after(20, What::Down(id));
        let late = self.chance.between(5_000, 9_000);
        self.after(late, What::HearsNothing(id));
    }

    pub(super) fn client_misses(&mut self, id: u64) {
        let number = self.wires.get(&id).map(|wire| wire.client);
        if let Some(number) = number.filter(|number| self.clients[*number].wire == Some(id)) {
            self.lose_wire(number);
        }
    }

    pub(super) fn client_acts(&mut self, number: usize, life: u64) {
        let client = &self.clients[number];
        if client.life != life || !client.is_alive {
            return;
        }
        let waits_for_long = client.is_waiting() && self.now > client.waits_since + ANSWER_MS_MAX;
        if client.wire.is_some() && waits_for_long {
            self.lose_wire(number);
        }
        if self.is_calm {
            self.rest(number);
            return self.after(100, What::Acts(number, life));
        }
        let mut chance = self.chance.fork();
        match chance.below(400) {
            0 | 1 => return self.kill_client(number),
            2..=4 => {
                self.clients[number].is_reading = false;
                self.after(chance.between(100, 4_000), What::Reads(number));
            }
            _ => {
                let times = if chance.once_in(20) { 6 } else { 1 };
                for _ in 0..times {
                    self.with_client(number, |client, desk| client.act(&mut chance, desk));
                }
            }
        }
        let delay = chance.between(5, 200);
        self.after(delay, What::Acts(number, life));
    }

    /// When nobody waits for anything, a last ping shows that everything was shown.
    pub(super) fn rest(&mut self, number: usize) {
        let is_quiet =
            self.clients.iter().all(|client| client.is_quiet() || client.is_locked_out())
                && self.log.is_quiet();
        if is_quiet && self.clients[number].wire.is_some() {
            let until = self.log.on_disk().last().map_or(Seq::ZERO, |entry| entry.seq);
            self.with_client(number, |client, desk| client.rest(until, desk));
        }
    }

    pub(super) fn kill_client(&mut self, number: usize) {
        self.tally.kills += 1;
        self.trace.note(&[self.now, 4, number as u64]);
        if let Some(id) = self.clients[number].kill() {
            self.hang_up(id);
        }
        let delay = if self.chance.once_in(4) { 8_000 } else { 1_000 };
        let delay = self.chance.between(1, delay);
        self.after(delay, What::Starts(number));
    }

    pub(super) fn client_starts(&mut self, number: usize) {
        let client = &mut self.clients[number];
        if !client.is_alive {
            client.start(self.now);
            let life = client.life;
            self.after(1, What::Dials(number, life));
            self.after(50, What::Acts(number, life));
        }
    }

    pub(super) fn client_reads_again(&mut self, number: usize) {
        let client = &mut self.clients[number];
        client.is_reading = true;
        if let Some(id) = client.wire {
            self.after(0, What::Down(id));
        }
    }
}
