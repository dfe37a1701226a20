//! The model: a chat of its own, and nothing is shared, put off or put together. Who is to hear a
//! post is said here once more, in its own words.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chatroom_proto::codec;
use chatroom_proto::{NameKey, Notification, ServerFrame, Tag, UnixMillis, UserName};

use crate::chat::effect::{Audience, Check, Effect, Input};
use crate::chat::entry::{Command, ConnectionId, DeviceId, Entry, NodeId};
use crate::chat::{Chat, Limits};

/// Who has been told what.
pub(super) struct Model {
    pub(super) chat: Chat,
    listeners: BTreeMap<DeviceId, ConnectionId>,
    told: BTreeMap<ConnectionId, Told>,
    /// What is to be found out about passwords.
    pub(super) checks: VecDeque<(ConnectionId, Tag, Check)>,
}

/// What one connection was told, and whether it is told no more.
struct Told {
    /// Whose it is, if it was let in.
    name: NameKey,
    bytes: Vec<u8>,
    is_closed: bool,
}

impl Model {
    pub(super) fn new(node: NodeId, limits: Limits) -> Model {
        let (listeners, told, checks) = (BTreeMap::new(), BTreeMap::new(), VecDeque::new());
        Model { chat: Chat::new(node, limits), listeners, told, checks }
    }

    /// There is one more connection, of somebody of this name.
    pub(super) fn connect(&mut self, connection: ConnectionId, name: &UserName) {
        let told = Told { name: name.key(), bytes: Vec::new(), is_closed: false };
        self.told.insert(connection, told);
    }

    /// A connection is no more.
    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.told.remove(&connection);
        self.listeners.retain(|_, listener| *listener != connection);
    }

    pub(super) fn handle(&mut self, input: Input, now: UnixMillis) {
        let mut effects = Vec::new();
        self.chat.handle(input, now, &mut effects);
        self.carry_out(effects);
    }

    pub(super) fn apply(&mut self, entry: &Entry) {
        let mut effects = Vec::new();
        self.chat.apply(entry, &mut effects);
        if let Command::Post { by, .. } = entry.proposal.command {
            effects.iter().for_each(|effect| self.is_for_the_right_ones(by, effect));
        }
        self.carry_out(effects);
    }

    /// A post is heard, once, with all devices of the members, or of the two who talk: but not with
    /// the one that said it.
    fn is_for_the_right_ones(&self, by: DeviceId, effect: &Effect) {
        let Effect::Notify { audience, notification } = effect else { return };
        let is_to_hear = |device: DeviceId, name: &NameKey| match (audience, notification) {
            (Audience::Group { group, .. }, Notification::GroupPost { .. }) => {
                self.chat.state().is_in(device, *group)
            }
            (_, Notification::PrivatePost { post, to }) => {
                [post.from.key(), to.key()].contains(name)
            }
            _ => panic!("{notification:?} is not what becomes of a post"),
        };
        let mut hears = BTreeSet::new();
        for device in
            self.chat.state().hearers(audience).filter(|device| self.listener(*device).is_some())
        {
            assert!(hears.insert(device), "{device:?} hears {notification:?} twice");
        }
        let here = self
            .listeners
            .keys()
            .filter_map(|device| Some((*device, &self.listener(*device)?.name)));
        let should = here.filter(|(device, name)| *device != by && is_to_hear(*device, name));
        assert_eq!(
            hears,
            should.map(|(device, _)| device).collect(),
            "said with {by:?}: {notification:?}"
        );
    }

    /// Who hears what is said to a device.
    fn listener(&self, device: DeviceId) -> Option<&Told> {
        self.told.get(self.listeners.get(&device)?).filter(|told| !told.is_closed)
    }

    /// What a connection was told since it was asked.
    pub(super) fn take(&mut self, connection: ConnectionId) -> Vec<u8> {
        self.told.get_mut(&connection).map_or(Vec::new(), |told| std::mem::take(&mut told.bytes))
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Admit { connection, device } => {
                    self.listeners.insert(device, connection);
                }
                Effect::Reply { connection, tag, result } => {
                    self.tell(connection, &ServerFrame::Response { tag, result });
                }
                Effect::Tell { connection, notification } => {
                    self.tell(connection, &ServerFrame::Notification(notification));
                }
                Effect::Notify { audience, notification } => {
                    let frame = ServerFrame::Notification(notification);
                    let hearers: Vec<DeviceId> = self.chat.state().hearers(&audience).collect();
                    for device in hearers {
                        if let Some(&connection) = self.listeners.get(&device) {
                            self.tell(connection, &frame);
                        }
                    }
                }
                Effect::HangUp { connection, reason } => {
                    if let Some(reason) = reason {
                        self.tell(
                            connection,
                            &ServerFrame::Notification(Notification::Closing(reason)),
                        );
                    }
                    self.told.entry(connection).and_modify(|told| told.is_closed = true);
                }
                Effect::Check { connection, tag, check } => {
                    self.checks.push_back((connection, tag, check));
                }
                // What the real one proposes is ordered; and nothing is kept that could be read.
                Effect::Propose(_)
                | Effect::Read { .. }
                | Effect::Find { .. }
                | Effect::Replay { .. } => {}
            }
        }
    }

    fn tell(&mut self, connection: ConnectionId, frame: &ServerFrame) {
        if let Some(told) = self.told.get_mut(&connection).filter(|told| !told.is_closed) {
            told.bytes.extend_from_slice(&codec::encode(frame).expect("a frame can be encoded"));
        }
    }
}
