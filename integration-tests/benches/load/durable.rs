//! What keeping costs: posts to a server with `--data`, acknowledged when they are on the disk;
//! beside Redis, which appends to its file and syncs it before it answers, and beside a raw append
//! and fdatasync of as many bytes.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use chatroom_proto::{
    ASKS_UNANSWERED_MAX, Conversation, Refusal, Request, Response, SearchQuery, Seq,
};
use integration_tests::test_client::{TestClient, group};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::Plan;
use crate::crowd::Crowd;
use crate::table::{at_least, at_most, head, median, number, ratio, row};
use crate::target::{Chatroom, Heard, MAIN_ROOM, MESSAGE_BYTES, Redis, Target, text};

/// Even in a quick run: the first hundreds are slower.
const ONE_BY_ONE: u64 = 3_000;
const PIPELINED: u64 = 200_000;
/// Longer than the archive stays behind, so that its work is a part of it.
const SUSTAINED: u64 = 1_000_000;
const UNDER_WAY: usize = ASKS_UNANSWERED_MAX as usize;
const RAW_RATIO_MAX: f64 = 1.5;

/// What a line of a log needs beside the message.
const OVERHEAD_BYTES: usize = 200;

/// A server that keeps what it is told in this directory.
type Start = fn(&Path) -> Box<dyn Target>;

pub(crate) fn run(plan: &Plan) {
    head(
        "Durable posts",
        "A post of 100 bytes is answered when it is on the disk of the target directory, over one \
         connection, with so many \
         under way; beside one append and fdatasync of as many bytes, and beside Redis with \
         `appendfsync always`. The last \
         rows are measured once: a longer run, and how long the archive then takes to catch up.",
        &["", "chatroom", "append + fdatasync", "ratio", "Redis", "ratio"],
    );
    let pipelined_count = PIPELINED / plan.one_in;
    let starts: [Start; 2] = [chatroom, redis];
    let (mut raw_times, mut times, mut rates) =
        (Vec::new(), [const { Vec::new() }; 2], [const { Vec::new() }; 2]);
    for repetition in 1..=plan.repetitions {
        eprintln!("durable: {repetition} of {}", plan.repetitions);
        raw_times.push(median(&raw(ONE_BY_ONE)));
        for (which, start) in starts.into_iter().enumerate().take(1 + usize::from(plan.has_redis)) {
            let (directory, other) = (directory(), directory());
            times[which].push(median(&one_by_one(&*start(directory.path()), ONE_BY_ONE)));
            rates[which].push(pipelined(&*start(other.path()), pipelined_count));
        }
    }
    show_times(&raw_times, &times);
    show_rates(&format!("{UNDER_WAY} under way"), &rates);
    sustained(plan, starts);
}

fn show_times(raw: &[f64], [ours, theirs]: &[Vec<f64>; 2]) {
    let ms = |times: &[f64]| number(median(times), 3, " ms");
    row(&[
        "1 under way: p50",
        &ms(ours),
        &ms(raw),
        &at_most(ratio(ours, raw), Some(RAW_RATIO_MAX), "x"),
        &ms(theirs),
        &number(ratio(ours, theirs), 2, "x"),
    ]);
}

fn show_rates(what: &str, [ours, theirs]: &[Vec<f64>; 2]) {
    let rate = |rates: &[f64]| number(median(rates), 0, "/s");
    row(&[what, &rate(ours), "", "", &rate(theirs), &at_least(ratio(ours, theirs), 1.0, "x")]);
}

fn sustained(plan: &Plan, starts: [Start; 2]) {
    eprintln!("durable: a longer run");
    let (count, mut rates, mut caught_up) =
        (SUSTAINED / plan.one_in, [const { Vec::new() }; 2], Vec::new());
    for (which, start) in starts.into_iter().enumerate().take(1 + usize::from(plan.has_redis)) {
        let directory = directory();
        let target = start(directory.path());
        rates[which].push(pipelined(&*target, count));
        if which == 0 {
            caught_up.extend(catch_up(&*target, count));
        }
    }
    show_rates(&format!("{UNDER_WAY} under way, {count} posts"), &rates);
    for (what, seconds) in ["a history", "a search"].into_iter().zip(caught_up) {
        row(&[
            &format!("then {what} has all of them after"),
            &format!("{seconds:.1} s"),
            "",
            "",
            "",
            "",
        ]);
    }
}

fn directory() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory on the disk that is measured")
}

fn chatroom(directory: &Path) -> Box<dyn Target> {
    let path = directory.to_str().expect("a path that is text");
    Box::new(Chatroom::start_with(&["--data", path]))
}

fn redis(directory: &Path) -> Box<dyn Target> {
    Box::new(Redis::start_in(directory))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn raw(count: u64) -> Vec<f64> {
    let directory = directory();
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(directory.path().join("raw"))
        .expect("a file");
    let bytes = [b'x'; MESSAGE_BYTES + OVERHEAD_BYTES];
    let append = |_| {
        let began = Instant::now();
        file.write_all(&bytes).expect("written");
        file.sync_data().expect("synced");
        ms(began.elapsed())
    };
    (0..count).map(append).collect()
}

/// One who may say something that is kept.
fn speaker(target: &dyn Target) -> Crowd {
    let mut crowd = Crowd::new();
    crowd.arrive(target, 1);
    crowd.ask_all(target, 0..1, |_, _| target.create(MAIN_ROOM));
    crowd.ask_all(target, 0..1, |_, _| target.join_to_speak(MAIN_ROOM));
    crowd
}

fn posts(target: &dyn Target, count: u64) -> Vec<Vec<u8>> {
    let post = |number| {
        let mut bytes = Vec::new();
        target.keep(number, &mut bytes);
        bytes
    };
    (0..count).map(post).collect()
}

/// Waits for some answers, and says how many there were.
fn answers(target: &dyn Target, crowd: &mut Crowd) -> usize {
    let mut answers = 0;
    let came = crowd.listen_to_frames(target, |_, _, frame| {
        assert_eq!(target.hear(frame), Heard::Answer, "the speaker is only answered");
        answers += 1;
    });
    assert!(came, "an answer is lost");
    answers
}

fn one_by_one(target: &dyn Target, count: u64) -> Vec<f64> {
    let (mut crowd, posts) = (speaker(target), posts(target, count));
    let keep = |post: Vec<u8>| {
        let began = Instant::now();
        crowd.say(0, &post);
        while answers(target, &mut crowd) == 0 {}
        ms(began.elapsed())
    };
    posts.into_iter().map(keep).collect()
}

/// Posts a second with as many under way as one connection may have: for every answer another one.
fn pipelined(target: &dyn Target, count: u64) -> f64 {
    let (mut crowd, posts) = (speaker(target), posts(target, count));
    let (mut said, mut answered) = (0, 0);
    let began = Instant::now();
    while answered < posts.len() {
        let next = (answered + UNDER_WAY).min(posts.len());
        crowd.say(0, &posts[said..next].concat());
        said = next;
        answered += answers(target, &mut crowd);
        assert!(answered <= said, "more answers than posts");
    }
    count as f64 / began.elapsed().as_secs_f64()
}

/// How long it takes, in seconds, until what was said last can be read back, and until it can be
/// found.
fn catch_up(target: &dyn Target, count: u64) -> [f64; 2] {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let began = Instant::now();
        let mut guest = TestClient::come(target.address(), "reader").await;
        let room = group("room0");
        guest.do_(Request::Join { group: room.clone() }).await;
        let (of, before, one) = (Conversation::Group(room), Seq::ZERO, 1);
        ask_until_answered(&mut guest, Request::History { of, before, count: one }).await;
        let read = began.elapsed().as_secs_f64();
        let words = SearchQuery::parse(&text(count - 1)).expect("words");
        ask_until_answered(&mut guest, Request::Search { words, within: None, before, count: one })
            .await;
        [read, began.elapsed().as_secs_f64()]
    })
}

/// Asks until it did not take too long.
async fn ask_until_answered(guest: &mut TestClient, request: Request) {
    loop {
        match guest.ask(request.clone()).await {
            Ok(Response::Past { posts, .. }) => {
                return assert_eq!(posts.as_slice().len(), 1, "it is there");
            }
            Err(Refusal::TookTooLong) => {}
            other => panic!("neither found nor refused: {other:?}"),
        }
    }
}
