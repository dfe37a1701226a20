//! Two nodes on one log agree, whatever happens in whatever order: the shared state is a fold over
//! the log.

use std::collections::HashMap;

use chatroom_proto::codec;
use chatroom_proto::{
    Code, Hello, Lives, Page, Proof, Refusal, Request, Response, Retention, Seq, Tag, Token,
    UnixMillis, UserName, VersionRange,
};
use chatroom_server::chat::effect::{Channel, Credential, Effect, Input, LoginRequest};
use chatroom_server::chat::entry::{
    Command, ConnAddr, ConnectionId, DeviceId, Entry, NodeId, Origin, Proposal, ProposalId,
    TokenDigest,
};
use chatroom_server::chat::{Chat, ChatState, Limits, UptimeMillis};
use integration_tests::chance::Chance;
use integration_tests::model::Model;
use integration_tests::passwords;
use integration_tests::test_client::{group, user};

/// What makes somebody an operator of the server.
const CODE: Code = Code([7; 16]);

/// Small enough that every bound is met again and again.
const LIMITS: Limits = Limits {
    groups_max: 4,
    memberships_max: 3,
    grace_ms: 3_000,
    held_max: 3,
    remembered_max: 2,
    retention: Retention::Everything,
};

/// One server: its chat, how far it has read the log, and its connections.
struct Node {
    chat: Chat,
    read: usize,
    connections: Vec<ConnectionId>,
    /// How many answers each connection still has to get.
    unanswered: HashMap<ConnectionId, i64>,
    heard: HashMap<DeviceId, Vec<Seq>>,
}

/// Two nodes, the log between them, and chance.
struct TwoNodes {
    nodes: [Node; 2],
    log: Vec<Entry>,
    /// Where posts are looked up.
    archive: Model,
    now: UnixMillis,
    next: u64,
    /// The last token that each person was given.
    tokens: HashMap<String, Token>,
    chance: Chance,
}

impl TwoNodes {
    fn new(seed: u64) -> TwoNodes {
        let node = |n| Node {
            chat: Chat::new(NodeId(n), LIMITS),
            read: 0,
            connections: Vec::new(),
            unanswered: HashMap::new(),
            heard: HashMap::new(),
        };
        TwoNodes {
            nodes: [node(1), node(2)],
            log: Vec::new(),
            archive: Model::new(LIMITS),
            now: UnixMillis(10_000),
            next: 0,
            tokens: HashMap::new(),
            chance: Chance::new(seed),
        }
    }

    fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Something happens, somewhere.
    fn step(&mut self) {
        let node = usize::from(self.chance.flag());
        self.now.0 += self.chance.below(200);
        let mut effects = Vec::new();
        match self.chance.below(20) {
            0 | 1 => self.log_in(node, &mut effects),
            2 => self.cut(node, &mut effects),
            3 => {
                let uptime = UptimeMillis(self.now.0);
                self.nodes[node].chat.tick(self.now, uptime, &mut effects);
            }
            4..=8 => self.read_log(node),
            _ => self.ask(node, &mut effects),
        }
        self.carry_out(node, effects);
    }

    /// One of the servers shows a code.
    fn offer(&mut self) {
        let mut effects = Vec::new();
        self.nodes[0].chat.offer(&CODE, self.now, &mut effects);
        self.carry_out(0, effects);
    }

    fn log_in(&mut self, node: usize, effects: &mut Vec<Effect>) {
        let connection = ConnectionId(self.fresh());
        let name: UserName = self.chance.any();
        let old = self
            .tokens
            .get(&name.as_str().to_lowercase())
            .filter(|_| connection.0.is_multiple_of(2))
            .cloned();
        // Here a token is its own digest.
        let presented = old.as_ref().map(|old| [TokenDigest(old.0); 2]);
        let stranger = match connection.0 % 3 {
            0 => Proof::Password(self.chance.any()),
            _ => Proof::Open,
        };
        let mut fresh = [0; 32];
        fresh[..8].copy_from_slice(&connection.0.to_le_bytes());
        let token = old.clone().unwrap_or(Token(fresh));
        let session = Credential { digest: TokenDigest(token.0), token };
        let proof = old.map_or(stranger, Proof::Resume);
        let (versions, seen, lives) = (VersionRange::OF_CLIENTS, Seq::ZERO, Lives::default());
        let hello = Hello { versions, name, proof, seen };
        let input = Input::LogIn(Box::new(LoginRequest {
            connection,
            tag: Tag(0),
            hello,
            lives,
            presented,
            session,
            address: "192.0.2.1:1".parse().expect("an address"),
            channel: Channel::Loopback,
        }));
        self.nodes[node].connections.push(connection);
        *self.nodes[node].unanswered.entry(connection).or_default() += 1;
        self.nodes[node].chat.handle(input, self.now, effects);
    }

    fn cut(&mut self, node: usize, effects: &mut Vec<Effect>) {
        let Some(connection) = self.any_connection(node) else { return };
        self.nodes[node].connections.retain(|other| *other != connection);
        self.nodes[node].chat.handle(Input::Gone { connection }, self.now, effects);
    }

    fn ask(&mut self, node: usize, effects: &mut Vec<Effect>) {
        let Some(connection) = self.any_connection(node) else { return };
        let request = self.any_request();
        let tag = Tag(u32::try_from(self.fresh()).expect("few steps"));
        *self.nodes[node].unanswered.entry(connection).or_default() += 1;
        self.nodes[node].chat.handle(Input::Ask { connection, tag, request }, self.now, effects);
    }

    fn any_connection(&mut self, node: usize) -> Option<ConnectionId> {
        self.chance.pick(&self.nodes[node].connections).copied()
    }

    fn any_request(&mut self) -> Request {
        match self.chance.request() {
            Request::Claim { .. } => Request::Claim { code: CODE },
            Request::Delete { .. } => Request::Delete { post: self.any_post() },
            request => request,
        }
    }

    fn any_post(&mut self) -> Seq {
        let posts = self.archive.records();
        if posts.is_empty() { Seq(1) } else { posts[self.chance.below(posts.len())].post.seq }
    }

    /// A node applies some of the log that it has not read yet.
    fn read_log(&mut self, node: usize) {
        let unread = self.log.len() - self.nodes[node].read;
        let count = if unread == 0 { 0 } else { self.chance.between(1, unread) };
        for _ in 0..count {
            let mut effects = Vec::new();
            let Node { chat, read, .. } = &mut self.nodes[node];
            chat.apply(&self.log[*read], &mut effects);
            *read += 1;
            self.carry_out(node, effects);
        }
    }

    fn carry_out(&mut self, node: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Propose(proposal) => self.append(proposal),
                Effect::Reply { connection, result, .. } => {
                    if let Some(welcome) = result.as_ref().ok().and_then(Response::welcome) {
                        self.tokens
                            .insert(welcome.name.as_str().to_lowercase(), welcome.token.clone());
                    }
                    let left = self.nodes[node].unanswered.entry(connection).or_default();
                    *left -= 1;
                    assert!(*left >= 0, "an answer too many");
                }
                Effect::HangUp { connection, .. } => {
                    self.nodes[node].connections.retain(|other| *other != connection);
                }
                Effect::Notify { audience, notification } => {
                    // Where a group passes on, something else happens that has that place.
                    let seq = match notification {
                        chatroom_proto::Notification::PassedOn { .. } => None,
                        _ => notification.seq(),
                    };
                    let Node { chat, heard, .. } = &mut self.nodes[node];
                    for device in chat.state().hearers(&audience) {
                        heard.entry(device).or_default().extend(seq);
                    }
                }
                Effect::Read { connection, tag, .. } => {
                    let result = Box::new(Ok(Response::Past { posts: Page::fill([]), next: None }));
                    let mut effects = Vec::new();
                    let head = self.nodes[node].chat.state().head();
                    let found = Input::Found { connection, tag, result, head };
                    self.nodes[node].chat.handle(found, self.now, &mut effects);
                    self.carry_out(node, effects);
                }
                Effect::Find { connection, tag, post, .. } => {
                    let found = self.archive.find(post).ok_or(Refusal::NoSuchPost { post });
                    let result = Box::new(found);
                    let mut effects = Vec::new();
                    let found = Input::FoundPost { connection, tag, result };
                    self.nodes[node].chat.handle(found, self.now, &mut effects);
                    self.carry_out(node, effects);
                }
                Effect::Check { connection, tag, check } => {
                    let mut effects = Vec::new();
                    let checked = passwords::checked(connection, tag, &check);
                    self.nodes[node].chat.handle(checked, self.now, &mut effects);
                    self.carry_out(node, effects);
                }
                Effect::Admit { .. } | Effect::Replay { .. } | Effect::Tell { .. } => {}
            }
        }
    }

    fn append(&mut self, proposal: Proposal) {
        // Seqs may skip.
        let last = self.log.last().map_or(Seq::ZERO, |entry| entry.seq);
        let seq = Seq(last.0 + 1 + self.chance.below(3));
        let entry = Entry { seq, proposal };
        self.archive.follow(&entry);
        self.log.push(entry);
    }

    /// Both nodes read everything, until nothing new comes of it.
    fn settle(&mut self) {
        while self.nodes.iter().any(|node| node.read < self.log.len()) {
            for node in 0..2 {
                self.read_log(node);
            }
        }
    }
}

#[test]
fn two_nodes_that_have_read_the_same_log_are_equal() {
    for seed in 0..100 {
        let mut scene = TwoNodes::new(seed);
        scene.offer();
        for _ in 0..400 {
            scene.step();
        }
        scene.settle();
        let [one, other] = &scene.nodes;
        assert_eq!(one.chat.state(), other.chat.state(), "seed {seed}");
        assert_eq!(one.heard, other.heard, "seed {seed}: both nodes tell everybody the same");
        for (device, seqs) in &one.heard {
            assert!(seqs.is_sorted_by(|a, b| a < b), "seed {seed}: {device:?} hears in order");
        }
        for node in &scene.nodes {
            assert_eq!(node.chat.load(), 0, "seed {seed}: nothing is left under way");
            for connection in &node.connections {
                assert_eq!(
                    node.unanswered[connection], 0,
                    "seed {seed}: every request of {connection:?} is answered"
                );
            }
        }
    }
}

#[test]
fn a_state_goes_on_from_its_snapshot_as_if_it_had_never_been_away() {
    for seed in 0..50 {
        let mut scene = TwoNodes::new(seed);
        scene.offer();
        for _ in 0..400 {
            scene.step();
        }
        scene.settle();
        let mut whole = scene.nodes[0].chat.state().clone();
        let packed = codec::pack(&whole).expect("a state has an encoding");
        let mut snapshot: ChatState = codec::decode(&packed).expect("and is read from it");
        // A restart begins with this entry; what follows meets the same people, groups and names in
        // both.
        let mut entries = vec![Command::Began { limits: LIMITS }];
        entries.extend(["jim", "ann", "bob", "zoe"].map(|name| Command::Arrive {
            name: user(name),
            presented: None,
            fresh: TokenDigest([9; 32]),
            address: "192.0.2.2:1".parse().expect("an address"),
        }));
        for (number, command) in (1..).zip(entries) {
            let place = ConnAddr { node: NodeId(7), connection: ConnectionId(number) };
            let origin = Some(Origin { place, tag: Tag(0) });
            let id = ProposalId { node: NodeId(7), number };
            let proposal = Proposal { id, origin, at: UnixMillis(scene.now.0 + number), command };
            let entry = Entry { seq: Seq(whole.head().0 + 1), proposal };
            whole.fold(&entry);
            snapshot.fold(&entry);
        }
        assert_eq!(snapshot, whole, "seed {seed}");
    }
}

#[test]
fn an_expiry_that_a_return_has_overtaken_in_the_log_is_not_meant() {
    let node = NodeId(1);
    let place = |number| ConnAddr { node, connection: ConnectionId(number) };
    let arrive = |presented| Command::Arrive {
        name: user("jim"),
        presented,
        fresh: TokenDigest([7; 32]),
        address: "192.0.2.1:1".parse().expect("an address"),
    };
    let device = DeviceId(Seq(1));
    let commands = [
        (Some(place(1)), arrive(None)),
        (None, Command::Detach { device, from: place(1) }),
        (Some(place(2)), arrive(Some(TokenDigest([7; 32])))),
        (None, Command::Detach { device, from: place(2) }),
        // Another node saw the first absence only, and found it too long.
        (None, Command::Expire { device, detached: Seq(2) }),
        (None, Command::Expire { device, detached: Seq(4) }),
    ];
    let mut chat = Chat::new(NodeId(2), LIMITS);
    let mut here = Vec::new();
    for (number, (place, command)) in (1..).zip(commands) {
        let origin = place.map(|place| Origin { place, tag: Tag(0) });
        let proposal =
            Proposal { id: ProposalId { node, number }, origin, at: UnixMillis(number), command };
        chat.apply(&Entry { seq: Seq(number), proposal }, &mut Vec::new());
        here.push(chat.clients().count());
    }
    assert_eq!(here, [1, 1, 1, 1, 1, 0]);
}

/// What a chat with these limits holds after the commands, at these times, that a log has kept.
fn restored(limits: Limits, commands: Vec<(u64, Option<ConnAddr>, Command)>) -> Chat {
    let mut chat = Chat::new(NodeId(9), limits);
    for (number, (at, place, command)) in (1..).zip(commands) {
        let origin = place.map(|place| Origin { place, tag: Tag(number as u32) });
        let id = ProposalId { node: NodeId(1), number };
        chat.restore(&Entry {
            seq: Seq(number),
            proposal: Proposal { id, origin, at: UnixMillis(at), command },
        });
    }
    chat
}

fn jim_arrives() -> Command {
    let address = "192.0.2.1:1".parse().expect("an address");
    Command::Arrive { name: user("jim"), presented: None, fresh: TokenDigest([7; 32]), address }
}

#[test]
fn a_restart_gives_everybody_the_whole_grace_however_long_the_server_was_away() {
    let place = ConnAddr { node: NodeId(1), connection: ConnectionId(1) };
    let commands = vec![
        (1_000, Some(place), jim_arrives()),
        (2_000, None, Command::Detach { device: DeviceId(Seq(1)), from: place }),
        (1_000_000, None, Command::Began { limits: LIMITS }),
    ];
    let mut chat = restored(LIMITS, commands);
    let expiries = |chat: &mut Chat, uptime| {
        let mut effects = Vec::new();
        chat.tick(UnixMillis(9_000_000), UptimeMillis(uptime), &mut effects);
        effects.len()
    };
    assert_eq!(expiries(&mut chat, 1), 0, "it has just begun, whatever the time of day is");
    assert_eq!(expiries(&mut chat, 3_000), 0);
    assert_eq!(expiries(&mut chat, 3_001), 1);
}

#[test]
fn what_was_granted_stays_granted_when_the_server_is_started_with_smaller_limits() {
    let place = ConnAddr { node: NodeId(1), connection: ConnectionId(1) };
    let create = |name| Command::Create { by: DeviceId(Seq(2)), group: group(name) };
    let commands = vec![
        (0, None, Command::Began { limits: LIMITS }),
        (1, Some(place), jim_arrives()),
        (2, Some(place), create("tea")),
        (3, Some(place), create("art")),
    ];
    let smaller = Limits { groups_max: 2, ..LIMITS };
    assert_eq!(restored(smaller, commands.clone()).state(), restored(LIMITS, commands).state());
}
