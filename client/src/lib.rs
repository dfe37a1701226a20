//! Chatroom's client: a library for bots and tests, and the program `chatroom` that is built on it.
//!
//! # The library
//! [`Client::connect`] gives two ends of one link to a server. The [`Client`] asks: `join`, `public`, `users` and the
//! rest, each with a typed answer. [`Events`] is what comes unasked. A lost connection is the link's business: it
//! comes back, resumes the session, and sends again what was not answered; the program sees [`Event::Lost`] and
//! [`Event::Back`] and need not do anything about them. `examples/echo_bot.rs` is a complete bot.
//!
//! There are two ways to ask. [`Client::ask`] (and the typed asks, which use it) waits for its own answer. A program
//! that shows things in the order in which they happened uses [`Client::submit`]: the answer then comes among the
//! events, in its place.
//!
//! # The map
//! - [`client`]: what a program holds: [`Client`], [`Options`], the typed asks.
//! - [`event`]: what a program hears: [`Event`], [`Events`], why a connection was [`Lost`] and why a link [`Ended`].
//! - [`link`]: the task that owns the socket: one connection's life (`link/session.rs`), the handshake
//!   (`link/handshake.rs`), what is not answered yet (`link/unanswered.rs`), when to try again (`link/backoff.rs`).
//! - [`state`]: how far this client has come in each conversation: pure.
//!
//! The program's own modules are listed in `main.rs`.
//!
//! # The bounds
//! At most [`link::ASKS_WAITING_MAX`] requests are unanswered and [`link::ASKS_QUEUED_MAX`] more are queued; beyond
//! that, asking waits. At most [`link::EVENTS_MAX`] events wait to be read. **A program that holds [`Events`] must read
//! them, or drop them**: when they are full, the link stops reading the socket (it goes on writing), answers stay
//! away, and in the end the server hangs up with [`CloseReason::TooSlow`](chatroom_proto::CloseReason::TooSlow).

pub mod client;
pub mod event;
pub mod link;
pub mod state;

pub use client::{AskError, Client, ConnectError, Options, Posted, Reconnect};
pub use event::{Conversation, Ended, Event, Events, Lost};
