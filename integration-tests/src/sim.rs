//! Deterministic simulation of what ships: the real server on streams in memory and the real
//! client, on paused time, in one thread. One seed decides everything, so a seed that breaks a
//! promise breaks it again.
//!
//! Only what lies behind a trait is of the simulation:
//!
//! - `log`: the log: what is ordered, what of it is on disk, and what the server was told.
//! - `archive`: what can be read back of it, some time later.
//! - `line`: bytes between a device and a server, which take their time, come in pieces, stop, and
//!   are cut. `witness` reads along; `tamper` makes the mistakes of planted bugs.
//!
//! Around these:
//!
//! - `device`: a program on the client: asks, is killed, goes on from its journal, and writes down
//!   what it lives through. `people`: who has which devices, and what people do.
//! - `server`: one run of the server after the other, on a machine that goes down.
//! - `trouble`: what goes wrong with lines. `world`: time, chance, and what is noted down.
//!
//! In the end everybody comes back and comes to rest, and the histories are checked. A [`Fault`] is
//! a bug that is put in to see that it is found.

use std::fmt;

use crate::history::{History, Violation};

mod archive;
mod device;
mod line;
mod log;
mod people;
mod run;
mod server;
mod tamper;
mod trouble;
mod witness;
mod world;

pub use run::run;

use line::Direction;

/// A bug that is put in, where the simulation stands in for what ships.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The log tells the server of entries before they are on disk.
    ReplyBeforeCommit,
    /// The log gives each post another identity: one that comes again is not recognized.
    KeptTwice,
    /// The archive leaves one post out of what a client missed.
    ReplayGap,
    /// It leaves out all of them.
    ReplayDropped,
    /// It leaves out what was said with other devices of the same person.
    ReplayWithoutOwn,
    /// It leaves out what was said in groups until the client was out of them.
    ReplayWithoutEnded,
    /// It tells a client what was said where it is not, too.
    ReplayOutside,
    /// A message does not reach one of those who hear it, as if the fan-out left it out.
    MessageLost,
    /// A message reaches one of them twice.
    MessageTwice,
    /// A message is overtaken by the next one, as if an outbox did not hold it back.
    MessagesSwapped,
    /// An answer is overtaken by the next one.
    AnswersSwapped,
    /// A post does not reach the server, as if the link did not send it.
    RequestLost,
    /// A client is not told that the log was put back.
    PutBackUnsaid,
    /// The archive tells one who comes back what was deleted.
    ReplayDeleted,
    /// It does not tell that something was deleted.
    DeletionUnsaid,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 15] = [
        Fault::ReplyBeforeCommit,
        Fault::KeptTwice,
        Fault::ReplayGap,
        Fault::ReplayDropped,
        Fault::ReplayWithoutOwn,
        Fault::ReplayWithoutEnded,
        Fault::ReplayOutside,
        Fault::MessageLost,
        Fault::MessageTwice,
        Fault::MessagesSwapped,
        Fault::AnswersSwapped,
        Fault::RequestLost,
        Fault::PutBackUnsaid,
        Fault::ReplayDeleted,
        Fault::DeletionUnsaid,
    ];

    /// In which direction lines make a mistake, if it is one of theirs.
    fn on_line(self) -> Option<Direction> {
        match self {
            Fault::MessageLost
            | Fault::MessageTwice
            | Fault::MessagesSwapped
            | Fault::AnswersSwapped
            | Fault::PutBackUnsaid => Some(Direction::Down),
            Fault::RequestLost => Some(Direction::Up),
            Fault::ReplyBeforeCommit
            | Fault::KeptTwice
            | Fault::ReplayGap
            | Fault::ReplayDropped
            | Fault::ReplayWithoutOwn
            | Fault::ReplayWithoutEnded
            | Fault::ReplayOutside
            | Fault::ReplayDeleted
            | Fault::DeletionUnsaid => None,
        }
    }
}

/// Something that a run has shown to be broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// A promise, as the clients have lived through it.
    Promise(Violation),
    /// A device was told of an event after a later one, on one connection.
    ToldOutOfOrder {
        /// Which device.
        device: usize,
        /// Of what.
        seq: u64,
    },
    /// A server has not answered in the order of the requests, on one connection.
    AnswerOutOfTurn {
        /// Which device it has answered.
        device: usize,
        /// The tag of the answer.
        tag: u32,
    },
    /// A client's link has ended for good, and should not have.
    LinkEnded(String),
    /// A client can't use its journal.
    Journal(String),
    /// A server has ended that was not told to.
    ServerEnded(String),
    /// Nobody does anything any more, and the chat believes that something is under way.
    LoadLeft(usize),
    /// What the server has come to is not what its log comes to.
    StatesDiffer,
    /// The run did not come to rest: which devices had not.
    NoRest(Vec<usize>),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Promise(violation) => violation.fmt(f),
            Broken::ToldOutOfOrder { device, seq } => {
                write!(f, "device {device} was told of {seq} after a later event")
            }
            Broken::AnswerOutOfTurn { device, tag } => {
                write!(f, "device {device} was given the answer to {tag} before an earlier one")
            }
            Broken::LinkEnded(why) => write!(f, "a link has ended: {why}"),
            Broken::Journal(why) => write!(f, "a journal is not used: {why}"),
            Broken::ServerEnded(why) => write!(f, "a server has ended: {why}"),
            Broken::LoadLeft(load) => write!(f, "{load} things are still under way at rest"),
            Broken::StatesDiffer => f.write_str("the server's state is not what its log comes to"),
            Broken::NoRest(who) => write!(f, "devices {who:?} did not come to rest"),
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
    /// Times that an earlier copy of the log was put back.
    pub restores: u64,
    /// Times that the machine's clock was set.
    pub clock_jumps: u64,
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
    /// Posts that were deleted.
    pub deleted: u64,
    /// Posts that were missed, and told without their text.
    pub told_deleted: u64,
}

impl Tally {
    /// Adds another run's.
    pub fn add(&mut self, other: &Tally) {
        self.millis += other.millis;
        self.crashes += other.crashes;
        self.restores += other.restores;
        self.clock_jumps += other.clock_jumps;
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
        self.deleted += other.deleted;
        self.told_deleted += other.told_deleted;
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
