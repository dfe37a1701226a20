//! What waits for one connection, by the rules of the server's own outbox, counted in frames: a
//! bound, beyond which the reader is too slow; what happens while a client catches up is held
//! behind what it missed; what is closed says why.

use std::collections::VecDeque;

use chatroom_proto::{CloseReason, Notification, ServerFrame};

/// One connection's outbox.
#[derive(Debug)]
pub struct Outbox {
    frames: VecDeque<ServerFrame>,
    /// What goes out before these, while they are held.
    first: VecDeque<ServerFrame>,
    holding: bool,
    writing: VecDeque<ServerFrame>,
    asks: u32,
    closed: bool,
    frames_max: usize,
}

/// What became of a part of what was missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaughtUp {
    /// It is in.
    Yes,
    /// What came before it is not being written yet.
    NotYet,
    /// The connection is closed.
    Never,
}

impl Outbox {
    /// An empty one of this size.
    pub fn new(frames_max: usize) -> Outbox {
        Outbox {
            frames: VecDeque::new(),
            first: VecDeque::new(),
            holding: false,
            writing: VecDeque::new(),
            asks: 0,
            closed: false,
            frames_max,
        }
    }

    /// A request was handed on.
    pub fn ask(&mut self) {
        self.asks += 1;
    }

    /// Puts in a notification. Whether that was too much.
    pub fn push(&mut self, frame: ServerFrame) -> bool {
        self.put(frame, 0)
    }

    /// Puts in an answer. Whether that was too much.
    pub fn answer(&mut self, frame: ServerFrame) -> bool {
        self.put(frame, 1)
    }

    fn put(&mut self, frame: ServerFrame, answered: u32) -> bool {
        self.asks = self.asks.saturating_sub(answered);
        if self.closed {
            return false;
        }
        let is_full = self.first.len() + self.frames.len() + self.writing.len() >= self.frames_max;
        if is_full {
            self.drop_queue();
            self.close(Some(CloseReason::TooSlow));
        } else {
            self.frames.push_back(frame);
        }
        is_full
    }

    /// Takes nothing in any more, and says why.
    pub fn close(&mut self, reason: Option<CloseReason>) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        if self.holding {
            self.drop_queue();
        }
        let closing = reason.map(|reason| ServerFrame::Notification(Notification::Closing(reason)));
        self.frames.extend(closing);
    }

    fn drop_queue(&mut self) {
        self.frames.clear();
        self.first.clear();
        self.holding = false;
    }

    /// From now on what is put in waits behind what was missed.
    pub fn hold(&mut self) {
        if !self.closed {
            self.holding = true;
            self.first = std::mem::take(&mut self.frames);
        }
    }

    /// Puts in a part of what was missed, if what comes before it is being written.
    pub fn catch_up(&mut self, part: &[ServerFrame]) -> CaughtUp {
        if self.closed || !self.holding {
            return CaughtUp::Never;
        }
        if !self.first.is_empty() {
            return CaughtUp::NotYet;
        }
        self.first.extend(part.iter().cloned());
        CaughtUp::Yes
    }

    /// What was held is no longer.
    pub fn go_live(&mut self) {
        let held = std::mem::take(&mut self.frames);
        self.frames = std::mem::take(&mut self.first);
        self.frames.extend(held);
        self.holding = false;
    }

    /// The next frame to write; nothing when there is none now.
    pub fn write(&mut self) -> Option<ServerFrame> {
        if self.writing.is_empty() {
            let next = if self.holding { &mut self.first } else { &mut self.frames };
            self.writing = std::mem::take(next);
        }
        self.writing.pop_front()
    }

    /// Whether nothing will come any more.
    pub fn is_done(&self) -> bool {
        self.closed && self.writing.is_empty() && self.frames.is_empty() && self.first.is_empty()
    }

    /// Whether it takes nothing in any more.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether every request was answered.
    pub fn is_answered(&self) -> bool {
        self.asks == 0
    }
}
