//! Redis: its channels beside our groups, its lists in a file beside what we keep.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use integration_tests::program::quiet_port;

use super::{Ask, Heard, Target, number_of, text};

/// How a message on a channel begins, in version 3 of its protocol.
const MESSAGE: &[u8] = b">3\r\n$7\r\nmessage\r\n";

/// `redis-server`, running.
pub(crate) struct Redis {
    program: Child,
    /// Held open: it says something there now and then.
    _output: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Redis {
    /// Whether there is one to run.
    pub(crate) fn is_there() -> bool {
        Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_ok()
    }

    /// One that keeps nothing.
    pub(crate) fn start() -> Redis {
        Redis::run(&[])
    }

    /// One that appends every command to a file, and syncs it before it answers what came with it.
    pub(crate) fn start_in(directory: &Path) -> Redis {
        let path = directory.to_str().expect("a path that is text");
        let always = [
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
            "--auto-aof-rewrite-percentage",
            "0",
        ];
        Redis::run(&[&["--dir", path], &always[..]].concat())
    }

    fn run(arguments: &[&str]) -> Redis {
        let port = quiet_port();
        let mut command = Command::new("redis-server");
        command.args([
            "--bind",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--maxclients",
            "19000",
            "--save",
            "",
        ]);
        // It would only let in 127.0.0.1 itself, and nobody else can reach it anyway.
        command
            .args(["--protected-mode", "no", "--daemonize", "no"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut program = command.spawn().expect("redis-server can be run");
        let mut output = BufReader::new(program.stdout.take().expect("it is a pipe"));
        let mut line = String::new();
        while !line.contains("Ready to accept connections") {
            line.clear();
            let bytes = output.read_line(&mut line).expect("Redis says when it listens");
            assert!(bytes > 0, "Redis ended before it listened");
        }
        Redis { program, _output: output, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // One that has ended by itself needs no more.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

impl Target for Redis {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn process(&self) -> u32 {
        self.program.id()
    }

    fn arrive(&self, _member: usize) -> Ask {
        // In this version one may listen to a channel and speak, too.
        ask(&["HELLO", "3"])
    }

    fn join(&self, room: u32) -> Ask {
        ask(&["SUBSCRIBE", &room_name(room)])
    }

    fn join_to_speak(&self, _room: u32) -> Ask {
        // One who listens hears even itself.
        Ask::nothing()
    }

    fn pair(&self, member: usize) -> Ask {
        ask(&["SUBSCRIBE", &person(member)])
    }

    fn ping(&self) -> Ask {
        ask(&["PING"])
    }

    fn post(&self, room: u32, number: u64, into: &mut Vec<u8>) {
        say(&["PUBLISH", &room_name(room), &text(number)], into);
    }

    fn whisper(&self, from: usize, number: u64, into: &mut Vec<u8>) {
        say(&["PUBLISH", &person(from ^ 1), &text(number)], into);
    }

    fn keep(&self, number: u64, into: &mut Vec<u8>) {
        say(&["RPUSH", "log", &text(number)], into);
    }

    fn cut(&self, bytes: &[u8]) -> Option<usize> {
        let line = bytes.iter().position(|&byte| byte == b'\n')?;
        let count = || {
            let digits = std::str::from_utf8(&bytes[1..line]).ok();
            digits.and_then(|digits| digits.trim().parse::<usize>().ok()).expect("a length")
        };
        let parts = match bytes[0] {
            b'$' => {
                let end = line + 1 + count() + "\r\n".len();
                return (end <= bytes.len()).then_some(end);
            }
            b'*' | b'>' => count(),
            b'%' => 2 * count(),
            _ => 0,
        };
        (0..parts).try_fold(line + 1, |at, _| Some(at + self.cut(&bytes[at..])?))
    }

    fn is_answer(&self, frame: &[u8]) -> bool {
        !frame.starts_with(MESSAGE)
    }

    fn hear(&self, frame: &[u8]) -> Heard {
        let shown = String::from_utf8_lossy(frame);
        assert!(!shown.starts_with('-'), "something was refused: {shown}");
        if self.is_answer(frame) {
            return Heard::Answer;
        }
        Heard::Post(number_of(shown.lines().last().expect("a message has a text")))
    }
}

fn room_name(room: u32) -> String {
    format!("room{room}")
}

fn person(member: usize) -> String {
    format!("person{member}")
}

fn ask(words: &[&str]) -> Ask {
    let mut bytes = Vec::new();
    say(words, &mut bytes);
    Ask { bytes, answers: 1 }
}

fn say(words: &[&str], into: &mut Vec<u8>) {
    into.extend(format!("*{}\r\n", words.len()).bytes());
    words.iter().for_each(|word| into.extend(format!("${}\r\n{word}\r\n", word.len()).bytes()));
}
