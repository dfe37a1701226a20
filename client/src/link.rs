//! The link: one task that owns the connection to a server, and remakes it when it is lost.
//!
//! Everything that happens goes one way: a [`Client`](crate::Client) puts an `LinkRequest` into a
//! bounded queue, the link gives it to the connection and keeps it in `InFlight`; the answer finds
//! it there, and goes out through its `ReplyTo`. A connection that is lost takes nothing with it:
//! what is unanswered is sent again over the next one, with the same tags, and a server that has
//! already done it answers with the first result.

mod active_connection;
mod backoff;
mod entry;
mod event_queue;
mod handshake;
mod in_flight;
#[cfg(test)]
pub(crate) mod tests;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chatroom_proto::{
    Conversation, Hello, Password, Proof, Refusal, Request, Response, Retention, Seq, Tag, Token,
    UserName, VersionRange, Welcome,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

use crate::client::{ConnectError, Reconnect, Shared};
use crate::dial::Dial;
use crate::event::{Ended, Event, Lost, QueuedEvent};
use crate::journal::{Cursor, Journal, JournalState};
use crate::state::ReadState;
use backoff::Backoff;
use entry::{LetIn, asks_to_wait, come_in, is_worth_another_try, knock};
use event_queue::EventQueue;
use handshake::WelcomedConnection;
use in_flight::InFlight;

/// The most requests that are sent and not answered. It covers the round trip at any rate that a
/// person, a bot or a benchmark asks; 256 of the longest messages are 2 MB.
pub const ASKS_WAITING_MAX: usize = 256;

/// The most requests that are queued while [`ASKS_WAITING_MAX`] are unanswered or the connection is
/// lost.
pub const ASKS_QUEUED_MAX: usize = 256;

/// The most events that the program can take without waiting for the link.
pub const EVENTS_MAX: usize = 1_024;

/// The most answers to [`Client::submit`](crate::Client::submit) that are under way or wait to be
/// taken. One who submits and takes no answers waits then; one who asks does not, because it may be
/// the one who takes them.
pub const SUBMITTED_MAX: usize = 2_048;

/// The most bytes of events that are held behind [`EVENTS_MAX`] while the program is busy: minutes
/// of a busy group, some 27,000 short messages or 2,000 of the longest. Answers that nobody takes
/// may double it.
pub const OUTBOX_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long it may take to connect.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// How long the server may take to answer the handshake.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// How long the oldest unanswered request may wait before the connection counts as dead.
pub const ANSWER_DEADLINE: Duration = Duration::from_secs(20);

/// How long the server may be silent before it is asked whether it is there. A server asks sooner
/// by itself.
pub const SILENCE_MAX: Duration = Duration::from_secs(75);

/// A program is told that the server asks to go slower when something has to wait for so long.
pub const SLOW_AFTER: Duration = Duration::from_secs(2);

/// A connection that lived for so long was a good one: when it is lost, the backoff starts afresh.
const STEADY_AFTER: Duration = Duration::from_secs(10);

/// A request on its way to the link.
#[derive(Debug)]
pub(crate) struct LinkRequest {
    pub(crate) tag: Tag,
    pub(crate) request: Request,
    pub(crate) door: ReplyTo,
}

/// Where an answer goes out.
#[derive(Debug)]
pub(crate) enum ReplyTo {
    /// To the one who waits for it.
    Asker(oneshot::Sender<Result<Response, Refusal>>),
    /// Among the events.
    Events,
    /// To this link, which rejoins its groups in a new session.
    Rejoin,
    /// To this link, which only wants to know that the server is there.
    Alive,
}

/// The server asks to go slower.
struct Slow {
    /// Since something is held back.
    since: Instant,
    /// Whether the program knows.
    is_told: bool,
}

/// How one connection ended.
enum End {
    /// It may be remade.
    Lost(Lost),
    /// It may not.
    Over(Ended),
}

/// The link's ends of what it shares with the program.
pub(crate) struct Ends {
    pub(crate) shared: Arc<Shared>,
    pub(crate) asks: mpsc::Receiver<LinkRequest>,
    pub(crate) events: mpsc::Sender<QueuedEvent>,
    pub(crate) journal: Arc<Journal>,
}

/// The task's memory, which outlives the connections.
pub(crate) struct Link<D> {
    dial: D,
    name: UserName,
    password: Option<Password>,
    reconnect: Reconnect,
    shared: Arc<Shared>,
    asks: mpsc::Receiver<LinkRequest>,
    events: mpsc::Sender<QueuedEvent>,
    journal: Arc<Journal>,
    unanswered: InFlight,
    /// While something is held back because the server asks to go slower.
    slow: Option<Slow>,
    outbox: EventQueue,
    state: ReadState,
    token: Token,
    /// How long the server holds a session without a connection.
    grace: Duration,
    /// Counts the sessions.
    session: u32,
    /// Whether the server tells again what this client missed.
    server_keeps: bool,
    /// The newest post before which something was missing, and for which this client has gone back
    /// already.
    went_back_for: Seq,
    /// More came than the program takes: until it has taken all that is held, what the server says
    /// is let go, and then the client comes back to hear it again. Answers go on meanwhile, as the
    /// program may wait for one of them.
    is_deaf: bool,
}

impl<D: Dial> Link<D> {
    /// Makes the first connection.
    pub(crate) async fn open(
        dial: D,
        (name, password): (UserName, Option<Password>),
        reconnect: Reconnect,
        ends: Ends,
        image: JournalState,
    ) -> Result<(Link<D>, WelcomedConnection<D::Stream>), ConnectError> {
        let Ends { shared, asks, events, journal } = ends;
        let (proof, seen) = match &image.session {
            Some(session) => (Proof::Resume(session.token.clone()), session.seen),
            None => (Proof::Open, Seq::ZERO),
        };
        let hello = Hello { versions: VersionRange::SPOKEN, name: name.clone(), proof, seen };
        let connection = knock(&dial, &shared, hello, password.as_ref()).await?;
        let mut link = Link {
            dial,
            name,
            password,
            reconnect,
            shared,
            asks,
            events,
            journal,
            unanswered: InFlight::default(),
            slow: None,
            outbox: EventQueue::default(),
            state: ReadState::new(&connection.welcome),
            token: connection.welcome.token.clone(),
            grace: grace(&connection.welcome),
            session: 0,
            server_keeps: connection.welcome.retention != Retention::Nothing,
            went_back_for: Seq::ZERO,
            is_deaf: false,
        };
        link.inherit(image, &connection.welcome);
        Ok((link, connection))
    }

    /// Takes over from an earlier run: how far it had come, and what it had no answer to.
    fn inherit(&mut self, image: JournalState, welcome: &Welcome) {
        for request in image.posts {
            // Their answers come among the events, and count as if they had been submitted.
            self.shared.submits.forget_permits(1);
            self.unanswered.inherit(LinkRequest {
                tag: self.shared.next_tag(),
                request,
                door: ReplyTo::Events,
            });
        }
        let former = image.session.filter(|_| welcome.resumed);
        let mut missed = Vec::new();
        let goes_on = former.is_some_and(|session| {
            let mut state = ReadState::kept(session.seen, session.places());
            let back = state.welcomed_back(welcome);
            self.state = state;
            missed = back.missed;
            back.goes_on
        });
        self.keep_welcome(welcome, goes_on);
        for group in missed.into_iter().map(Conversation::Group) {
            if !self.unanswered.has_post_to(&group) {
                self.tell(Event::Missed(group));
            }
        }
    }

    /// Puts an event behind those that wait for the program.
    fn tell(&mut self, event: Event) {
        let place = Cursor { session: self.session, seen: self.state.seen() };
        self.outbox.push(QueuedEvent { event, place });
    }

    fn keep_welcome(&mut self, welcome: &Welcome, goes_on: bool) {
        self.token = welcome.token.clone();
        self.grace = grace(welcome);
        self.server_keeps = welcome.retention != Retention::Nothing;
        if goes_on {
            self.journal.went_on(welcome);
        } else {
            self.session += 1;
            self.journal.began(&self.name, welcome, self.session);
            self.went_back_for = Seq::ZERO;
        }
    }

    /// Whether what is let go now will be heard again.
    fn can_hear_again(&self) -> bool {
        self.server_keeps && self.reconnect != Reconnect::Never
    }

    /// Lives until the client leaves, until nobody is interested any more, or until there is no way
    /// back.
    pub(crate) async fn run(mut self, first: WelcomedConnection<D::Stream>) {
        let mut backoff = Backoff::default();
        let mut connection = first;
        let ended = loop {
            let began = Instant::now();
            let lost = match self.serve(connection).await {
                End::Over(ended) => break ended,
                End::Lost(lost) => lost,
            };
            tracing::info!(%lost, "connection lost");
            if self.unanswered.has_exit() {
                break Ended::Left;
            }
            if began.elapsed() >= STEADY_AFTER {
                backoff.reset();
            }
            match self.come_back(lost, &mut backoff).await {
                Ok(back) => connection = back,
                Err(ended) => break ended,
            }
        };
        self.finish(ended).await;
    }

    /// Tries until there is a connection again, or no hope of one. The program may take events
    /// meanwhile, or not.
    async fn come_back(
        &mut self,
        lost: Lost,
        backoff: &mut Backoff,
    ) -> Result<WelcomedConnection<D::Stream>, Ended> {
        self.tell(Event::Lost(lost));
        let patience = match self.reconnect {
            Reconnect::Never => return Err(Ended::GaveUp(lost)),
            Reconnect::For(patience) => patience,
            Reconnect::Forever => Duration::MAX,
        };
        let mut outbox = std::mem::take(&mut self.outbox);
        let connected = {
            let mut attempts = pin!(timeout(patience, self.attempts(backoff)));
            loop {
                tokio::select! {
                    biased;
                    connected = &mut attempts => break connected,
                    () = outbox.deliver_when_it_may(&self.events) => {}
                }
            }
        };
        self.outbox = outbox;
        let LetIn { connection, by } = connected.map_err(|_| Ended::GaveUp(lost))??;
        let back = self.take_up(&connection);
        self.tell(back);
        if let Some(new) = by {
            self.password_was_changed(new, &connection.welcome);
        }
        Ok(connection)
    }

    async fn attempts(&self, backoff: &mut Backoff) -> Result<LetIn<D::Stream>, Ended> {
        // Until then, the name may be taken by this client itself: a welcome that was on its way
        // when the connection was cut again began a session whose token never came here.
        let mut may_be_ours = Instant::now();
        let mut wait = Duration::ZERO;
        loop {
            sleep(backoff.next(self.shared.random()).max(wait)).await;
            if self.events.is_closed() && self.asks.is_closed() {
                return Err(Ended::Left);
            }
            let known = self.password.as_ref();
            let perhaps = self.unanswered.new_passwords();
            match come_in(&self.dial, &self.shared, self.hello_again(), known, perhaps).await {
                Ok(entered) => return Ok(entered),
                Err(error) => {
                    tracing::debug!(%error, "not back yet");
                    let now = Instant::now();
                    wait = asks_to_wait(&error).unwrap_or_default();
                    match error {
                        ConnectError::Cut | ConnectError::Silent => may_be_ours = now + self.grace,
                        ConnectError::Refused(Refusal::NameTaken { .. }) if now < may_be_ours => {}
                        error => is_worth_another_try(error)?,
                    }
                }
            }
        }
    }

    fn hello_again(&self) -> Hello {
        Hello {
            versions: VersionRange::SPOKEN,
            name: self.name.clone(),
            proof: Proof::Resume(self.token.clone()),
            seen: self.state.seen(),
        }
    }

    /// Learns from a connection that was remade: what to tell the program first, and what to ask
    /// before the rest.
    fn take_up(&mut self, connection: &WelcomedConnection<D::Stream>) -> Event {
        let welcome = &connection.welcome;
        tracing::info!(resumed = welcome.resumed, "connection is back");
        let mut back = self.state.welcomed_back(welcome);
        self.keep_welcome(welcome, back.goes_on);
        // The newest message there may be one of ours whose answer was lost: only what is certain
        // is said.
        back.missed
            .retain(|group| !self.unanswered.has_post_to(&Conversation::Group(group.clone())));
        let shared = &self.shared;
        self.unanswered.replace_rejoins(back.rejoin.into_iter().map(|group| LinkRequest {
            tag: shared.next_tag(),
            request: Request::Join { group },
            door: ReplyTo::Rejoin,
        }));
        let groups =
            welcome.groups.as_slice().iter().map(|membership| membership.group.clone()).collect();
        Event::Back { resumed: welcome.resumed, groups, missed: back.missed }
    }

    /// The server had changed the password before the connection was lost, and its answer was lost
    /// with it. To be asked again in this new session, it would say that the old one is wrong.
    fn password_was_changed(&mut self, new: Password, welcome: &Welcome) {
        for LinkRequest { tag, request, door } in self.unanswered.take_changes_to(&new) {
            let result =
                Ok(Response::PasswordChanged { seq: welcome.seq, token: welcome.token.clone() });
            match door {
                ReplyTo::Asker(asker) => drop(asker.send(result)),
                ReplyTo::Events => self.tell(Event::Answer { tag, request, result }),
                ReplyTo::Rejoin | ReplyTo::Alive => {}
            }
        }
        self.password = Some(new);
    }

    /// Those who wait for answers learn the reason first, so it is said before they are let go.
    async fn finish(mut self, ended: Ended) {
        tracing::info!(%ended, "link ended");
        let _ = self.shared.ended.set(ended.clone());
        self.shared.submits.close();
        drop((self.asks, self.unanswered));
        let place = Cursor { session: self.session, seen: self.state.seen() };
        self.outbox.push(QueuedEvent { event: Event::Ended(ended), place });
        while !self.outbox.is_empty() {
            self.outbox.deliver_when_it_may(&self.events).await;
        }
    }
}

fn grace(welcome: &Welcome) -> Duration {
    Duration::from_millis(welcome.grace_ms.into())
}
