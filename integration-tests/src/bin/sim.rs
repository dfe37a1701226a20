//! Plays many seeds of the simulation, and says what they were like and what is broken.
//!
//! `cargo run --release -p integration-tests --bin sim -- --seeds 10000 [--from SEED] [--jobs N]
//! [--fault NAME]`; with `--journal PERSON`, what that one has lived through in the first seed is
//! printed, too. Each job plays one seed after the other in a thread of its own; as many jobs as
//! there are processors, unless told otherwise.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use integration_tests::sim::{Fault, Outcome, Tally, run};
use tokio::time::Instant;

/// How many seeds that break something each job shows.
const SHOWN_MAX: usize = 5;

struct Wanted {
    seeds: u64,
    from: u64,
    jobs: usize,
    fault: Option<Fault>,
    journal: Option<String>,
}

fn main() -> ExitCode {
    let Some(wanted) = wanted() else {
        eprintln!(
            "usage: sim [--seeds N] [--from SEED] [--jobs N] [--fault NAME] [--journal PERSON], \
             where NAME is one of {:?}",
            Fault::ALL
        );
        return ExitCode::from(2);
    };
    let began = Instant::now();
    let next = AtomicU64::new(wanted.from);
    let played: Vec<Played> = thread::scope(|scope| {
        let jobs: Vec<_> = (0..wanted.jobs).map(|_| scope.spawn(|| play(&wanted, &next))).collect();
        jobs.into_iter().map(|job| job.join().expect("no panic")).collect()
    });
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    let (mut tally, mut violations, mut failed) = (Tally::default(), 0, 0);
    for part in &played {
        tally.add(&part.tally);
        violations += part.violations;
        failed += part.failed;
    }
    print_table(wanted.seeds, &tally, violations, failed, minutes);
    if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What one job has played.
#[derive(Default)]
struct Played {
    tally: Tally,
    violations: usize,
    failed: usize,
}

/// Plays the next seed, and the next, until there are no more.
fn play(wanted: &Wanted, next: &AtomicU64) -> Played {
    let mut played = Played::default();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= wanted.from + wanted.seeds {
            return played;
        }
        let outcome = run(seed, wanted.fault);
        played.tally.add(&outcome.tally);
        if seed == wanted.from {
            print_journal(&outcome, wanted.journal.as_deref());
        }
        played.violations += outcome.broken.len();
        played.failed += usize::from(!outcome.broken.is_empty());
        if !outcome.broken.is_empty() && played.failed <= SHOWN_MAX {
            print_broken(seed, &outcome);
        }
    }
}

/// At once, and together, whoever else prints.
fn print_broken(seed: u64, outcome: &Outcome) {
    let broken = outcome.broken.iter().map(|broken| format!("\n  {broken}"));
    let lines: String = broken.collect();
    eprintln!("seed {seed} (trace {:016x}):{lines}", outcome.trace);
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
        ("restores", tally.restores.to_string()),
        ("clock jumps", tally.clock_jumps.to_string()),
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
        ("deleted", tally.deleted.to_string()),
        ("told without text", tally.told_deleted.to_string()),
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
    let jobs = thread::available_parallelism().map_or(1, usize::from);
    let mut wanted = Wanted { seeds: 1_000, from: 0, jobs, fault: None, journal: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next()?;
        match name.as_str() {
            "--seeds" => wanted.seeds = value.parse().ok()?,
            "--from" => wanted.from = value.parse().ok()?,
            "--jobs" => wanted.jobs = value.parse().ok()?,
            "--journal" => wanted.journal = Some(value),
            "--fault" => {
                wanted.fault = Some(Fault::ALL.into_iter().find(|it| format!("{it:?}") == value)?);
            }
            _ => return None,
        }
    }
    Some(wanted)
}
