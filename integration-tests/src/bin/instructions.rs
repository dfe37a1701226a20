//! What a delivery costs in instructions, which a busy machine can't touch: the optimized server
//! under valgrind's callgrind, with 100 readers in one group, and a speaker.
//!
//! `cargo run --bin instructions` counts, and compares with the figures in
//! `benches/instructions.txt`. It fails when one has grown by more than a tenth; `-- --record`
//! writes the file anew. It builds the server in a profile of its own, which is optimized and
//! quicker to build than what is shipped (`counted` in the workspace's `Cargo.toml`); this program
//! only speaks to it, so that its own profile does not matter.
//!
//! The speaker says some messages of 100 bytes in one write, and the next ones when every reader
//! has heard these and all are answered, so that the server meets the same whatever else the
//! machine does. Two runs that differ only in how much is said have the same beginning and the
//! same end: their difference is the deliveries.
//!
//! What is counted is the server's own code and that of its libraries, as this compiler and this C
//! library make it. The kernel's part of a system call is not in it; `--bench load` measures that
//! with everything else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use chatroom_proto::{Notification, Request, Response, ServerFrame};
use integration_tests::process::Exit;
use integration_tests::program::{self, BUSY, ServerProgram};
use integration_tests::test_client::{TestClient, group, public};
use tokio::runtime;

const READERS: u64 = 100;
const MESSAGE_BYTES: usize = 100;
/// How many messages are under way at a time.
const UNDER_WAY: [u64; 2] = [1, 32];
/// How many messages the longer run says more: enough that what is not the same in two runs, the
/// seeds of the hash maps for one, makes less than half a per cent of it.
const MESSAGES: u64 = 640;
/// A figure that has moved by more than this, in per cent, is no longer the one that was recorded.
const CHANGE_MAX: f64 = 10.0;
/// The figures that hold, a line each: messages under way, instructions.
const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.txt");

fn main() -> ExitCode {
    let valgrind = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    assert!(valgrind.is_ok(), "valgrind, which counts the instructions, is installed");
    let server = program::counted_server();
    let counted = UNDER_WAY.map(|under_way| (under_way, per_delivery(&server, under_way)));
    if std::env::args().any(|argument| argument == "--record") {
        let lines = counted.map(|(under_way, each)| format!("{under_way} {each:.0}\n"));
        fs::write(RECORD, lines.concat()).expect("the record can be written");
    }
    println!("| messages under way | instructions per delivery | recorded | change |");
    println!("|---:|---:|---:|---:|");
    let changes = counted.map(|(under_way, each)| {
        let recorded = recorded(under_way);
        let change = (each / recorded - 1.0) * 100.0;
        println!("| {under_way} | {each:.1} | {recorded:.0} | {change:+.1} % |");
        (under_way, change)
    });
    judge(&server, &changes)
}

/// Says what is to be done, if anything is.
fn judge(server: &Path, changes: &[(u64, f64)]) -> ExitCode {
    if let Some((under_way, _)) = changes.iter().find(|(_, change)| *change > CHANGE_MAX) {
        eprintln!(
            "A delivery takes more than {CHANGE_MAX} % more instructions than was recorded. Make \
             it cheaper; \
             `callgrind_annotate {}` says where they go. Or, if they are worth it, record the new \
             figures with \
             `-- --record`, and say in the same commit what they buy.",
            profile(server, *under_way).display()
        );
        return ExitCode::FAILURE;
    }
    if changes.iter().any(|(_, change)| *change < -CHANGE_MAX) {
        eprintln!(
            "A delivery is cheaper than was recorded: record it with `-- --record`, so that it \
             stays so."
        );
    }
    ExitCode::SUCCESS
}

/// The figure that holds.
fn recorded(under_way: u64) -> f64 {
    let record = fs::read_to_string(RECORD).expect("a record: `-- --record` writes it");
    let mut lines = record.lines().filter_map(|line| line.split_once(' '));
    let line = lines.find(|(name, _)| *name == under_way.to_string());
    line.and_then(|(_, figure)| figure.parse().ok()).expect("a figure in the record")
}

/// The instructions of one delivery, with so many messages under way.
fn per_delivery(server: &Path, under_way: u64) -> f64 {
    // The first window is in both: what is done once, at the first message, is no part of the
    // difference.
    let [less, more] =
        [under_way, under_way + MESSAGES].map(|messages| count(server, under_way, messages));
    (more as f64 - less as f64) / (MESSAGES * READERS) as f64
}

/// The instructions of a server's whole life in which so much is said.
fn count(server: &Path, under_way: u64, messages: u64) -> u64 {
    let profile = profile(server, under_way);
    let into = format!("--callgrind-out-file={}", profile.display());
    let valgrind = ["valgrind", "--quiet", "--vgdb=no", "--tool=callgrind", &into];
    let server = ServerProgram::start_file_under(server, &valgrind, &BUSY)
        .unwrap_or_else(|said| panic!("the server did not start under valgrind: {said}"));
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(say_and_hear(&server, under_way, messages));
    let finished = server.stop();
    assert_eq!(finished.exit, Exit::Code(0), "{}", finished.diagnostics);
    let counted = fs::read_to_string(&profile).expect("callgrind writes what it has counted");
    let total = counted.lines().find_map(|line| line.strip_prefix("totals: "));
    total.and_then(|total| total.parse().ok()).expect("callgrind gives the total")
}

/// Where callgrind writes what it has counted.
fn profile(server: &Path, under_way: u64) -> PathBuf {
    server.with_file_name(format!("callgrind.{under_way}.out"))
}

/// Fills the room, and says everything there.
async fn say_and_hear(server: &ServerProgram, under_way: u64, messages: u64) {
    let mut speaker = come_into_the_room(server, "speaker").await;
    let mut readers = Vec::new();
    for number in 0..READERS {
        readers.push(come_into_the_room(server, &format!("reader{number}")).await);
    }
    for first in (0..messages).step_by(usize::try_from(under_way).expect("a small number")) {
        let window = first..first + under_way;
        for number in window.clone() {
            speaker.say_unflushed(public("room", number, &text(number))).await;
        }
        speaker.flush().await;
        for reader in &mut readers {
            for number in window.clone() {
                assert_eq!(heard(reader).await, text(number), "everything, once and in order");
            }
        }
        for _ in window {
            posted(&mut speaker).await;
        }
    }
}

/// Arrivals and departures in General are none of this measurement's business.
async fn come_into_the_room(server: &ServerProgram, name: &str) -> TestClient {
    let mut guest = TestClient::come(server.address(), name).await;
    guest.do_(Request::Leave { group: group("General") }).await;
    let room = group("room");
    if name == "speaker" {
        guest.do_(Request::Create { group: room.clone() }).await;
    }
    guest.do_(Request::Join { group: room }).await;
    guest
}

fn text(number: u64) -> String {
    format!("{number:0MESSAGE_BYTES$}")
}

/// Waits for the next message in the room.
async fn heard(reader: &mut TestClient) -> String {
    loop {
        match reader.frame().await {
            Some(ServerFrame::Notification(Notification::GroupPost { post, .. })) => {
                return post.body.as_str().to_owned();
            }
            Some(ServerFrame::Notification(_)) => {}
            other => panic!("not asked for: {other:?}"),
        }
    }
}

/// Waits for the next answer to a post.
async fn posted(speaker: &mut TestClient) {
    loop {
        match speaker.frame().await {
            Some(ServerFrame::Response { result: Ok(Response::Posted { .. }), .. }) => return,
            Some(ServerFrame::Notification(_)) => {}
            other => panic!("not posted: {other:?}"),
        }
    }
}
