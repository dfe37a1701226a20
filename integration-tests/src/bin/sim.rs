//! Plays many seeds of the simulation, and says what they were like and what is broken.
//!
//! `cargo run --release -p integration-tests --bin sim -- --seeds 10000 [--from SEED] [--fault
//! NAME]`; with `--journal PERSON`, what that one has lived through in the first seed is printed,
//! too.

use std::process::ExitCode;

use integration_tests::sim::{Fault, Outcome, Tally, run};
use tokio::time::Instant;

/// How many seeds that break something are shown.
const SHOWN_MAX: usize = 5;

struct Wanted {
    seeds: u64,
    from: u64,
    fault: Option<Fault>,
    journal: Option<String>,
}

fn main() -> ExitCode {
    let Some(Wanted { seeds, from, fault, journal }) = wanted() else {
        eprintln!(
            "usage: sim [--seeds N] [--from SEED] [--fault NAME] [--journal PERSON], where NAME \
             is one of {:?}",
            Fault::ALL
        );
        return ExitCode::from(2);
    };
    let began = Instant::now();
    let mut tally = Tally::default();
    let (mut violations, mut failed) = (0, 0);
    for seed in from..from + seeds {
        let outcome = run(seed, fault);
        tally.add(&outcome.tally);
        if seed == from {
            print_journal(&outcome, journal.as_deref());
        }
        violations += outcome.broken.len();
        failed += usize::from(!outcome.broken.is_empty());
        if !outcome.broken.is_empty() && failed <= SHOWN_MAX {
            eprintln!("seed {seed} (trace {:016x}):", outcome.trace);
            outcome.broken.iter().for_each(|broken| eprintln!("  {broken}"));
        }
    }
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    print_table(seeds, &tally, violations, failed, minutes);
    if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_journal(outcome: &Outcome, person: Option<&str>) {
    let histories =
        outcome.histories.iter().filter(|history| Some(history.name.as_str()) == person);
    histories.flat_map(|history| &history.events).for_each(|event| println!("{event}"));
}

fn print_table(seeds: u64, tally: &Tally, violations: usize, failed: usize, minutes: f64) {
    let hours = tally.millis as f64 / 3_600_000.0;
    let a_minute = seeds as f64 / minutes;
    let columns = [
        ("seeds", seeds.to_string()),
        ("virtual hours", format!("{hours:.1}")),
        ("crashes", tally.crashes.to_string()),
        ("cuts", tally.cuts.to_string()),
        ("stalls", tally.stalls.to_string()),
        ("clients killed", tally.kills.to_string()),
        ("logins", tally.logins.to_string()),
        ("put out", tally.expelled.to_string()),
        ("disconnected", tally.disconnected.to_string()),
        ("too slow", tally.too_slow.to_string()),
        ("posts", tally.posts.to_string()),
        ("acknowledged", tally.acknowledged.to_string()),
        ("shown", tally.shown.to_string()),
        ("of these later", tally.replayed.to_string()),
        ("violations", violations.to_string()),
        ("seeds that break something", failed.to_string()),
        ("seeds a minute", format!("{a_minute:.0}")),
    ];
    let row = |cells: Vec<&str>| println!("| {} |", cells.join(" | "));
    row(columns.iter().map(|(name, _)| *name).collect());
    row(columns.iter().map(|_| "---:").collect());
    row(columns.iter().map(|(_, value)| value.as_str()).collect());
}

fn wanted() -> Option<Wanted> {
    let mut wanted = Wanted { seeds: 1_000, from: 0, fault: None, journal: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next()?;
        match name.as_str() {
            "--seeds" => wanted.seeds = value.parse().ok()?,
            "--from" => wanted.from = value.parse().ok()?,
            "--journal" => wanted.journal = Some(value),
            "--fault" => {
                wanted.fault = Some(Fault::ALL.into_iter().find(|it| format!("{it:?}") == value)?);
            }
            _ => return None,
        }
    }
    Some(wanted)
}
