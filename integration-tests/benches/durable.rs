//! What keeping costs: posts to a server with `--data`, acknowledged when they are on the disk.
//!
//! `cargo bench -p integration-tests --bench durable` measures, on the disk of the target directory, the time of one post
//! with one under way, beside the time of a raw append and fdatasync of as many bytes; and posts a second with 256 under
//! way, over one connection. It prints a table.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

use chatroom_proto::{ASKS_UNANSWERED_MAX, Response, ServerFrame};
use integration_tests::guest::{Guest, public};
use integration_tests::program::ServerProgram;
use tempfile::TempDir;
use tokio::time::Instant;

const ONE_BY_ONE: u64 = 3_000;
const PIPELINED: u64 = 200_000;
const MESSAGE_BYTES: usize = 100;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    println!("| what | p50 | p99 | a second |");
    println!("|---|---:|---:|---:|");
    // In turn, so that a disk that changes its mood changes it for both.
    for _ in 0..3 {
        row("raw append + fdatasync", &mut raw());
        row("durable post, 1 under way", &mut runtime.block_on(one_by_one()));
    }
    let rate = runtime.block_on(pipelined());
    println!("| durable posts, {ASKS_UNANSWERED_MAX} under way | | | {rate:.0} |");
}

fn row(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    let rate = times.len() as f64 / times.iter().sum::<Duration>().as_secs_f64();
    println!("| {what} | {:.3} ms | {:.3} ms | {rate:.0} |", ms(at(50)), ms(at(99)));
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn directory() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory on the disk that is measured")
}

fn raw() -> Vec<Duration> {
    let directory = directory();
    let mut file =
        OpenOptions::new().create(true).append(true).open(directory.path().join("raw")).expect("a file");
    let bytes = [b'x'; MESSAGE_BYTES + 200];
    let append = |_| {
        let began = Instant::now();
        file.write_all(&bytes).expect("written");
        file.sync_data().expect("synced");
        began.elapsed()
    };
    (0..ONE_BY_ONE).map(append).collect()
}

fn start(directory: &TempDir) -> ServerProgram {
    ServerProgram::start_with(&["--data", directory.path().to_str().expect("a path that is text")])
}

fn text(number: u64) -> String {
    format!("{number:0MESSAGE_BYTES$}")
}

async fn one_by_one() -> Vec<Duration> {
    let directory = directory();
    let server = start(&directory);
    let mut speaker = Guest::come(server.address(), "speaker").await;
    let mut times = Vec::new();
    for number in 0..ONE_BY_ONE {
        let began = Instant::now();
        speaker.do_(public("General", number, &text(number))).await;
        times.push(began.elapsed());
    }
    times
}

async fn pipelined() -> f64 {
    let directory = directory();
    let server = start(&directory);
    let mut speaker = Guest::come(server.address(), "speaker").await;
    let began = Instant::now();
    let (mut said, mut answered) = (0, 0);
    while answered < PIPELINED {
        while said < PIPELINED && said - answered < u64::from(ASKS_UNANSWERED_MAX) {
            speaker.say_unflushed(public("General", said, &text(said))).await;
            said += 1;
        }
        speaker.flush().await;
        match speaker.next().await.expect("the server is there") {
            ServerFrame::Response { result: Ok(Response::Posted { .. }), .. } => answered += 1,
            other => panic!("not posted: {other:?}"),
        }
    }
    PIPELINED as f64 / began.elapsed().as_secs_f64()
}
