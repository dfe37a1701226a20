//! Every bound that the library keeps to. Those of one file only are in that file.

use std::time::Duration;

use chatroom_proto::PAGE_ITEMS_MAX;

/// The most requests that are sent and not answered. It covers the round trip at any rate that a
/// person, a bot or a benchmark asks; 256 of the longest messages are 2 MB.
pub const ASKS_WAITING_MAX: usize = 256;

/// The most requests that are queued while [`ASKS_WAITING_MAX`] are unanswered or the connection is
/// lost.
pub const ASKS_QUEUED_MAX: usize = 256;

/// The most events that the program can take without waiting for the link.
pub const EVENTS_MAX: usize = 1_024;

/// The most answers to [`Client::submit`](crate::Client::submit) that are under way or wait to be
/// taken. One who submits and takes no answers waits then; one who asks does not, because it may be
/// the one who takes them.
pub const SUBMITTED_MAX: usize = 2_048;

/// The most bytes of events that are held behind [`EVENTS_MAX`] while the program is busy: minutes
/// of a busy group, some 27,000 short messages or 2,000 of the longest. Answers that nobody takes
/// may double it.
pub const QUEUED_EVENTS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long it may take to connect.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// How long the server may take to answer the handshake.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// How long the oldest unanswered request may wait before the connection counts as dead.
pub const ANSWER_DEADLINE: Duration = Duration::from_secs(20);

/// How long the server may be silent before it is asked whether it is there. A server asks sooner
/// by itself.
pub const SILENCE_MAX: Duration = Duration::from_secs(75);

/// A program is told that the server asks to go slower when something has to wait for so long.
pub const SLOW_AFTER: Duration = Duration::from_secs(2);

/// The most groups that are followed: as many as a welcome can name.
pub const MEMBERSHIPS_MAX: usize = PAGE_ITEMS_MAX;

/// The most people with whom a private conversation is followed; the one that is silent for longest
/// is forgotten.
pub const PRIVATE_CONVERSATIONS_MAX: usize = 1_000;

/// The most items of a list that are gathered: a server that never ends its list must not fill this
/// client's memory. 100,000 of the longest names take about 15 MB.
pub const LIST_ITEMS_MAX: usize = 100_000;

/// The most posts without an answer that are kept. As many answers may be under way at all
/// ([`SUBMITTED_MAX`]); of posts beyond that only the memory knows.
pub const POSTS_KEPT_MAX: usize = SUBMITTED_MAX;
