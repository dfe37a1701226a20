//! A short run of chaos; the long one is the program of that name.

use chatroom_server::config::RATE_MAX;
use integration_tests::chaos::{Plan, Report, play};

/// Rounds of each run: some seconds.
const ROUNDS: u64 = 4;

async fn played(seed: u64, keep_days: u32, rate: u32) -> Report {
    play(&Plan { rounds: ROUNDS, seed, keep_days, durability: "full", rate }, |_| {}).await
}

fn assert_fine(report: &Report) {
    assert!(report.is_fine(), "{report}{:#?}", report.failures);
    assert!(
        report.kills + report.stops >= ROUNDS && report.acknowledged > 100,
        "it was a test:\n{report}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_when_the_server_its_clients_and_their_lines_break() {
    assert_fine(&played(4, 0, RATE_MAX).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_where_what_was_said_is_deleted_some_day() {
    assert_fine(&played(5, 30, RATE_MAX).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_where_everybody_is_asked_to_go_slower_all_the_time() {
    assert_fine(&played(6, 0, 20).await);
}
