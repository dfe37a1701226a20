//! What a delivery costs: one member of a group speaks, and all others must hear everything, in order.
//!
//! `cargo bench -p integration-tests --bench load` runs the release server in a process of its own with 10, 100 and 1,000
//! readers, a million deliveries of 100-byte messages each, with 1 and with 32 under way, and prints a table. It fails on
//! a message that is lost, comes twice or out of order. CPU is the server's user and system time, of /proc.

use std::fs;
use std::time::Duration;

use chatroom_proto::{Notification, Request, Response, ServerFrame};
use integration_tests::guest::{Guest, group, public};
use integration_tests::program::ServerProgram;
use tokio::time::{self, Instant};

/// Enough for the kernel's clock ticks to measure the CPU of a row within a percent or so.
const DELIVERIES: u64 = 1_000_000;
const MESSAGE_BYTES: usize = 100;
const PATIENCE: Duration = Duration::from_secs(120);

/// The kernel counts a process's time in these, a hundred a second on every Linux that matters (`getconf CLK_TCK`).
const TICK: Duration = Duration::from_millis(10);

fn main() {
    println!(
        "| readers | messages | under way | seconds | deliveries/s | server CPU per delivery | server RSS | peak |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for readers in [10, 100, 1_000] {
        for under_way in [1, 32] {
            runtime.block_on(row(readers, under_way));
        }
    }
}

async fn row(readers: usize, under_way: u64) {
    let server = ServerProgram::start();
    let messages = DELIVERIES / readers as u64;
    let mut speaker = Guest::come(server.address(), "speaker").await;
    speaker.do_(Request::Create { group: group("hall") }).await;
    speaker.do_(Request::Join { group: group("hall") }).await;
    let mut listening = Vec::new();
    for number in 0..readers {
        let mut reader = Guest::come(server.address(), &format!("reader{number}")).await;
        // Arrivals and departures are none of this measurement's business.
        reader.do_(Request::Leave { group: group("General") }).await;
        reader.do_(Request::Join { group: group("hall") }).await;
        listening.push(tokio::spawn(listen(reader, messages)));
    }

    let (cpu_before, began) = (cpu(server.id()), Instant::now());
    speak(&mut speaker, messages, under_way).await;
    for listener in listening {
        let heard =
            time::timeout(PATIENCE, listener).await.expect("everything arrives").expect("in order, once");
        assert_eq!(heard, messages);
    }
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu(server.id()) - cpu_before);

    let rate = DELIVERIES as f64 / seconds;
    let each = cpu.as_secs_f64() * 1e6 / DELIVERIES as f64;
    let (rss, peak) = memory(server.id());
    println!(
        "| {readers} | {messages} | {under_way} | {seconds:.2} | {rate:.0} | {each:.2} µs | {rss} | {peak} |"
    );
}

/// Says everything, with so many messages unanswered at a time.
async fn speak(speaker: &mut Guest, messages: u64, under_way: u64) {
    let mut answered = 0;
    for number in 1..=messages {
        let text = format!("{number:0MESSAGE_BYTES$}");
        speaker.say(public("hall", number, &text)).await;
        while number - answered >= under_way {
            answered += posted(speaker).await;
        }
    }
    while answered < messages {
        answered += posted(speaker).await;
    }
}

/// Whether the next frame is the answer to a post.
async fn posted(speaker: &mut Guest) -> u64 {
    match speaker.next().await.expect("the server is there") {
        ServerFrame::Response { result: Ok(Response::Posted { .. }), .. } => 1,
        ServerFrame::Response { result, .. } => panic!("not posted: {result:?}"),
        ServerFrame::Notification(_) => 0,
    }
}

/// Counts what is heard in the hall, which must be everything in order.
async fn listen(mut reader: Guest, messages: u64) -> u64 {
    let mut heard = 0;
    while heard < messages {
        match reader.next().await.expect("the server is there") {
            ServerFrame::Notification(Notification::GroupPost { post, .. }) => {
                heard += 1;
                assert_eq!(post.body.as_str().trim_start_matches('0'), heard.to_string());
            }
            ServerFrame::Notification(_) => {}
            other => panic!("not asked for: {other:?}"),
        }
    }
    heard
}

/// User and system time of a process so far (proc(5): fields 14 and 15 of stat).
fn cpu(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("the process is there");
    let after_name = stat.rsplit(')').next().expect("a name in parentheses");
    let ticks =
        after_name.split_whitespace().skip(11).take(2).map(|field| field.parse::<u32>().expect("a number"));
    TICK * ticks.sum()
}

/// Resident memory of a process, now and at most so far.
fn memory(process: u32) -> (String, String) {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process is there");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field of status");
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number of KiB");
        format!("{:.1} MiB", kib / 1024.0)
    };
    (field("VmRSS:"), field("VmHWM:"))
}
