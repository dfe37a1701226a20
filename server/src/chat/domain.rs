//! One node's chat: the shared state, and the states of this node's own connections.

use chatroom_proto::{
    Code, GroupName, Notification, Refusal, Response, Retention, Seq, UnixMillis, Welcome,
};

use rustc_hash::FxHashMap;

use super::conn_state::{ConnState, PendingAuth, PendingLogin, Phase, Queued};
use super::digest;
use super::effect::{Effect, Input};
use super::entry::{
    Command, ConnAddr, ConnectionId, ConversationId, DeviceId, Entry, GroupId, NodeId, Origin,
    PostRef, Proposal, ProposalId, RequestId,
};
use super::hold_timer::{HoldTimer, UptimeMillis};
use super::limits::{EXPIRIES_A_TICK_MAX, Limits};
use super::state::{Applied, ChatState, ClientReport, CommandOutcome, Presence};

/// The domain of one node.
#[derive(Debug)]
pub struct Chat {
    pub(super) node: NodeId,
    /// What this node wants to hold, from when it begins. What does hold is the state's.
    limits: Limits,
    pub(super) state: ChatState,
    /// The keys are counted by this node, not chosen by anybody.
    pub(super) conns: FxHashMap<ConnectionId, ConnState>,
    /// The newest proposal's number.
    proposed: u64,
    /// Proposals that were not applied yet, and requests that wait for them.
    pub(super) load: usize,
    /// Proposals to end a held stay that were not applied yet.
    expiring: usize,
    /// For how long devices have been held.
    hold_timer: HoldTimer,
    /// Behind this nothing private was deleted. The state does not remember that.
    deleted_in_private: Seq,
}

impl Chat {
    /// A chat with nobody in it, on this node.
    pub fn new(node: NodeId, limits: Limits) -> Chat {
        Chat::on(ChatState::new(limits), node, limits)
    }

    /// A chat that goes on from this state: what the log has come to so far.
    pub fn on(state: ChatState, node: NodeId, limits: Limits) -> Chat {
        Chat {
            node,
            limits,
            deleted_in_private: state.head(),
            state,
            conns: FxHashMap::default(),
            proposed: 0,
            load: 0,
            expiring: 0,
            hold_timer: HoldTimer::default(),
        }
    }

    /// Takes in what a connection says, at this time. Shared state does not change.
    pub fn handle(&mut self, input: Input, now: UnixMillis, out: &mut Vec<Effect>) {
        match input {
            Input::LogIn(login) => self.log_in(*login, now, out),
            Input::Ask { connection, tag, request } => {
                self.take(RequestId { connection, tag }, Queued::Serve(request), now, out);
            }
            Input::Refuse { connection, tag, refusal } => {
                self.take(RequestId { connection, tag }, Queued::Refuse(refusal), now, out);
            }
            Input::Found { connection, tag, result, .. } => {
                let Some(conn) = self.conns.get_mut(&connection) else { return };
                conn.is_reading = false;
                out.push(Effect::Reply { connection, tag, result: *result });
                self.advance(connection, now, out);
            }
            Input::FoundPost { connection, tag, result } => {
                self.found_post(RequestId { connection, tag }, *result, now, out);
                self.advance(connection, now, out);
            }
            Input::Checked { connection, tag, checked } => {
                self.checked(RequestId { connection, tag }, checked, now, out);
                self.advance(connection, now, out);
            }
            Input::Gone { connection } => self.gone(connection, now, out),
        }
    }

    /// Lets an entry of the log take effect. Entries are applied in their order, each once.
    pub fn apply(&mut self, entry: &Entry, out: &mut Vec<Effect>) {
        let Applied { result, cut_off, news, more, put_out, ends, .. } = self.state.apply(entry);
        self.note_deletion(entry);
        for (place, reason) in cut_off.into_iter().filter(|(place, _)| place.node == self.node) {
            out.push(Effect::HangUp { connection: place.connection, reason });
        }
        let Proposal { id, origin, at, .. } = entry.proposal;
        if matches!(entry.proposal.command, Command::Began { .. }) {
            self.hold_timer.restart();
        }
        let is_ours = id.node == self.node;
        if is_ours {
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
        for device in ends.into_iter().filter(|_| is_ours) {
            self.propose(None, at, Command::Depart { device }, out);
        }
        if let Some(origin) = origin.filter(|origin| origin.place.node == self.node) {
            self.settle(origin, result, at, out);
            self.advance(origin.place.connection, at, out);
        }
    }

    /// Lets an entry from before this node began take effect, which nobody is there to hear of.
    pub fn restore(&mut self, entry: &Entry) {
        self.state.fold(entry);
        self.note_deletion(entry);
    }

    fn note_deletion(&mut self, entry: &Entry) {
        if let Command::Delete { post: PostRef { thread: ConversationId::Pair(..), .. }, .. } =
            &entry.proposal.command
        {
            self.deleted_in_private = entry.seq;
        }
    }

    /// The log is restored, and this node begins.
    pub fn begin(&mut self, now: UnixMillis, out: &mut Vec<Effect>) {
        self.propose(None, now, Command::Began { limits: self.limits }, out);
    }

    /// From now on, and as long as there is no operator, whoever knows this code becomes one.
    pub fn offer(&mut self, code: &Code, now: UnixMillis, out: &mut Vec<Effect>) {
        self.propose(None, now, Command::Offer { digest: digest::of(&code.0) }, out);
    }

    /// Ends the stays that were not resumed within the grace time. Called about once a second.
    /// For how long somebody is away is measured by `uptime`; `now` is only for people.
    pub fn tick(&mut self, now: UnixMillis, uptime: UptimeMillis, out: &mut Vec<Effect>) {
        let grace_ms = u64::from(self.state.limits().grace_ms);
        self.hold_timer.look(self.state.newest_detached(), grace_ms, uptime);
        if self.expiring > 0 {
            // A log that is slow is not to get the same proposals again and again.
            return;
        }
        let Some(until) = self.hold_timer.over(grace_ms, uptime) else { return };
        let due: Vec<_> = self.state.detached_until(until).take(EXPIRIES_A_TICK_MAX).collect();
        self.expiring = due.len();
        for (device, detached) in due {
            self.propose(None, now, Command::Expire { device, detached }, out);
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
        if let Phase::In(device) = conn.phase {
            self.let_go(device, connection, now, out);
        }
    }

    /// Proposes that a device has lost its connection, if it is this one that it has.
    fn let_go(
        &mut self,
        device: DeviceId,
        connection: ConnectionId,
        now: UnixMillis,
        out: &mut Vec<Effect>,
    ) {
        let from = ConnAddr { node: self.node, connection };
        if self
            .state
            .device(device)
            .is_some_and(|device| device.presence == Presence::Attached(from))
        {
            self.propose(None, now, Command::Detach { device, from }, out);
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
            // It was gone before its login was applied. It may come back with the token.
            if let Some(Ok(CommandOutcome::Admitted { device, .. })) = result {
                self.let_go(device, connection, now, out);
            }
            return;
        };
        conn.under_way = conn.under_way.saturating_sub(1);
        let logging_in = matches!(conn.phase, Phase::LoggingIn(_));
        match result {
            Some(Ok(CommandOutcome::Admitted { device, lost })) => {
                self.admit(RequestId { connection, tag }, device, lost, out);
            }
            Some(Ok(CommandOutcome::Answer(response))) => {
                self.answer(RequestId { connection, tag }, response, out);
            }
            Some(Ok(CommandOutcome::Farewell(response))) => {
                out.push(Effect::Reply { connection, tag, result: Ok(response) });
                out.push(Effect::HangUp { connection, reason: None });
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

    /// Replies to a command that took effect. One who joins hears the group's topic behind that.
    fn answer(&self, to: RequestId, response: Response, out: &mut Vec<Effect>) {
        let RequestId { connection, tag } = to;
        let topic = if let Response::Joined { membership, .. } = &response {
            self.state.topic_of(&membership.group)
        } else {
            None
        };
        out.push(Effect::Reply { connection, tag, result: Ok(response) });
        out.extend(topic.map(|notification| Effect::Tell { connection, notification }));
    }

    /// Hangs up on one who is not let in. What it has asked meanwhile is not served.
    pub(super) fn turn_away(&mut self, connection: ConnectionId, out: &mut Vec<Effect>) {
        if let Some(conn) = self.conns.remove(&connection) {
            self.load = self.load.saturating_sub(conn.waiting());
        }
        out.push(Effect::HangUp { connection, reason: None });
    }

    /// Lets a connection in. One who was recognized hears first what was said since it was lost.
    fn admit(&mut self, login: RequestId, id: DeviceId, lost: Option<Seq>, out: &mut Vec<Effect>) {
        let RequestId { connection, tag } = login;
        let Some(device) = self.state.device(id) else { return };
        let Some(conn) = self.conns.get_mut(&connection) else { return };
        let Phase::LoggingIn(pending) = std::mem::replace(&mut conn.phase, Phase::In(id)) else {
            return;
        };
        let PendingLogin { version, token, seen, lives } = *pending;
        let head = self.state.head();
        let Limits { grace_ms, retention, .. } = self.state.limits();
        let put_back = match retention {
            // What is not kept is not put back either.
            Retention::Nothing => None,
            _ => self.state.lives().put_back(seen, &lives, head),
        };
        let welcome = Welcome {
            version,
            name: device.name.clone(),
            token,
            resumed: lost.is_some(),
            grace_ms,
            seq: head,
            groups: self.state.memberships(id),
            retention,
        };
        out.push(Effect::Admit { connection, device: id });
        let is_in_general = self.state.is_in(id, GroupId::GENERAL);
        let (welcome, lives) = (Box::new(welcome), self.state.lives().told());
        let result = Ok(Response::WelcomeInLife { welcome, lives, put_back });
        out.push(Effect::Reply { connection, tag, result });
        if lost.is_none() && is_in_general {
            let topic = self.state.topic_of(&GroupName::general());
            out.extend(topic.map(|notification| Effect::Tell { connection, notification }));
        }
        let Some(lost) = lost.filter(|_| retention != Retention::Nothing) else { return };
        let seen = if seen == Seq::ZERO { lost } else { seen };
        let after = put_back.map_or(seen, |shared| shared.min(seen));
        out.push(match self.state.missed(id, after, self.deleted_in_private) {
            Some(replay) => Effect::Replay { connection, replay },
            None => Effect::Tell { connection, notification: Notification::CaughtUp { seq: head } },
        });
    }

    /// Serves the requests that waited for a command which is now applied, up to the next that must
    /// wait.
    fn advance(&mut self, connection: ConnectionId, now: UnixMillis, out: &mut Vec<Effect>) {
        while let Some((tag, queued)) =
            self.conns.get_mut(&connection).and_then(ConnState::next_ready)
        {
            self.load = self.load.saturating_sub(1);
            self.serve(RequestId { connection, tag }, queued, now, out);
        }
    }

    pub(super) fn origin(&self, request: RequestId) -> Origin {
        let RequestId { connection, tag } = request;
        Origin { place: ConnAddr { node: self.node, connection }, tag }
    }

    pub(super) fn proposal(
        &mut self,
        origin: Option<Origin>,
        at: UnixMillis,
        command: Command,
    ) -> Proposal {
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

    pub(super) fn send(&mut self, proposal: Proposal, out: &mut Vec<Effect>) {
        if let Some(conn) =
            proposal.origin.and_then(|origin| self.conns.get_mut(&origin.place.connection))
        {
            conn.under_way += 1;
        }
        self.load += 1;
        out.push(Effect::Propose(proposal));
    }
}
