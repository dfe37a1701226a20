//! The link's task: from one connection to the next, until there is no way back.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chatroom_proto::{
    Conversation, GroupName, Hello, Lives, Password, Proof, Request, Response, Retention, Seq,
    Token, UserName, VersionRange, Welcome,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::backoff::Backoff;
use super::doubts::Doubts;
use super::event_queue::EventQueue;
use super::handshake::WelcomedConnection;
use super::in_flight::InFlight;
use super::login::{asks_to_wait, first_login, is_worth_another_try, log_in};
use super::request::{LinkRequest, ReplyTo};
use crate::dial::Dial;
use crate::error::{ConnectError, Ended, Lost};
use crate::event::{Event, QueuedEvent};
use crate::journal::{Cursor, Journal, JournalState, WelcomeNews};
use crate::options::Reconnect;
use crate::shared::Shared;
use crate::state::ReadState;

/// A connection that lived for so long was a good one: when it is lost, the backoff starts afresh.
const STEADY_AFTER: Duration = Duration::from_secs(10);

/// The link's ends of what it shares with the program.
pub(crate) struct Ends {
    pub(crate) shared: Arc<Shared>,
    pub(crate) asks: mpsc::Receiver<LinkRequest>,
    pub(crate) events: mpsc::Sender<QueuedEvent>,
    pub(crate) journal: Arc<Journal>,
}

/// The server asks to go slower.
pub(super) struct SlowDown {
    /// Since something is held back.
    pub(super) since: Instant,
    /// Whether the program knows.
    pub(super) is_told: bool,
}

/// How one connection ended.
pub(super) enum ConnectionEnd {
    /// It may be remade.
    Lost(Lost),
    /// It may not.
    Over(Ended),
}

/// The task's memory, which outlives the connections.
pub(crate) struct Link<D> {
    pub(super) dial: D,
    pub(super) name: UserName,
    pub(super) password: Option<Password>,
    pub(super) reconnect: Reconnect,
    pub(super) shared: Arc<Shared>,
    pub(super) asks: mpsc::Receiver<LinkRequest>,
    pub(super) events: mpsc::Sender<QueuedEvent>,
    pub(super) journal: Arc<Journal>,
    pub(super) in_flight: InFlight,
    /// While something is held back because the server asks to go slower.
    pub(super) slow: Option<SlowDown>,
    pub(super) event_queue: EventQueue,
    pub(super) state: ReadState,
    pub(super) token: Token,
    /// The lives of the server's log that the newest welcome told.
    pub(super) lives: Lives,
    /// Counts the sessions.
    pub(super) session: u32,
    /// Whether the server tells again what this client missed.
    pub(super) server_keeps: bool,
    /// The newest post before which something was missing, and for which this client has gone back
    /// already.
    pub(super) went_back_for: Seq,
    /// Where it is not certain whether messages were missed.
    pub(super) doubts: Doubts,
    /// More came than the program takes: until it has taken all that is held, what the server says
    /// is let go, and then the client comes back to hear it again. Answers go on meanwhile, as the
    /// program may wait for one of them.
    pub(super) is_skipping: bool,
}

impl<D: Dial> Link<D> {
    /// Makes the first connection.
    pub(crate) async fn open(
        dial: D,
        (name, password): (UserName, Option<Password>),
        reconnect: Reconnect,
        ends: Ends,
        former_run: JournalState,
    ) -> Result<(Link<D>, WelcomedConnection<D::Stream>), ConnectError> {
        let Ends { shared, asks, events, journal } = ends;
        let former = former_run.session.as_ref();
        let token = former.map_or_else(|| shared.new_token(), |session| session.token.clone());
        if former.is_none() {
            journal.comes_with(&name, &token);
        }
        let seen = former.map_or(Seq::FIRST, |session| session.seen);
        let lives = former.map(|session| session.lives.clone()).unwrap_or_default();
        let asked: Vec<Token> = former
            .into_iter()
            .flat_map(|session| session.tokens_asked.iter().rev().cloned())
            .collect();
        let (versions, proof) = (VersionRange::OF_CLIENTS, Proof::Resume(token));
        let hello = Hello { versions, name: name.clone(), proof, seen };
        let known = (asked.as_slice(), password.as_ref());
        let connection = first_login(&dial, &shared, (hello, &lives), known).await?;
        let mut link = Link {
            dial,
            name,
            password,
            reconnect,
            shared,
            asks,
            events,
            journal,
            in_flight: InFlight::default(),
            slow: None,
            event_queue: EventQueue::default(),
            state: ReadState::new(&connection.welcome),
            token: connection.welcome.token.clone(),
            lives,
            session: 0,
            server_keeps: connection.welcome.retention != Retention::Nothing,
            went_back_for: Seq::ZERO,
            doubts: Doubts::default(),
            is_skipping: false,
        };
        link.inherit(former_run, &connection);
        Ok((link, connection))
    }

    /// Takes over from an earlier run: how far it had come, and what it had no answer to.
    fn inherit(&mut self, former_run: JournalState, connection: &WelcomedConnection<D::Stream>) {
        let welcome = &connection.welcome;
        for request in former_run.posts {
            // Their answers come among the events, and count as if they had been submitted.
            self.shared.submits.forget_permits(1);
            self.in_flight.inherit(LinkRequest {
                tag: self.shared.next_tag(),
                request,
                reply_to: ReplyTo::Events,
            });
        }
        let former = former_run.session.filter(|_| welcome.resumed);
        let is_known = former.is_some();
        if let Some(session) = former {
            self.state = ReadState::kept(session.seen, session.places());
        }
        let put_back = if is_known { self.be_put_back(connection) } else { connection.put_back };
        let back = is_known.then(|| self.state.welcomed_back(welcome));
        self.keep_welcome(connection, put_back, back.as_ref().is_some_and(|back| back.goes_on));
        if let Some(to) = put_back {
            self.tell(Event::PutBack { to });
        }
        let missed = back.map(|back| back.missed).unwrap_or_default();
        for group in self.surely_missed(missed, welcome) {
            self.tell(Event::Missed(Conversation::Group(group)));
        }
    }

    /// Puts an event behind those that wait for the program.
    pub(super) fn tell(&mut self, event: Event) {
        let place = Cursor { session: self.session, seen: self.state.seen() };
        self.event_queue.push(QueuedEvent { event, place });
    }

    /// Gives up what this client knows of a log that was put back: what it has seen, as the server
    /// says; and what it was answered, where its newest life has ended before that. Tells from
    /// where on.
    fn be_put_back(&mut self, connection: &WelcomedConnection<D::Stream>) -> Option<Seq> {
        let ended = || {
            let end = end_of_newest(&self.lives, connection.lives.as_ref()?)?;
            (self.state.newest_place() > end).then_some(end)
        };
        let to = connection.put_back.or_else(ended)?;
        self.state.be_put_back(to);
        Some(to)
    }

    fn keep_welcome(
        &mut self,
        connection: &WelcomedConnection<D::Stream>,
        put_back: Option<Seq>,
        goes_on: bool,
    ) {
        let welcome = &connection.welcome;
        self.token = welcome.token.clone();
        self.lives = connection.lives.clone().unwrap_or_default();
        self.server_keeps = welcome.retention != Retention::Nothing;
        if put_back.is_some() || !goes_on {
            self.session += 1;
            self.went_back_for = Seq::ZERO;
            // Their places mean nothing any more.
            self.doubts = Doubts::default();
        }
        let (lives, session) = (&self.lives, self.session);
        let news = WelcomeNews { lives, put_back, goes_on, session };
        self.journal.welcomed(&self.name, welcome, news);
    }

    /// Whether what is let go now will be heard again.
    pub(super) fn can_hear_again(&self) -> bool {
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
                ConnectionEnd::Over(ended) => break ended,
                ConnectionEnd::Lost(lost) => lost,
            };
            tracing::info!(%lost, "connection lost");
            if self.in_flight.has_exit() {
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
        let mut event_queue = std::mem::take(&mut self.event_queue);
        let connected = {
            let mut attempts = pin!(timeout(patience, self.attempts(backoff)));
            loop {
                tokio::select! {
                    biased;
                    connected = &mut attempts => break connected,
                    () = event_queue.deliver_when_it_may(&self.events) => {}
                }
            }
        };
        self.event_queue = event_queue;
        let connection = connected.map_err(|_| Ended::GaveUp(lost))??;
        let back = self.take_up(&connection);
        self.tell(back);
        self.password_was_changed(&connection.welcome);
        Ok(connection)
    }

    async fn attempts(
        &self,
        backoff: &mut Backoff,
    ) -> Result<WelcomedConnection<D::Stream>, Ended> {
        let asked: Vec<Token> = self.in_flight.new_tokens().cloned().collect();
        let mut wait = Duration::ZERO;
        loop {
            sleep(backoff.next(self.shared.random()).max(wait)).await;
            if self.events.is_closed() && self.asks.is_closed() {
                return Err(Ended::Left);
            }
            let known = (asked.as_slice(), self.password.as_ref());
            match log_in(&self.dial, &self.shared, (self.hello_again(), &self.lives), known).await {
                Ok(entered) => return Ok(entered),
                Err(error) => {
                    tracing::debug!(%error, "not back yet");
                    wait = asks_to_wait(&error).unwrap_or_default();
                    is_worth_another_try(error)?;
                }
            }
        }
    }

    fn hello_again(&self) -> Hello {
        Hello {
            versions: VersionRange::OF_CLIENTS,
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
        let put_back = self.be_put_back(connection);
        if let Some(to) = put_back {
            self.tell(Event::PutBack { to });
        }
        let mut back = self.state.welcomed_back(welcome);
        self.keep_welcome(connection, put_back, back.goes_on);
        back.missed = self.surely_missed(back.missed, welcome);
        let shared = &self.shared;
        self.in_flight.replace_rejoins(back.rejoin.into_iter().map(|group| LinkRequest {
            tag: shared.next_tag(),
            request: Request::Join { group },
            reply_to: ReplyTo::Rejoin,
        }));
        let groups =
            welcome.groups.as_slice().iter().map(|membership| membership.group.clone()).collect();
        Event::Back { resumed: welcome.resumed, groups, missed: back.missed }
    }

    /// The newest message in a group may be one of ours whose answer was lost: only what is certain
    /// is said, and the rest when that is answered.
    fn surely_missed(&mut self, missed: Vec<GroupName>, welcome: &Welcome) -> Vec<GroupName> {
        let has_post =
            |group: &GroupName| self.in_flight.has_post_to(&Conversation::Group(group.clone()));
        let (doubtful, sure): (Vec<_>, Vec<_>) = missed.into_iter().partition(has_post);
        for group in doubtful {
            let mut groups = welcome.groups.as_slice().iter();
            if let Some(membership) = groups.find(|it| it.group.key() == group.key()) {
                self.doubts.note(&group, membership.head);
            }
        }
        sure
    }

    /// The server knows the client by a token that it had asked for with another password: what
    /// asked for it was done, and its answer was lost. To be asked again, it would say that the old
    /// password is wrong.
    fn password_was_changed(&mut self, welcome: &Welcome) {
        for (request, new) in self.in_flight.take_changes_to(&welcome.token) {
            let LinkRequest { tag, request, reply_to } = request;
            let result =
                Ok(Response::PasswordChanged { seq: welcome.seq, token: welcome.token.clone() });
            match reply_to {
                ReplyTo::Asker(asker) => drop(asker.send(result)),
                ReplyTo::Events => self.tell(Event::Answer { tag, request, result }),
                ReplyTo::Rejoin | ReplyTo::Alive => {}
            }
            self.password = Some(new);
        }
    }

    /// Those who wait for answers learn the reason first, so it is said before they are let go.
    async fn finish(mut self, ended: Ended) {
        tracing::info!(%ended, "link ended");
        let _ = self.shared.ended.set(ended.clone());
        self.shared.submits.close();
        drop((self.asks, self.in_flight));
        let place = Cursor { session: self.session, seen: self.state.seen() };
        self.event_queue.push(QueuedEvent { event: Event::Ended(ended), place });
        while !self.event_queue.is_empty() {
            self.event_queue.deliver_when_it_may(&self.events).await;
        }
    }
}

/// Where the newest of the lives that a client knows has ended, by what it is told now. Nothing
/// when it goes on, or is not among them.
fn end_of_newest(known: &Lives, told: &Lives) -> Option<Seq> {
    let (newest, told) = (known.as_slice().last()?, told.as_slice());
    let place = told.iter().position(|life| life == newest)?;
    let next = told.get(place + 1)?;
    Some(Seq(next.began.0.saturating_sub(1)))
}
