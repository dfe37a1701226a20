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
use chatroom_proto::{
    ClientFrame, CloseReason, Conversation, Notification, Refusal, Request, Response, Seq,
    ServerFrame, Tag,
};
use tokio::io::AsyncWrite;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::time::{Instant, sleep_until};

use super::handshake::{LinkWriter, WelcomedConnection};
use super::{
    ANSWER_DEADLINE, ASKS_WAITING_MAX, End, Link, LinkRequest, ReplyTo, SILENCE_MAX, SLOW_AFTER,
    Slow,
};
use crate::dial::Dial;
use crate::event::{Ended, Event, Lost};
use crate::state::{MEMBERSHIPS_MAX, tells_again};
use crate::trust::Untrusted;

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

/// What lives as long as the connection.
struct ActiveConnection {
    frames_out: mpsc::Sender<ClientFrame>,
    /// The server's last word.
    closing: Option<CloseReason>,
    /// What was said up to here is told again, until all of it has been.
    again_until: Option<Seq>,
    /// When something was last heard.
    heard: Instant,
    /// Since when the oldest unanswered request has been the one that is due.
    due_since: Instant,
}

impl<D: Dial> Link<D> {
    /// Serves one connection until it ends.
    pub(super) async fn serve(&mut self, connection: WelcomedConnection<D::Stream>) -> End {
        let WelcomedConnection { mut reader, writer, welcome, .. } = connection;
        let (frames_out, frames) = mpsc::channel(FRAMES_OUT_MAX);
        let now = Instant::now();
        let again_until = tells_again(&welcome).then_some(welcome.seq);
        let mut talk =
            ActiveConnection { frames_out, closing: None, again_until, heard: now, due_since: now };
        let mut writing = pin!(write(writer, frames));
        let mut write_failed = None;
        let mut alarm = pin!(sleep_until(now + ANSWER_DEADLINE));
        let mut is_asked = true;
        let events = self.events.clone();
        self.outbox.deliver(&events);
        // Nothing was heard yet: from here on nothing needs to be let go.
        self.is_deaf &= !self.outbox.is_empty();
        if self.is_deaf {
            self.state.fall_behind();
        }
        loop {
            if self.is_deaf && self.outbox.is_empty() {
                return End::Lost(Lost::Overrun);
            }
            self.send_held_back(&mut talk);
            self.take_in_inherited(&mut talk);
            let sends_at = self.unanswered.sends_at();
            // In an order that starves nobody, and is the same every time: what comes first soon
            // has nothing to do until what comes after it was done. What is asked waits when too
            // much has no answer, what is delivered waits for what is read. Who waits for its time
            // only has to wake this loop, which any frame does, too.
            tokio::select! {
                biased;
                error = &mut writing, if write_failed.is_none() => {
                    // The reason may still wait to be read: go on until that fails, too, or is
                    // overdue.
                    write_failed = Some(error);
                    alarm.as_mut().reset(Instant::now() + LAST_WORD_WAIT);
                }
                ask = self.asks.recv(), if is_asked && self.has_room(&talk) => match ask {
                    Some(ask) => self.take_in(&mut talk, ask),
                    None => is_asked = false,
                },
                () = events.closed(), if !is_asked => return End::Over(Ended::Left),
                () = self.outbox.deliver_when_it_may(&events) => {}
                () = &mut alarm => match self.check_alive(&mut talk, write_failed) {
                    // Never at once: what is read is to have its turn.
                    Ok(next) => alarm.as_mut().reset(next.max(Instant::now() + LOOK_AGAIN_MIN)),
                    Err(lost) => return End::Lost(lost),
                },
                frame = reader.next() => {
                    if let Some(end) = self.handle_frame(&mut talk, frame) {
                        return end;
                    }
                    self.outbox.deliver(&events);
                    if self.outbox.is_overrun() && let Some(end) = self.be_overrun() {
                        return end;
                    }
                }
                () = sleep_until(sends_at.unwrap_or(talk.heard)), if sends_at.is_some() => {}
            }
        }
    }

    /// Whether one more may be unanswered: not before all that was asked earlier is sent. (A server
    /// that answers what it was not sent yet could fill the writer's queue: that only makes asking
    /// wait.)
    fn has_room(&self, talk: &ActiveConnection) -> bool {
        let has_room = self.unanswered.len() < ASKS_WAITING_MAX && talk.frames_out.capacity() > 1;
        has_room && !self.unanswered.is_held_back()
    }

    /// Sends what is to be sent (again): at the beginning all that is unanswered, later what the
    /// server has refused to take so fast.
    fn send_held_back(&mut self, talk: &mut ActiveConnection) {
        if !self.unanswered.is_held_back() {
            return;
        }
        let now = Instant::now();
        while talk.frames_out.capacity() > 1 {
            let is_first = self.unanswered.due() == 0;
            let Some(frame) = self.unanswered.next_to_send(now) else { return };
            if is_first {
                talk.due_since = now;
            }
            talk.send(frame);
        }
    }

    /// Takes in what was asked, and what else is queued, so that one flush carries all of it.
    fn take_in(&mut self, talk: &mut ActiveConnection, first: LinkRequest) {
        let mut next = Some(first);
        while let Some(ask) = next {
            self.put(talk, ask);
            next = if self.has_room(talk) { self.asks.try_recv().ok() } else { None };
        }
    }

    /// What an earlier run has asked comes before all that is asked now.
    fn take_in_inherited(&mut self, talk: &mut ActiveConnection) {
        while self.has_room(talk)
            && let Some(ask) = self.unanswered.next_inherited()
        {
            self.put(talk, ask);
        }
    }

    fn put(&mut self, talk: &mut ActiveConnection, ask: LinkRequest) {
        if self.unanswered.due() == 0 {
            talk.due_since = Instant::now();
        }
        tracing::trace!(tag = ask.tag.0, request = ?ask.request, "asked");
        talk.send(ClientFrame { tag: ask.tag, request: ask.request.clone() });
        self.unanswered.push(ask);
    }

    fn ping(&mut self, talk: &mut ActiveConnection) {
        if !self.unanswered.has_ping() && talk.frames_out.capacity() > 0 {
            let tag = self.shared.next_tag();
            self.put(talk, LinkRequest { tag, request: Request::Ping, door: ReplyTo::Alive });
        }
    }

    /// When to look again, or that the connection is dead. It looks at least every
    /// [`ANSWER_DEADLINE`], so that no request that is made meanwhile is overdue before that.
    fn check_alive(
        &mut self,
        talk: &mut ActiveConnection,
        write_failed: Option<Lost>,
    ) -> Result<Instant, Lost> {
        let now = Instant::now();
        if let Some(lost) = write_failed {
            return Err(lost);
        }
        if self.unanswered.due() == 0 && now >= talk.heard + SILENCE_MAX {
            self.ping(talk);
        }
        if self.unanswered.due() == 0 {
            return Ok((talk.heard + SILENCE_MAX).min(now + ANSWER_DEADLINE));
        }
        let overdue = talk.due_since + ANSWER_DEADLINE;
        if now >= overdue { Err(Lost::Silent) } else { Ok(overdue) }
    }

    fn handle_frame(
        &mut self,
        talk: &mut ActiveConnection,
        frame: Option<Result<ServerFrame, FrameError>>,
    ) -> Option<End> {
        talk.heard = Instant::now();
        tracing::trace!(?frame, "heard");
        match frame {
            Some(Ok(ServerFrame::Response { tag, result })) => {
                self.handle_response(talk, tag, result)
            }
            Some(Ok(ServerFrame::Notification(notification))) => {
                self.handle_notification(talk, notification)
            }
            Some(Err(FrameError::Io(error))) => Some(talk.end(match error.kind() {
                io::ErrorKind::UnexpectedEof => Lost::HungUp,
                kind => Lost::Failed(kind),
            })),
            Some(Err(error)) => Some(End::Over(Ended::Garbled(error.to_string()))),
            None => Some(talk.end(Lost::HungUp)),
        }
    }

    fn handle_response(
        &mut self,
        talk: &mut ActiveConnection,
        tag: Tag,
        result: Result<Response, Refusal>,
    ) -> Option<End> {
        if let Err(Refusal::RateLimited { retry_after_ms }) = result {
            return self.go_slower(talk, tag, Duration::from_millis(retry_after_ms.into()));
        }
        let Some(ask) = self.unanswered.take(tag) else {
            return Some(answer_to_nothing(tag));
        };
        talk.due_since = talk.heard;
        if !self.unanswered.is_held_back() {
            self.slow = None;
        }
        let is_goodbye = matches!(result, Ok(Response::Goodbye | Response::Unregistered { .. }));
        if let (Request::ChangePassword { new, .. }, Ok(Response::PasswordChanged { token, .. })) =
            (&ask.request, &result)
        {
            // At once: whoever comes with the old one is a stranger.
            self.token = token.clone();
            self.journal.resumed(token);
            self.password = Some(new.clone());
        }
        if self.is_deaf && !is_goodbye && self.puts_off(&ask) {
            self.unanswered.put_off(ask);
            return None;
        }
        let LinkRequest { request, door, .. } = ask;
        self.journal.answered(&request, &result);
        let missed =
            result.as_ref().ok().and_then(|response| self.state.answered(&request, response));
        match door {
            // One who no longer waits for the answer does not want it.
            ReplyTo::Asker(asker) => drop(asker.send(result)),
            ReplyTo::Events => self.tell(Event::Answer { tag, request, result }),
            ReplyTo::Rejoin => {
                let missed = missed.is_some_and(|group| !self.unanswered.has_post_to(&group));
                if let Some(event) = rejoined(request, result, missed) {
                    self.tell(event);
                }
            }
            ReplyTo::Alive => {}
        }
        is_goodbye.then_some(End::Over(Ended::Left))
    }

    /// The server asks to go slower. That is the link's business: the program learns of it only
    /// when it takes long, and has its answer when there is one.
    fn go_slower(&mut self, talk: &mut ActiveConnection, tag: Tag, wait: Duration) -> Option<End> {
        if self.unanswered.hold_back(tag, wait, talk.heard).is_none() {
            return Some(answer_to_nothing(tag));
        }
        talk.due_since = talk.heard;
        let slow = self.slow.get_or_insert(Slow { since: talk.heard, is_told: false });
        if !slow.is_told && (wait >= SLOW_AFTER || slow.since + SLOW_AFTER <= talk.heard) {
            slow.is_told = true;
            self.tell(Event::Slowed { wait, waiting: self.unanswered.len() });
        }
        None
    }

    /// Whether an answer is to come again later: among the events it would stand before what is let
    /// go now. (Only as long as there is room to ask something else.)
    fn puts_off(&self, ask: &LinkRequest) -> bool {
        matches!(ask.door, ReplyTo::Events)
            && !has_password(&ask.request)
            && self.unanswered.len() + 1 < ASKS_WAITING_MAX
    }

    fn handle_notification(
        &mut self,
        talk: &mut ActiveConnection,
        notification: Notification,
    ) -> Option<End> {
        match notification {
            Notification::Ping => self.ping(talk),
            Notification::Closing(reason) => talk.closing = Some(reason),
            _ if self.is_deaf => {}
            Notification::CaughtUp { seq } => return self.catch_up(talk, seq),
            notification => return self.hear(talk, notification),
        }
        None
    }

    fn hear(&mut self, talk: &ActiveConnection, notification: Notification) -> Option<End> {
        let seq = seq(&notification);
        if let Some(place) = self.state.gap(&notification)
            && !self.unanswered.has_post_to(&place)
        {
            if self.goes_back_for(seq, talk.again_until) {
                return Some(End::Lost(Lost::Gap));
            }
            self.tell(Event::Missed(place));
        }
        self.state.notified(&notification);
        if let Notification::Moderated { group, act, .. } = &notification
            && act.expels()
            && act.user().is_some_and(|user| user.key() == self.name.key())
        {
            self.state.expelled(group);
            self.journal.expelled(group);
        }
        let is_post = matches!(
            notification,
            Notification::GroupPost { .. } | Notification::PrivatePost { .. }
        );
        let is_told_again = is_post && talk.again_until.is_some_and(|until| seq <= until);
        self.tell(if is_told_again {
            Event::Replayed(notification)
        } else {
            Event::Notification(notification)
        });
        None
    }

    /// All that was missed was told again; what the groups' newest posts at the beginning say is
    /// checked against it.
    fn catch_up(&mut self, talk: &mut ActiveConnection, seq: Seq) -> Option<End> {
        let missing =
            self.state.missing().map(|(group, head)| (Conversation::Group(group.clone()), head));
        let mut missing: Vec<_> = missing.collect();
        missing.retain(|(group, _)| !self.unanswered.has_post_to(group));
        if let Some(newest) = missing.iter().map(|(_, head)| *head).max()
            && self.goes_back_for(newest, talk.again_until)
        {
            return Some(End::Lost(Lost::Gap));
        }
        for (group, _) in missing {
            self.tell(Event::Missed(group));
        }
        talk.again_until = None;
        self.state.caught_up(seq);
        self.tell(Event::CaughtUp);
        None
    }

    /// Something is missing before this: whether it helps to come back and hear it again. Once for
    /// each: what a server does not tell the second time, it does not have any more.
    fn goes_back_for(&mut self, seq: Seq, again_until: Option<Seq>) -> bool {
        let goes_back = self.can_hear_again() && seq > self.went_back_for;
        if goes_back {
            tracing::warn!(%seq, "something is missing before this");
            self.went_back_for = again_until.unwrap_or(seq).max(seq);
        }
        goes_back
    }

    /// More came than the program takes. What will not be heard again is let go but for what must
    /// be told; a program that does not even take that will never take anything.
    fn be_overrun(&mut self) -> Option<End> {
        if self.can_hear_again() {
            self.is_deaf = true;
            self.state.fall_behind();
            return self
                .outbox
                .is_overrun_by_answers()
                .then_some(End::Over(Ended::GaveUp(Lost::Overrun)));
        }
        self.outbox.shed();
        Some(if self.outbox.is_overrun() {
            End::Over(Ended::GaveUp(Lost::Overrun))
        } else {
            End::Lost(Lost::Overrun)
        })
    }
}

/// Where in the order it happened.
fn seq(notification: &Notification) -> Seq {
    match notification {
        Notification::Arrived { seq, .. }
        | Notification::Departed { seq, .. }
        | Notification::Joined { seq, .. }
        | Notification::Left { seq, .. }
        | Notification::Moderated { seq, .. }
        | Notification::PassedOn { seq, .. }
        | Notification::Operated { seq, .. }
        | Notification::CaughtUp { seq } => *seq,
        Notification::GroupPost { post, .. } | Notification::PrivatePost { post, .. } => post.seq,
        Notification::TopicIs { .. } | Notification::Ping | Notification::Closing(_) => Seq::ZERO,
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

    /// Why the connection really ended: the server's last word says more than the socket.
    fn end(&self, lost: Lost) -> End {
        match self.closing {
            Some(CloseReason::Misbehaved(how)) => End::Over(Ended::Misbehaved(how)),
            Some(CloseReason::Replaced) => End::Over(Ended::Replaced),
            Some(CloseReason::PasswordChanged) => End::Over(Ended::PasswordChanged),
            Some(CloseReason::TlsRequired) => End::Over(Ended::Untrusted(Untrusted::TlsRequired)),
            Some(CloseReason::Disconnected) => End::Over(Ended::Disconnected),
            Some(reason) => End::Lost(Lost::Closed(reason)),
            None => End::Lost(lost),
        }
    }
}

fn answer_to_nothing(tag: Tag) -> End {
    End::Over(Ended::Garbled(format!("an answer to nothing that was asked ({tag:?})")))
}

/// What can't be asked again: the password that it says is not the right one any more.
fn has_password(request: &Request) -> bool {
    matches!(
        request,
        Request::Register { .. } | Request::ChangePassword { .. } | Request::Unregister { .. }
    )
}

fn rejoined(request: Request, result: Result<Response, Refusal>, missed: bool) -> Option<Event> {
    let Request::Join { group } = request else { return None };
    match result {
        Ok(_) => Some(Event::Rejoined { group, missed }),
        Err(Refusal::AlreadyMember { .. }) => None,
        Err(refusal) => Some(Event::NotRejoined { group, refusal }),
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
