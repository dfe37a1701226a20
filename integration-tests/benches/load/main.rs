//! What everything costs under load, beside a minimal reference.
//!
//! `cargo bench -p integration-tests --bench load` measures the release server in a process of its
//! own and prints tables in Markdown. `-- --quick` measures once, shorter and with at most 1,000
//! readers; names of sections (`-- fanout`) measure only these. It fails on a message that is lost,
//! changed, out of order, or comes twice.
//!
//! Beside it, in turn with it and in a process of its own, runs `src/bin/reference.rs`, which only
//! copies bytes: a machine that changes its mood changes it for both. A ratio is the median of the
//! ratios of neighbours, everything else the median of all. Where there is a `redis-server` on the
//! path, it is measured as well where it can do the same.
//!
//! A message is 100 bytes for all of them. What goes with it is each one's own affair: with ours
//! its place, its time, who said it and where, some 190 bytes in all; with the reference 5 bytes.
//! CPU is a process's user and system time of /proc, in ticks of 10 ms. The clients are one thread
//! and one epoll in this process. A whole run takes some 20 minutes, and 20,000 file descriptors
//! (`ulimit -Hn`).

mod crowd;
mod durable;
mod fanout;
mod flood;
mod groups;
mod idle;
mod line;
mod private;
mod process;
mod room;
mod script;
mod secure;
mod storm;
mod table;
mod target;

use std::time::Duration;

use crate::target::{Kind, Redis};

/// A section's name, and what runs it.
type Section = (&'static str, fn(&Plan));

const SECTIONS: [Section; 8] = [
    ("fanout", fanout::run),
    ("private", private::run),
    ("durable", durable::run),
    ("idle", idle::run),
    ("storm", storm::run),
    ("groups", groups::run),
    ("flood", flood::run),
    ("tls", secure::run),
];

/// What servers keep back of the limit on file descriptors, and a bit for ourselves.
const DESCRIPTORS_RESERVED: usize = 200;

/// How much is measured.
pub(crate) struct Plan {
    /// How often.
    pub(crate) repetitions: usize,
    /// How much CPU the server uses in one run: a percent of it is a tick of the clock that
    /// measures it.
    pub(crate) cpu: Duration,
    /// How many readers at most.
    pub(crate) readers_max: usize,
    /// How many connections at most, whatever for.
    pub(crate) connections_max: usize,
    /// Of what is counted rather than timed, one in so many.
    pub(crate) one_in: u64,
    /// Whether there is a `redis-server` on the path.
    pub(crate) has_redis: bool,
}

impl Plan {
    fn new(is_quick: bool) -> Plan {
        let connections_max = process::raise_descriptors().saturating_sub(DESCRIPTORS_RESERVED);
        Plan {
            repetitions: if is_quick { 1 } else { 5 },
            cpu: Duration::from_millis(if is_quick { 250 } else { 1_000 }),
            readers_max: connections_max.min(if is_quick { 1_000 } else { 10_000 }),
            connections_max,
            one_in: if is_quick { 10 } else { 1 },
            has_redis: Redis::is_there(),
        }
    }

    /// What is measured where Redis can do the same.
    pub(crate) fn kinds(&self) -> &'static [Kind] {
        const KINDS: &[Kind] = &[Kind::Chatroom, Kind::Reference, Kind::Redis];
        if self.has_redis { KINDS } else { &KINDS[..2] }
    }
}

fn main() {
    // Cargo says `--bench` to every bench.
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let (quick, named): (Vec<&str>, Vec<&str>) =
        arguments.iter().map(String::as_str).partition(|argument| *argument == "--quick");
    if let Some(unknown) =
        named.iter().find(|name| !SECTIONS.iter().any(|(known, _)| *name == known))
    {
        eprintln!(
            "there is no section {unknown}; there are {}",
            SECTIONS.map(|(name, _)| name).join(", ")
        );
        std::process::exit(2);
    }
    let plan = Plan::new(!quick.is_empty());
    for (name, run) in SECTIONS {
        if named.is_empty() || named.contains(&name) {
            run(&plan);
        }
    }
}
