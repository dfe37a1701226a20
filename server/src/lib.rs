//! The server: a chat that people host themselves.
//!
//! Four rooms, each of which imports only what stands below it:
//!
//! - [`net`]: sockets. Bytes become requests here, and what waits in an outbox becomes bytes.
//! - [`dispatch`]: one task owns the chat. It takes requests and log entries in, carries the
//!   effects out, and puts what each client is to be told into its outbox.
//! - [`storage`]: what is kept. The [`log`](storage::log) orders everything; the
//!   [`archive`](storage::archive) is a view of it, for history, search and what a client missed.
//! - [`chat`]: the domain, pure: no socket, no disk, no clock.
//!
//! [`Server`] puts them together; [`cli`] is the program, and all that names a concrete log. On the
//! ground floor are [`config`] (the bounds, and what a server is run with), [`console`] (standard
//! output), [`clock`], [`entropy`], `client_network` (what counts as one address) and
//! `private_file`.
//!
//! The way of a message:
//!
//! ```text
//! bytes -> net::connection -> dispatch -> Chat::handle -+- Reply, Notify -> outbox -> bytes
//!                                ^                      +- Propose -> Log::append
//!                                +- Chat::apply <- Log::follow
//! ```
//!
//! What always holds:
//!
//! - Shared state changes in one place, [`Chat::apply`](chat::Chat::apply), after the log has
//!   ordered the entry. The reply to a command is an effect of that.
//! - The dispatch task waits for its inbox and the log, for nothing else. Nothing waits for a slow
//!   client.
//! - A client is sent everything in the order of the log, and its replies in the order of its
//!   requests.
//! - Every queue, wait and size has a bound; [`config`] says where it stands.
//! - What a client sends is a validated type before anything looks at it. Message bodies are never
//!   in the diagnostics.

// Both panic where nothing can be written.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod chat;
pub mod cli;
mod client_network;
pub mod clock;
pub mod config;
pub mod console;
pub mod dispatch;
pub mod entropy;
pub mod net;
mod private_file;
mod server;
pub mod storage;

pub use config::Config;
pub use server::{Monitor, ServeError, Server};
pub use storage::archive::Restored;
