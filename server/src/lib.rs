//! The server: a chat that people host themselves.
//!
//! The major components, in the order in which a request meets them:
//!
//! - [`listener`]: the accept loop; a permit for every connection, of which `permits` has so many
//!   in all and for each address.
//! - `stream`: a client's bytes, in plain or through [`tls`], as its first byte says.
//! - `connection`: one socket's life. Frames in, outbox out, handshake and deadlines.
//! - `dispatch`: the one task that owns the [`Chat`]. Requests and log entries in, effects carried
//!   out.
//! - `budget`: how much each connection, person and address may ask for in a time; `source` is what
//!   counts as one address.
//! - [`chat`]: the whole domain, pure. Answers questions and refusals at once, turns commands into
//!   proposals.
//! - [`log`]: orders the proposals, and gives everyone the same entries in the same order; in
//!   memory, or on disk.
//! - [`chat`] again: applies each entry, and says who is to hear what.
//! - [`archive`]: what can be read back: history, search, what a client missed. A view that follows
//!   the log.
//! - `replay`: what a client missed, on its way into its outbox.
//! - `retention`: what is older than the server keeps is deleted.
//! - `passwords`: whether one is right, which takes long, and how often somebody may try.
//! - `fanout`: who hears it, of those who are connected here.
//! - [`outbox`]: what waits for one connection: bounded, encoded once, written together.
//!
//! Beside them, [`config`] names every bound and deadline, [`data`] is where a server keeps things,
//! [`console`] says on standard output what an operator wants to see, `digest` makes of a secret
//! what the log keeps of it, and [`tools`] are what an operator does with a log beside serving it.
//!
//! What always holds:
//!
//! - Shared state changes in one place, `Chat::apply`, after the log has ordered the entry. A reply
//!   to a command is an effect of that.
//! - The dispatch task waits for its inbox and the log, for nothing else. Nothing waits for a slow
//!   peer.
//! - What a connection is sent comes in the order of the log, and its replies in the order of its
//!   requests.
//! - Every queue, wait and size has a bound in [`config`] or beside its type.
//! - What a peer sends is a validated type before anything looks at it; message bodies are never
//!   logged.

pub mod chat;
pub mod cli;
mod client_network;
pub mod clock;
pub mod config;
pub mod console;
#[cfg(test)]
mod dice;
pub mod dispatch;
pub mod entropy;
pub mod net;
mod server;
pub mod storage;
mod token;

pub use config::Config;
pub use server::{Monitor, ServeError, Server};
pub use storage::archive::Restored;
