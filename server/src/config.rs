//! Bounds and deadlines, each with its reason, and what a server is run with.
//!
//! Where a bound stands:
//!
//! - Here, when an operator can set it, when a client is held to it (allowances, deadlines, what
//!   may wait for it), or when more than one file needs it.
//! - In the file that needs it, as a private constant beside what it bounds, when that is one file:
//!   how many rows one transaction deletes, for one.
//! - In the [`chat`](crate::chat), when it bounds the replicated state. The chat imports nothing of
//!   the server, and all nodes have to agree on it. An operator can set those in
//!   [`Limits`].
//!
//! This module is below the rooms that it bounds. It names three of their types, [`Limits`],
//! [`Console`] and [`ServerTls`], because [`Config`] carries them to where they are used.

use std::num::NonZeroU32;
use std::time::Duration;

use chatroom_proto::codec::{FRAME_BYTES_MAX, LENGTH_BYTES};

use crate::chat::Limits;
use crate::clock::Clock;
use crate::console::Console;
use crate::entropy::Entropy;
use crate::net::tls::ServerTls;

/// What may wait in the outbox before its connection is read no further, in bytes: one who doesn't
/// read the answers shall not ask on.
pub const OUTBOX_PAUSE_BYTES: usize = 256 * 1024;

/// What a connection may always have waiting, however much waits for the others, in bytes: what one
/// turn puts in, and the longest frame.
pub const OUTBOX_FAIR_BYTES: usize = 192 * 1024;

/// One turn fills nobody's outbox by more than that: who has read everything is never closed.
const _: () = assert!(TURN_BYTES_MAX + FRAME_BYTES_MAX + LENGTH_BYTES <= OUTBOX_FAIR_BYTES);

/// What connections have said that the dispatch task has not taken in yet, in inputs: one turn's
/// worth. A full inbox makes connections wait, which then read no further.
pub const INBOX_INPUTS_MAX: usize = 1_024;

/// What the dispatch task takes from its inbox before it looks at the log again, in inputs.
pub const INPUTS_A_TURN_MAX: usize = 256;

/// What the chat has under way before it takes in no more: proposals in the log, and requests
/// behind them. At 8,000 bytes each they take 16 MiB, half of what the log keeps for its followers.
pub const LOAD_MAX: usize = 2_048;

/// What one turn may put into one outbox before its connection gets a chance to write it, in bytes:
/// a fraction of the outbox, so that no burst, however large, closes a connection that could have
/// kept up.
pub const TURN_BYTES_MAX: usize = 96 * 1024;

/// How many pieces one turn puts into outboxes before the connections get their turn: some
/// milliseconds of work.
pub const TURN_DELIVERIES_MAX: usize = 20_000;

/// Passwords that are looked at at the same time: 19 MiB and some 30 ms of a processor each, and
/// the others need it, too.
pub const HASHES_AT_ONCE_MAX: usize = 1;

/// Passwords that wait for that: two seconds' worth. One more is asked to come again.
pub const HASHES_WAITING_MAX: usize = 64;

/// Passwords that may be tried from one address at once: a class that registers.
pub const TRIES_AN_ADDRESS_BURST: NonZeroU32 =
    NonZeroU32::new(40).expect("it is more than nothing");

/// And from then on, each minute.
pub const TRIES_AN_ADDRESS_PER_MINUTE: NonZeroU32 =
    NonZeroU32::new(20).expect("it is more than nothing");

/// Passwords that may be tried for one name at once: somebody who has several.
pub const TRIES_A_NAME_BURST: NonZeroU32 = NonZeroU32::new(10).expect("it is more than nothing");

/// And from then on, each minute: 8,640 guesses a day, from however many addresses.
pub const TRIES_A_NAME_PER_MINUTE: NonZeroU32 =
    NonZeroU32::new(6).expect("it is more than nothing");

/// How often held devices are checked for the end of their grace.
pub const TICK: Duration = Duration::from_secs(1);

/// Connections that the kernel completes while we are busy accepting others. With tokio's 1,024,
/// connecting 15,000 clients took 46 s because the queue overflowed, with 65,535 3 s (measured).
/// The kernel cuts it down to `net.core.somaxconn`.
pub const LISTEN_BACKLOG: u32 = 65_535;

/// File descriptors that are not for connections: the listener, the runtime, files, and the
/// connections that are just being told that there is no room ([`REJECTED_AT_ONCE_MAX`]).
pub const FDS_RESERVED: usize = 128;

/// Connections that are being told, at the same time, that the server is full or their address has
/// too many; more are closed without a word.
pub const REJECTED_AT_ONCE_MAX: u32 = 64;

/// The highest rate that can be asked for, in units a second: so much that nobody meets it, and
/// everything is still counted.
pub const RATE_MAX: u32 = 1_000_000;

/// What may be asked at once, in seconds of its rate: twenty messages and a search, a script of
/// some dozen commands, a bot that starts. Who was silent for so long has it again.
pub const BURST_SECONDS: u32 = 10;

/// How many requests that cost nothing a connection may make for each unit that its person may
/// spend.
pub const REQUESTS_A_UNIT: u32 = 10;

/// How many people's allowances an address has: a class behind one router, of whom a third talk as
/// fast as they may.
pub const ADDRESS_SHARE: u32 = 20;

/// How many handshakes in a minute an address may begin, for each connection that it may have: all
/// of them after a restart, and once more.
pub const LOGINS_SHARE: u32 = 2;

/// After so many requests, allowances that are whole again are dropped, also between two ticks.
pub const RATE_LIMITS_SWEPT_AFTER: usize = 1_024;

/// How long `accept` rests after an error that does not go away by itself, such as no more file
/// descriptors.
pub const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// What is read from a connection that is being closed, so that the kernel does not throw away our
/// last frame because there is something unread, in bytes.
pub const LINGER_BYTES_MAX: usize = 1024 * 1024;

/// What one write of a TLS connection encrypts before it goes to the kernel, in bytes: two records.
/// As much may wait beside its outbox for a peer that does not read.
pub const TLS_WRITE_BYTES_MAX: usize = 32 * 1024;

/// How many entries a batch of the log has at the most: enough to share one write for each reader,
/// few enough to keep its memory small. Proposals that came together stay together, so the last of
/// them may make it longer.
pub const BATCH_ENTRIES_MAX: usize = 1_024;

/// How long the log waits for another program's lock on its file before it looks again.
pub const LOG_BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the archive waits for another program's lock on its file, as long as the log does in
/// all. The server ends after that: what was said could not be read back.
pub const ARCHIVE_BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a read of the archive may take, the wait for the view included. Somebody sits before a
/// screen.
pub const READ_DEADLINE: Duration = Duration::from_secs(5);

/// How long the archive looks for words. Everybody's searches wait for one another, and what takes
/// longer should be asked for less.
pub const SEARCH_DEADLINE: Duration = Duration::from_secs(1);

/// What a server is run with. [`Config::default`] suits a machine that is not reserved for it.
#[derive(Debug, Clone)]
pub struct Config {
    /// Connections at the same time. [`connections_max`] derives it from the limit on file
    /// descriptors.
    pub connections_max: usize,
    /// Connections from one address at the same time, and half of what it may begin in a minute; 0
    /// for any number. The server's own machine has no such limit.
    pub connections_per_address_max: u32,
    /// What one person may ask for in a second, in units: a short message costs one. 0 for any
    /// amount. Ten times as much may come at once.
    pub rate: u32,
    /// What the domain bounds.
    pub limits: Limits,
    /// How long a connection may take to say `Hello`. A person's name is known before the
    /// connection is made.
    pub handshake_deadline: Duration,
    /// After this silence a client is asked whether it is there. Home routers forget a silent
    /// connection after some minutes (RFC 5382 asks for two hours, many don't keep to it); this
    /// keeps it known.
    pub idle_ping: Duration,
    /// After this silence a client counts as gone: it missed two pings.
    pub idle_deadline: Duration,
    /// How long one write may make no progress at all before the peer counts as gone.
    pub write_deadline: Duration,
    /// How long a connection that is being closed may take to read the rest.
    pub flush_deadline: Duration,
    /// How long we wait for a peer to close its end after our last frame.
    pub linger_deadline: Duration,
    /// How long a server that goes down waits for its connections to end.
    pub shutdown_deadline: Duration,
    /// What may wait for one connection that does not read, in bytes, what is being written
    /// included: some thousand short messages, on top of what the kernel holds (some MiB). One that
    /// falls behind further is closed.
    pub outbox_bytes_max: usize,
    /// What may wait for all connections together, in bytes. When it is more, those are closed that
    /// have more than [`OUTBOX_FAIR_BYTES`] waiting.
    pub outboxes_bytes_max: usize,
    /// Where the server says who connects.
    pub console: Console,
    /// TLS, for clients that begin with it; nothing where none is spoken.
    pub tls: Option<ServerTls>,
    /// Whether clients from other machines may come without TLS, where everybody on the way can
    /// read along.
    pub allow_plaintext: bool,
    /// What it takes to make the hash of a password.
    pub hash_cost: HashCost,
    /// What time it is.
    pub clock: Clock,
    /// Where secrets come from.
    pub entropy: Entropy,
}

/// What it takes to make the hash of a password: for us, and for whoever has stolen the log and
/// guesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashCost {
    /// What OWASP recommends: 19 MiB and some 30 ms.
    Recommended,
    /// As little as there is, for tests: nobody guesses there. It is so little that no thread is
    /// asked to do it.
    Least,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            connections_max: 1_000,
            // A school behind one router.
            connections_per_address_max: 256,
            // Nobody types so much, and nobody reads it.
            rate: 10,
            limits: Limits::default(),
            handshake_deadline: Duration::from_secs(10),
            idle_ping: Duration::from_secs(30),
            idle_deadline: Duration::from_secs(90),
            write_deadline: Duration::from_secs(10),
            flush_deadline: Duration::from_secs(10),
            linger_deadline: Duration::from_secs(1),
            shutdown_deadline: Duration::from_secs(5),
            outbox_bytes_max: 1024 * 1024,
            outboxes_bytes_max: 256 * 1024 * 1024,
            console: Console::silent(),
            tls: None,
            allow_plaintext: false,
            hash_cost: HashCost::Recommended,
            clock: Clock::default(),
            entropy: Entropy::default(),
        }
    }
}

/// Raises the limit on file descriptors as far as it goes, and returns how many connections fit
/// below it.
///
/// # Errors
/// What the system says to it.
pub fn connections_max() -> std::io::Result<usize> {
    let descriptors = rlimit::increase_nofile_limit(u64::MAX)?;
    let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
    Ok(descriptors.saturating_sub(FDS_RESERVED).max(1))
}
