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
//! On a server that keeps what is said ([`Welcome::retention`](chatroom_proto::Welcome::retention))
//! there is one way back, whatever has happened: the link says how far it has come, and hears the
//! rest as [`Event::Replayed`], each thing once, then [`Event::CaughtUp`]. It goes that way when a
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
//! - [`client`]: what a program holds: the [`Client`], and the typed asks.
//! - [`options`]: what a client is told at the start. [`event`]: what a program hears.
//! - [`error`]: everything that can go wrong. [`limits`]: every bound.
//! - [`link`]: the task that owns the connection, and remakes it when it is lost.
//! - [`dial`]: the way to a server, with TLS or without. [`trust`]: which server is believed to be
//!   the one.
//! - [`state`]: how far this client has come in each conversation: pure.
//! - [`journal`]: what outlives a killed client, in a file.
//! - [`app`]: the program `chatroom`. The rest of the library does not know it.
//!
//! # The bounds
//! At most [`limits::ASKS_WAITING_MAX`] requests are sent and not answered, and
//! [`limits::ASKS_QUEUED_MAX`] more are queued. Beyond that, asking waits.
//!
//! **Waiting for an answer inside the loop that reads [`Events`] is fine.** The link reads all the
//! time, whether or not the program takes its events. What the program has not taken is held in
//! order: [`limits::EVENTS_MAX`] events and [`limits::QUEUED_EVENTS_BYTES_MAX`] more.
//!
//! **Beyond that, events are dropped, and heard again later.** When the program has taken what was
//! held, the link gives the connection up ([`Lost::Overrun`]) and comes back to hear the rest. A
//! server that keeps nothing can't tell it again: there the link gives the connection up at once,
//! and tells in which conversations messages are missing ([`Event::Missed`]).
//!
//! **So a program reads its [`Events`], or drops them.** It never hangs and never fills the memory.
//! A link whose program takes nothing at all ends, when even what must be told is too much.
//!
//! **Answers to [`Client::submit`] are never dropped.** At most [`limits::SUBMITTED_MAX`] of them
//! are under way or wait to be taken. Beyond that, submitting waits; asking does not.
//!
//! A file has at most [`limits::POSTS_KEPT_MAX`] posts without an answer in it.

// Both panic where nothing can be written.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod app;
pub mod client;
pub mod dial;
pub mod error;
pub mod event;
pub mod journal;
pub mod limits;
pub mod link;
pub mod options;
mod private_file;
mod random;
mod shared;
pub mod state;
pub mod trust;

pub use client::{Client, HistoryPage, Posted};
pub use error::{AskError, ConnectError, Ended, KeepError, Lost};
pub use event::{Event, Events, Receipt};
pub use journal::KeptState;
pub use options::{Options, Reconnect};
pub use random::Random;
pub use trust::{KnownHosts, TlsMode, Untrusted};
