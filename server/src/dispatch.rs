//! Dispatch: the one task that owns the [`Chat`]. What connections say and what the log has ordered
//! go in; the effects are carried out here. It waits for nothing but these two: not for a disk, not
//! for a socket.
//!
//! - `handle`: the way to the task, and the messages that go through it.
//! - `conn_entry`: what it knows of each connection.
//! - `fanout`: who of those who are connected here hears what. [`outbox`]: what waits to be written
//!   to one connection.
//! - `idle`: which clients have been silent for too long. `rate_limit`: how much each may ask for.
//! - `passwords`, `lookup`, `replay`: what takes a while, each in a task of its own. What a
//!   password and a look-up come to goes in by the handle; what a client missed goes into its
//!   outbox. `recent_deletions`: what none of these may tell any more.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;

use chatroom_proto::{
    CloseReason, Code, Misbehaviour, Notification, Refusal, ServerFrame, UnixMillis, VersionRange,
};
use futures_util::StreamExt;
use rustc_hash::FxHashMap;
use tokio::sync::mpsc;
use tokio::time::{self, MissedTickBehavior};
use tracing::{debug, info};

use crate::chat::Chat;
use crate::chat::command_class::Moves;
use crate::chat::effect::{Effect, Input, LoginRequest, Replay};
use crate::chat::entry::{Command, ConnectionId, DeviceId, Entry, Proposal, RequestId};
use crate::chat::request_class::{INVALID_COST, RequestClass};
use crate::client_network::ClientNetwork;
use crate::clock::Clock;
use crate::config::{Config, INPUTS_A_TURN_MAX, LOAD_MAX, TICK};
use crate::dispatch::conn_entry::ConnEntry;
use crate::dispatch::fanout::Fanout;
use crate::dispatch::handle::{DispatchHandle, Lifetime, Message};
use crate::dispatch::idle::{IdleAction, IdleTimers};
use crate::dispatch::outbox::Bounds;
use crate::dispatch::passwords::Passwords;
use crate::dispatch::rate_limit::{Asker, RateLimited, RateLimits};
use crate::dispatch::recent_deletions::RecentDeletions;
use crate::storage::archive::Archive;
use crate::storage::log::{Log, LogError};

mod conn_entry;
mod fanout;
pub(crate) mod handle;
mod idle;
mod lookup;
pub mod outbox;
mod passwords;
mod rate_limit;
mod recent_deletions;
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
    deletions: Arc<RecentDeletions>,
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
            deletions: Arc::default(),
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
                _ = self.inbox.recv_many(&mut messages, INPUTS_A_TURN_MAX),
                    if self.chat.load() < LOAD_MAX =>
                {
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
                // Those who were woken write what they have got, before there is more. One thread
                // runs all of them now; on several, a connection may have to wait for its thread.
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
        self.look_at_the_clock();
        self.chat.tick(self.clock.now(), self.idle.uptime(), &mut self.effects);
        self.carry_out();
        self.passwords.tick();
        self.rate_limits.tidy();
        while let Some(connection) = self.idle.next_due() {
            let Some(conn) = self.connections.get_mut(&connection) else { continue };
            let device = conn.device();
            let ConnEntry { outbox, last_seen, .. } = conn;
            match self.idle.judge(connection, last_seen, outbox.owes()) {
                IdleAction::Nothing => {}
                IdleAction::Ping => {
                    let ping = ServerFrame::Notification(Notification::Ping);
                    self.fanout.send(self.chat.state(), device, outbox, &ping);
                }
                IdleAction::Close => outbox.close(Some(CloseReason::Idle)),
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
            if self.moves_several(&entry.proposal.command) {
                // Whoever goes out of a group hears everything before that.
                self.fanout.flush(self.chat.state());
            }
            self.chat.apply(&entry, &mut self.effects);
            // At once, entry by entry: an effect's audience is in the state as it is now.
            self.carry_out();
        }
    }

    /// Whether others than one may go into a group or out of one: they hear everything before that,
    /// or nothing.
    fn moves_several(&self, command: &Command) -> bool {
        match command.class().moves {
            Moves::One => false,
            Moves::AllDevicesWith(device) => self.chat.state().has_others(device),
            Moves::Several => true,
        }
    }

    fn take_in(&mut self, message: Message, now: UnixMillis) {
        let input = match message {
            Message::Input(input) => self.receive(input),
            Message::LogIn(_, outbox) if self.has_said_goodbye => {
                return outbox.close(Some(CloseReason::Shutdown));
            }
            Message::LogIn(login, outbox) => {
                let (network, last_seen) =
                    (ClientNetwork::of(login.address.ip()), self.idle.last_seen());
                if let Some(version) = login.hello.versions.newest_common(VersionRange::OF_SERVERS)
                {
                    outbox.speak(version);
                }
                let entry = ConnEntry::new(outbox, network, last_seen);
                self.connections.insert(login.connection, entry);
                if let Err(limited) = self.rate_limits.begin_login(network) {
                    let LoginRequest { connection, tag, .. } = *login;
                    return self.refuse_login(RequestId { connection, tag }, limited);
                }
                Input::LogIn(login)
            }
            Message::Clients(answer) => {
                // One who does not wait for the answer any more needs none.
                let _ = answer.send(self.chat.clients().collect());
                return;
            }
            #[cfg(feature = "test-util")]
            Message::State(answer) => {
                let _ = answer.send((self.chat.state().clone(), self.chat.load()));
                return;
            }
        };
        self.chat.handle(input, now, &mut self.effects);
        self.carry_out();
    }

    /// Takes note of what a connection says. Only what is within the rate limits is
    /// served; the rest is answered, too, and in its turn.
    fn receive(&mut self, input: Input) -> Input {
        let (connection, tag, limited) = match &input {
            Input::Gone { connection } => {
                self.forget(*connection);
                return input;
            }
            Input::Ask { connection, tag, request } => {
                let cost = RequestClass::of(request).cost;
                match self.pay(RequestId { connection: *connection, tag: *tag }, cost) {
                    Ok(()) => return input,
                    Err(limited) => (*connection, *tag, limited),
                }
            }
            Input::Refuse { connection, tag, .. } => {
                match self.pay(RequestId { connection: *connection, tag: *tag }, INVALID_COST) {
                    Ok(()) => return input,
                    Err(limited) => (*connection, *tag, limited),
                }
            }
            Input::Found { .. } => return self.amend(input),
            Input::LogIn(_) | Input::FoundPost { .. } | Input::Checked { .. } => return input,
        };
        let RateLimited { retry_after_ms, floods } = limited;
        if floods {
            debug!(connection = connection.0, "hung up on: it does not wait as it is told");
            let reason = Some(CloseReason::Misbehaved(Misbehaviour::Flooding));
            self.effects.push(Effect::HangUp { connection, reason });
        }
        Input::Refuse { connection, tag, refusal: Refusal::RateLimited { retry_after_ms } }
    }

    /// Takes out of what was found what was deleted while it was on its way.
    fn amend(&self, input: Input) -> Input {
        match input {
            Input::Found { connection, tag, result, head } => {
                let result = Box::new(self.deletions.amend_found(*result, head));
                Input::Found { connection, tag, result, head }
            }
            other => other,
        }
    }

    /// Has a connection pay for what it asks.
    fn pay(&mut self, id: RequestId, cost: u32) -> Result<(), RateLimited> {
        let RequestId { connection, tag } = id;
        let Some(conn) = self.connections.get_mut(&connection) else { return Ok(()) };
        self.idle.refresh(&mut conn.last_seen);
        let person = conn.device().map(|device| self.chat.state().person(device));
        let asker = Asker { connection, person, network: conn.network };
        self.rate_limits.ask(&asker, tag, cost)
    }

    /// Refuses a login from a network that has begun too many. The connection is closed behind the
    /// answer.
    fn refuse_login(&mut self, login: RequestId, limited: RateLimited) {
        let RequestId { connection, tag } = login;
        let result = Err(Refusal::RateLimited { retry_after_ms: limited.retry_after_ms });
        self.effects.push(Effect::Reply { connection, tag, result });
        self.effects.push(Effect::HangUp { connection, reason: None });
        self.carry_out();
    }

    fn forget(&mut self, connection: ConnectionId) {
        self.rate_limits.forget(connection);
        let Some(conn) = self.connections.remove(&connection) else { return };
        self.idle.end(connection, &conn.last_seen);
        if let Some(device) = conn.device() {
            self.fanout.forget(connection, device);
        }
    }

    fn carry_out(&mut self) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Propose(proposal) => self.proposals.push(proposal),
                Effect::Admit { connection, device } => self.admit(connection, device),
                Effect::Reply { connection, tag, result } => {
                    self.say(connection, &ServerFrame::Response { tag, result });
                }
                Effect::Notify { audience, notification } => {
                    self.deletions.note(&notification);
                    self.fanout.notify(self.chat.state(), &audience, notification);
                }
                Effect::Read { connection, tag, read } => {
                    let (archive, handle) = (self.archive.clone(), self.handle.clone());
                    let id = RequestId { connection, tag };
                    tokio::spawn(lookup::send(archive, read, id, handle));
                }
                Effect::Find { connection, tag, post, head } => {
                    let (archive, handle) = (self.archive.clone(), self.handle.clone());
                    let id = RequestId { connection, tag };
                    tokio::spawn(lookup::find(archive, (post, head), id, handle));
                }
                Effect::Check { connection, tag, check } => {
                    self.passwords.check(RequestId { connection, tag }, check, self.handle.clone());
                }
                Effect::Replay { connection, replay } => self.replay(connection, replay),
                Effect::Tell { connection, notification } => {
                    self.say(connection, &ServerFrame::Notification(notification));
                }
                Effect::HangUp { connection, reason } => {
                    if let Some(conn) = self.connections.get(&connection) {
                        // What is closed takes nothing in any more.
                        self.fanout.flush(self.chat.state());
                        match reason {
                            Some(reason) => conn.outbox.close(Some(reason)),
                            None => conn.outbox.finish(),
                        }
                    }
                }
            }
        }
        self.effects = effects;
    }

    fn admit(&mut self, connection: ConnectionId, device: DeviceId) {
        if let Some(conn) = self.connections.get_mut(&connection) {
            conn.set_device(device);
            conn.outbox.admit();
            self.fanout.admit(self.chat.state(), connection, device, conn.outbox.clone());
            self.idle.begin(connection, &mut conn.last_seen);
        }
    }

    fn replay(&mut self, connection: ConnectionId, replay: Replay) {
        let Some(conn) = self.connections.get(&connection) else { return };
        match &self.archive {
            Some(archive) => {
                conn.outbox.hold();
                let (archive, outbox) = (archive.clone(), conn.outbox.clone());
                tokio::spawn(replay::send(archive, replay, outbox, Arc::clone(&self.deletions)));
            }
            None => conn.outbox.close(Some(CloseReason::Failed)),
        }
    }

    /// Says something to one connection.
    fn say(&mut self, connection: ConnectionId, frame: &ServerFrame) {
        let Some(conn) = self.connections.get(&connection) else { return };
        if !self.fanout.send(self.chat.state(), conn.device(), &conn.outbox, frame) {
            conn.outbox.close(Some(CloseReason::Failed));
        }
    }

    fn hang_up_on_all(&mut self, reason: CloseReason) {
        if !self.connections.is_empty() {
            info!(connections = self.connections.len(), ?reason, "hanging up on everyone");
        }
        for conn in self.connections.values() {
            conn.outbox.close(Some(reason));
        }
    }
}

#[cfg(test)]
mod tests;
