//! Chatroom's client: a library for bots and tests, and the program `chatroom` that is built on it.
//!
//! # The library
//! [`Client::connect`] gives two ends of one link to a server. The [`Client`] asks: `join`,
//! `public`, `users` and the rest, each with a typed answer. [`Events`] is what comes unasked. A
//! lost connection is the link's business: it comes back, resumes the session, and sends again what
//! was not answered; the program sees [`Event::Lost`] and [`Event::Back`] and need not do anything
//! about them. `examples/echo_bot.rs` is a complete bot.
//!
//! There are two ways to ask. [`Client::ask`] (and the typed asks, which use it) waits for its own
//! answer. A program that shows things in the order in which they happened uses [`Client::submit`]:
//! the answer then comes among the events, in its place.
//!
//! # Nothing is lost
//! On a server that keeps what is said ([`Welcome::keeps`](chatroom_proto::Welcome::keeps)) there
//! is one way back, whatever has happened: the link says how far it has come, and hears the rest as
//! [`Event::Replayed`], each thing once, then [`Event::CaughtUp`]. It goes that way when a
//! connection is lost, when the program was too slow, and when a message shows that one before it
//! is missing. Only what the server does not have any more is told as [`Event::Missed`].
//!
//! With a file ([`Options::keep`]) that holds for a client that is killed, too: its next run goes
//! on where the program was, and sends again the posts that had no answer. An event counts as seen
//! when the program asks for the next one.
//!
//! # Not too fast
//! A server may ask to go slower ([`Refusal::RateLimited`](chatroom_proto::Refusal::RateLimited)).
//! That is no answer: the link waits, and sends again what was refused, in its order, before
//! anything that is asked meanwhile. A program notices the time that it takes, and when that is
//! long, [`Event::Slowed`].
//!
//! # The map
//! - [`client`]: what a program holds: [`Client`], [`Options`]; the typed asks (`client/asks.rs`).
//! - [`event`]: what a program hears: [`Event`], [`Events`], why a connection was [`Lost`] and why
//!   a link [`Ended`].
//! - [`journal`]: what outlives a killed client: the file (`journal/file.rs`) and what it says
//!   (`journal/image.rs`).
//! - [`link`]: the task that owns the socket: one connection's life (`link/session.rs`), the
//!   handshake (`link/handshake.rs`), by what this client is let in (`link/entry.rs`), what is not
//!   answered yet (`link/unanswered.rs`), what the program has not taken yet (`link/outbox.rs`),
//!   when to try again (`link/backoff.rs`).
//! - `dial`: the way to a server, with TLS or without. [`trust`]: which server is believed to be
//!   the one.
//! - [`state`]: how far this client has come in each conversation: pure.
//!
//! [`app`] is the program `chatroom`; its modules are listed there. The rest of the library does
//! not know it.
//!
//! # The bounds
//! At most [`link::ASKS_WAITING_MAX`] requests are unanswered and [`link::ASKS_QUEUED_MAX`] more
//! are queued; beyond that, asking waits.
//!
//! The link reads all the time, whether or not the program takes its events: **waiting for an
//! answer inside the loop that reads [`Events`] is fine**, however much comes before it. What the
//! program has not taken is held in order, [`link::EVENTS_MAX`] events and
//! [`link::OUTBOX_BYTES_MAX`] more. Beyond that, the link lets go what it hears; when the program
//! has taken what was held, it gives the connection up ([`Lost::Overrun`]) and comes back to hear
//! the rest. Where the server keeps nothing it gives the connection up at once, and tells in place
//! of the messages that it lets go in which conversations they are missing ([`Event::Missed`]). So
//! a program that holds [`Events`] should read them, or drop them: it never hangs and never fills
//! the memory, but without a server that keeps them it misses messages. Answers to
//! [`Client::submit`] are never let go; instead, [`link::SUBMITTED_MAX`] of them are under way or
//! wait to be taken, and beyond that, submitting waits (asking does not). A link whose program
//! takes nothing at all ends, when even what must be told is too much.
//!
//! A file has at most [`journal::POSTS_KEPT_MAX`] posts without an answer in it.

pub mod app;
pub mod client;
pub mod dial;
pub mod event;
pub mod journal;
pub mod link;
pub mod state;
pub mod trust;

pub use client::{AskError, Client, ConnectError, HistoryPage, Options, Posted, Random, Reconnect};
pub use event::{Ended, Event, Events, Lost, Receipt};
pub use journal::{KeepError, KeptState};
pub use trust::{KnownHosts, TlsMode, Untrusted};
