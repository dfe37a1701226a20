//! What is measured: a server in a process of its own, and how one speaks to it.

use std::net::SocketAddr;

use chatroom_proto::codec::LENGTH_BYTES;

pub(crate) use chatroom::Chatroom;
pub(crate) use redis::Redis;
pub(crate) use reference::Reference;

mod chatroom;
mod redis;
mod reference;

/// A message's length, in bytes.
pub(crate) const MESSAGE_BYTES: usize = 100;

/// The room in which everything happens that needs only one.
pub(crate) const MAIN_ROOM: u32 = 0;

/// A server.
pub(crate) trait Target {
    /// Where it listens.
    fn address(&self) -> SocketAddr;
    /// Its process number.
    fn process(&self) -> u32;

    /// What a connection says first. Afterwards it is known as `member`, and in no room.
    fn arrive(&self, member: usize) -> Ask;
    /// The same, but all who came so hear of everybody who comes after them.
    fn arrive_to_stay(&self, member: usize) -> Ask {
        self.arrive(member)
    }
    /// Makes a room, where rooms have to be made.
    fn create(&self, _room: u32) -> Ask {
        Ask::nothing()
    }
    /// Takes the asker into a room.
    fn join(&self, room: u32) -> Ask;
    /// Lets the asker speak in a room, whether or not it hears what others say there.
    fn join_to_speak(&self, room: u32) -> Ask {
        self.join(room)
    }
    /// Takes the asker into a room, and those who are there hear that it was this member.
    fn join_aloud(&self, room: u32, _member: usize) -> Ask {
        self.join(room)
    }
    /// Whether those who are in a room hear of every join.
    fn tells_of_joins(&self) -> bool {
        false
    }
    /// Makes `member` and the one whose number differs in the last bit a pair, where pairs have to
    /// be made.
    fn pair(&self, _member: usize) -> Ask {
        Ask::nothing()
    }
    /// Changes nothing, and is answered.
    fn ping(&self) -> Ask;
    /// Says a message to everybody else in a room; it is answered once.
    fn post(&self, room: u32, number: u64, into: &mut Vec<u8>);
    /// Says a message to the other one of a pair; it is answered once.
    fn whisper(&self, from: usize, number: u64, into: &mut Vec<u8>);
    /// Has a message written down; it is answered once, when it is.
    fn keep(&self, number: u64, into: &mut Vec<u8>) {
        self.post(MAIN_ROOM, number, into);
    }

    /// How long the first frame is, when all of it is there.
    fn cut(&self, bytes: &[u8]) -> Option<usize> {
        let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
        let length = u32::from_be_bytes(*length) as usize;
        (length <= rest.len()).then_some(LENGTH_BYTES + length)
    }

    /// Whether a frame answers something, from a glance at it.
    fn is_answer(&self, frame: &[u8]) -> bool;
    /// What a frame says.
    ///
    /// # Panics
    /// When it is a refusal, or nothing that a server should say.
    fn hear(&self, frame: &[u8]) -> Heard;
}

/// Something that is asked in one write.
pub(crate) struct Ask {
    /// What goes out.
    pub(crate) bytes: Vec<u8>,
    /// How many answers that gets.
    pub(crate) answers: usize,
}

impl Ask {
    /// What needs no asking.
    pub(crate) fn nothing() -> Ask {
        Ask { bytes: Vec::new(), answers: 0 }
    }
}

/// What a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Something was done.
    Answer,
    /// Somebody said a message, with this number.
    Post(u64),
    /// This member joined.
    Joined(usize),
    /// Something else happened.
    News,
}

/// The targets by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The release binary of chatroom-server.
    Chatroom,
    /// See `src/bin/reference.rs`.
    Reference,
    /// Redis, where its channels can do the same.
    Redis,
}

impl Kind {
    /// A fresh one, alone in the world.
    pub(crate) fn start(self) -> Box<dyn Target> {
        match self {
            Kind::Chatroom => Box::new(Chatroom::start()),
            Kind::Reference => Box::new(Reference::start()),
            Kind::Redis => Box::new(Redis::start()),
        }
    }
}

/// The message with this number.
pub(crate) fn text(number: u64) -> String {
    format!("{number:0MESSAGE_BYTES$}")
}

/// The number of a message.
///
/// # Panics
/// When nobody said it.
pub(crate) fn number_of(text: &str) -> u64 {
    let number =
        text.parse().unwrap_or_else(|_| panic!("a message was changed: nobody said {text:?}"));
    assert_eq!(text.len(), MESSAGE_BYTES, "a message was changed: nobody said {text:?}");
    number
}
