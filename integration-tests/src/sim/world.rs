//! Time, and what goes wrong when.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use chatroom_proto::{ClientFrame, Seq, Tag};
use chatroom_server::chat::World;
use chatroom_server::chat::effect::Read;

use super::client::{Client, Desk, PEOPLE};
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

/// What may still happen when everybody rests: connections that are found to be gone, in virtual milliseconds.
const AFTERMATH_MS: u64 = 12_000;

/// How long a client waits for an answer before it gives its connection up, in virtual milliseconds.
const ANSWER_MS_MAX: u64 = 4_000;

/// What may wait for one connection, in frames: few, so that it is too much now and then.
const OUTBOX_FRAMES_MAX: usize = 48;

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
    broken: Vec<Broken>,
    pub(super) log: Log,
    is_syncing: bool,
    pub(super) archive: Model,
    /// How many entries the archive has read.
    pub(super) archived: usize,
    pub(super) node: Option<Node>,
    pub(super) epoch: u64,
    pub(super) wires: BTreeMap<u64, Wire>,
    wires_made: u64,
    clients: Vec<Client>,
    next_post: u64,
    pub(super) garbled: u64,
    /// Whether nothing goes wrong any more.
    is_calm: bool,
}

/// Plays one seed from beginning to end.
pub fn run(seed: u64, fault: Option<Fault>) -> Outcome {
    let mut sim = Sim::new(seed, fault);
    sim.begin();
    sim.play_until(TROUBLE_MS, |_| false);
    sim.calm_down();
    let end = sim.now + REST_MS_MAX;
    sim.play_until(end, |sim| sim.clients.iter().all(|client| client.has_rested));
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
            clients: (0..PEOPLE.len()).map(Client::new).collect(),
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

    fn is_running(&self, epoch: u64) -> bool {
        self.node.as_ref().is_some_and(|node| node.epoch == epoch)
    }

    // The log.

    pub(super) fn expect_sync(&mut self) {
        if !std::mem::replace(&mut self.is_syncing, true) {
            let delay = if self.chance.once_in(40) { 400 } else { 12 };
            let delay = self.chance.between(1, delay);
            self.after(delay, What::Syncs(self.epoch));
        }
        if self.fault == Some(Fault::ReplyBeforeCommit) {
            self.after(1, What::Tells(self.epoch));
        }
    }

    fn sync(&mut self) {
        self.is_syncing = false;
        if !self.is_calm && self.chance.once_in(3_000) {
            // The disk fails, and the server with it; what was being written is there, or not.
            if self.chance.once_in(2) {
                self.log.sync(&mut self.chance);
            }
            return self.crash();
        }
        if !self.log.sync(&mut self.chance) {
            self.expect_sync();
        }
        let delay = if self.chance.once_in(40) { 300 } else { 6 };
        let delay = self.chance.below(delay);
        self.after(delay, What::Tells(self.epoch));
        let delay = if self.chance.once_in(20) { 1_000 } else { 40 };
        let delay = self.chance.between(1, delay);
        self.after(delay, What::Archives);
    }

    fn tell(&mut self) {
        for entry in self.log.tell(&mut self.chance) {
            self.apply(&entry);
        }
        if self.log.has_news() {
            self.after(1, What::Tells(self.epoch));
        }
    }

    fn read_archive(&mut self) {
        for entry in &self.log.on_disk()[self.archived..] {
            self.archive.follow(entry);
        }
        self.archived = self.log.on_disk().len();
    }

    // The lines.

    fn arrive_up(&mut self, id: u64) {
        while let Some(wire) = self.wires.get_mut(&id) {
            match wire.up.arrive(self.now) {
                Some(Some(frame)) => self.take_in(id, frame),
                Some(None) => return self.half_close(id),
                None => return,
            }
        }
    }

    fn half_close(&mut self, id: u64) {
        if let Some(wire) = self.wires.get_mut(&id) {
            wire.is_half_closed = true;
            self.close_if_done(id);
        }
    }

    pub(super) fn write_soon(&mut self, id: u64) {
        let delay = self.chance.below(3);
        self.after(delay, What::Writes(id));
    }

    fn write(&mut self, id: u64) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let mut last = self.now + self.chance.between(1, 12);
        let mut has_written = false;
        while wire.down.has_room()
            && let Some(frame) = wire.outbox.write()
        {
            last = wire.down.send(Some(frame), last);
            has_written = true;
        }
        let is_done = wire.outbox.is_done() && !std::mem::replace(&mut wire.is_done, true);
        if is_done {
            last = wire.down.send(None, last);
        }
        if has_written || is_done {
            self.after(last - self.now, What::Down(id));
        }
        if is_done {
            let linger = self.chance.below(100);
            self.after(linger, What::GivesUp(id));
        }
        self.pump(id);
    }

    fn arrive_down(&mut self, id: u64) {
        let mut has_read = false;
        while let Some(wire) = self.wires.get_mut(&id) {
            let number = wire.client;
            let client = &self.clients[number];
            let is_current = client.wire == Some(id);
            if is_current && !client.is_reading {
                break;
            }
            let Some(arrived) = wire.down.arrive(self.now) else { break };
            has_read = true;
            if !is_current {
                continue;
            }
            let is_over = match arrived {
                Some(frame) => {
                    self.trace.note(&[self.now, 3, id, number as u64]);
                    self.with_client(number, |client, desk| client.hear(frame, desk))
                }
                None => true,
            };
            if is_over {
                self.lose_wire(number);
            }
        }
        if has_read {
            self.write_soon(id);
        }
    }

    /// The server's end of a connection is gone; what it has sent still arrives.
    fn end_wire(&mut self, id: u64) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let (client, mut rest) = (wire.client, Vec::new());
        while let Some(frame) = wire.down.arrive(u64::MAX) {
            rest.push(frame);
        }
        let was_told = rest.last().is_some_and(Option::is_none);
        self.forget(id);
        if self.clients[client].wire != Some(id) {
            return;
        }
        // A client that reads gets what is in the kernel's hands; some of it, when the connection is reset.
        let count = if was_told { rest.len() } else { self.chance.below(rest.len() as u64 + 1) as usize };
        for frame in rest.into_iter().take(count).flatten() {
            if self.clients[client].wire == Some(id)
                && self.with_client(client, |client, desk| client.hear(frame, desk))
            {
                break;
            }
        }
        if self.clients[client].wire == Some(id) {
            self.lose_wire(client);
        }
    }

    // The clients.

    fn with_client<T>(&mut self, number: usize, act: impl FnOnce(&mut Client, &mut Desk<'_>) -> T) -> T {
        let mut out = Vec::new();
        let mut desk = Desk {
            now: self.now,
            fault: self.fault,
            out: &mut out,
            broken: &mut self.broken,
            tally: &mut self.tally,
            next_post: &mut self.next_post,
        };
        let client = &mut self.clients[number];
        let done = act(client, &mut desk);
        if let Some(id) = client.wire {
            self.send_up(id, out);
        }
        done
    }

    fn send_up(&mut self, id: u64, frames: Vec<ClientFrame>) {
        for frame in frames {
            let at = self.now + self.chance.between(1, 12);
            let Some(wire) = self.wires.get_mut(&id) else { return };
            let at = wire.up.send(Some(frame), at);
            self.after(at - self.now, What::Up(id));
        }
    }

    fn client_dials(&mut self, number: usize, life: u64) {
        let client = &self.clients[number];
        if !client.is_alive || client.life != life || client.wire.is_some() {
            return;
        }
        if self.node.as_ref().is_none_or(|node| node.is_stopping) {
            return self.dial_later(number);
        }
        self.wires_made += 1;
        let id = self.wires_made;
        self.wires.insert(id, Wire::new(number, self.epoch, OUTBOX_FRAMES_MAX));
        self.with_client(number, |client, desk| client.hello(id, desk));
    }

    fn dial_later(&mut self, number: usize) {
        let client = &mut self.clients[number];
        client.tries += 1;
        let (life, most) = (client.life, 50 << client.tries.min(5));
        let delay = self.chance.between(1, most);
        self.after(delay, What::Dials(number, life));
    }

    /// The client has no connection any more, and makes another one.
    fn lose_wire(&mut self, number: usize) {
        if let Some(id) = self.clients[number].leave_wire() {
            self.hang_up(id);
        }
        self.dial_later(number);
    }

    /// The client closes its side: the server hears of it, if it hears anything.
    fn hang_up(&mut self, id: u64) {
        let at = self.now + self.chance.between(1, 12);
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let at = wire.up.send(None, at);
        self.after(at - self.now, What::Up(id));
        // What it is still sent is read by nobody.
        self.after(20, What::Down(id));
        let late = self.chance.between(5_000, 9_000);
        self.after(late, What::HearsNothing(id));
    }

    fn client_misses(&mut self, id: u64) {
        let number = self.wires.get(&id).map(|wire| wire.client);
        if let Some(number) = number.filter(|number| self.clients[*number].wire == Some(id)) {
            self.lose_wire(number);
        }
    }

    fn client_acts(&mut self, number: usize, life: u64) {
        let client = &self.clients[number];
        if client.life != life || !client.is_alive {
            return;
        }
        let waits_for_long = client.is_waiting() && self.now > client.waits_since + ANSWER_MS_MAX;
        if client.wire.is_some() && waits_for_long {
            self.lose_wire(number);
        }
        if self.is_calm {
            self.rest(number);
            return self.after(100, What::Acts(number, life));
        }
        let mut chance = self.chance.fork();
        match chance.below(400) {
            0 | 1 => return self.kill_client(number),
            2..=4 => {
                self.clients[number].is_reading = false;
                self.after(chance.between(100, 4_000), What::Reads(number));
            }
            _ => {
                let times = if chance.once_in(20) { 6 } else { 1 };
                for _ in 0..times {
                    self.with_client(number, |client, desk| client.act(&mut chance, desk));
                }
            }
        }
        let delay = chance.between(5, 200);
        self.after(delay, What::Acts(number, life));
    }

    /// When nobody waits for anything, a last ping shows that everything was shown.
    fn rest(&mut self, number: usize) {
        let is_quiet = self.clients.iter().all(|client| client.is_quiet()) && self.log.is_quiet();
        if is_quiet && self.clients[number].wire.is_some() {
            let until = self.log.on_disk().last().map_or(Seq::ZERO, |entry| entry.seq);
            self.with_client(number, |client, desk| client.rest(until, desk));
        }
    }

    fn kill_client(&mut self, number: usize) {
        self.tally.kills += 1;
        self.trace.note(&[self.now, 4, number as u64]);
        if let Some(id) = self.clients[number].kill() {
            self.hang_up(id);
        }
        let delay = if self.chance.once_in(4) { 8_000 } else { 1_000 };
        let delay = self.chance.between(1, delay);
        self.after(delay, What::Starts(number));
    }

    fn client_starts(&mut self, number: usize) {
        let client = &mut self.clients[number];
        if !client.is_alive {
            client.start(self.now);
            let life = client.life;
            self.after(1, What::Dials(number, life));
            self.after(50, What::Acts(number, life));
        }
    }

    fn client_reads_again(&mut self, number: usize) {
        let client = &mut self.clients[number];
        client.is_reading = true;
        if let Some(id) = client.wire {
            self.after(0, What::Down(id));
        }
    }

    // What goes wrong.

    fn make_trouble(&mut self) {
        if self.is_calm {
            return;
        }
        let open: Vec<u64> = self.wires.keys().copied().collect();
        let line = self.chance.pick(&open).copied();
        match (self.chance.below(10), line) {
            (0..=3, Some(id)) => self.cut(id),
            (4..=6, Some(id)) => self.stall(id),
            (7, _) => {
                let epoch = self.epoch;
                let in_order = self.chance.once_in(4);
                self.after(0, if in_order { What::Stops(epoch) } else { What::Crashes(epoch) });
            }
            _ => {}
        }
        let delay = self.chance.between(10, 900);
        self.after(delay, What::Trouble);
    }

    fn cut(&mut self, id: u64) {
        self.tally.cuts += 1;
        self.trace.note(&[self.now, 5, id]);
        if let Some(wire) = self.wires.get_mut(&id) {
            wire.cut(&mut self.chance);
            let at_once = self.chance.once_in(2);
            let (client, server) = if at_once { (50, 50) } else { (3_000, 8_000) };
            let (client, server) = (self.chance.below(client), self.chance.below(server));
            self.after(client, What::Misses(id));
            self.after(server, What::HearsNothing(id));
        }
    }

    fn stall(&mut self, id: u64) {
        self.tally.stalls += 1;
        let until = self.now + self.chance.between(10, 7_000);
        let (up, down) = (self.chance.once_in(2), self.chance.once_in(2));
        self.trace.note(&[self.now, 6, id, until]);
        if let Some(wire) = self.wires.get_mut(&id) {
            if up {
                wire.up.stall(until);
            }
            if down || !up {
                wire.down.stall(until);
            }
            self.after(until - self.now, What::Up(id));
            self.after(until - self.now, What::Down(id));
        }
    }

    fn crash(&mut self) {
        self.tally.crashes += 1;
        self.trace.note(&[self.now, 7, self.epoch]);
        self.node = None;
        self.is_syncing = false;
        self.log.crash();
        let wires: Vec<u64> = self.wires.keys().copied().collect();
        for id in wires {
            if let Some(wire) = self.wires.get_mut(&id) {
                wire.cut(&mut self.chance);
                // Clients find out at once, as the kernel tells them, or when they have waited for too long.
                let delay = if self.chance.once_in(4) { 3_000 } else { 30 };
                let delay = self.chance.below(delay);
                self.after(delay, What::Misses(id));
                self.after(delay + 1, What::GivesUp(id));
            }
        }
        let delay = if self.chance.once_in(5) { 6_000 } else { 800 };
        let delay = self.chance.between(10, delay);
        self.after(delay, What::ServerStarts);
    }

    fn start_server_again(&mut self) {
        if self.node.is_none() {
            self.start_server();
        }
    }

    fn calm_down(&mut self) {
        self.is_calm = true;
        for number in 0..self.clients.len() {
            self.client_starts(number);
            self.client_reads_again(number);
        }
        let wires: Vec<u64> = self.wires.keys().copied().collect();
        for id in wires {
            if let Some(wire) = self.wires.get_mut(&id) {
                wire.up.stall(self.now);
                wire.down.stall(self.now);
                self.after(0, What::Up(id));
                self.after(0, What::Down(id));
            }
        }
    }

    fn finish(mut self) -> Outcome {
        let restless = self.clients.iter().filter(|client| !client.has_rested);
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
        let mut world = World::new(LIMITS);
        for entry in self.log.on_disk() {
            world.fold(entry);
        }
        if world != *node.chat.world() {
            self.broken.push(Broken::WorldsDiffer);
        }
    }
}
