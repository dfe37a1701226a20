//! Many connections to one server, served by one thread and one epoll: cheap enough not to be what
//! is measured.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::net::{self, AddressFamily, SocketType};
use tokio::time::Instant;
use tokio_rustls::rustls::ClientConfig;

use crate::line::Line;
use crate::target::{Ask, Heard, Target};

/// After so long without a byte, what is missing counts as lost. It exists to fail, not to be
/// reached.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many answers are waited for at the same time: fewer than connections fit into a queue that
/// nobody has accepted yet.
const UNANSWERED_MAX: usize = 512;

/// How often everybody says something while others are waited for: after half a minute a server
/// asks those who are silent.
const ALIVE: Duration = Duration::from_secs(10);

const CONNECTIONS_PER_ADDRESS: u32 = 4_000;

/// What is read from a socket in one go, in bytes.
const READ_BYTES: usize = 64 * 1024;
const EVENTS: usize = 1024;

/// Connections by number.
pub(crate) struct Crowd {
    epoll: OwnedFd,
    events: Vec<Event>,
    chunk: Vec<u8>,
    members: Vec<Member>,
    /// Of each member the beginning of a frame, where frames are read.
    parts: Vec<Vec<u8>>,
    /// When everybody said something last.
    alive: Instant,
    /// How they speak TLS, if they do.
    tls: Option<Arc<ClientConfig>>,
}

struct Member {
    line: Line,
    unsent: Vec<u8>,
}

impl Crowd {
    /// Nobody yet.
    pub(crate) fn new() -> Crowd {
        Crowd::over(None)
    }

    /// The same, whose connections are TLS if that is said how.
    pub(crate) fn over(tls: Option<Arc<ClientConfig>>) -> Crowd {
        let epoll = epoll::create(CreateFlags::CLOEXEC).expect("an epoll");
        let (members, parts) = (Vec::new(), Vec::new());
        let (events, chunk) = (Vec::with_capacity(EVENTS), vec![0; READ_BYTES]);
        Crowd { epoll, events, chunk, members, parts, alive: Instant::now(), tls }
    }

    /// Lets in so many: connected already, or connected now.
    pub(crate) fn arrive(&mut self, target: &dyn Target, count: usize) {
        // They hear of each other until they have left General.
        self.ask_all(target, 0..count, |crowd, member| {
            if member == crowd.members.len() {
                crowd.connect(target);
            }
            target.arrive(member)
        });
    }

    /// How many they are.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// One more. It has said nothing.
    pub(crate) fn connect(&mut self, target: &dyn Target) {
        let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        net::bind(&socket, &SocketAddr::from((here(), 0))).expect("an address of this machine");
        net::connect(&socket, &target.address()).expect("the server listens");
        let line = Line::new(TcpStream::from(socket), self.tls.as_ref());
        let data = EventData::new_u64(self.members.len() as u64);
        epoll::add(&self.epoll, &line, data, EventFlags::IN).expect("a socket can be watched");
        self.members.push(Member { line, unsent: Vec::new() });
        self.parts.push(Vec::new());
    }

    /// Writes, at once or as soon as the socket takes it.
    pub(crate) fn say(&mut self, member: usize, bytes: &[u8]) {
        let Member { line, unsent } = &mut self.members[member];
        unsent.extend_from_slice(bytes);
        let is_new = unsent.len() == bytes.len();
        let sent = match line.write(unsent) {
            Ok(sent) => sent,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => panic!("member {member} is cut off: {error}"),
        };
        unsent.drain(..sent);
        if is_new == unsent.is_empty() {
            return;
        }
        let flags = if is_new { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
        let data = EventData::new_u64(member as u64);
        epoll::modify(&self.epoll, &*line, data, flags).expect("a socket can be watched");
    }

    /// Lets everybody ask and be answered something that changes nothing. Behind it nobody is asked
    /// for a while whether they are there, and whatever came before was shown.
    ///
    /// # Panics
    /// When anything else was heard.
    pub(crate) fn ping_all(&mut self, target: &dyn Target) {
        self.alive = Instant::now();
        let surplus = self.ask_all(target, 0..self.members.len(), |_, _| target.ping());
        assert_eq!(surplus, 0, "something was heard that nobody said");
    }

    /// Waits for what comes, and shows it. False when nothing came for a long time.
    ///
    /// # Panics
    /// When the server hangs up on somebody.
    #[must_use]
    pub(crate) fn listen(&mut self, mut hear: impl FnMut(&mut Crowd, usize, &[u8])) -> bool {
        let patience = Timespec::try_from(PATIENCE).expect("a short time");
        let (mut events, mut chunk) =
            (std::mem::take(&mut self.events), std::mem::take(&mut self.chunk));
        events.clear();
        epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&patience))
            .expect("an epoll waits");
        for &Event { flags, data } in &events {
            let member = usize::try_from(data.u64()).expect("an index");
            if flags.contains(EventFlags::OUT) {
                self.say(member, &[]);
            }
            match self.members[member].line.read(&mut chunk) {
                Ok(0) => panic!("the server hung up on member {member}"),
                Ok(bytes) => hear(self, member, &chunk[..bytes]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("member {member} is cut off: {error}"),
            }
        }
        (self.events, self.chunk) = (events, chunk);
        !self.events.is_empty()
    }

    /// The same, frame by frame.
    #[must_use]
    pub(crate) fn listen_to_frames(
        &mut self,
        target: &dyn Target,
        mut hear: impl FnMut(&mut Crowd, usize, &[u8]),
    ) -> bool {
        self.listen(|crowd, member, bytes| {
            let mut part = std::mem::take(&mut crowd.parts[member]);
            frames(target, &mut part, bytes, |frame| hear(crowd, member, frame));
            crowd.parts[member] = part;
        })
    }

    /// Lets these members ask, and waits until everything is answered. Says how much else was heard
    /// meanwhile.
    pub(crate) fn ask_all(
        &mut self,
        target: &dyn Target,
        who: Range<usize>,
        ask: impl FnMut(&mut Crowd, usize) -> Ask,
    ) -> u64 {
        self.ask_all_and_hear(target, who, 0, ask)
    }

    /// The same, and waits until at least so much else was heard.
    pub(crate) fn ask_all_and_hear(
        &mut self,
        target: &dyn Target,
        mut who: Range<usize>,
        news: u64,
        mut ask: impl FnMut(&mut Crowd, usize) -> Ask,
    ) -> u64 {
        let mut unanswered = vec![0; who.end.max(self.members.len())];
        let (mut missing, mut heard) = (0, 0);
        loop {
            while missing < UNANSWERED_MAX
                && let Some(member) = who.next()
            {
                let Ask { bytes, answers } = ask(self, member);
                self.say(member, &bytes);
                unanswered[member] += answers;
                missing += answers;
            }
            if who.is_empty() && missing == 0 && heard >= news {
                return heard;
            }
            if self.alive.elapsed() >= ALIVE {
                self.alive = Instant::now();
                let ping = target.ping();
                for (member, unanswered) in
                    unanswered.iter_mut().enumerate().take(self.members.len())
                {
                    self.say(member, &ping.bytes);
                    *unanswered += ping.answers;
                    missing += ping.answers;
                }
            }
            let came = self.listen_to_frames(target, |_, member, frame| {
                if !target.is_answer(frame) {
                    heard += 1;
                    return;
                }
                assert_eq!(target.hear(frame), Heard::Answer);
                assert!(unanswered[member] > 0, "member {member} got an answer to nothing");
                unanswered[member] -= 1;
                missing -= 1;
            });
            assert!(
                came,
                "{missing} answers and {} of {news} notifications are lost",
                news.saturating_sub(heard)
            );
        }
    }
}

/// Where a connection comes from: every few thousand from another address of this machine. From one
/// alone the system would have to search longer and longer for a free port.
fn here() -> Ipv4Addr {
    static MADE: AtomicU32 = AtomicU32::new(0);
    const FIRST: u32 = Ipv4Addr::new(127, 1, 0, 1).to_bits();
    Ipv4Addr::from_bits(FIRST + MADE.fetch_add(1, Ordering::Relaxed) / CONNECTIONS_PER_ADDRESS)
}

/// Cuts bytes into frames, and keeps the beginning of the last one.
pub(crate) fn frames(
    target: &dyn Target,
    part: &mut Vec<u8>,
    bytes: &[u8],
    mut hear: impl FnMut(&[u8]),
) {
    let mut whole = std::mem::take(part);
    let mut rest = if whole.is_empty() {
        bytes
    } else {
        whole.extend_from_slice(bytes);
        &whole
    };
    while let Some(length) = target.cut(rest) {
        hear(&rest[..length]);
        rest = &rest[length..];
    }
    *part = rest.to_vec();
}
