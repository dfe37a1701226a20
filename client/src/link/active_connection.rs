//! One connection's life: frames out, frames in, events to the program, and is the other side still
//! there?
//!
//! Three things go on at once and never wait for one another: writing, which a future of its own
//! does; reading, which never pauses; and taking in what is asked, which pauses while too much is
//! unanswered. So two sides that are both full still drain each other, and a program that waits for
//! an answer gets it while it takes no events: reading must not wait for a program that may be
//! waiting for what is still to be read.
//!
//! For the same reason a program that takes no events does not end a connection at once, when the
//! server keeps what is said: the link lets go what it hears, passes on the answers, and hangs up
//! when the program has taken what was held for it. Coming back it hears the rest: from where it
//! stopped hearing, so nothing is lost, and nothing is told twice.

use std::io;
use std::pin::pin;
use std::time::Duration;

use chatroom_proto::codec::FrameError;
use chatroom_proto::{ClientFrame, CloseReason, Request, Seq, ServerFrame, Welcome};
use tokio::io::AsyncWrite;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::time::{Instant, sleep_until};

use super::handshake::{LinkWriter, WelcomedConnection};
use super::request::{LinkRequest, ReplyTo};
use super::task::{ConnectionEnd, Link};
use crate::dial::Dial;
use crate::error::{Ended, Lost};
use crate::limits::{ANSWER_DEADLINE, ASKS_WAITING_MAX, MEMBERSHIPS_MAX, SILENCE_MAX};
use crate::state::tells_again;

/// The most frames on their way to the writer: every unanswered request, every group to rejoin, and
/// a ping. So there is room for all that an honest server lets be unanswered, and nobody ever waits
/// for the writer.
const FRAMES_OUT_MAX: usize = ASKS_WAITING_MAX + MEMBERSHIPS_MAX + 1;

/// The most frames that are fed to the writer before it flushes: by then its buffer has been
/// written many times.
const WRITE_BATCH_FRAMES: usize = 128;

/// How long the server's last word is waited for when nothing can be written to it any more.
const LAST_WORD_WAIT: Duration = Duration::from_secs(1);

/// The alarm goes off no sooner after it went off.
const LOOK_AGAIN_MIN: Duration = Duration::from_millis(1);

/// How long the socket may have nothing to read, after an answer was found to be overdue, before
/// the connection counts as dead.
const LAST_LOOK_WAIT: Duration = Duration::from_millis(100);

/// How long what lies in the socket is read for the sake of an answer that is overdue. A server
/// that talks without a pause and never answers is lost after this.
const READ_OUT_MAX: Duration = Duration::from_secs(1);

/// What lives as long as the connection.
pub(super) struct ActiveConnection {
    frames_out: mpsc::Sender<ClientFrame>,
    /// The server's last word.
    pub(super) closing: Option<CloseReason>,
    /// What was said up to here is told again, until all of it has been.
    pub(super) again_until: Option<Seq>,
    /// When something was last heard.
    pub(super) heard: Instant,
    /// Since when the oldest unanswered request has been the one that is due.
    pub(super) due_since: Instant,
    /// An answer is overdue; the connection ends when there is nothing to read then. The program
    /// may have been stopped for a while (Ctrl-Z), and the answer may lie in the socket.
    last_look: Option<Instant>,
}

impl<D: Dial> Link<D> {
    /// Serves one connection until it ends.
    pub(super) async fn serve(
        &mut self,
        connection: WelcomedConnection<D::Stream>,
    ) -> ConnectionEnd {
        let WelcomedConnection { mut reader, writer, welcome, .. } = connection;
        let (frames_out, frames) = mpsc::channel(FRAMES_OUT_MAX);
        let mut active = self.begin(&welcome, frames_out);
        let mut writing = pin!(write(writer, frames));
        let mut write_failed = None;
        let mut alarm = pin!(sleep_until(active.heard + ANSWER_DEADLINE));
        let mut is_asked = true;
        let events = self.events.clone();
        loop {
            if self.is_skipping && self.event_queue.is_empty() {
                return ConnectionEnd::Lost(Lost::Overrun);
            }
            self.send_held_back(&mut active);
            self.take_in_inherited(&mut active);
            let (sends_at, last_look) = (self.in_flight.sends_at(), active.last_look);
            // In an order that starves nobody, and is the same every time: what comes first soon
            // has nothing to do until what comes after it was done. What is asked waits when too
            // much has no answer, what is delivered waits for what is read. The last look comes
            // after what can be read. Who waits for its time only has to wake this loop, which any
            // frame does, too.
            tokio::select! {
                biased;
                error = &mut writing, if write_failed.is_none() => {
                    // The reason may still wait to be read: go on until that fails, too, or is
                    // overdue.
                    (write_failed, active.last_look) = (Some(error), None);
                    alarm.as_mut().reset(Instant::now() + LAST_WORD_WAIT);
                }
                ask = self.asks.recv(), if is_asked && self.has_room(&active) => match ask {
                    Some(ask) => self.take_in(&mut active, ask),
                    None => is_asked = false,
                },
                () = events.closed(), if !is_asked => return ConnectionEnd::Over(Ended::Left),
                () = self.event_queue.deliver_when_it_may(&events) => {}
                () = &mut alarm => match self.check_alive(&mut active, write_failed) {
                    Ok(next) => alarm.as_mut().reset(next),
                    Err(lost) => return ConnectionEnd::Lost(lost),
                },
                frame = reader.next() => {
                    if let Some(end) = self.take_in_frame(&mut active, frame) {
                        return end;
                    }
                }
                () = sleep_until(last_look.unwrap_or(active.heard)), if last_look.is_some() => {
                    match self.check_alive(&mut active, write_failed) {
                        Ok(next) => alarm.as_mut().reset(next),
                        Err(lost) => return ConnectionEnd::Lost(lost),
                    }
                }
                () = sleep_until(sends_at.unwrap_or(active.heard)), if sends_at.is_some() => {}
            }
        }
    }

    /// What lives as long as this connection. What is held for the program goes out first.
    fn begin(
        &mut self,
        welcome: &Welcome,
        frames_out: mpsc::Sender<ClientFrame>,
    ) -> ActiveConnection {
        self.event_queue.deliver(&self.events);
        // Nothing was heard yet: from here on nothing needs to be let go.
        self.is_skipping &= !self.event_queue.is_empty();
        if self.is_skipping {
            self.state.fall_behind();
        }
        let now = Instant::now();
        ActiveConnection {
            frames_out,
            closing: None,
            again_until: tells_again(welcome).then_some(welcome.seq),
            heard: now,
            due_since: now,
            last_look: None,
        }
    }

    /// Takes in what was read, and passes on what comes of it. Tells when that is the end.
    fn take_in_frame(
        &mut self,
        active: &mut ActiveConnection,
        frame: Option<Result<ServerFrame, FrameError>>,
    ) -> Option<ConnectionEnd> {
        if let Some(end) = self.handle_frame(active, frame) {
            return Some(end);
        }
        self.event_queue.deliver(&self.events);
        if self.event_queue.is_overrun() { self.be_overrun() } else { None }
    }

    /// Whether one more may be unanswered: not before all that was asked earlier is sent. (A server
    /// that answers what it was not sent yet could fill the writer's queue: that only makes asking
    /// wait.)
    fn has_room(&self, active: &ActiveConnection) -> bool {
        let has_room = self.in_flight.len() < ASKS_WAITING_MAX && active.frames_out.capacity() > 1;
        has_room && !self.in_flight.is_held_back()
    }

    /// Sends what is to be sent (again): at the beginning all that is unanswered, later what the
    /// server has refused to take so fast.
    fn send_held_back(&mut self, active: &mut ActiveConnection) {
        if !self.in_flight.is_held_back() {
            return;
        }
        let now = Instant::now();
        while active.frames_out.capacity() > 1 {
            let is_first = self.in_flight.due() == 0;
            let Some(frame) = self.in_flight.next_to_send(now) else { return };
            if is_first {
                active.due_since = now;
            }
            active.send(frame);
        }
    }

    /// Takes in what was asked, and what else is queued, so that one flush carries all of it.
    fn take_in(&mut self, active: &mut ActiveConnection, first: LinkRequest) {
        let mut next = Some(first);
        while let Some(ask) = next {
            self.put(active, ask);
            next = if self.has_room(active) { self.asks.try_recv().ok() } else { None };
        }
    }

    /// What an earlier run has asked comes before all that is asked now.
    fn take_in_inherited(&mut self, active: &mut ActiveConnection) {
        while self.has_room(active)
            && let Some(ask) = self.in_flight.next_inherited()
        {
            self.put(active, ask);
        }
    }

    fn put(&mut self, active: &mut ActiveConnection, ask: LinkRequest) {
        if self.in_flight.due() == 0 {
            active.due_since = Instant::now();
        }
        tracing::trace!(tag = ask.tag.0, request = ?ask.request, "asked");
        active.send(ClientFrame { tag: ask.tag, request: ask.request.clone() });
        self.in_flight.push(ask);
    }

    pub(super) fn ping(&mut self, active: &mut ActiveConnection) {
        if !self.in_flight.has_ping() && active.frames_out.capacity() > 0 {
            let tag = self.shared.next_tag();
            self.put(active, LinkRequest { tag, request: Request::Ping, reply_to: ReplyTo::Alive });
        }
    }

    /// When to look again, or that the connection is dead. It looks at least every
    /// [`ANSWER_DEADLINE`], so that no request that is made meanwhile is overdue before that; and
    /// never again at once, so that what is read has its turn.
    fn check_alive(
        &mut self,
        active: &mut ActiveConnection,
        write_failed: Option<Lost>,
    ) -> Result<Instant, Lost> {
        let now = Instant::now();
        let was_overdue = active.last_look.take().is_some();
        if let Some(lost) = write_failed {
            return Err(lost);
        }
        if self.in_flight.due() == 0 && now >= active.heard + SILENCE_MAX {
            self.ping(active);
        }
        let overdue = active.due_since + ANSWER_DEADLINE;
        let next = if self.in_flight.due() == 0 {
            (active.heard + SILENCE_MAX).min(now + ANSWER_DEADLINE)
        } else if now < overdue {
            overdue
        } else if was_overdue {
            return Err(Lost::Silent);
        } else {
            active.last_look = Some(now + LAST_LOOK_WAIT);
            now + READ_OUT_MAX
        };
        Ok(next.max(now + LOOK_AGAIN_MIN))
    }
}

impl ActiveConnection {
    fn send(&self, frame: ClientFrame) {
        // A writer that has failed takes no more. Then the connection ends soon, and what is
        // unanswered is sent again.
        if let Err(TrySendError::Full(frame)) = self.frames_out.try_send(frame) {
            tracing::error!(tag = ?frame.tag, "no room for a frame: FRAMES_OUT_MAX is wrong");
        }
    }
}

/// Writes frames as they come: all that are waiting, then one flush. Ends only when writing fails.
async fn write<S: AsyncWrite>(
    mut writer: LinkWriter<S>,
    mut frames: mpsc::Receiver<ClientFrame>,
) -> Lost {
    let mut batch = Vec::with_capacity(WRITE_BATCH_FRAMES);
    loop {
        if frames.recv_many(&mut batch, WRITE_BATCH_FRAMES).await == 0 {
            return Lost::HungUp;
        }
        let written = async {
            for frame in batch.drain(..) {
                writer.feed(frame).await?;
            }
            writer.flush().await
        };
        match written.await {
            Ok(()) => {}
            Err(FrameError::Io(error)) => return Lost::Failed(error.kind()),
            Err(_) => return Lost::Failed(io::ErrorKind::InvalidData),
        }
    }
}
