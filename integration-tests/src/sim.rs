//! Deterministic simulation: the real [`Chat`](chatroom_server::chat::Chat), a log that is slow and
//! crashes, clients that come and go, and lines that break, all in one thread under virtual time.
//! One seed decides everything, so a seed that breaks a promise breaks it again.
//!
//! - [`log`]: the log: what is ordered, what of it is on disk, and what the server was told.
//! - [`outbox`]: what waits for one connection, as the server's own does it.
//! - `wire`: one connection, both ways, with what is on its way.
//! - `node`: one run of the server: inputs to the chat, effects carried out.
//! - `client`: one device of a person: asks, is killed, and goes on from its disk;
//!   `client/hearing`: hears. Some people have two.
//! - `commands`: what people do to groups, and to each other.
//! - `storage`, `lines`, `people`, `trouble`: when what is written is on disk, what is sent
//!   arrives, who does what, and what goes wrong; `state`: time, and everything together.
//!
//! In the end everybody comes back and comes to rest, and the histories are checked. A [`Fault`] is
//! a bug that is put in to see that it is found.

use std::fmt;

use crate::history::{History, Violation};

mod client;
mod commands;
mod lines;
pub mod log;
mod node;
pub mod outbox;
mod people;
mod state;
mod storage;
mod trouble;
mod wire;

pub use state::run;

/// A bug that is put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The server is told of entries before they are on disk.
    ReplyBeforeCommit,
    /// What happens while a client catches up is sent before what it missed.
    ReplayNotHeld,
    /// A post that comes again is not recognized.
    KeptTwice,
    /// A client that comes back is sent nothing that it missed.
    ReplayDropped,
    /// Clients don't send again what was not answered.
    NotSentAgain,
    /// What one says is not told to one's other devices.
    OthersNotTold,
    /// Who is put out of a group hears on what is said there.
    OutsideTold,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 7] = [
        Fault::ReplyBeforeCommit,
        Fault::ReplayNotHeld,
        Fault::KeptTwice,
        Fault::ReplayDropped,
        Fault::NotSentAgain,
        Fault::OthersNotTold,
        Fault::OutsideTold,
    ];
}

/// Something that a run has shown to be broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// A promise, as the clients have lived through it.
    Promise(Violation),
    /// A client got an answer that was not the next one due.
    AnswerOutOfTurn {
        /// Which client.
        client: usize,
        /// To what.
        tag: u32,
    },
    /// A client was told of an event after a later one, on one connection.
    ToldOutOfOrder {
        /// Which client.
        client: usize,
        /// Of what.
        seq: u64,
    },
    /// Nobody does anything any more, and the chat believes that something is under way.
    LoadLeft(usize),
    /// What the chat has come to is not what its log comes to.
    WorldsDiffer,
    /// The run did not come to rest: who had not.
    NoRest(Vec<usize>),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Promise(violation) => violation.fmt(f),
            Broken::AnswerOutOfTurn { client, tag } => {
                write!(f, "client {client} got the answer {tag} out of turn")
            }
            Broken::ToldOutOfOrder { client, seq } => {
                write!(f, "client {client} was told of {seq} after a later event")
            }
            Broken::LoadLeft(load) => write!(f, "{load} things are still under way at rest"),
            Broken::WorldsDiffer => f.write_str("the chat is not what its log comes to"),
            Broken::NoRest(who) => write!(f, "clients {who:?} did not come to rest"),
        }
    }
}

/// What a run was like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Virtual milliseconds.
    pub millis: u64,
    /// Crashes of the server, and orderly ends.
    pub crashes: u64,
    /// Lines that were cut.
    pub cuts: u64,
    /// Lines that were stalled.
    pub stalls: u64,
    /// Clients that were killed.
    pub kills: u64,
    /// Times that a client was let in by its password, as a new device.
    pub logins: u64,
    /// Times that a client heard that it was put out of a group.
    pub expelled: u64,
    /// Times that an operator disconnected a client.
    pub disconnected: u64,
    /// Connections that were closed because they did not read.
    pub too_slow: u64,
    /// Posts that clients made.
    pub posts: u64,
    /// Posts that were acknowledged.
    pub acknowledged: u64,
    /// Posts that were shown; live and replayed.
    pub shown: u64,
    /// Posts that were shown to somebody who came back.
    pub replayed: u64,
}

impl Tally {
    /// Adds another run's.
    pub fn add(&mut self, other: &Tally) {
        self.millis += other.millis;
        self.crashes += other.crashes;
        self.cuts += other.cuts;
        self.stalls += other.stalls;
        self.kills += other.kills;
        self.logins += other.logins;
        self.expelled += other.expelled;
        self.disconnected += other.disconnected;
        self.too_slow += other.too_slow;
        self.posts += other.posts;
        self.acknowledged += other.acknowledged;
        self.shown += other.shown;
        self.replayed += other.replayed;
    }
}

/// What came of one seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// A fingerprint of everything that happened, in its order.
    pub trace: u64,
    /// What it was like.
    pub tally: Tally,
    /// What is broken.
    pub broken: Vec<Broken>,
    /// What everybody has lived through.
    pub histories: Vec<History>,
}

/// A fingerprint of what happens (FNV-1a over words).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trace(u64);

impl Trace {
    pub(crate) fn new() -> Trace {
        Trace(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) fn note(&mut self, words: &[u64]) {
        for word in words {
            self.0 = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3);
            self.0 ^= self.0 >> 29;
        }
    }

    pub(crate) fn finish(self) -> u64 {
        self.0
    }
}
