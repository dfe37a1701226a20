//! The one task that owns the [`Chat`]. What connections say and what the log has ordered go in;
//! the effects are carried out here. It waits for nothing but these two: not for a disk, not for a
//! socket.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::pin::pin;
use std::sync::Arc;

use chatroom_proto::{
    CloseReason, Code, Misbehaviour, Notification, Page, Refusal, Request, Response, Seq,
    ServerFrame, Tag, UnixMillis,
};
use futures_util::StreamExt;
use rustc_hash::FxHashMap;
use tokio::sync::mpsc;
use tokio::time::{self, MissedTickBehavior};
use tracing::{debug, info};

use crate::chat::Chat;
use crate::chat::effect::{Effect, Input, Read, Replay};
use crate::chat::entry::{Command, ConnectionId, DeviceId, Entry, Proposal};
use crate::client_network::ClientNetwork;
use crate::clock::Clock;
use crate::config::{Config, INPUTS_A_TURN_MAX, LOAD_MAX, TICK};
use crate::dispatch::fanout::Fanout;
use crate::dispatch::handle::{DispatchHandle, Lifetime, Message};
use crate::dispatch::idle::{IdleAction, IdleTimers, LastSeen};
use crate::dispatch::outbox::{Bounds, Outbox};
use crate::dispatch::passwords::Passwords;
use crate::dispatch::rate_limit::{Asker, RateLimited, RateLimits};
use crate::storage::archive::{Archive, FoundPosts, ReadError};
use crate::storage::log::{Log, LogError};

mod fanout;
pub(crate) mod handle;
mod idle;
pub mod outbox;
mod passwords;
mod rate_limit;
mod replay;

/// The task's state.
pub(crate) struct Dispatch {
    chat: Chat,
    log: Arc<dyn Log>,
    archive: Option<Archive>,
    /// For what is found in the archive.
    handle: DispatchHandle,
    clock: Clock,
    inbox: mpsc::Receiver<Message>,
    /// The keys are counted by us, not chosen by anybody.
    connections: FxHashMap<ConnectionId, ConnEntry>,
    idle: IdleTimers,
    rate_limits: RateLimits,
    fanout: Fanout,
    passwords: Passwords,
    /// What the log gave and was not applied yet.
    ordered: VecDeque<Arc<Entry>>,
    lifetime: Lifetime,
    /// Whether everyone was told that the server goes down.
    has_said_goodbye: bool,
    /// What this turn proposes: it goes to the log together.
    proposals: Vec<Proposal>,
    /// Kept between turns for their memory.
    effects: Vec<Effect>,
}

/// One connection, as far as the dispatch task knows it.
struct ConnEntry {
    outbox: Outbox,
    source: ClientNetwork,
    /// [`ConnEntry::session`], which is no place in the log before it has one, and takes half as
    /// much in this way.
    session: Option<NonZeroU64>,
    last_seen: LastSeen,
}

impl ConnEntry {
    fn session(&self) -> Option<DeviceId> {
        self.session.map(|arrival| DeviceId(Seq(arrival.get())))
    }
}

impl Dispatch {
    /// A dispatch task that is not running yet, and the handle to it.
    pub(crate) fn new(
        chat: Chat,
        log: Arc<dyn Log>,
        archive: Option<Archive>,
        config: &Config,
        bounds: Arc<Bounds>,
        lifetime: &Lifetime,
    ) -> (Dispatch, DispatchHandle) {
        let (handle, inbox) = DispatchHandle::new();
        let rate_limits = RateLimits::new(config);
        let dispatch = Dispatch {
            chat,
            log,
            archive,
            handle: handle.clone(),
            clock: config.clock.clone(),
            inbox,
            connections: FxHashMap::default(),
            idle: IdleTimers::new(config.idle_ping, config.idle_deadline),
            passwords: Passwords::new(config, rate_limits.clock()),
            rate_limits,
            fanout: Fanout::new(bounds),
            ordered: VecDeque::new(),
            lifetime: lifetime.clone(),
            has_said_goodbye: false,
            proposals: Vec::new(),
            effects: Vec::new(),
        };
        (dispatch, handle)
    }

    /// Applies what the log has kept from before, and offers the code to become an operator with
    /// where there is none. Nobody is served until this has been done. A server that is told to
    /// stop meanwhile begins nothing. Whether the code is good.
    ///
    /// # Errors
    /// [`LogError`] when the log can't be read.
    pub(crate) async fn restore(&mut self, code: &Code) -> Result<bool, LogError> {
        let head = self.log.head();
        let mut entries = self.log.follow(self.chat.state().head());
        let shutdown = self.lifetime.shutdown.clone();
        while self.chat.state().head() < head {
            let batch = tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(false),
                batch = entries.next() => batch,
            };
            let Some(batch) = batch else { break };
            for entry in batch? {
                self.chat.restore(&entry);
            }
            // What is still in memory comes without a wait, and the signal that tells us to stop
            // needs a turn.
            tokio::task::yield_now().await;
        }
        let now = self.clock.now();
        self.chat.begin(now, &mut self.effects);
        let is_offered = !self.chat.state().has_operators();
        if is_offered {
            self.chat.offer(code, now, &mut self.effects);
        }
        self.carry_out();
        self.append().map(|()| is_offered)
    }

    /// Runs until its lifetime ends, or the log fails. Everybody is hung up on then.
    pub(crate) async fn run(mut self) -> Result<(), LogError> {
        let result = self.turn_until_done().await;
        let reason = if result.is_ok() { CloseReason::Shutdown } else { CloseReason::Failed };
        self.hang_up_on_all(reason);
        result
    }

    async fn turn_until_done(&mut self) -> Result<(), LogError> {
        let mut entries = self.log.follow(self.chat.state().head());
        let mut messages = Vec::with_capacity(INPUTS_A_TURN_MAX);
        let mut ticks = time::interval(self.idle.precision().min(TICK));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let Lifetime { shutdown, end } = self.lifetime.clone();
        let (mut told_to_stop, mut told_to_end) =
            (pin!(shutdown.cancelled()), pin!(end.cancelled()));
        loop {
            // The log goes first: what is under way shall be done before more is taken in. The end
            // goes last: to look for it in every turn costs as much as a message. A server that
            // never rests looks for it when the clock ticks.
            tokio::select! {
                biased;
                _ = ticks.tick() => {
                    self.tick();
                    if end.is_cancelled() {
                        return Ok(());
                    }
                    if shutdown.is_cancelled() {
                        self.say_goodbye();
                    }
                }
                () = std::future::ready(()), if !self.ordered.is_empty() => self.apply(),
                Some(batch) = entries.next() => {
                    self.ordered.extend(batch?);
                    self.apply();
                }
                _ = self.inbox.recv_many(&mut messages, INPUTS_A_TURN_MAX), if self.chat.load() < LOAD_MAX => {
                    let now = self.clock.now();
                    self.look_at_the_clock();
                    for message in messages.drain(..) {
                        self.take_in(message, now);
                    }
                }
                () = &mut told_to_stop, if !self.has_said_goodbye => self.say_goodbye(),
                () = &mut told_to_end => return Ok(()),
            }
            self.append()?;
            let has_done_enough = self.fanout.has_done_enough();
            self.fanout.end_turn(self.chat.state());
            if has_done_enough {
                // Those who were woken write what they have got, before there is more.
                tokio::task::yield_now().await;
            }
        }
    }

    fn say_goodbye(&mut self) {
        if !std::mem::replace(&mut self.has_said_goodbye, true) {
            self.hang_up_on_all(CloseReason::Shutdown);
        }
    }

    fn tick(&mut self) {
        self.chat.tick(self.clock.now(), &mut self.effects);
        self.carry_out();
        self.passwords.tick();
        self.look_at_the_clock();
        self.rate_limits.tidy();
        while let Some(connection) = self.idle.next_due() {
            let Some(line) = self.connections.get_mut(&connection) else { continue };
            let session = line.session();
            let ConnEntry { outbox, last_seen, .. } = line;
            match self.idle.judge(connection, last_seen, outbox.owes()) {
                IdleAction::Goes => {}
                IdleAction::Ask => {
                    let ping = ServerFrame::Notification(Notification::Ping);
                    self.fanout.send(self.chat.state(), session, outbox, &ping);
                }
                IdleAction::Ends => outbox.close(Some(CloseReason::Idle)),
            }
        }
    }

    /// It is now, until this is called again: once for many inputs.
    fn look_at_the_clock(&mut self) {
        self.idle.look_at_the_clock();
        self.rate_limits.look_at_the_clock(self.idle.now());
    }

    /// Hands what this turn proposes to the log.
    fn append(&mut self) -> Result<(), LogError> {
        if self.proposals.is_empty() {
            Ok(())
        } else {
            self.log.append(std::mem::take(&mut self.proposals))
        }
    }

    /// Applies what the log has ordered, up to the end of this turn.
    fn apply(&mut self) {
        while !self.fanout.has_done_enough()
            && let Some(entry) = self.ordered.pop_front()
        {
            let command = &entry.proposal.command;
            if self.moves_several(command) || command.may_take_out() {
                // Whoever goes out of a group hears everything before that.
                self.fanout.flush(self.chat.state());
            }
            self.chat.apply(&entry, &mut self.effects);
            // At once, entry by entry: an effect's audience is in the state as it is now.
            self.carry_out();
        }
    }

    /// Whether somebody goes out of several groups at once, or several devices into or out of one.
    /// They hear everything before that, or nothing.
    fn moves_several(&self, command: &Command) -> bool {
        match command {
            Command::Depart { .. }
            | Command::ChangePassword { .. }
            | Command::Unregister { .. } => true,
            Command::Join { by, .. } | Command::Leave { by, .. } => {
                self.chat.state().has_others(*by)
            }
            _ => false,
        }
    }

    fn take_in(&mut self, message: Message, now: UnixMillis) {
        let input = match message {
            Message::Input(input) => self.receive(input),
            Message::LogIn(_, outbox) if self.has_said_goodbye => {
                return outbox.close(Some(CloseReason::Shutdown));
            }
            Message::LogIn(arrival, outbox) => {
                let (source, last_seen) =
                    (ClientNetwork::of(arrival.address.ip()), self.idle.last_seen());
                self.connections.insert(
                    arrival.connection,
                    ConnEntry { outbox, source, session: None, last_seen },
                );
                if let Err(excess) = self.rate_limits.arrive(source) {
                    return self.turn_away(arrival.connection, arrival.tag, excess);
                }
                Input::LogIn(arrival)
            }
            Message::Clients(answer) => {
                // One who does not wait for the answer any more needs none.
                let _ = answer.send(self.chat.clients().collect());
                return;
            }
            Message::State(answer) => {
                let _ = answer.send((self.chat.state().clone(), self.chat.load()));
                return;
            }
        };
        self.chat.handle(input, now, &mut self.effects);
        self.carry_out();
    }

    /// Takes note of what a connection says. Only what is within the budgets is served; the rest is
    /// answered, too, and in its turn.
    fn receive(&mut self, input: Input) -> Input {
        let (connection, tag, excess) = match &input {
            Input::Gone { connection } => {
                self.forget(*connection);
                return input;
            }
            Input::Ask { connection, tag, request } => match self.pay(*connection, *tag, request) {
                Ok(()) => return input,
                Err(excess) => (*connection, *tag, excess),
            },
            Input::LogIn(_)
            | Input::Found { .. }
            | Input::Checked { .. }
            | Input::Refuse { .. } => {
                return input;
            }
        };
        let RateLimited { retry_after_ms, floods } = excess;
        if floods {
            debug!(connection = connection.0, "hung up on: it does not wait as it is told");
            let reason = Some(CloseReason::Misbehaved(Misbehaviour::Flooding));
            self.effects.push(Effect::HangUp { connection, reason });
        }
        Input::Refuse { connection, tag, refusal: Refusal::RateLimited { retry_after_ms } }
    }

    /// Has a connection pay for what it asks.
    fn pay(
        &mut self,
        connection: ConnectionId,
        tag: Tag,
        request: &Request,
    ) -> Result<(), RateLimited> {
        let Some(line) = self.connections.get_mut(&connection) else { return Ok(()) };
        self.idle.hear(&mut line.last_seen);
        let person = line.session().map(|session| self.chat.state().person(session));
        let asker = Asker { connection, person, source: line.source };
        self.rate_limits.ask(&asker, tag, request)
    }

    /// Refuses one who knocks too often.
    fn turn_away(&mut self, connection: ConnectionId, tag: Tag, excess: RateLimited) {
        let result = Err(Refusal::RateLimited { retry_after_ms: excess.retry_after_ms });
        self.effects.push(Effect::Reply { connection, tag, result });
        self.effects.push(Effect::HangUp { connection, reason: None });
        self.carry_out();
    }

    fn forget(&mut self, connection: ConnectionId) {
        self.rate_limits.forget(connection);
        let Some(line) = self.connections.remove(&connection) else { return };
        self.idle.end(connection, &line.last_seen);
        if let Some(session) = line.session() {
            self.fanout.forget(connection, session);
        }
    }

    fn carry_out(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Propose(proposal) => self.proposals.push(proposal),
                Effect::Admit { connection, session } => self.admit(connection, session),
                Effect::Reply { connection, tag, result } => {
                    self.say(connection, &ServerFrame::Response { tag, result });
                }
                Effect::Notify { audience, notification } => {
                    self.fanout.notify(self.chat.state(), &audience, notification);
                }
                Effect::Read { connection, tag, read } => self.look_up(connection, tag, read),
                Effect::Check { connection, tag, check } => {
                    self.passwords.check(connection, tag, check, self.handle.clone());
                }
                Effect::Replay { connection, replay } => self.replay(connection, replay),
                Effect::Tell { connection, notification } => {
                    self.say(connection, &ServerFrame::Notification(notification));
                }
                Effect::HangUp { connection, reason } => {
                    if let Some(line) = self.connections.get(&connection) {
                        // What is closed takes nothing in any more.
                        self.fanout.flush(self.chat.state());
                        line.outbox.close(reason);
                    }
                }
            }
        }
        self.effects = effects;
    }

    fn admit(&mut self, connection: ConnectionId, session: DeviceId) {
        if let Some(line) = self.connections.get_mut(&connection) {
            line.session = NonZeroU64::new(session.0.0);
            line.outbox.admit();
            self.fanout.admit(self.chat.state(), connection, session, line.outbox.clone());
            self.idle.begin(connection, &mut line.last_seen);
        }
    }

    /// Has something looked up; what is found comes in by the handle. One for each connection at
    /// the most.
    fn look_up(&self, connection: ConnectionId, tag: Tag, read: Read) {
        let (archive, handle) = (self.archive.clone(), self.handle.clone());
        tokio::spawn(async move {
            let found = match archive {
                Some(archive) => archive.read(read).await,
                None => Err(ReadError::Stopped),
            };
            let result = match found {
                Ok(FoundPosts { posts, next }) => {
                    Ok(Response::Past { posts: Page::fill(posts), next })
                }
                // A server whose archive has stopped is about to stop.
                Err(ReadError::TookTooLong | ReadError::Stopped) => Err(Refusal::TookTooLong),
            };
            let result = Box::new(result);
            // A server that has stopped answers nobody.
            let _ = handle.send(Message::Input(Input::Found { connection, tag, result })).await;
        });
    }

    fn replay(&mut self, connection: ConnectionId, replay: Replay) {
        let Some(line) = self.connections.get(&connection) else { return };
        match &self.archive {
            Some(archive) => {
                line.outbox.hold();
                tokio::spawn(replay::send(archive.clone(), replay, line.outbox.clone()));
            }
            None => line.outbox.close(Some(CloseReason::Failed)),
        }
    }

    /// Says something to one connection.
    fn say(&mut self, connection: ConnectionId, frame: &ServerFrame) {
        let Some(line) = self.connections.get(&connection) else { return };
        if !self.fanout.send(self.chat.state(), line.session(), &line.outbox, frame) {
            line.outbox.close(Some(CloseReason::Failed));
        }
    }

    fn hang_up_on_all(&mut self, reason: CloseReason) {
        if !self.connections.is_empty() {
            info!(connections = self.connections.len(), ?reason, "hanging up on everyone");
        }
        for line in self.connections.values() {
            line.outbox.close(Some(reason));
        }
    }
}

#[cfg(test)]
mod tests;
