//! Kills a server again and again under load, and says what became of every message.
//!
//! `cargo run --release -p integration-tests --bin chaos -- --rounds 1000 --seed 1 [--keep-days
//! DAYS] [--durability normal] [--rate UNITS]`

use std::process::ExitCode;

use chatroom_server::config::RATE_MAX;
use integration_tests::chaos::{Plan, play};
use tokio::time::Instant;

/// How many broken promises are shown.
const SHOWN_MAX: usize = 20;

#[tokio::main]
async fn main() -> ExitCode {
    let Some(plan) = plan() else {
        eprintln!(
            "usage: chaos [--rounds N] [--seed N] [--keep-days DAYS] [--durability full|normal] \
             [--rate N]"
        );
        return ExitCode::from(2);
    };
    let began = Instant::now();
    let report = play(&plan, |so_far| {
        let seconds = began.elapsed().as_secs();
        eprintln!(
            "{seconds} s: {} rounds of {}, {} acknowledged of {} sent, {} failures",
            so_far.rounds,
            plan.rounds,
            so_far.acknowledged,
            so_far.sent,
            so_far.failures.len()
        );
    })
    .await;
    print!("{report}");
    for failure in &report.failures {
        eprintln!(
            "stage {}: journals and data are in {}",
            failure.stage,
            failure.directory.display()
        );
        failure.trouble.iter().for_each(|trouble| eprintln!("  {trouble}"));
        failure.violations.iter().take(SHOWN_MAX).for_each(|violation| eprintln!("  {violation}"));
    }
    if report.is_fine() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn plan() -> Option<Plan> {
    let mut plan = Plan { rounds: 100, seed: 0, keep_days: 0, durability: "full", rate: RATE_MAX };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next()?;
        match name.as_str() {
            "--rounds" => plan.rounds = value.parse().ok()?,
            "--seed" => plan.seed = value.parse().ok()?,
            "--rate" => plan.rate = value.parse().ok()?,
            "--keep-days" => plan.keep_days = value.parse().ok()?,
            "--durability" => {
                plan.durability = ["full", "normal"].into_iter().find(|it| *it == value)?;
            }
            _ => return None,
        }
    }
    Some(plan)
}
