//! What keeping costs: posts to a server with `--data`, acknowledged when they are on the disk; beside Redis, which
//! appends to its file and syncs it before it answers, and beside a raw append and fdatasync of as many bytes.
//!
//! `cargo bench -p integration-tests --bench durable` measures all three on the disk of the target directory, in turn, so
//! that a disk that changes its mood changes it for all: the time of one write with one under way, and writes a second
//! with 256 under way over one connection. One client serves both servers: it sends bytes that were made before, reads
//! what is there, counts the answers, and sends as many again. Then a longer run, and how long the archive takes to catch up. It prints medians and ratios as a Markdown table. Without
//! a `redis-server` on the path it measures the rest.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chatroom_proto::codec::{self, LENGTH_BYTES};
use chatroom_proto::{
    ASKS_UNANSWERED_MAX, ClientFrame, Conversation, Refusal, Request, Response, Seq, ServerFrame, Tag, Words,
};
use integration_tests::guest::{group, hello, public};
use integration_tests::program::{ServerProgram, quiet_port};
use tempfile::TempDir;
use tokio::time::Instant;

const ROUNDS: usize = 5;
const ONE_BY_ONE: usize = 3_000;
const PIPELINED: usize = 200_000;
/// Longer than the archive stays behind, so that its work is a part of it.
const SUSTAINED: usize = 1_000_000;
const MESSAGE_BYTES: usize = 100;
const UNDER_WAY: usize = ASKS_UNANSWERED_MAX as usize;

fn main() {
    let has_redis = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_ok();
    let (mut raw_p50, mut p50, mut rate) = (Vec::new(), [Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..ROUNDS {
        raw_p50.push(median(raw()));
        p50[0].push(median(one_by_one(&mut Chatroom::start())));
        rate[0].push(pipelined(&mut Chatroom::start(), PIPELINED));
        if has_redis {
            p50[1].push(median(one_by_one(&mut Redis::start())));
            rate[1].push(pipelined(&mut Redis::start(), PIPELINED));
        }
    }
    let (raw_p50, [our_p50, redis_p50], [our_rate, redis_rate]) =
        (median(raw_p50), p50.map(median), rate.map(median));
    println!(
        "| {ROUNDS} rounds, medians | chatroom-server | raw append + fdatasync | Redis, `appendfsync always` |"
    );
    println!("|---|---:|---:|---:|");
    println!(
        "| a write of {MESSAGE_BYTES} bytes, 1 under way: p50 | {our_p50:.3} ms | {raw_p50:.3} ms ({:.2}x) | {redis_p50:.3} ms \
         ({:.2}x) |",
        our_p50 / raw_p50,
        our_p50 / redis_p50
    );
    println!(
        "| writes a second, {UNDER_WAY} under way | {our_rate:.0} | | {redis_rate:.0} ({:.2}x) |",
        our_rate / redis_rate
    );
    let mut ours = Chatroom::start();
    let our_rate = pipelined(&mut ours, SUSTAINED);
    let (read, found) = ours.catch_up();
    let redis_rate = if has_redis { pipelined(&mut Redis::start(), SUSTAINED) } else { 0.0 };
    println!(
        "| the same for {SUSTAINED} writes, once | {our_rate:.0} | | {redis_rate:.0} ({:.2}x) |",
        our_rate / redis_rate
    );
    println!("| after these: a history has all of them after | {read:.1} s | | |");
    println!("| after these: a search has all of them after | {found:.1} s | | |");
}

/// The middle one; 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn directory() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory on the disk that is measured")
}

fn text(number: usize) -> String {
    format!("{number:0MESSAGE_BYTES$}")
}

fn raw() -> Vec<f64> {
    let directory = directory();
    let mut file =
        OpenOptions::new().create(true).append(true).open(directory.path().join("raw")).expect("a file");
    let bytes = [b'x'; MESSAGE_BYTES + 200];
    let append = |_| {
        let began = Instant::now();
        file.write_all(&bytes).expect("written");
        file.sync_data().expect("synced");
        ms(began.elapsed())
    };
    (0..ONE_BY_ONE).map(append).collect()
}

/// A server that writes something for every request before it answers.
trait Server {
    /// The connection to it.
    fn stream(&mut self) -> &mut TcpStream;
    /// The bytes of one request.
    fn request(number: usize) -> Vec<u8>;
    /// Takes whole answers off the front of these bytes, and says how many it took.
    fn take_answers(bytes: &mut Vec<u8>) -> usize;
}

fn one_by_one<S: Server>(server: &mut S) -> Vec<f64> {
    let requests: Vec<Vec<u8>> = (0..ONE_BY_ONE).map(S::request).collect();
    let mut waiting = Vec::new();
    let ask = |request: Vec<u8>| {
        let began = Instant::now();
        server.stream().write_all(&request).expect("the server takes it");
        while S::take_answers(&mut waiting) == 0 {
            read_more(server.stream(), &mut waiting);
        }
        ms(began.elapsed())
    };
    requests.into_iter().map(ask).collect()
}

/// Writes a second with as many under way as one connection may have.
fn pipelined<S: Server>(server: &mut S, count: usize) -> f64 {
    let requests: Vec<Vec<u8>> = (0..count).map(S::request).collect();
    let (mut waiting, mut said, mut answered) = (Vec::new(), 0, 0);
    let began = Instant::now();
    while answered < count {
        let next = (answered + UNDER_WAY).min(count);
        if said < next {
            server.stream().write_all(&requests[said..next].concat()).expect("the server takes it");
            said = next;
        }
        read_more(server.stream(), &mut waiting);
        answered += S::take_answers(&mut waiting);
    }
    count as f64 / began.elapsed().as_secs_f64()
}

fn read_more(stream: &mut TcpStream, into: &mut Vec<u8>) {
    let mut chunk = [0; 64 * 1024];
    let bytes = stream.read(&mut chunk).expect("the server answers");
    assert!(bytes > 0, "the server is there");
    into.extend_from_slice(&chunk[..bytes]);
}

fn connect(address: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect(address).ok()?;
    stream.set_nodelay(true).expect("a socket that takes options");
    Some(stream)
}

struct Chatroom {
    stream: TcpStream,
    _program: ServerProgram,
    _directory: TempDir,
}

impl Chatroom {
    fn start() -> Chatroom {
        let directory = directory();
        let path = directory.path().to_str().expect("a path that is text");
        let program = ServerProgram::start_with(&["--data", path]);
        let mut stream = connect(program.address()).expect("the server listens");
        let hello = ClientFrame { tag: Tag(0), request: Request::Hello(hello("speaker")) };
        stream.write_all(&codec::encode(&hello).expect("a frame")).expect("the server takes it");
        let mut welcome = Vec::new();
        while take_frames(&mut welcome, |_| {}) == 0 {
            read_more(&mut stream, &mut welcome);
        }
        Chatroom { stream, _program: program, _directory: directory }
    }
}

impl Chatroom {
    /// How long it takes, in seconds, until what was said last can be read back, and until it can be found.
    fn catch_up(&mut self) -> (f64, f64) {
        let began = Instant::now();
        let (of, before, count) = (Conversation::Group(group("General")), Seq::ZERO, 1);
        self.ask_until_answered(&Request::History { of, before, count });
        let read = began.elapsed().as_secs_f64();
        let words = Words::parse(&text(SUSTAINED - 1)).expect("words");
        self.ask_until_answered(&Request::Search { words, within: None, before, count });
        (read, began.elapsed().as_secs_f64())
    }

    /// Asks until it did not take too long.
    fn ask_until_answered(&mut self, request: &Request) {
        let frame = ClientFrame { tag: Tag(0), request: request.clone() };
        let (frame, mut waiting, mut is_done) = (codec::encode(&frame).expect("a frame"), Vec::new(), false);
        while !is_done {
            self.stream.write_all(&frame).expect("the server takes it");
            let mut is_answered = false;
            while !is_answered {
                read_more(&mut self.stream, &mut waiting);
                take_frames(&mut waiting, |frame| match codec::decode(frame) {
                    Ok(ServerFrame::Response { result: Ok(Response::Past { posts, .. }), .. }) => {
                        assert_eq!(posts.as_slice().len(), 1, "it is there");
                        (is_answered, is_done) = (true, true);
                    }
                    Ok(ServerFrame::Response { result: Err(Refusal::TookTooLong), .. }) => is_answered = true,
                    other => panic!("neither found nor refused: {other:?}"),
                });
            }
        }
    }
}

/// Takes whole frames off the front, and shows each.
fn take_frames(bytes: &mut Vec<u8>, mut show: impl FnMut(&[u8])) -> usize {
    let (mut at, mut count) = (0, 0);
    while let Some((length, rest)) = bytes[at..].split_first_chunk::<LENGTH_BYTES>()
        && let Some(frame) = rest.get(..u32::from_be_bytes(*length) as usize)
    {
        show(frame);
        at += LENGTH_BYTES + frame.len();
        count += 1;
    }
    bytes.drain(..at);
    count
}

impl Server for Chatroom {
    fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    fn request(number: usize) -> Vec<u8> {
        let tag = Tag(u32::try_from(number).expect("a tag") + 1);
        let request = public("General", number as u64, &text(number));
        codec::encode(&ClientFrame { tag, request }).expect("a frame").to_vec()
    }

    fn take_answers(bytes: &mut Vec<u8>) -> usize {
        take_frames(bytes, |frame| match codec::decode(frame) {
            Ok(ServerFrame::Response { result: Ok(Response::Posted { .. }), .. }) => {}
            other => panic!("not posted: {other:?}"),
        })
    }
}

/// Redis, which appends every command to a file and syncs it before it answers what came with it.
struct Redis {
    stream: TcpStream,
    program: Child,
    _directory: TempDir,
}

impl Redis {
    fn start() -> Redis {
        let (directory, port) = (directory(), quiet_port());
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"]).arg(directory.path());
        command.args([
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
            "--auto-aof-rewrite-percentage",
            "0",
        ]);
        command.args(["--save", "", "--daemonize", "no"]).stdout(Stdio::null()).stderr(Stdio::null());
        let program = command.spawn().expect("redis-server can be run");
        let stream = std::iter::repeat_with(|| connect(SocketAddr::from(([127, 0, 0, 1], port))));
        // It listens after some milliseconds, and says so to nobody.
        let stream = stream.take(1_000_000).find_map(|stream| stream).expect("Redis listens");
        Redis { stream, program, _directory: directory }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // One that has ended by itself needs no more.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

impl Server for Redis {
    fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    fn request(number: usize) -> Vec<u8> {
        let text = text(number);
        format!("*3\r\n$5\r\nRPUSH\r\n$3\r\nlog\r\n${}\r\n{text}\r\n", text.len()).into_bytes()
    }

    fn take_answers(bytes: &mut Vec<u8>) -> usize {
        let end = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let answers = bytes.drain(..end);
        let lines = answers.as_slice().split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        lines.inspect(|line| assert_eq!(line[0], b':', "a count of what the list has")).count()
    }
}
