//! Fan-out: who of those who are connected here hears what.
//!
//! **Runs.** Messages to one group with nothing of another group in between are a *run*. They are
//! encoded into one buffer. At its end every member's outbox gets a reference to it: a burst costs
//! one piece for each member, not one for each message.
//!
//! **Cursors.** A member who must see only a part of a run (spoke, joined or was answered inside
//! it) has a cursor, which says how far it has heard, and gets the rest. Whoever leaves is given
//! everything before that first. So everybody hears everything in the order of the log.

use std::sync::Arc;

use chatroom_proto::codec::{self, FrameError};
use chatroom_proto::{Notification, PROTOCOL_VERSION, ServerFrame, VersionRange};
use rustc_hash::FxHashMap;
use tracing::error;

use crate::chat::ChatState;
use crate::chat::effect::{Audience, Passage};
use crate::chat::entry::{ConnectionId, DeviceId, GroupId};
use crate::config::{TURN_BYTES_MAX, TURN_DELIVERIES_MAX};
use crate::dispatch::outbox::{Bounds, Outbox, Pushed};

/// Puts what is said into the outboxes of those who hear it.
#[derive(Debug)]
pub(crate) struct Fanout {
    bounds: Arc<Bounds>,
    /// Which connection hears what is said to a device. The keys are given by the log, not chosen
    /// by anybody.
    listeners: FxHashMap<DeviceId, (ConnectionId, Outbox)>,
    run: Run,
    /// What got frames since the last wake.
    touched: Vec<Outbox>,
    turn: Turn,
    /// The frame that one connection is about to get.
    scratch: Vec<u8>,
}

/// What was said in one group, and is in nobody's outbox yet.
#[derive(Debug, Default)]
struct Run {
    group: Option<GroupId>,
    frames: Vec<u8>,
    /// How much of it those members have heard, or need not hear, who don't get all of it at once.
    cursors: FxHashMap<DeviceId, usize>,
}

/// How much was done since the last wake, which bounds how long connections wait for theirs.
#[derive(Debug, Default)]
struct Turn {
    /// Bytes that were encoded: more were not put into any outbox.
    bytes: usize,
    /// Pieces that were put into outboxes, or will be when the run ends.
    deliveries: usize,
}

impl Fanout {
    /// A fan-out to nobody. Its runs count in these bounds.
    pub(crate) fn new(bounds: Arc<Bounds>) -> Fanout {
        Fanout {
            bounds,
            listeners: FxHashMap::default(),
            run: Run::default(),
            touched: Vec::new(),
            turn: Turn::default(),
            scratch: Vec::new(),
        }
    }

    /// From now on a connection hears what is said to a device.
    pub(crate) fn admit(
        &mut self,
        state: &ChatState,
        connection: ConnectionId,
        device: DeviceId,
        outbox: Outbox,
    ) {
        self.listeners.insert(device, (connection, outbox));
        if self.run.group.is_some_and(|group| state.is_in(device, group)) {
            self.run.cursors.insert(device, self.run.frames.len());
        }
    }

    /// A connection is no more; a device that has moved on to another one is still heard there.
    pub(crate) fn forget(&mut self, connection: ConnectionId, device: DeviceId) {
        if self.listeners.get(&device).is_some_and(|(listener, _)| *listener == connection) {
            self.listeners.remove(&device);
        }
    }

    /// Tells everyone who is meant and is connected here.
    pub(crate) fn notify(
        &mut self,
        state: &ChatState,
        audience: &Audience,
        notification: Notification,
    ) {
        let frame = ServerFrame::Notification(notification);
        match audience {
            Audience::Nobody => {}
            Audience::One(device) => self.tell(state, *device, &frame),
            Audience::Some(devices) => {
                devices.iter().for_each(|device| self.tell(state, *device, &frame));
            }
            // Some of them may need other words, or hear nothing.
            Audience::Group { group, except, passage, and }
                if frame.since_version() > VersionRange::OF_SERVERS.min() =>
            {
                if self.run.group == Some(*group) {
                    match passage {
                        Passage::In => {
                            self.run.cursors.insert(*except, self.run.frames.len());
                        }
                        Passage::Stays | Passage::Out => self.catch_up(*except),
                        Passage::Outside => {}
                    }
                }
                let hearers = state.present(*group).iter().chain(and);
                for device in hearers.filter(|device| *device != except) {
                    self.tell(state, *device, &frame);
                }
            }
            Audience::Group { group, except, passage, and } => {
                let present = state.present(*group);
                // With a run that goes on, the one who knows may still have to hear the rest of it.
                if self.run.group == Some(*group)
                    || present.iter().chain(and).any(|hears| hears != except)
                {
                    self.go_on(state, *group);
                    if matches!(passage, Passage::Stays | Passage::Out) {
                        self.catch_up(*except);
                    }
                    self.say(&frame, (*except, *passage), and, present.len());
                }
            }
        }
    }

    fn tell(&mut self, state: &ChatState, device: DeviceId, frame: &ServerFrame) {
        if let Some((_, outbox)) = self.listeners.get(&device) {
            let outbox = outbox.clone();
            self.send(state, Some(device), &outbox, frame);
        }
    }

    /// Tells one connection something, in words of the version that it speaks, behind all that its
    /// device was told before. Whether the frame could be encoded.
    pub(crate) fn send(
        &mut self,
        state: &ChatState,
        device: Option<DeviceId>,
        outbox: &Outbox,
        frame: &ServerFrame,
    ) -> bool {
        match device {
            Some(device) if self.run.cursors.contains_key(&device) => self.catch_up(device),
            // It may be in the group, or not.
            Some(_) => self.flush(state),
            None => {}
        }
        let older;
        let frame = if outbox.version() < PROTOCOL_VERSION {
            let Some(said) = frame.clone().in_version(outbox.version()) else { return true };
            older = said;
            &older
        } else {
            frame
        };
        self.scratch.clear();
        if !encode_into(frame, &mut self.scratch) {
            return false;
        }
        self.turn.bytes += self.scratch.len();
        self.turn.deliveries += 1;
        let pushed = match frame {
            ServerFrame::Response { .. } => outbox.answer(&self.scratch),
            ServerFrame::Notification(_) => outbox.push(&self.scratch),
        };
        touch(&mut self.touched, outbox, pushed);
        true
    }

    /// Begins a run of this group, unless it goes on.
    fn go_on(&mut self, state: &ChatState, group: GroupId) {
        if self.run.group != Some(group) {
            self.flush(state);
            self.run.group = Some(group);
        }
    }

    /// Puts one more frame into the run, which is no news to one.
    fn say(
        &mut self,
        frame: &ServerFrame,
        (except, passage): (DeviceId, Passage),
        and: &[DeviceId],
        present: usize,
    ) {
        let Run { frames, cursors, .. } = &mut self.run;
        let (start, is_first) = (frames.len(), frames.is_empty());
        if !encode_into(frame, frames) {
            return;
        }
        match passage {
            Passage::In | Passage::Stays => {
                cursors.insert(except, frames.len());
            }
            // Who has a cursor is a member.
            Passage::Out => {
                cursors.remove(&except);
            }
            Passage::Outside => {}
        }
        let others = and.iter().filter(|device| **device != except);
        for (_, outbox) in others.filter_map(|device| self.listeners.get(device)) {
            touch(&mut self.touched, outbox, outbox.push(&frames[start..]));
        }
        self.turn.bytes += frames.len() - start;
        self.turn.deliveries += and.len() + if is_first { present } else { 0 };
    }

    /// Gives one member what it has not heard of the run yet.
    fn catch_up(&mut self, device: DeviceId) {
        let Run { frames, cursors, .. } = &mut self.run;
        if frames.is_empty() {
            return;
        }
        let cursor = cursors.insert(device, frames.len()).unwrap_or(0);
        if let Some((_, outbox)) = self.listeners.get(&device)
            && cursor < frames.len()
        {
            touch(&mut self.touched, outbox, outbox.push(&frames[cursor..]));
        }
    }

    /// Gives everybody what they have not heard of the run yet. Due before anybody leaves its group
    /// unheard, and at the end of each turn.
    pub(crate) fn flush(&mut self, state: &ChatState) {
        let Run { group, frames, cursors } = &mut self.run;
        if let Some(group) = group.take()
            && !frames.is_empty()
        {
            let frames = self.bounds.shared(std::mem::take(frames));
            for device in state.present(group) {
                let Some((_, outbox)) = self.listeners.get(device) else { continue };
                let pushed = match cursors.get(device) {
                    None => outbox.share(&frames),
                    Some(cursor) if *cursor == frames.len() => continue,
                    // A small part is copied: it is not to keep all the rest in memory.
                    Some(cursor) if *cursor > frames.len() / 2 => outbox.push(&frames[*cursor..]),
                    Some(cursor) => outbox.share(&frames.slice(cursor..)),
                };
                touch(&mut self.touched, outbox, pushed);
            }
        }
        cursors.clear();
    }

    /// Whether it is time to let the connections write.
    pub(crate) fn has_done_enough(&self) -> bool {
        self.turn.bytes >= TURN_BYTES_MAX || self.turn.deliveries >= TURN_DELIVERIES_MAX
    }

    /// Ends the turn: gives everybody what is theirs, and wakes each connection that got something,
    /// once.
    pub(crate) fn end_turn(&mut self, state: &ChatState) {
        self.flush(state);
        for outbox in self.touched.drain(..) {
            outbox.wake();
        }
        self.turn = Turn::default();
    }
}

/// Notes that an outbox has to be woken.
fn touch(touched: &mut Vec<Outbox>, outbox: &Outbox, pushed: Pushed) {
    if pushed == Pushed::First {
        touched.push(outbox.clone());
    }
}

/// Encodes what the server itself has made. Its types are bounded so that every frame fits; one
/// that does not is a bug of ours, which must cost no more than the frame.
fn encode_into(frame: &ServerFrame, bytes: &mut Vec<u8>) -> bool {
    codec::encode_into(frame, bytes).map_err(|error| not_encoded(frame, &error)).is_ok()
}

fn not_encoded(frame: &ServerFrame, error: &FrameError) {
    let kind = match frame {
        ServerFrame::Response { .. } => "response",
        ServerFrame::Notification(Notification::Closing(_)) => "closing",
        ServerFrame::Notification(_) => "notification",
    };
    error!(%error, kind, "a frame could not be encoded");
}

#[cfg(test)]
mod tests;
