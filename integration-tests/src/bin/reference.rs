//! The minimal reference of the load benchmark: what the kernel charges for carrying messages, and
//! nothing else.
//!
//! One thread, one epoll (level-triggered), and no features: it copies frames from whoever sends
//! one to everybody else in the same room, with one write per socket and wake-up, and tells the
//! sender for each frame that it was taken, as a chat server does. It listens on a free port of
//! this machine, prints the address, and ends when its standard input does.
//!
//! A frame is its length, 4 bytes big-endian, and so many bytes, the first of which says what it
//! is: a message, or the request to be taken into a room (4 bytes big-endian, and whatever
//! follows), in silence or told to everybody who is there, or only a question whether somebody is
//! there. Messages and told requests are copied as they are, length and all.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const LENGTH_BYTES: usize = 4;
const MESSAGE: u8 = b'M';
const JOIN: u8 = b'J';
const JOIN_TOLD: u8 = b'T';

/// The answer to every frame: a frame of one byte.
const TAKEN: [u8; 5] = [0, 0, 0, 1, b'+'];

/// What is read from a socket in one go, in bytes.
const READ_BYTES: usize = 64 * 1024;
const EVENTS: usize = 1024;

/// Behind these come the peers.
const INPUT: u64 = 0;
const LISTENER: u64 = 1;
const PEERS: u64 = 2;

struct Peer {
    stream: TcpStream,
    room: Option<u32>,
    /// The beginning of a frame.
    part: Vec<u8>,
    unsent: Vec<u8>,
    /// Whether it is among those to write to at the end of this wake-up.
    is_touched: bool,
    /// Whether epoll says when its socket takes more.
    is_full: bool,
}

struct Reference {
    epoll: OwnedFd,
    listener: TcpListener,
    peers: Vec<Option<Peer>>,
    rooms: HashMap<u32, Vec<usize>>,
    touched: Vec<usize>,
    /// Whether only one socket woke us up: what it says goes out from where it was read.
    alone: bool,
}

fn main() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit })?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    // Again, with as long a queue as the system allows.
    rustix::net::listen(&listener, i32::MAX)?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, io::stdin(), EventData::new_u64(INPUT), EventFlags::IN)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    println!("{}", listener.local_addr()?);
    let (peers, rooms, touched) = (Vec::new(), HashMap::new(), Vec::new());
    Reference { epoll, listener, peers, rooms, touched, alone: false }.run()
}

impl Reference {
    fn run(&mut self) -> io::Result<()> {
        let (mut events, mut chunk) = (Vec::<Event>::with_capacity(EVENTS), vec![0; READ_BYTES]);
        loop {
            events.clear();
            epoll::wait(&self.epoll, spare_capacity(&mut events), None)?;
            self.alone = events.len() == 1;
            for &Event { flags, data } in &events {
                match data.u64() {
                    INPUT => return Ok(()),
                    LISTENER => self.accept()?,
                    peer => self.turn(
                        usize::try_from(peer - PEERS).expect("an index"),
                        flags,
                        &mut chunk,
                    )?,
                }
            }
            while let Some(number) = self.touched.pop() {
                self.write(number)?;
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        while let Ok((stream, _)) = self.listener.accept() {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let data = EventData::new_u64(PEERS + self.peers.len() as u64);
            epoll::add(&self.epoll, &stream, data, EventFlags::IN)?;
            let (room, part, unsent) = (None, Vec::new(), Vec::new());
            self.peers.push(Some(Peer {
                stream,
                room,
                part,
                unsent,
                is_touched: false,
                is_full: false,
            }));
        }
        Ok(())
    }

    fn turn(&mut self, number: usize, flags: EventFlags, chunk: &mut [u8]) -> io::Result<()> {
        let Some(peer) = &mut self.peers[number] else { return Ok(()) };
        if flags.contains(EventFlags::OUT) && !peer.is_touched {
            peer.is_touched = true;
            self.touched.push(number);
        }
        if !flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            return Ok(());
        }
        let before = peer.part.len();
        chunk[..before].copy_from_slice(&peer.part);
        match peer.stream.read(&mut chunk[before..]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => self.compact(number),
            Ok(bytes) => {
                let end = self.take(number, &chunk[..before + bytes]);
                if let Some(peer) = &mut self.peers[number] {
                    peer.part.clear();
                    peer.part.extend_from_slice(&chunk[end..before + bytes]);
                }
            }
        }
        Ok(())
    }

    /// Takes in the whole frames in front, messages that follow each other as one, and says where
    /// they end.
    fn take(&mut self, from: usize, bytes: &[u8]) -> usize {
        let (mut at, mut said, mut count) = (0, 0, 0);
        while let Some((length, rest)) = bytes[at..].split_first_chunk::<LENGTH_BYTES>()
            && let Some(frame) = rest.get(..u32::from_be_bytes(*length) as usize)
        {
            let end = at + LENGTH_BYTES + frame.len();
            count += 1;
            match frame {
                [MESSAGE, ..] => {}
                [kind, room @ ..] => {
                    self.share(from, &bytes[said..at]);
                    said = end;
                    if let (JOIN | JOIN_TOLD, Some(room)) = (*kind, room.first_chunk()) {
                        self.enter(from, u32::from_be_bytes(*room));
                    }
                    if *kind == JOIN_TOLD {
                        self.share(from, &bytes[at..end]);
                    }
                }
                [] => {}
            }
            at = end;
        }
        self.share(from, &bytes[said..at]);
        self.put(from, &TAKEN.repeat(count));
        at
    }

    fn enter(&mut self, number: usize, room: u32) {
        let Some(peer) = &mut self.peers[number] else { return };
        peer.room = Some(room);
        self.rooms.entry(room).or_default().push(number);
    }

    fn share(&mut self, from: usize, bytes: &[u8]) {
        let Some(Peer { room: Some(room), .. }) = &self.peers[from] else { return };
        if bytes.is_empty() {
            return;
        }
        let members = std::mem::take(self.rooms.get_mut(room).expect("it was entered"));
        let room = *room;
        for &to in members.iter().filter(|&&to| to != from) {
            self.put(to, bytes);
        }
        self.rooms.insert(room, members);
    }

    fn put(&mut self, to: usize, bytes: &[u8]) {
        let Some(peer) = &mut self.peers[to] else { return };
        let sent = if self.alone && peer.unsent.is_empty() {
            peer.stream.write(bytes).unwrap_or(0)
        } else {
            0
        };
        peer.unsent.extend_from_slice(&bytes[sent..]);
        if sent < bytes.len() && !peer.is_touched {
            peer.is_touched = true;
            self.touched.push(to);
        }
    }

    fn write(&mut self, number: usize) -> io::Result<()> {
        let Some(peer) = &mut self.peers[number] else { return Ok(()) };
        peer.is_touched = false;
        match peer.stream.write(&peer.unsent) {
            Ok(sent) if sent == peer.unsent.len() => peer.unsent.clear(),
            Ok(sent) => drop(peer.unsent.drain(..sent)),
            // Its end is read later.
            Err(_) => {}
        }
        let is_full = !peer.unsent.is_empty();
        if is_full != peer.is_full {
            peer.is_full = is_full;
            let flags = if is_full { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            epoll::modify(
                &self.epoll,
                &peer.stream,
                EventData::new_u64(PEERS + number as u64),
                flags,
            )?;
        }
        Ok(())
    }

    fn compact(&mut self, number: usize) {
        let room = self.peers[number].take().and_then(|peer| peer.room);
        if let Some(members) = room.and_then(|room| self.rooms.get_mut(&room)) {
            members.retain(|&member| member != number);
        }
    }
}
