//! What everything costs under load, beside a minimal reference.
//!
//! `cargo bench -p integration-tests --bench load` measures the release server in a process of its own and prints tables in
//! Markdown. `-- --quick` measures once, shorter and with at most 1,000 readers; names of sections (`-- fanout`) measure only
//! these. It fails on a message that is lost, changed, out of order, or comes twice.
//!
//! Beside it, in turn with it and in a process of its own, runs `src/bin/reference.rs`, which only copies bytes: a machine that
//! changes its mood changes it for both. A ratio is the median of the ratios of neighbours, everything else the median of
//! all. Where there is a `redis-server` on the path, it is measured as well where it can do the same. CPU is a process's user and system time of /proc, in ticks of 10 ms.

mod canon;
mod crowd;
mod durable;
mod fanout;
mod groups;
mod hall;
mod idle;
mod private;
mod process;
mod storm;
mod subject;
mod table;

use std::time::Duration;

use crate::subject::{Kind, Redis};

/// A section's name, and what runs it.
type Section = (&'static str, fn(&Plan));

const SECTIONS: [Section; 6] = [
    ("fanout", fanout::run),
    ("private", private::run),
    ("durable", durable::run),
    ("idle", idle::run),
    ("storm", storm::run),
    ("groups", groups::run),
];

/// How much is measured.
pub(crate) struct Plan {
    /// How often.
    pub(crate) repetitions: usize,
    /// How much CPU the server uses in one run: a percent of it is a tick of the clock that measures it.
    pub(crate) cpu: Duration,
    /// How many readers at most.
    pub(crate) readers_max: usize,
    /// Of what is counted rather than timed, one in so many.
    pub(crate) one_in: u64,
    /// Whether there is a `redis-server` on the path.
    pub(crate) has_redis: bool,
}

impl Plan {
    /// What is measured where Redis can do the same.
    pub(crate) fn kinds(&self) -> &'static [Kind] {
        const KINDS: &[Kind] = &[Kind::Chatroom, Kind::Reference, Kind::Redis];
        if self.has_redis { KINDS } else { &KINDS[..2] }
    }
}

const WHOLE: Plan =
    Plan { repetitions: 5, cpu: Duration::from_secs(1), readers_max: 10_000, one_in: 1, has_redis: false };
const QUICK: Plan =
    Plan { repetitions: 1, cpu: Duration::from_millis(250), readers_max: 1_000, one_in: 10, ..WHOLE };

fn main() {
    // Cargo says `--bench` to every bench.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let plan = if arguments.iter().any(|argument| argument == "--quick") { QUICK } else { WHOLE };
    let plan = Plan { has_redis: Redis::is_there(), ..plan };
    let named: Vec<&String> = arguments.iter().filter(|argument| *argument != "--quick").collect();
    if let Some(unknown) = named.iter().find(|name| !SECTIONS.iter().any(|(known, _)| *name == known)) {
        let known: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
        eprintln!("there is no section {unknown}; there are {}", known.join(", "));
        std::process::exit(2);
    }
    process::raise_descriptors();
    for (name, run) in SECTIONS {
        if named.is_empty() || named.iter().any(|named| *named == name) {
            run(&plan);
        }
    }
}
