//! One connection between a client and a run of the server, with what is on its way in each
//! direction.

use std::collections::VecDeque;

use chatroom_proto::{ClientFrame, ServerFrame};
use chatroom_server::chat::effect::Replay;
use chatroom_server::chat::entry::DeviceId;

use super::outbox::Outbox;
use crate::chance::Chance;

/// How many frames fit between the server's outbox and a client that does not read.
const PIPE_FRAMES: usize = 8;

/// One direction: what was sent and has not arrived.
#[derive(Debug)]
pub(super) struct Pipe<T> {
    under_way: VecDeque<(u64, Option<T>)>,
    /// Nothing arrives before this.
    stalled_until: u64,
    /// What is sent is lost.
    is_cut: bool,
}

impl<T> Pipe<T> {
    fn new() -> Pipe<T> {
        Pipe { under_way: VecDeque::new(), stalled_until: 0, is_cut: false }
    }

    /// Sends a frame, or the end, which arrives after everything before it: when.
    pub(super) fn send(&mut self, frame: Option<T>, at: u64) -> u64 {
        let at =
            self.under_way.back().map_or(at, |(last, _)| at.max(*last)).max(self.stalled_until);
        if !self.is_cut {
            self.under_way.push_back((at, frame));
        }
        at
    }

    /// What has arrived by now, if something has: a frame, or the end.
    pub(super) fn arrive(&mut self, now: u64) -> Option<Option<T>> {
        let has_arrived =
            self.under_way.front().is_some_and(|(at, _)| *at <= now && self.stalled_until <= now);
        if has_arrived { self.under_way.pop_front().map(|(_, frame)| frame) } else { None }
    }

    /// Loses some of what is under way, from a random place on, and all that comes later.
    pub(super) fn cut(&mut self, chance: &mut Chance) {
        let kept = chance.below(self.under_way.len() as u64 + 1) as usize;
        self.under_way.truncate(kept);
        self.is_cut = true;
    }

    pub(super) fn stall(&mut self, until: u64) {
        self.stalled_until = until;
    }

    pub(super) fn has_room(&self) -> bool {
        self.is_cut || self.under_way.len() < PIPE_FRAMES
    }
}

/// A replay on its way into the outbox.
#[derive(Debug)]
pub(super) struct Pump {
    pub(super) replay: Replay,
    /// What was read and waits for room.
    pub(super) part: Option<Vec<ServerFrame>>,
    pub(super) is_last: bool,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) client: usize,
    /// Which run of the server it goes to.
    pub(super) epoch: u64,
    pub(super) up: Pipe<ClientFrame>,
    pub(super) down: Pipe<ServerFrame>,
    pub(super) outbox: Outbox,
    pub(super) device: Option<DeviceId>,
    pub(super) pump: Option<Pump>,
    /// Whether the first frame came.
    pub(super) has_knocked: bool,
    /// Whether the client has nothing more to say.
    pub(super) is_half_closed: bool,
    /// Whether the server has written its last.
    pub(super) is_done: bool,
}

impl Wire {
    pub(super) fn new(client: usize, epoch: u64, frames_max: usize) -> Wire {
        Wire {
            client,
            epoch,
            up: Pipe::new(),
            down: Pipe::new(),
            outbox: Outbox::new(frames_max),
            device: None,
            pump: None,
            has_knocked: false,
            is_half_closed: false,
            is_done: false,
        }
    }

    /// Cuts both directions.
    pub(super) fn cut(&mut self, chance: &mut Chance) {
        self.up.cut(chance);
        self.down.cut(chance);
    }
}
