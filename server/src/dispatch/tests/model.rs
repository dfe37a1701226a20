//! The model: a chat of its own, and nothing is shared, put off or put together.

use std::collections::BTreeMap;

use chatroom_proto::codec;
use chatroom_proto::{Notification, ServerFrame, UnixMillis};

use crate::chat::effect::{ConnectionId, Effect, Entry, Input, NodeId, SessionId};
use crate::chat::{Chat, Limits};

/// Who has been told what.
pub(super) struct Model {
    pub(super) chat: Chat,
    listeners: BTreeMap<SessionId, ConnectionId>,
    lines: BTreeMap<ConnectionId, Told>,
}

/// What one connection was told, and whether it is told no more.
#[derive(Default)]
struct Told {
    bytes: Vec<u8>,
    is_closed: bool,
}

impl Model {
    pub(super) fn new(node: NodeId, limits: Limits) -> Model {
        Model { chat: Chat::new(node, limits), listeners: BTreeMap::new(), lines: BTreeMap::new() }
    }

    /// There is one more connection.
    pub(super) fn connect(&mut self, connection: ConnectionId) {
        self.lines.insert(connection, Told::default());
    }

    /// A connection is no more.
    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.lines.remove(&connection);
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
        self.carry_out(effects);
    }

    /// What a connection was told since it was asked.
    pub(super) fn take(&mut self, connection: ConnectionId) -> Vec<u8> {
        self.lines.get_mut(&connection).map_or(Vec::new(), |told| std::mem::take(&mut told.bytes))
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Admit { connection, session } => {
                    self.listeners.insert(session, connection);
                }
                Effect::Reply { connection, tag, result } => {
                    self.tell(connection, &ServerFrame::Response { tag, result });
                }
                Effect::Tell { connection, notification } => {
                    self.tell(connection, &ServerFrame::Notification(notification));
                }
                Effect::Notify { audience, notification } => {
                    let frame = ServerFrame::Notification(notification);
                    let hearers: Vec<SessionId> = self.chat.world().hearers(&audience).collect();
                    for session in hearers {
                        if let Some(&connection) = self.listeners.get(&session) {
                            self.tell(connection, &frame);
                        }
                    }
                }
                Effect::HangUp { connection, reason } => {
                    if let Some(reason) = reason {
                        self.tell(connection, &ServerFrame::Notification(Notification::Closing(reason)));
                    }
                    self.lines.entry(connection).and_modify(|told| told.is_closed = true);
                }
                // What the real one proposes is ordered; and nothing is kept that could be read.
                Effect::Propose(_) | Effect::Read { .. } | Effect::Check { .. } | Effect::Replay { .. } => {}
            }
        }
    }

    fn tell(&mut self, connection: ConnectionId, frame: &ServerFrame) {
        if let Some(told) = self.lines.get_mut(&connection).filter(|told| !told.is_closed) {
            told.bytes.extend_from_slice(&codec::encode(frame).expect("a frame can be encoded"));
        }
    }
}
