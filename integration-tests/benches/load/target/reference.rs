//! The minimal reference: `src/bin/reference.rs` says what it is, and what its frames are.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use chatroom_proto::codec::LENGTH_BYTES;

use super::{Ask, Heard, MAIN_ROOM, Target, number_of, text};

/// The reference, running.
pub(crate) struct Reference {
    program: Child,
    address: SocketAddr,
}

impl Reference {
    pub(crate) fn start() -> Reference {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reference"));
        let mut program = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the reference is built with the bench");
        let mut line = String::new();
        let output = program.stdout.take().expect("it is a pipe");
        BufReader::new(output).read_line(&mut line).expect("the reference says where it listens");
        let address = line.trim().parse().expect("the reference says an address");
        Reference { program, address }
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // One that has ended by itself needs no more.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

impl Target for Reference {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn process(&self) -> u32 {
        self.program.id()
    }

    fn arrive(&self, _member: usize) -> Ask {
        self.ping()
    }

    fn arrive_to_stay(&self, member: usize) -> Ask {
        self.join_aloud(MAIN_ROOM, member)
    }

    fn join(&self, room: u32) -> Ask {
        let mut bytes = Vec::new();
        say(b'J', &room.to_be_bytes(), &mut bytes);
        Ask { bytes, answers: 1 }
    }

    fn join_aloud(&self, room: u32, member: usize) -> Ask {
        let member = u32::try_from(member).expect("so many don't fit on a machine");
        let mut bytes = Vec::new();
        say(b'T', &[room.to_be_bytes(), member.to_be_bytes()].concat(), &mut bytes);
        Ask { bytes, answers: 1 }
    }

    fn pair(&self, member: usize) -> Ask {
        self.join(u32::try_from(member / 2).expect("so many don't fit on a machine"))
    }

    fn ping(&self) -> Ask {
        let mut bytes = Vec::new();
        say(b'P', &[], &mut bytes);
        Ask { bytes, answers: 1 }
    }

    fn post(&self, _room: u32, number: u64, into: &mut Vec<u8>) {
        say(b'M', text(number).as_bytes(), into);
    }

    fn whisper(&self, _from: usize, number: u64, into: &mut Vec<u8>) {
        say(b'M', text(number).as_bytes(), into);
    }

    fn is_answer(&self, frame: &[u8]) -> bool {
        frame[LENGTH_BYTES] == b'+'
    }

    fn hear(&self, frame: &[u8]) -> Heard {
        match frame[LENGTH_BYTES..].split_first() {
            Some((b'+', [])) => Heard::Answer,
            Some((b'M', message)) => Heard::Post(number_of(&String::from_utf8_lossy(message))),
            Some((b'T', [_, _, _, _, member @ ..])) => {
                let member = member.first_chunk().expect("a request has a member behind the room");
                Heard::Joined(u32::from_be_bytes(*member) as usize)
            }
            _ => panic!("the reference says nothing like {frame:?}"),
        }
    }
}

fn say(kind: u8, rest: &[u8], into: &mut Vec<u8>) {
    let length = u32::try_from(1 + rest.len()).expect("a frame of ours is short");
    into.extend_from_slice(&length.to_be_bytes());
    into.push(kind);
    into.extend_from_slice(rest);
}
