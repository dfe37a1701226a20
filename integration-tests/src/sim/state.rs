//! Time, and what goes wrong when.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use chatroom_proto::Tag;
use chatroom_server::chat::ChatState;
use chatroom_server::chat::effect::Read;

use super::client::{Client, DEVICES};
use super::log::Log;
use super::node::{LIMITS, Node};
use super::wire::Wire;
use super::{Broken, Fault, Outcome, Tally, Trace};
use crate::chance::Chance;
use crate::history::{Event, check};
use crate::model::Model;

/// How long things go wrong, in virtual milliseconds.
const TROUBLE_MS: u64 = 20_000;

/// How long everybody has to come to rest after that, in virtual milliseconds.
const REST_MS_MAX: u64 = 300_000;

/// What may still happen when everybody rests: connections that are found to be gone, in virtual
/// milliseconds.
const AFTERMATH_MS: u64 = 12_000;

/// Something that happens at some time.
pub(super) enum What {
    /// A client may do something.
    Acts(usize, u64),
    /// A client tries to connect.
    Dials(usize, u64),
    /// A client is started again.
    Starts(usize),
    /// A client reads again.
    Reads(usize),
    /// A client finds out that its connection is gone.
    Misses(u64),
    /// Something may have arrived at the server, or at the client.
    Up(u64),
    Down(u64),
    /// The server writes.
    Writes(u64),
    /// The server finds out that a connection is gone.
    HearsNothing(u64),
    /// The server has written its last, or waits for that no longer.
    GivesUp(u64),
    /// Entries come to be on disk; the server is told of some; the archive reads some.
    Syncs(u64),
    Tells(u64),
    Archives,
    Finds(u64, u64, Tag, Box<Read>),
    Replays(u64, u64),
    Tick(u64),
    /// Something goes wrong with a line.
    Trouble,
    /// The server goes down; it is down; it is started.
    Stops(u64),
    Crashes(u64),
    ServerStarts,
}

struct Due {
    at: u64,
    number: u64,
    what: What,
}

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        self.number == other.number
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Due) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// Everything there is.
pub(super) struct Sim {
    pub(super) now: u64,
    due: BinaryHeap<Reverse<Due>>,
    scheduled: u64,
    pub(super) chance: Chance,
    pub(super) fault: Option<Fault>,
    pub(super) trace: Trace,
    pub(super) tally: Tally,
    pub(super) broken: Vec<Broken>,
    pub(super) log: Log,
    pub(super) is_syncing: bool,
    pub(super) archive: Model,
    /// How many entries the archive has read.
    pub(super) archived: usize,
    pub(super) node: Option<Node>,
    pub(super) epoch: u64,
    pub(super) wires: BTreeMap<u64, Wire>,
    pub(super) wires_made: u64,
    pub(super) clients: Vec<Client>,
    pub(super) next_post: u64,
    pub(super) garbled: u64,
    /// Whether nothing goes wrong any more.
    pub(super) is_calm: bool,
}

/// Plays one seed from beginning to end.
pub fn run(seed: u64, fault: Option<Fault>) -> Outcome {
    let mut sim = Sim::new(seed, fault);
    sim.begin();
    sim.play_until(TROUBLE_MS, |_| false);
    sim.calm_down();
    let end = sim.now + REST_MS_MAX;
    sim.play_until(end, |sim| sim.is_at_rest());
    sim.tally.millis = sim.now;
    let end = sim.now + AFTERMATH_MS;
    sim.play_until(end, |_| false);
    sim.finish()
}

impl Sim {
    fn new(seed: u64, fault: Option<Fault>) -> Sim {
        Sim {
            now: 0,
            due: BinaryHeap::new(),
            scheduled: 0,
            chance: Chance::new(seed),
            fault,
            trace: Trace::new(),
            tally: Tally::default(),
            broken: Vec::new(),
            log: Log::new(fault == Some(Fault::ReplyBeforeCommit)),
            is_syncing: false,
            archive: Model::new(LIMITS),
            archived: 0,
            node: None,
            epoch: 0,
            wires: BTreeMap::new(),
            wires_made: 0,
            clients: (0..DEVICES.len()).map(Client::new).collect(),
            next_post: 0,
            garbled: 0,
            is_calm: false,
        }
    }

    pub(super) fn after(&mut self, delay: u64, what: What) {
        self.scheduled += 1;
        self.due.push(Reverse(Due { at: self.now + delay, number: self.scheduled, what }));
    }

    fn begin(&mut self) {
        self.start_server();
        for number in 0..self.clients.len() {
            let delay = self.chance.below(500);
            self.after(delay, What::Dials(number, 0));
            self.after(delay + 100, What::Acts(number, 0));
        }
        self.after(1_000, What::Trouble);
    }

    fn play_until(&mut self, end: u64, done: impl Fn(&Sim) -> bool) {
        while self.broken.len() < 5
            && !done(self)
            && let Some(Reverse(next)) = self.due.pop()
        {
            if next.at > end {
                self.due.push(Reverse(next));
                break;
            }
            self.now = next.at;
            self.happen(next.what);
        }
        self.now = self.now.max(if done(self) { 0 } else { end });
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Acts(number, life) => self.client_acts(number, life),
            What::Dials(number, life) => self.client_dials(number, life),
            What::Starts(number) => self.client_starts(number),
            What::Reads(number) => self.client_reads_again(number),
            What::Misses(id) => self.client_misses(id),
            What::Up(id) => self.arrive_up(id),
            What::Down(id) => self.arrive_down(id),
            What::Writes(id) => self.write(id),
            What::HearsNothing(id) => self.half_close(id),
            What::GivesUp(id) => self.end_wire(id),
            What::Archives => self.read_archive(),
            What::Trouble => self.make_trouble(),
            What::ServerStarts => self.start_server_again(),
            // What a server meant to do is not for the next one.
            What::Syncs(epoch) if self.is_running(epoch) => self.sync(),
            What::Tells(epoch) if self.is_running(epoch) => self.tell(),
            What::Finds(epoch, id, tag, read) if self.is_running(epoch) => self.find(id, tag, read),
            What::Replays(epoch, id) if self.is_running(epoch) => self.read_part(id),
            What::Tick(epoch) if self.is_running(epoch) => self.tick(),
            What::Stops(epoch) if self.is_running(epoch) => {
                self.say_goodbye();
                let delay = self.chance.between(1, 800);
                self.after(delay, What::Crashes(epoch));
            }
            What::Crashes(epoch) if self.is_running(epoch) => self.crash(),
            _ => {}
        }
    }

    fn is_at_rest(&self) -> bool {
        self.clients.iter().all(|client| client.has_rested || client.is_locked_out())
    }

    fn is_running(&self, epoch: u64) -> bool {
        self.node.as_ref().is_some_and(|node| node.epoch == epoch)
    }

    fn finish(mut self) -> Outcome {
        let restless =
            self.clients.iter().filter(|client| !client.has_rested && !client.is_locked_out());
        let restless: Vec<usize> = restless.map(|client| client.number).collect();
        if !restless.is_empty() {
            self.broken.push(Broken::NoRest(restless));
        }
        self.read_archive();
        self.check_chat();
        let mut records = self.archive.records().to_vec();
        for record in &mut records {
            let id = u128::from_be_bytes(record.post.id.0) & u128::from(u64::MAX);
            record.post.id.0 = id.to_be_bytes();
        }
        let histories: Vec<_> = self.clients.into_iter().map(|client| client.history).collect();
        let violations = check(&histories, Some(&records));
        self.broken.extend(violations.into_iter().map(Broken::Promise));
        for event in histories.iter().flat_map(|history| &history.events) {
            if let Event::Acknowledged(_, seq) | Event::Rested(seq) = event {
                self.trace.note(&[seq.0]);
            }
        }
        Outcome { trace: self.trace.finish(), tally: self.tally, broken: self.broken, histories }
    }

    /// At rest nothing is under way, and the chat is what its log comes to.
    fn check_chat(&mut self) {
        let Some(node) = self.node.as_ref().filter(|_| self.broken.is_empty()) else { return };
        if node.chat.load() != 0 {
            self.broken.push(Broken::LoadLeft(node.chat.load()));
        }
        let mut state = ChatState::new(LIMITS);
        for entry in self.log.on_disk() {
            state.fold(entry);
        }
        if state != *node.chat.state() {
            self.broken.push(Broken::WorldsDiffer);
        }
    }
}
