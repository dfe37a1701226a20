//! One run of the server: the chat, and its effects carried out as the dispatch task does it.

use std::collections::HashMap;

use chatroom_proto::codec;
use chatroom_proto::{
    ClientFrame, CloseReason, GroupName, Notification, Page, PostId, Proof, Request, Response,
    Retention, Seq, ServerFrame, Tag, Token, UnixMillis,
};
use chatroom_server::chat::effect::{
    Audience, Channel, Credential, Effect, Input, LoginRequest, Read, Replay,
};
use chatroom_server::chat::entry::{ConnectionId, DeviceId, Entry, NodeId, TokenDigest};
use chatroom_server::chat::{Chat, ChatState, Limits};
use chatroom_server::storage::archive::FoundPosts;

use super::Fault;
use super::commands::CODE;
use super::outbox::CaughtUp;
use super::state::{Sim, What};
use super::wire::Pump;
use crate::passwords;

/// Short times, and more room than anybody needs: nobody is forgotten.
pub(super) const LIMITS: Limits = Limits {
    groups_max: 100,
    memberships_max: 10,
    grace_ms: 4_000,
    held_max: 100,
    remembered_max: 100,
    retention: Retention::Everything,
};

/// A running server.
pub(super) struct Node {
    pub(super) chat: Chat,
    pub(super) epoch: u64,
    /// Which connection hears what is said to a device.
    listeners: HashMap<DeviceId, u64>,
    /// Who was put out of which group, and hears on: a planted bug.
    outside: Vec<(GroupName, u64)>,
    /// Whether it goes down in order: nobody is let in any more.
    pub(super) is_stopping: bool,
}

impl Sim {
    /// A new server restores what is on disk: from a snapshot of some place, and what follows.
    pub(super) fn start_server(&mut self) {
        self.epoch += 1;
        let entries = self.log.restore().to_vec();
        let known = self.chance.below(entries.len() as u64 + 1) as usize;
        let mut state = ChatState::new(LIMITS);
        for entry in &entries[..known] {
            state.fold(entry);
        }
        let image = codec::pack(&state).expect("a world can be packed");
        let state = codec::decode::<ChatState>(&image).expect("what was packed can be unpacked");
        let mut chat = Chat::on(state, NodeId(self.epoch), LIMITS);
        for entry in &entries[known..] {
            chat.restore(entry);
        }
        let mut effects = Vec::new();
        chat.begin(self.unix_now(), &mut effects);
        if !chat.state().has_operators() {
            chat.offer(&CODE, self.unix_now(), &mut effects);
        }
        let listeners = HashMap::new();
        self.node = Some(Node {
            chat,
            epoch: self.epoch,
            listeners,
            outside: Vec::new(),
            is_stopping: false,
        });
        self.carry_out(effects);
        self.after(1_000, What::Tick(self.epoch));
    }

    pub(super) fn unix_now(&self) -> UnixMillis {
        UnixMillis(1_000_000 + self.now)
    }

    fn handle(&mut self, input: Input) {
        let now = self.unix_now();
        let Some(node) = &mut self.node else { return };
        let mut effects = Vec::new();
        node.chat.handle(input, now, &mut effects);
        self.carry_out(effects);
    }

    pub(super) fn apply(&mut self, entry: &Entry) {
        let Some(node) = &mut self.node else { return };
        self.trace.note(&[self.now, 1, entry.seq.0]);
        let mut effects = Vec::new();
        node.chat.apply(entry, &mut effects);
        self.carry_out(effects);
    }

    pub(super) fn tick(&mut self) {
        let now = self.unix_now();
        let Some(node) = &mut self.node else { return };
        let mut effects = Vec::new();
        node.chat.tick(now, &mut effects);
        let epoch = node.epoch;
        self.carry_out(effects);
        self.after(1_000, What::Tick(epoch));
    }

    /// Everyone is told that the server goes down.
    pub(super) fn say_goodbye(&mut self) {
        let Some(node) = &mut self.node else { return };
        node.is_stopping = true;
        let epoch = node.epoch;
        let wires: Vec<u64> =
            self.wires.iter().filter(|(_, wire)| wire.epoch == epoch).map(|(id, _)| *id).collect();
        for id in wires {
            self.close(id, Some(CloseReason::Shutdown));
        }
    }

    /// A frame from a client.
    pub(super) fn take_in(&mut self, id: u64, frame: ClientFrame) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        if wire.outbox.is_closed() {
            return;
        }
        wire.outbox.ask();
        let connection = ConnectionId(id);
        let ClientFrame { tag, request } = frame;
        self.trace.note(&[self.now, 2, id, u64::from(tag.0)]);
        let input = match request {
            Request::Hello(hello) if !wire.has_knocked => {
                wire.has_knocked = true;
                if self.node.as_ref().is_none_or(|node| node.is_stopping) {
                    return self.close(id, Some(CloseReason::Shutdown));
                }
                let presented = match &hello.proof {
                    Proof::Resume(token) => Some(TokenDigest(token.0)),
                    Proof::Open | Proof::Password(_) => None,
                };
                // Here a token is its own digest.
                let mut secret = [0; 32];
                secret[..8].copy_from_slice(&id.to_le_bytes());
                let fresh = Credential { token: Token(secret), digest: TokenDigest(secret) };
                let address = format!("192.0.2.1:{}", id % 65_536).parse().expect("an address");
                let channel = Channel::Loopback;
                Input::LogIn(Box::new(LoginRequest {
                    connection,
                    tag,
                    hello,
                    presented,
                    fresh,
                    address,
                    channel,
                }))
            }
            request => Input::Ask { connection, tag, request: self.garble(request) },
        };
        self.handle(input);
    }

    /// A planted bug: each time that a post comes it looks like another one.
    fn garble(&mut self, request: Request) -> Request {
        if self.fault != Some(Fault::KeptTwice) {
            return request;
        }
        self.garbled += 1;
        let garbled = u128::from(self.garbled) << 64;
        let other = |id: PostId| PostId((u128::from_be_bytes(id.0) | garbled).to_be_bytes());
        match request {
            Request::Public { group, id, body } => Request::Public { group, id: other(id), body },
            Request::Private { to, id, body } => Request::Private { to, id: other(id), body },
            request => request,
        }
    }

    /// A connection is no more.
    pub(super) fn compact(&mut self, id: u64) {
        let Some(wire) = self.wires.remove(&id) else { return };
        let Some(node) = self.node.as_mut().filter(|node| node.epoch == wire.epoch) else { return };
        if let Some(device) = wire.device
            && node.listeners.get(&device) == Some(&id)
        {
            node.listeners.remove(&device);
        }
        if wire.has_knocked {
            self.handle(Input::Gone { connection: ConnectionId(id) });
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Propose(proposal) => {
                    self.log.append(proposal, &mut self.chance);
                    self.expect_sync();
                }
                Effect::Admit { connection, device } => self.admit(connection.0, device),
                Effect::Reply { connection, tag, result } => {
                    self.put(connection.0, ServerFrame::Response { tag, result });
                }
                Effect::Notify { audience, notification } => self.notify(&audience, &notification),
                Effect::Tell { connection, notification } => {
                    self.put(connection.0, ServerFrame::Notification(notification));
                }
                Effect::Read { connection, tag, read } => {
                    let delay = self.chance.between(1, 80);
                    self.after(delay, What::Finds(self.epoch, connection.0, tag, Box::new(read)));
                }
                Effect::Check { connection, tag, check } => {
                    let checked = passwords::checked(
                        connection,
                        tag,
                        &check,
                        self.chance.between(0, u64::MAX - 1),
                    );
                    self.handle(checked);
                }
                Effect::Replay { connection, replay } => self.replay(connection.0, replay),
                Effect::HangUp { connection, reason } => self.close(connection.0, reason),
            }
        }
    }

    fn notify(&mut self, audience: &Audience, notification: &Notification) {
        let Some(Node { chat, listeners, .. }) = &self.node else { return };
        let hearers = chat.state().hearers(audience);
        let wires: Vec<u64> =
            hearers.filter_map(|device| listeners.get(&device)).copied().collect();
        for id in self.as_the_fault_has_it(wires, notification) {
            self.put(id, ServerFrame::Notification(notification.clone()));
        }
    }

    /// Planted bugs: somebody hears too little, or too much.
    fn as_the_fault_has_it(
        &mut self,
        mut wires: Vec<u64>,
        notification: &Notification,
    ) -> Vec<u64> {
        let name_at = |id: &u64| Some(self.clients[self.wires.get(id)?.client].name());
        match (self.fault, notification, &mut self.node) {
            (
                Some(Fault::OthersNotTold),
                Notification::GroupPost { post, .. } | Notification::PrivatePost { post, .. },
                _,
            ) => wires.retain(|id| name_at(id) != Some(&post.from)),
            (
                Some(Fault::OutsideTold),
                Notification::Moderated { group, act, .. },
                Some(Node { outside, .. }),
            ) if act.expels() => {
                let is_out = |id: &u64| name_at(id).is_some_and(|name| act.user() == Some(name));
                outside.extend(wires.iter().copied().filter(is_out).map(|id| (group.clone(), id)));
            }
            (
                Some(Fault::OutsideTold),
                Notification::GroupPost { group, .. },
                Some(Node { outside, .. }),
            ) => {
                let too_many = outside.iter().filter(|(of, _)| of == group).map(|(_, id)| *id);
                wires.extend(too_many);
            }
            _ => {}
        }
        wires
    }

    fn admit(&mut self, id: u64, device: DeviceId) {
        if let (Some(wire), Some(node)) = (self.wires.get_mut(&id), &mut self.node) {
            wire.device = Some(device);
            node.listeners.insert(device, id);
        }
    }

    fn put(&mut self, id: u64, frame: ServerFrame) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let is_answer = matches!(frame, ServerFrame::Response { .. });
        let is_too_much =
            if is_answer { wire.outbox.answer(frame) } else { wire.outbox.push(frame) };
        self.tally.too_slow += u64::from(is_too_much);
        self.write_soon(id);
        self.close_if_done(id);
    }

    pub(super) fn close(&mut self, id: u64, reason: Option<CloseReason>) {
        if let Some(wire) = self.wires.get_mut(&id) {
            wire.outbox.close(reason);
            self.write_soon(id);
            let patience = self.chance.between(500, 3_000);
            self.after(patience, What::GivesUp(id));
        }
    }

    /// A client that has nothing more to say still wants its answers.
    pub(super) fn close_if_done(&mut self, id: u64) {
        let is_done = |wire: &super::wire::Wire| wire.is_half_closed && wire.outbox.is_answered();
        if self.wires.get(&id).is_some_and(|wire| is_done(wire) && !wire.outbox.is_closed()) {
            self.close(id, None);
        }
    }

    /// What was looked up is found, when the archive has come so far.
    pub(super) fn find(&mut self, id: u64, tag: Tag, read: Box<Read>) {
        if self.archived_to() < read.head {
            return self.after(10, What::Finds(self.epoch, id, tag, read));
        }
        let FoundPosts { posts, next } = self.archive.read(&read);
        let result = Box::new(Ok(Response::Past { posts: Page::fill(posts), next }));
        self.handle(Input::Found { connection: ConnectionId(id), tag, result });
    }

    fn replay(&mut self, id: u64, replay: Replay) {
        let fault = self.fault;
        let Some(wire) = self.wires.get_mut(&id) else { return };
        if fault == Some(Fault::ReplayDropped) {
            let caught_up = Notification::CaughtUp { seq: replay.until };
            return self.put(id, ServerFrame::Notification(caught_up));
        }
        if fault != Some(Fault::ReplayNotHeld) {
            wire.outbox.hold();
        }
        wire.pump = Some(Pump { replay, part: None, is_last: false });
        let delay = self.chance.between(1, 60);
        self.after(delay, What::Replays(self.epoch, id));
    }

    /// Reads the next part of what a client missed.
    pub(super) fn read_part(&mut self, id: u64) {
        let archived_to = self.archived_to();
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let Some(pump) = &mut wire.pump else { return };
        if archived_to < pump.replay.until {
            return self.after(10, What::Replays(self.epoch, id));
        }
        let missed = self.archive.replay(&pump.replay).notifications;
        let count = (self.chance.between(1, 12) as usize).min(missed.len());
        pump.is_last = count == missed.len();
        pump.replay.after = missed[..count]
            .last()
            .and_then(crate::test_client::seq_of)
            .unwrap_or(pump.replay.until);
        let mut part: Vec<ServerFrame> =
            missed.into_iter().take(count).map(ServerFrame::Notification).collect();
        if pump.is_last {
            let caught_up = Notification::CaughtUp { seq: pump.replay.until };
            part.push(ServerFrame::Notification(caught_up));
        }
        pump.part = Some(part);
        self.pump(id);
    }

    /// Puts what was read into the outbox when there is room.
    pub(super) fn pump(&mut self, id: u64) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let Some(Pump { part: Some(part), is_last, .. }) = &wire.pump else { return };
        let is_last = *is_last;
        if self.fault == Some(Fault::ReplayNotHeld) {
            for frame in part.clone() {
                let _ = wire.outbox.push(frame);
            }
        } else {
            match wire.outbox.catch_up(part) {
                CaughtUp::NotYet => return,
                CaughtUp::Never => return wire.pump = None,
                CaughtUp::Yes if is_last => wire.outbox.go_live(),
                CaughtUp::Yes => {}
            }
        }
        match &mut wire.pump {
            Some(pump) if !is_last => {
                pump.part = None;
                let delay = self.chance.between(1, 30);
                self.after(delay, What::Replays(self.epoch, id));
            }
            pump => *pump = None,
        }
        self.write_soon(id);
    }

    /// How far the archive has come.
    fn archived_to(&self) -> Seq {
        match self.archived {
            0 => Seq::ZERO,
            archived => self.log.on_disk()[archived - 1].seq,
        }
    }
}
