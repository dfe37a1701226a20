//! The dispatch task's work, done when a scene says so, over a log that orders what the scene lets
//! it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::Buf;
use chatroom_proto::codec::{self, LENGTH_BYTES};
use chatroom_proto::{
    Code, Hello, Lives, Notification, Password, Proof, Request, Response, Seq, ServerFrame, Tag,
    Token, UnixMillis, UserName, VersionRange,
};
use tokio::runtime::{Builder, Runtime};

use super::model::Model;
use crate::chat::effect::{Channel, Check, Checked, Credential, Input, LoginRequest};
use crate::chat::entry::{ConnectionId, Entry, NodeId, PasswordHash, Proposal, TokenDigest};
use crate::chat::{Chat, Limits};
use crate::config::{Config, RATE_MAX};
use crate::dispatch::Dispatch;
use crate::dispatch::handle::{Lifetime, Message};
use crate::dispatch::outbox::{Bounds, Outbox, Pieces, Taken};
use crate::storage::log::MemoryLog;

const NODE: NodeId = NodeId(1);
const NOW: UnixMillis = UnixMillis(1);

/// The real thing, and its model.
pub(super) struct Stage {
    name: String,
    dispatch: Dispatch,
    model: Model,
    bounds: Arc<Bounds>,
    /// The connections, in the order in which they came.
    conns: BTreeMap<ConnectionId, Conn>,
    connections: u64,
    /// What the log has not ordered yet.
    proposed: VecDeque<Proposal>,
    head: Seq,
    tag: u32,
    /// The tokens that were given to each name: one for each device, the newest last.
    tokens: BTreeMap<String, Vec<Token>>,
    /// How many passwords were looked at.
    /// Where real passwords would be looked at: it never comes to that, as nobody runs it.
    idle: Runtime,
    /// What was done, for whoever has to find out why it went wrong.
    done: Vec<String>,
}

struct Conn {
    outbox: Outbox,
    name: String,
    is_over: bool,
    /// Since somebody looked.
    heard: Vec<String>,
}

impl Stage {
    /// A stage on which these are already.
    pub(super) fn of<const N: usize>(names: [&str; N]) -> (Stage, [ConnectionId; N]) {
        let mut stage = Stage::new("scene", Limits::default());
        let connections = names.map(|name| {
            let connection = stage.comes(name);
            stage.turn();
            connection
        });
        stage.conns.values_mut().for_each(|conn| conn.heard.clear());
        (stage, connections)
    }

    pub(super) fn new(name: &str, limits: Limits) -> Stage {
        // Nobody is too slow here: what is heard does not depend on how much it is.
        let bounds = Bounds::new(usize::MAX, usize::MAX);
        let (chat, log) = (Chat::new(NODE, limits), Arc::new(MemoryLog::new()));
        let lifetime = Lifetime::default();
        let config = Config { rate: RATE_MAX, ..Config::default() };
        let (dispatch, _handle) =
            Dispatch::new(chat, log, None, &config, Arc::clone(&bounds), &lifetime);
        Stage {
            name: name.to_owned(),
            dispatch,
            model: Model::new(NODE, limits),
            bounds,
            conns: BTreeMap::new(),
            connections: 0,
            proposed: VecDeque::new(),
            head: Seq::ZERO,
            tag: 0,
            tokens: BTreeMap::new(),
            idle: Builder::new_current_thread().build().expect("a runtime without drivers"),
            done: Vec::new(),
        }
    }

    /// Whoever knows this code may run the server, as long as nobody does.
    pub(super) fn offers(&mut self, code: &Code) {
        self.dispatch.chat.offer(code, NOW, &mut self.dispatch.effects);
        self.dispatch.carry_out();
        self.proposed.extend(self.dispatch.proposals.drain(..));
    }

    /// The connections that were not hung up on.
    pub(super) fn connections(&self) -> Vec<ConnectionId> {
        let open = self.conns.iter().filter(|(_, conn)| !conn.is_over);
        open.map(|(connection, _)| *connection).collect()
    }

    /// Somebody comes over a new connection, with the newest token of this name if there is one.
    pub(super) fn comes(&mut self, name: &str) -> ConnectionId {
        let newest = self.tokens_of(name).last().cloned();
        self.comes_with(name, newest.map_or(Proof::Open, Proof::Resume))
    }

    /// Somebody comes with another device.
    pub(super) fn logs_in(&mut self, name: &str, password: &str) -> ConnectionId {
        self.comes_with(name, Proof::Password(self::password(password)))
    }

    /// The tokens that were given to this name.
    pub(super) fn tokens_of(&self, name: &str) -> &[Token] {
        self.tokens.get(name).map_or(&[], Vec::as_slice)
    }

    /// Somebody comes over a new connection.
    pub(super) fn comes_with(&mut self, name: &str, proof: Proof) -> ConnectionId {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        let with = match &proof {
            Proof::Open => "",
            Proof::Resume(_) => " with a token",
            Proof::Password(_) => " with a password",
        };
        self.done.push(format!("{name} comes over {}{with}", connection.0));
        let outbox = Outbox::new(Arc::clone(&self.bounds));
        let conn = Conn {
            outbox: outbox.clone(),
            name: name.to_owned(),
            is_over: false,
            heard: Vec::new(),
        };
        self.conns.insert(connection, conn);
        let name = UserName::parse(name).expect("a name");
        self.model.connect(connection, &name);
        self.model.handle(Input::LogIn(log_in(connection, name.clone(), proof.clone())), NOW);
        self.take_in(Message::LogIn(log_in(connection, name, proof), outbox));
        connection
    }

    /// How many passwords are to be looked at.
    pub(super) fn checks(&self) -> usize {
        self.model.checks.len()
    }

    /// One of these is found right or wrong.
    pub(super) fn finds(&mut self, place: usize) {
        let Some((connection, tag, check)) = self.model.checks.remove(place) else { return };
        self.done.push(format!("the password of {} is looked at", connection.0));
        let input = || Input::Checked { connection, tag, checked: checked(&check) };
        self.model.handle(input(), NOW);
        self.take_in(Message::Input(input()));
    }

    /// Somebody asks for something.
    pub(super) fn asks(&mut self, connection: ConnectionId, request: Request) {
        self.tag += 1;
        self.done.push(format!("{} asks: {}", connection.0, short(&format!("{request:?}"))));
        let ask = |request| Input::Ask { connection, tag: Tag(self.tag), request };
        self.model.handle(ask(request.clone()), NOW);
        let ask = ask(request);
        self.take_in(Message::Input(ask));
    }

    /// A connection is no more.
    pub(super) fn goes(&mut self, connection: ConnectionId) {
        self.done.push(format!("{} is gone", connection.0));
        self.conns.remove(&connection);
        self.model.forget(connection);
        self.model.handle(Input::Gone { connection }, NOW);
        self.take_in(Message::Input(Input::Gone { connection }));
    }

    /// The clock ticks. Without a grace time all who are held go.
    pub(super) fn ticks(&mut self) {
        self.done.push("tick".to_owned());
        self.dispatch.tick();
        self.proposed.extend(self.dispatch.proposals.drain(..));
    }

    fn take_in(&mut self, message: Message) {
        let _idle = self.idle.enter();
        self.dispatch.take_in(message, NOW);
        self.proposed.extend(self.dispatch.proposals.drain(..));
    }

    /// The log orders some of what was proposed, and it is applied.
    pub(super) fn order(&mut self, entries: usize) {
        let _idle = self.idle.enter();
        for _ in 0..entries {
            let Some(proposal) = self.proposed.pop_front() else { break };
            self.head = self.head.next();
            self.done.push(format!(
                "{}: {}",
                self.head.0,
                short(&format!("{:?}", proposal.command))
            ));
            let entry = Entry { seq: self.head, proposal };
            self.model.apply(&entry);
            self.dispatch.ordered.push_back(Arc::new(entry));
        }
        while !self.dispatch.ordered.is_empty() {
            self.dispatch.apply();
            self.proposed.extend(self.dispatch.proposals.drain(..));
            if self.dispatch.fanout.has_done_enough() {
                self.dispatch.fanout.end_turn(self.dispatch.chat.state());
            }
        }
    }

    /// Everything that was proposed is ordered and applied in one turn, and all passwords are
    /// looked at.
    pub(super) fn turn(&mut self) {
        while !self.proposed.is_empty() || self.checks() > 0 {
            self.order(usize::MAX);
            self.finds(0);
        }
        self.ends_turn();
    }

    /// The turn ends, and everybody reads what there is, which is what the model has told them.
    pub(super) fn ends_turn(&mut self) {
        self.done.push("the turn ends".to_owned());
        self.dispatch.fanout.end_turn(self.dispatch.chat.state());
        assert_eq!(self.dispatch.chat.state(), self.model.chat.state(), "they are about the same");
        for (connection, conn) in &mut self.conns {
            let (is, should_be) = (read(conn), self.model.take(*connection));
            let heard = lines(&is);
            assert!(
                is == should_be,
                "{}: connection {}, after\n  {}\nhears\n  {}\nand should hear\n  {}",
                self.name,
                connection.0,
                end_of(&self.done),
                end_of(&heard),
                end_of(&lines(&should_be)),
            );
            for token in tokens(&is) {
                let known = self.tokens.entry(conn.name.clone()).or_default();
                known.retain(|other| *other != token);
                known.push(token);
            }
            conn.heard.extend(heard);
            if conn.is_over {
                conn.heard.push("the end".to_owned());
            }
        }
    }

    /// What somebody has heard since it was asked for.
    pub(super) fn hears(&mut self, connection: ConnectionId) -> Vec<String> {
        let conn = self.conns.get_mut(&connection).expect("a connection");
        std::mem::take(&mut conn.heard)
    }
}

/// Somebody's first words.
fn log_in(connection: ConnectionId, name: UserName, proof: Proof) -> Box<LoginRequest> {
    let mut secret = [0; 32];
    secret[..8].copy_from_slice(&connection.0.to_be_bytes());
    let chosen = match &proof {
        Proof::Resume(token) => Some(token.clone()),
        Proof::Open | Proof::Password(_) => None,
    };
    // What is no secret has no digest either.
    let presented = chosen.as_ref().map(|token| [TokenDigest(token.0); 2]);
    let token = chosen.unwrap_or(Token(secret));
    let session = Credential { digest: TokenDigest(token.0), token };
    let (versions, seen, lives) = (VersionRange::OF_CLIENTS, Seq::ZERO, Lives::default());
    Box::new(LoginRequest {
        connection,
        tag: Tag(0),
        presented,
        hello: Hello { versions, name, proof, seen },
        lives,
        session,
        address: format!("10.0.0.1:{}", connection.0).parse().unwrap(),
        channel: Channel::Loopback,
    })
}

/// What comes of looking at a password. Its hash hides nothing, and takes no time.
fn checked(check: &Check) -> Checked {
    let hash = |password: &Password| PasswordHash(format!("of {}", password.reveal()));
    let is_right =
        check.claimed.as_ref().is_none_or(|claim| claim.hash == Some(hash(&claim.password)));
    if is_right { Checked::Right(check.new.as_ref().map(hash)) } else { Checked::Wrong }
}

pub(super) fn password(text: &str) -> Password {
    text.to_owned().try_into().expect("a password")
}

/// Reads all that there is.
fn read(conn: &mut Conn) -> Vec<u8> {
    let mut context = Context::from_waker(Waker::noop());
    let (mut bytes, mut pieces) = (Vec::new(), Pieces::default());
    while !conn.is_over
        && let std::task::Poll::Ready(taken) = conn.outbox.poll_take(&mut context, &mut pieces)
    {
        bytes.extend_from_slice(&pieces.copy_to_bytes(pieces.len()));
        pieces = Pieces::default();
        conn.is_over = taken == Taken::Last;
    }
    bytes
}

/// The frames of a stream.
fn frames(mut bytes: &[u8]) -> impl Iterator<Item = ServerFrame> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
        let (frame, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        bytes = rest;
        Some(codec::decode(frame).expect("a frame"))
    })
}

/// The tokens that a device was given.
fn tokens(bytes: &[u8]) -> impl Iterator<Item = Token> {
    frames(bytes).filter_map(|frame| match frame {
        ServerFrame::Response { result: Ok(Response::WelcomeInLife { welcome, .. }), .. } => {
            Some(welcome.token)
        }
        ServerFrame::Response { result: Ok(Response::PasswordChanged { token, .. }), .. } => {
            Some(token)
        }
        _ => None,
    })
}

fn lines(bytes: &[u8]) -> Vec<String> {
    frames(bytes).map(|frame| short(&line(frame))).collect()
}

/// A frame as a scene says it.
fn line(frame: ServerFrame) -> String {
    let notification = match frame {
        ServerFrame::Notification(notification) => notification,
        ServerFrame::Response { result: Ok(response), .. } => {
            return match response {
                Response::WelcomeInLife { .. } => "answer: welcome".to_owned(),
                Response::Goodbye => "answer: goodbye".to_owned(),
                Response::Left { group, .. } => format!("answer: left {group}"),
                other => format!("answer: {other:?}"),
            };
        }
        ServerFrame::Response { result: Err(refusal), .. } => {
            return format!("refused: {refusal:?}");
        }
    };
    match notification {
        Notification::GroupPost { post, group } => {
            format!("{} in {group}: {}", post.from, post.body.as_str())
        }
        Notification::PrivatePost { post, .. } => format!("{}: {}", post.from, post.body.as_str()),
        Notification::Departed { user, .. } => format!("{user} departed"),
        Notification::Closing(reason) => format!("closing: {reason:?}"),
        other => format!("{other:?}"),
    }
}

/// As much as fits a line.
fn short(text: &str) -> String {
    const LETTERS_MAX: usize = 100;
    text.chars().take(LETTERS_MAX).collect()
}

/// As much as fits a screen.
fn end_of(lines: &[String]) -> String {
    const LINES_MAX: usize = 20;
    lines[lines.len().saturating_sub(LINES_MAX)..].join("\n  ")
}
