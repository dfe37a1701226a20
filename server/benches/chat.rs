//! What the domain costs, without a log, an outbox or a socket: `cargo bench -p chatroom-server
//! --bench chat`.
//!
//! A post of 100 bytes: `Chat::handle` makes a proposal of it, `Chat::apply` lets it take effect in
//! a group of 1, 100 and 10,000 members, and so does `ChatState::fold` where nobody is there to
//! hear of it. To drop what comes of them is not a part of the figures.

use std::cell::RefCell;

use chatroom_proto::{
    Body, GroupName, Hello, PostId, Proof, Request, Seq, Tag, Token, UnixMillis, UserName,
    VersionRange,
};
use chatroom_server::chat::effect::{Channel, Credential, Effect, Input, LoginRequest};
use chatroom_server::chat::entry::{ConnectionId, Entry, NodeId, TokenDigest};
use chatroom_server::chat::{Chat, Limits};
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};

/// Members of the group in which somebody speaks.
const MEMBERS: [u64; 3] = [1, 100, 10_000];
/// How many calls are timed together: enough that reading the clock costs each next to nothing.
const CALLS: u64 = 100;
const TOGETHER: BatchSize = BatchSize::NumIterations(CALLS);
const NOW: UnixMillis = UnixMillis(1_000_000);

criterion_group!(benches, handle, apply, fold);
criterion_main!(benches);

/// A request to post, from those who have nothing under way, so that a refusal is looked for, and
/// from one who has.
fn handle(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("handle");
    for (name, speakers) in [("nothing_under_way", CALLS), ("much_under_way", 1)] {
        let room = RefCell::new(Room::of(CALLS));
        let next = || {
            let mut room = room.borrow_mut();
            // Here only what was said together before this can be under way.
            room.settle();
            room.request(speakers)
        };
        group.bench_function(name, |bencher| {
            bencher.iter_batched(next, |input| room.borrow_mut().handle(input), TOGETHER);
        });
    }
}

/// An entry with a post.
fn apply(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("apply");
    for members in MEMBERS {
        let room = RefCell::new(Room::of(members));
        let next = || room.borrow_mut().post();
        group.bench_function(BenchmarkId::from_parameter(members), |bencher| {
            bencher.iter_batched_ref(next, |entry| room.borrow_mut().apply(entry), TOGETHER);
        });
    }
}

/// The same entry, for the archive and for a log that is read again.
fn fold(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fold");
    for members in MEMBERS {
        let mut room = Room::of(members);
        let mut state = room.chat.state().clone();
        group.bench_function(BenchmarkId::from_parameter(members), |bencher| {
            bencher.iter_batched_ref(|| room.post(), |entry| state.fold(entry), TOGETHER);
        });
    }
}

/// A chat in which everyone is in General, and a log that orders what it is told to.
struct Room {
    chat: Chat,
    effects: Vec<Effect>,
    head: Seq,
    said: u64,
}

impl Room {
    fn of(members: u64) -> Room {
        let chat = Chat::new(NodeId(1), Limits::default());
        let mut room = Room { chat, effects: Vec::new(), head: Seq::ZERO, said: 0 };
        for number in 0..members {
            room.handle(log_in(number));
            room.settle();
        }
        room
    }

    fn handle(&mut self, input: Input) {
        self.chat.handle(input, NOW, &mut self.effects);
    }

    fn apply(&mut self, entry: &Entry) {
        self.chat.apply(entry, &mut self.effects);
    }

    /// What the log makes of that which was proposed. Other effects are dropped.
    fn order(&mut self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for effect in self.effects.drain(..) {
            if let Effect::Propose(proposal) = effect {
                self.head = self.head.next();
                entries.push(Entry { seq: self.head, proposal });
            }
        }
        entries
    }

    /// Applies all that was proposed.
    fn settle(&mut self) {
        for entry in self.order() {
            self.apply(&entry);
        }
        self.effects.clear();
    }

    /// What somebody says next, when so many take turns.
    fn request(&mut self, speakers: u64) -> Input {
        self.said += 1;
        let id = PostId(u128::from(self.said).to_be_bytes());
        let body = Body::parse(&"x".repeat(100)).expect("a valid message");
        let request = Request::Public { group: GroupName::general(), id, body };
        Input::Ask { connection: ConnectionId(self.said % speakers), tag: Tag(1), request }
    }

    /// The entry of a new post.
    fn post(&mut self) -> Entry {
        let request = self.request(1);
        self.handle(request);
        self.order().pop().expect("a post is proposed")
    }
}

/// One who comes, over the connection of this number.
fn log_in(number: u64) -> Input {
    let mut secret = [0; 32];
    secret[..8].copy_from_slice(&number.to_be_bytes());
    Input::LogIn(Box::new(LoginRequest {
        connection: ConnectionId(number),
        tag: Tag(0),
        hello: Hello {
            versions: VersionRange::OF_CLIENTS,
            name: UserName::parse(&format!("member{number}")).expect("a valid name"),
            proof: Proof::Open,
            seen: Seq::ZERO,
        },
        lives: chatroom_proto::Lives::default(),
        presented: None,
        session: Credential { token: Token(secret), digest: TokenDigest(secret) },
        address: "192.0.2.1:1".parse().expect("an address"),
        channel: Channel::Loopback,
    }))
}
