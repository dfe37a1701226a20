//! The [`Chat`]: the whole domain, pure. No sockets, no clock, no disk: requests and log entries go
//! in, [`Effect`]s come out.
//!
//! Shared state changes in one place only, [`Chat::apply`], after the log has ordered what is to
//! happen. [`Chat::handle`] answers questions and what can be refused at once, and turns everything
//! else into proposals.
//!
//! The [`ChatState`] is what all nodes agree on. Around it stand this node's own connections'
//! states, one for each connection, which keep the answers of a connection in the order of its
//! requests: a request that needs to know what a command before it came to waits until that command
//! was applied.

use chatroom_proto::{
    Code, GroupName, Notification, Refusal, Response, Retention, Seq, Tag, Token, UnixMillis,
    Welcome,
};

use rustc_hash::FxHashMap;

use limits::EXPIRIES_A_TICK_MAX;

mod auth;
mod conn_state;
pub(crate) mod digest;
pub mod effect;
pub mod entry;
mod limits;
mod requests;
mod state;
#[cfg(test)]
mod tests;

use conn_state::{ConnState, PendingAuth, PendingLogin, Phase, Queued};
use effect::{Effect, Input};
use entry::{
    Command, ConnAddr, ConnectionId, DeviceId, Entry, GroupId, NodeId, Origin, Proposal, ProposalId,
};
pub use limits::Limits;
use state::device::Presence;
use state::{Applied, CommandOutcome};
pub use state::{ChatState, ClientReport};

/// The domain of one node.
#[derive(Debug)]
pub struct Chat {
    node: NodeId,
    /// What this node wants to hold, from when it begins. What does hold is the state's.
    limits: Limits,
    state: ChatState,
    /// The keys are counted by this node, not chosen by anybody.
    conns: FxHashMap<ConnectionId, ConnState>,
    /// The newest proposal's number.
    proposed: u64,
    /// Proposals that were not applied yet, and requests that wait for them.
    load: usize,
    /// Proposals to end a session that were not applied yet.
    expiring: usize,
}

impl Chat {
    /// A chat with nobody in it, on this node.
    pub fn new(node: NodeId, limits: Limits) -> Chat {
        Chat::on(ChatState::new(limits), node, limits)
    }

    /// A chat that goes on from this state: what the log has come to so far.
    pub fn on(state: ChatState, node: NodeId, limits: Limits) -> Chat {
        Chat { node, limits, state, conns: FxHashMap::default(), proposed: 0, load: 0, expiring: 0 }
    }

    /// Takes in what a connection says, at this time.
    pub fn handle(&mut self, input: Input, now: UnixMillis, out: &mut Vec<Effect>) {
        match input {
            Input::LogIn(arrival) => self.log_in(*arrival, now, out),
            Input::Ask { connection, tag, request } => {
                self.take(connection, tag, Queued::Serve(request), now, out);
            }
            Input::Refuse { connection, tag, refusal } => {
                self.take(connection, tag, Queued::Refuse(refusal), now, out);
            }
            Input::Found { connection, tag, result } => {
                let Some(conn) = self.conns.get_mut(&connection) else { return };
                conn.is_reading = false;
                out.push(Effect::Reply { connection, tag, result: *result });
                self.advance(connection, now, out);
            }
            Input::Checked { connection, tag, checked, fresh } => {
                self.checked((connection, tag), checked, *fresh, now, out);
                self.advance(connection, now, out);
            }
            Input::Gone { connection } => self.gone(connection, now, out),
        }
    }

    /// Lets an entry of the log take effect. Entries are applied in their order, each once.
    pub fn apply(&mut self, entry: &Entry, out: &mut Vec<Effect>) {
        let Applied { result, cut_off, news, more, put_out, ends, .. } = self.state.apply(entry);
        for (place, reason) in cut_off.into_iter().filter(|(place, _)| place.node == self.node) {
            out.push(Effect::HangUp { connection: place.connection, reason });
        }
        let Proposal { id, origin, at, .. } = entry.proposal;
        if id.node == self.node {
            self.load = self.load.saturating_sub(1);
            if matches!(entry.proposal.command, Command::Expire { .. }) {
                self.expiring = self.expiring.saturating_sub(1);
            }
        }
        // The others first: to the asker it is no news.
        for (audience, notification) in news.into_iter().chain(more) {
            out.push(Effect::Notify { audience, notification });
        }
        // These hear why before that.
        for (place, reason) in put_out.into_iter().filter(|(place, _)| place.node == self.node) {
            out.push(Effect::HangUp { connection: place.connection, reason: Some(reason) });
        }
        let is_ours = id.node == self.node;
        for session in ends.into_iter().filter(|_| is_ours) {
            self.propose(None, at, Command::Depart { session }, out);
        }
        if let Some(origin) = origin.filter(|origin| origin.place.node == self.node) {
            self.settle(origin, result, at, out);
            self.advance(origin.place.connection, at, out);
        }
    }

    /// Lets an entry from before this node began take effect, which nobody is there to hear of.
    pub fn restore(&mut self, entry: &Entry) {
        self.state.fold(entry);
    }

    /// The log is restored, and this node begins.
    pub fn begin(&mut self, now: UnixMillis, out: &mut Vec<Effect>) {
        self.propose(None, now, Command::Began { limits: self.limits }, out);
    }

    /// From now on, and as long as there is no operator, whoever knows this becomes one.
    pub fn offer(&mut self, code: &Code, now: UnixMillis, out: &mut Vec<Effect>) {
        self.propose(None, now, Command::Offer { digest: digest::of(&code.0) }, out);
    }

    /// Ends the sessions that were not resumed within the grace time. Called about once a second.
    pub fn tick(&mut self, now: UnixMillis, out: &mut Vec<Effect>) {
        if self.expiring > 0 {
            // A log that is slow is not to get the same proposals again and again.
            return;
        }
        let grace = u64::from(self.state.limits().grace_ms);
        let Some(until) = now.0.checked_sub(grace) else { return };
        let due: Vec<_> =
            self.state.detached_until(UnixMillis(until)).take(EXPIRIES_A_TICK_MAX).collect();
        self.expiring = due.len();
        for (session, detached) in due {
            self.propose(None, now, Command::Expire { session, detached }, out);
        }
    }

    /// How much is under way: proposals that the log has not given back, and requests that wait for
    /// them. The caller takes in no more while it is too much.
    pub fn load(&self) -> usize {
        self.load
    }

    /// What all nodes agree on.
    pub fn state(&self) -> &ChatState {
        &self.state
    }

    /// Every client's address, name and groups, in the order of arrival.
    pub fn clients(&self) -> impl Iterator<Item = ClientReport> + '_ {
        self.state.clients().map(|(mut client, place)| {
            let here = place.filter(|place| place.node == self.node);
            client.channel =
                here.and_then(|place| self.conns.get(&place.connection)).map(|conn| conn.channel);
            client
        })
    }

    fn gone(&mut self, connection: ConnectionId, now: UnixMillis, out: &mut Vec<Effect>) {
        let Some(conn) = self.conns.remove(&connection) else { return };
        self.load = self.load.saturating_sub(conn.waiting());
        if let Phase::In(session) = conn.stage {
            self.let_go(session, connection, now, out);
        }
    }

    /// Proposes that a session has lost its connection, if it is this one that it has.
    fn let_go(
        &mut self,
        session: DeviceId,
        connection: ConnectionId,
        now: UnixMillis,
        out: &mut Vec<Effect>,
    ) {
        let from = ConnAddr { node: self.node, connection };
        if self
            .state
            .session(session)
            .is_some_and(|session| session.presence == Presence::Attached(from))
        {
            self.propose(None, now, Command::Detach { session, from }, out);
        }
    }

    /// Tells the asker what came of its proposal.
    fn settle(
        &mut self,
        origin: Origin,
        result: Option<Result<CommandOutcome, Refusal>>,
        now: UnixMillis,
        out: &mut Vec<Effect>,
    ) {
        let Origin { place: ConnAddr { connection, .. }, tag } = origin;
        let Some(conn) = self.conns.get_mut(&connection) else {
            // The connection was gone before its arrival was applied. One that never had its token
            // can't come back.
            match result {
                Some(Ok(CommandOutcome::Admitted { session, lost: Some(_) })) => {
                    self.let_go(session, connection, now, out);
                }
                Some(Ok(CommandOutcome::Admitted { session, lost: None })) => {
                    self.propose(None, now, Command::Depart { session }, out);
                }
                _ => {}
            }
            return;
        };
        conn.under_way = conn.under_way.saturating_sub(1);
        let logging_in = matches!(conn.stage, Phase::LoggingIn(_));
        match result {
            Some(Ok(CommandOutcome::Admitted { session, lost })) => {
                self.admit(connection, tag, session, lost, out);
            }
            Some(Ok(CommandOutcome::Answer(response))) => {
                let goodbye = matches!(response, Response::Goodbye | Response::Unregistered { .. });
                let topic = match &response {
                    Response::Joined { membership, .. } => self.state.topic_of(&membership.group),
                    _ => None,
                };
                out.push(Effect::Reply { connection, tag, result: Ok(response) });
                out.extend(topic.map(|notification| Effect::Tell { connection, notification }));
                if goodbye {
                    out.push(Effect::HangUp { connection, reason: None });
                }
            }
            Some(Ok(CommandOutcome::PasswordChanged)) => {
                if let Some(PendingAuth::Change { token }) = conn.take_auth() {
                    let response = Response::PasswordChanged { seq: self.state.head(), token };
                    out.push(Effect::Reply { connection, tag, result: Ok(response) });
                }
            }
            Some(Err(refusal)) => {
                out.push(Effect::Reply { connection, tag, result: Err(refusal) });
                if logging_in {
                    self.turn_away(connection, out);
                }
            }
            None => {}
        }
    }

    /// Hangs up on one who is not let in. What it has asked meanwhile is not served.
    fn turn_away(&mut self, connection: ConnectionId, out: &mut Vec<Effect>) {
        if let Some(conn) = self.conns.remove(&connection) {
            self.load = self.load.saturating_sub(conn.waiting());
        }
        out.push(Effect::HangUp { connection, reason: None });
    }

    /// Lets a connection in; and one who was recognized hears first what was said since it was
    /// lost.
    fn admit(
        &mut self,
        connection: ConnectionId,
        tag: Tag,
        id: DeviceId,
        lost: Option<Seq>,
        out: &mut Vec<Effect>,
    ) {
        let Some(session) = self.state.session(id) else { return };
        let Some(conn) = self.conns.get_mut(&connection) else { return };
        let Phase::LoggingIn(log_in) = std::mem::replace(&mut conn.stage, Phase::In(id)) else {
            return;
        };
        let PendingLogin { version, old, fresh, seen } = *log_in;
        let head = self.state.head();
        let Limits { grace_ms, retention, .. } = self.state.limits();
        let token: Token = old.filter(|_| lost.is_some()).unwrap_or(fresh);
        let welcome = Welcome {
            version,
            name: session.name.clone(),
            token,
            resumed: lost.is_some(),
            grace_ms,
            seq: head,
            groups: self.state.memberships(id),
            retention,
        };
        out.push(Effect::Admit { connection, session: id });
        let is_in_general = self.state.is_in(id, GroupId::GENERAL);
        out.push(Effect::Reply { connection, tag, result: Ok(Response::Welcome(welcome)) });
        if lost.is_none() && is_in_general {
            let topic = self.state.topic_of(&GroupName::general());
            out.extend(topic.map(|notification| Effect::Tell { connection, notification }));
        }
        let Some(lost) = lost.filter(|_| retention != Retention::Nothing) else { return };
        let after = if seen == Seq::ZERO { lost } else { seen };
        out.push(match self.state.missed(id, after) {
            Some(replay) => Effect::Replay { connection, replay },
            None => Effect::Tell { connection, notification: Notification::CaughtUp { seq: head } },
        });
    }

    /// Serves the requests that waited for a command which is now applied, up to the next that must
    /// wait.
    fn advance(&mut self, connection: ConnectionId, now: UnixMillis, out: &mut Vec<Effect>) {
        while let Some((tag, turn)) =
            self.conns.get_mut(&connection).and_then(ConnState::next_ready)
        {
            self.load = self.load.saturating_sub(1);
            self.settle_turn(connection, tag, turn, now, out);
        }
    }

    fn origin(&self, connection: ConnectionId, tag: Tag) -> Origin {
        Origin { place: ConnAddr { node: self.node, connection }, tag }
    }

    fn proposal(&mut self, origin: Option<Origin>, at: UnixMillis, command: Command) -> Proposal {
        self.proposed += 1;
        Proposal { id: ProposalId { node: self.node, number: self.proposed }, origin, at, command }
    }

    fn propose(
        &mut self,
        origin: Option<Origin>,
        at: UnixMillis,
        command: Command,
        out: &mut Vec<Effect>,
    ) {
        let proposal = self.proposal(origin, at, command);
        self.send(proposal, out);
    }

    fn send(&mut self, proposal: Proposal, out: &mut Vec<Effect>) {
        if let Some(conn) =
            proposal.origin.and_then(|origin| self.conns.get_mut(&origin.place.connection))
        {
            conn.under_way += 1;
        }
        self.load += 1;
        out.push(Effect::Propose(proposal));
    }
}
