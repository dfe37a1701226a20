//! The chat without anything around it: one node, a log that can be stopped, and a clock that goes
//! when told to.

use std::collections::{HashMap, VecDeque};

use chatroom_proto::{
    Code, Notification, Page, Proof, Request, Response, Seq, ServerFrame, Tag, Token, UnixMillis,
};
use chatroom_server::chat::effect::{Channel, Credential, Effect, Input, LoginRequest};
use chatroom_server::chat::entry::{ConnectionId, DeviceId, Entry, NodeId, Proposal, TokenDigest};
use chatroom_server::chat::{Chat, Limits};
use chatroom_server::storage::archive::FoundPosts;

use crate::model::Model;
use crate::passwords;

use super::{Entrance, Memories, Stage, base, hello_with};

/// The pure stage.
pub struct Pure {
    chat: Chat,
    model: Model,
    now: UnixMillis,
    log: VecDeque<Proposal>,
    log_is_held: bool,
    head: Seq,
    knocks: u64,
    checks: u64,
    lines: HashMap<String, Line>,
    memories: Memories,
}

/// One guest's connection.
struct Line {
    connection: ConnectionId,
    device: Option<DeviceId>,
    next_tag: u32,
    /// What arrived and was not heard yet.
    heard: VecDeque<ServerFrame>,
    closed: bool,
}

impl Pure {
    /// An empty chat with these limits.
    pub fn new(limits: Limits) -> Pure {
        Pure {
            chat: Chat::new(NodeId(1), limits),
            model: Model::new(limits),
            now: UnixMillis(1_000_000),
            log: VecDeque::new(),
            log_is_held: false,
            head: Seq::ZERO,
            knocks: 0,
            checks: 0,
            lines: HashMap::new(),
            memories: Memories::default(),
        }
    }

    fn handle(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.chat.handle(input, self.now, &mut effects);
        self.carry_out(effects);
        self.run_log();
    }

    fn run_log(&mut self) {
        while !self.log_is_held
            && let Some(proposal) = self.log.pop_front()
        {
            self.head = self.head.next();
            let mut effects = Vec::new();
            let entry = Entry { seq: self.head, proposal };
            self.model.follow(&entry);
            self.chat.apply(&entry, &mut effects);
            self.carry_out(effects);
        }
    }

    /// What was looked up elsewhere comes in at once.
    fn found_out(&mut self, found: Input) {
        let mut effects = Vec::new();
        self.chat.handle(found, self.now, &mut effects);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Propose(proposal) => self.log.push_back(proposal),
                Effect::Admit { connection, device } => {
                    for line in self.lines.values_mut().filter(|line| line.device == Some(device)) {
                        line.device = None;
                    }
                    if let Some(line) = self.line(connection) {
                        line.device = Some(device);
                    }
                }
                Effect::Reply { connection, tag, result } => {
                    if let Some(line) = self.line(connection) {
                        line.hear(ServerFrame::Response { tag, result });
                    }
                }
                Effect::Read { connection, tag, read } => {
                    let FoundPosts { posts, next } = self.model.read(&read);
                    let result = Box::new(Ok(Response::Past { posts: Page::fill(posts), next }));
                    self.found_out(Input::Found { connection, tag, result });
                }
                Effect::Check { connection, tag, check } => {
                    self.checks += 1;
                    self.found_out(passwords::checked(connection, tag, &check, self.checks));
                }
                Effect::Replay { connection, replay } => {
                    let missed = self.model.replay(&replay).notifications;
                    if let Some(line) = self.line(connection) {
                        for notification in missed {
                            line.hear(ServerFrame::Notification(notification));
                        }
                        line.hear(ServerFrame::Notification(Notification::CaughtUp {
                            seq: replay.until,
                        }));
                    }
                }
                Effect::Notify { audience, notification } => {
                    for device in self.chat.state().hearers(&audience) {
                        let line = self.lines.values_mut().find(|line| line.device == Some(device));
                        if let Some(line) = line {
                            line.hear(ServerFrame::Notification(notification.clone()));
                        }
                    }
                }
                Effect::Tell { connection, notification } => {
                    if let Some(line) = self.line(connection) {
                        line.hear(ServerFrame::Notification(notification));
                    }
                }
                Effect::HangUp { connection, reason } => {
                    if let Some(line) = self.line(connection) {
                        if let Some(reason) = reason {
                            line.hear(ServerFrame::Notification(Notification::Closing(reason)));
                        }
                        line.closed = true;
                    }
                }
            }
        }
    }

    fn line(&mut self, connection: ConnectionId) -> Option<&mut Line> {
        self.lines.values_mut().find(|line| line.connection == connection)
    }
}

impl Line {
    fn hear(&mut self, frame: ServerFrame) {
        if !self.closed {
            self.heard.push_back(frame);
        }
    }
}

impl Stage for Pure {
    async fn knock(&mut self, name: &str, entrance: Entrance) {
        self.knocks += 1;
        let connection = ConnectionId(self.knocks);
        let line =
            Line { connection, device: None, next_tag: 1, heard: VecDeque::new(), closed: false };
        self.lines.insert(name.to_owned(), line);
        let hello = hello_with(base(name), entrance, self.memories.of(name));
        let presented = match &hello.proof {
            Proof::Resume(token) => Some(TokenDigest(token.0)),
            Proof::Open | Proof::Password(_) => None,
        };
        // Here a token is its own digest; nobody is watching.
        let secret = [u8::try_from(self.knocks).expect("few knocks in a dialogue"); 32];
        let fresh = Credential { token: Token(secret), digest: TokenDigest(secret) };
        let address = format!("192.0.2.1:{}", self.knocks).parse().expect("an address");
        let channel = Channel::Loopback;
        let arrival =
            LoginRequest { connection, tag: Tag(0), hello, presented, fresh, address, channel };
        self.handle(Input::LogIn(Box::new(arrival)));
    }

    async fn say(&mut self, name: &str, request: Request) {
        let line = self.lines.get_mut(name).unwrap_or_else(|| panic!("{name} is not here"));
        let tag = Tag(line.next_tag);
        line.next_tag += 1;
        let connection = line.connection;
        self.handle(Input::Ask { connection, tag, request });
    }

    async fn hear(&mut self, name: &str) -> Option<ServerFrame> {
        let line = self.lines.get_mut(name).unwrap_or_else(|| panic!("{name} is not here"));
        let heard = line.heard.pop_front();
        assert!(heard.is_some() || line.closed, "{name} has nothing to hear");
        if let Some(frame) = &heard {
            self.memories.learn(name, frame);
        }
        heard
    }

    async fn vanish(&mut self, name: &str) {
        if let Some(line) = self.lines.remove(name) {
            self.handle(Input::Gone { connection: line.connection });
        }
    }

    async fn rest(&mut self, name: &str) -> Option<ServerFrame> {
        self.lines.get_mut(name)?.heard.pop_front()
    }

    fn code(&mut self) -> Code {
        let code = Code([7; 16]);
        let mut effects = Vec::new();
        self.chat.offer(&code, self.now, &mut effects);
        self.carry_out(effects);
        self.run_log();
        code
    }

    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now.0 += 1_000;
            let mut effects = Vec::new();
            self.chat.tick(self.now, &mut effects);
            self.carry_out(effects);
            self.run_log();
        }
    }

    fn hold_log(&mut self, hold: bool) {
        self.log_is_held = hold;
        self.run_log();
    }
}
