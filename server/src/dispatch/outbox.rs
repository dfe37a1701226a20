//! The outbox: what waits to be written to one connection. The dispatch task puts frames in and
//! never waits; the connection's own task takes them out, many in one write.
//!
//! It is bounded in bytes, and so are all outboxes together. When a frame does not fit, the peer is
//! too slow: what waits is dropped, the reason takes its place, and the connection ends.
//!
//! - this file: one outbox, its two ends, and who is woken when.
//! - `bounds`: how much all outboxes may hold, and how much they do.
//! - `pieces`: the bytes, shared between outboxes where they are long, put together where they are
//!   short.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use chatroom_proto::codec::{self, FrameError};
use chatroom_proto::{CloseReason, Notification, ServerFrame, VersionRange};

mod bounds;
mod pieces;
#[cfg(test)]
mod tests;

pub use bounds::Bounds;
pub(crate) use pieces::Pieces;

use crate::config::{OUTBOX_FAIR_BYTES, OUTBOX_PAUSE_BYTES};

/// Both ends of one connection's outbox.
#[derive(Debug, Clone)]
pub struct Outbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queue: Mutex<Queue>,
    bounds: Arc<Bounds>,
    /// The version of the protocol that the peer speaks; the oldest, until that is known.
    version: AtomicU16,
}

#[derive(Debug, Default)]
struct Queue {
    frames: Pieces,
    /// What goes out before these, while they are held until the client has caught up.
    first: Option<Box<CatchUp>>,
    /// How many bytes are being written.
    writing: u32,
    /// How many of these are no others' too.
    writing_copied: u32,
    /// The connection's task, which waits for whatever changes.
    connection: Option<Waker>,
    /// Requests that were handed on and not answered yet.
    asks: u16,
    /// Whether there is a request that could not be handed on yet.
    is_asking: bool,
    /// Whether the connection was let in.
    admitted: bool,
    closed: bool,
    /// Whether the task that puts in owes a [`Outbox::wake`].
    dirty: bool,
}

/// What a client missed, on its way.
#[derive(Debug, Default)]
struct CatchUp {
    frames: Pieces,
    /// The task that sends it.
    task: Option<Waker>,
}

/// Who waits for a change. Each of them is one task at the most, so that one waker does for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Connection,
    Replay,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Pushed {
    /// It is the first since the last wake: the caller owes one.
    First,
    /// It is one of several.
    More,
}

/// Whether more can come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It can.
    More,
    /// These were the last bytes.
    Last,
}

impl Queue {
    fn waiting(&self) -> usize {
        self.first.as_ref().map_or(0, |first| first.frames.len()) + self.frames.len()
    }

    /// How much of that is no others' too.
    fn copied(&self) -> usize {
        self.first.as_ref().map_or(0, |first| first.frames.copied()) + self.frames.copied()
    }

    fn ask(&mut self, asks: u16) -> Option<bool> {
        if self.closed {
            return None;
        }
        let has_room = self.asks <= asks && self.waiting() <= OUTBOX_PAUSE_BYTES;
        self.asks += u16::from(has_room);
        self.is_asking = !has_room;
        Some(has_room)
    }

    /// Lets those who wait look again.
    fn wake(&self) {
        let replay = self.first.as_ref().and_then(|first| first.task.as_ref());
        for waker in self.connection.iter().chain(replay) {
            waker.wake_by_ref();
        }
    }

    /// From now on this task is woken.
    fn listen(&mut self, who: Who, task: &Waker) {
        let waker = match (who, &mut self.first) {
            (Who::Connection, _) => &mut self.connection,
            (Who::Replay, Some(first)) => &mut first.task,
            // What was held is not any more: nobody waits for that.
            (Who::Replay, None) => return,
        };
        match waker {
            Some(known) if known.will_wake(task) => {}
            _ => *waker = Some(task.clone()),
        }
    }
}

impl Outbox {
    /// An empty outbox, which shares its bounds with the others.
    pub fn new(bounds: Arc<Bounds>) -> Outbox {
        let version = AtomicU16::new(VersionRange::OF_SERVERS.min());
        Outbox(Arc::new(Inner { queue: Mutex::default(), bounds, version }))
    }

    /// The peer speaks this version of the protocol.
    pub(crate) fn speak(&self, version: u16) {
        self.0.version.store(version, Ordering::Relaxed);
    }

    /// The version of the protocol that the peer speaks.
    pub(crate) fn version(&self) -> u16 {
        self.0.version.load(Ordering::Relaxed)
    }

    /// Puts frames in that others get, too. Nothing, once closed.
    pub fn share(&self, frames: &Bytes) -> Pushed {
        self.put(frames.len(), 0, |pieces| pieces.share(frames))
    }

    /// Puts frames in. Nothing, once closed.
    pub fn push(&self, frames: &[u8]) -> Pushed {
        self.put(frames.len(), 0, |pieces| pieces.copy(frames))
    }

    /// Puts the answer to a request in.
    pub fn answer(&self, frame: &[u8]) -> Pushed {
        self.put(frame.len(), 1, |pieces| pieces.copy(frame))
    }

    fn put(&self, length: usize, answered: u16, put: impl FnOnce(&mut Pieces)) -> Pushed {
        let mut queue = self.queue();
        queue.asks = queue.asks.saturating_sub(answered);
        if !queue.closed {
            let bounds = &self.0.bounds;
            let held = queue.waiting() + queue.writing as usize + length;
            if held > bounds.each_max || (held > OUTBOX_FAIR_BYTES && bounds.is_spent()) {
                self.drop_queue(&mut queue);
                self.close_queue(&mut queue, Some(CloseReason::TooSlow));
            } else {
                let copied = queue.frames.copied();
                put(&mut queue.frames);
                bounds.take(queue.frames.copied() - copied);
            }
        }
        if std::mem::replace(&mut queue.dirty, true) { Pushed::More } else { Pushed::First }
    }

    /// Lets the connection see what was put in: once for many frames, so that they go out in one
    /// write.
    pub fn wake(&self) {
        let mut queue = self.queue();
        queue.dirty = false;
        queue.wake();
    }

    /// Takes nothing in any more, says why (unless the peer knows), and wakes.
    pub(crate) fn close(&self, reason: Option<CloseReason>) {
        self.close_queue(&mut self.queue(), reason);
        self.wake();
    }

    /// Takes nothing in any more, and lets all that is in there be said before the end: also what
    /// the client missed, and what is held behind that. The peer knows why.
    pub(crate) fn finish(&self) {
        self.queue().closed = true;
        self.wake();
    }

    fn close_queue(&self, queue: &mut Queue, reason: Option<CloseReason>) {
        let was_closed = std::mem::replace(&mut queue.closed, true);
        let is_held = queue.first.is_some();
        if is_held {
            // What is held comes after what has not come yet: it would hide the gap.
            self.drop_queue(queue);
        }
        if was_closed && !is_held {
            return;
        }
        if let Some(Ok(frame)) = reason.map(closing) {
            queue.frames.copy(&frame);
            self.0.bounds.take(frame.len());
        }
    }

    fn drop_queue(&self, queue: &mut Queue) {
        self.0.bounds.give_back(queue.copied());
        queue.frames = Pieces::default();
        // Its task would wait for ever for what is not there any more.
        if let Some(task) = queue.first.take().and_then(|first| first.task) {
            task.wake();
        }
    }

    /// From now on what is put in waits behind what [`Outbox::catch_up`] puts in, until
    /// [`Outbox::go_live`].
    pub(crate) fn hold(&self) {
        let mut queue = self.queue();
        if !queue.closed {
            queue.first =
                Some(Box::new(CatchUp { frames: std::mem::take(&mut queue.frames), task: None }));
        }
    }

    /// Puts frames in before all that is held, as soon as those before them are being written.
    /// Nothing, once what is held was dropped.
    pub(crate) async fn catch_up(&self, frames: &[u8]) -> Option<()> {
        let put = |queue: &mut Queue| {
            let Some(first) = queue.first.as_mut() else { return Some(None) };
            if !first.frames.is_empty() {
                return None;
            }
            first.frames.copy(frames);
            queue.wake();
            self.0.bounds.take(frames.len());
            Some(Some(()))
        };
        self.until(Who::Replay, put).await
    }

    /// What was held is no longer.
    pub(crate) fn go_live(&self) {
        let mut queue = self.queue();
        if let Some(first) = queue.first.take() {
            let held = std::mem::replace(&mut queue.frames, first.frames);
            queue.frames.append(held);
        }
        queue.wake();
    }

    /// Swaps what there is to write with `into`, which is empty; ready when there is something, or
    /// nothing more will come. What was taken before is written by now. For the connection's task.
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>, into: &mut Pieces) -> Poll<Taken> {
        debug_assert!(into.is_empty(), "what was taken before is written");
        self.poll(cx, Who::Connection, |queue| {
            queue.writing = 0;
            self.0.bounds.give_back(std::mem::take(&mut queue.writing_copied) as usize);
            let has_more = queue.first.is_some();
            let next = queue.first.as_mut().map_or(&mut queue.frames, |first| &mut first.frames);
            let is_last = queue.closed && !has_more;
            if next.is_empty() && !is_last {
                return None;
            }
            std::mem::swap(next, into);
            (queue.writing, queue.writing_copied) = (count(into.len()), count(into.copied()));
            if into.len() > OUTBOX_PAUSE_BYTES || has_more {
                // There is room again: for requests, or for more of what was missed.
                queue.wake();
            }
            Some(if is_last { Taken::Last } else { Taken::More })
        })
    }

    /// Counts one more request, if at most `asks` are unanswered and the peer has read most of its
    /// answers. Nothing, when it was closed.
    pub(crate) fn try_ask(&self, asks: u16) -> Option<bool> {
        self.queue().ask(asks)
    }

    /// Waits until that is so.
    pub(crate) async fn ask(&self, asks: u16) -> Option<()> {
        let ask = |queue: &mut Queue| match queue.ask(asks) {
            Some(false) => None,
            asked => Some(asked.map(|_| ())),
        };
        self.until(Who::Connection, ask).await
    }

    /// Whether the peer waits for us: for an answer, for us to read on, or for what it missed.
    pub(crate) fn owes(&self) -> bool {
        let queue = self.queue();
        queue.asks > 0 || queue.is_asking || queue.first.is_some()
    }

    /// The connection was let in.
    pub(crate) fn admit(&self) {
        self.queue().admitted = true;
    }

    /// Waits until the connection was let in. Nothing, when it was closed instead.
    pub(crate) async fn admitted(&self) -> Option<()> {
        let settled = |queue: &mut Queue| {
            (queue.admitted || queue.closed).then(|| queue.admitted.then_some(()))
        };
        self.until(Who::Connection, settled).await
    }

    /// Waits until every request was answered, or it was closed.
    pub(crate) async fn all_answered(&self) {
        self.until(Who::Connection, |queue| (queue.asks == 0 || queue.closed).then_some(())).await;
    }

    /// Waits until it was closed; for the connection's task.
    pub(crate) async fn closed(&self) {
        self.until(Who::Connection, |queue| queue.closed.then_some(())).await;
    }

    /// Waits until what is held was dropped; for the task that sends what the client missed.
    pub(crate) async fn closed_to_replay(&self) {
        self.until(Who::Replay, |queue| queue.first.is_none().then_some(())).await;
    }

    async fn until<T>(&self, who: Who, mut ready: impl FnMut(&mut Queue) -> Option<T>) -> T {
        poll_fn(|cx| self.poll(cx, who, &mut ready)).await
    }

    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        who: Who,
        ready: impl FnOnce(&mut Queue) -> Option<T>,
    ) -> Poll<T> {
        let mut queue = self.queue();
        match ready(&mut queue) {
            Some(value) => Poll::Ready(value),
            None => {
                queue.listen(who, cx.waker());
                Poll::Pending
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing in a critical section can panic half-way through a change.
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let queue = self.queue.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.bounds.give_back(queue.copied() + queue.writing_copied as usize);
    }
}

/// What an outbox can hold, in bytes: [`Bounds::new`] sees to it that it fits.
fn count(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// The last frame of a connection that is hung up on.
pub(crate) fn closing(reason: CloseReason) -> Result<Bytes, FrameError> {
    codec::encode(&ServerFrame::Notification(Notification::Closing(reason)))
}
