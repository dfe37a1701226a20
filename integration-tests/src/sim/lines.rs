//! What is on its way between clients and the server, and arrives.

use super::state::{Sim, What};

impl Sim {
    pub(super) fn arrive_up(&mut self, id: u64) {
        while let Some(wire) = self.wires.get_mut(&id) {
            match wire.up.arrive(self.now) {
                Some(Some(frame)) => self.take_in(id, frame),
                Some(None) => return self.half_close(id),
                None => return,
            }
        }
    }

    pub(super) fn half_close(&mut self, id: u64) {
        if let Some(wire) = self.wires.get_mut(&id) {
            wire.is_half_closed = true;
            self.close_if_done(id);
        }
    }

    pub(super) fn write_soon(&mut self, id: u64) {
        let delay = self.chance.below(3);
        self.after(delay, What::Writes(id));
    }

    pub(super) fn write(&mut self, id: u64) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let mut last = self.now + self.chance.between(1, 12);
        let mut has_written = false;
        while wire.down.has_room()
            && let Some(frame) = wire.outbox.write()
        {
            last = wire.down.send(Some(frame), last);
            has_written = true;
        }
        let is_done = wire.outbox.is_done() && !std::mem::replace(&mut wire.is_done, true);
        if is_done {
            last = wire.down.send(None, last);
        }
        if has_written || is_done {
            self.after(last - self.now, What::Down(id));
        }
        if is_done {
            let linger = self.chance.below(100);
            self.after(linger, What::GivesUp(id));
        }
        self.pump(id);
    }

    pub(super) fn arrive_down(&mut self, id: u64) {
        let mut has_read = false;
        while let Some(wire) = self.wires.get_mut(&id) {
            let number = wire.client;
            let client = &self.clients[number];
            let is_current = client.wire == Some(id);
            if is_current && !client.is_reading {
                break;
            }
            let Some(arrived) = wire.down.arrive(self.now) else { break };
            has_read = true;
            if !is_current {
                continue;
            }
            let is_over = match arrived {
                Some(frame) => {
                    self.trace.note(&[self.now, 3, id, number as u64]);
                    self.with_client(number, |client, desk| client.hear(frame, desk))
                }
                None => true,
            };
            if is_over {
                self.lose_wire(number);
            }
        }
        if has_read {
            self.write_soon(id);
        }
    }

    /// The server's end of a connection is gone; what it has sent still arrives.
    pub(super) fn end_wire(&mut self, id: u64) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let (client, mut rest) = (wire.client, Vec::new());
        while let Some(frame) = wire.down.arrive(u64::MAX) {
            rest.push(frame);
        }
        let was_told = rest.last().is_some_and(Option::is_none);
        self.compact(id);
        if self.clients[client].wire != Some(id) {
            return;
        }
        // A client that reads gets what is in the kernel's hands; some of it, when the connection
        // is reset.
        let count =
            if was_told { rest.len() } else { self.chance.below(rest.len() as u64 + 1) as usize };
        for frame in rest.into_iter().take(count).flatten() {
            if self.clients[client].wire == Some(id)
                && self.with_client(client, |client, desk| client.hear(frame, desk))
            {
                break;
            }
        }
        if self.clients[client].wire == Some(id) {
            self.lose_wire(client);
        }
    }
}
