//! The link: one task that owns the connection to a server, and remakes it when it is lost.
//!
//! Everything goes one way. A [`Client`](crate::Client) puts a `LinkRequest` into a bounded queue.
//! The link sends it, and keeps it in `InFlight`. The answer finds it there, and goes out through
//! its `ReplyTo`.
//!
//! A connection that is lost takes nothing with it. What is unanswered is sent again over the next
//! one, with the same tags; a server that has already done it answers with the first result.
//!
//! - `link/task.rs`: the task, from one connection to the next. `link/backoff.rs`: when to try
//!   again.
//! - `link/active_connection.rs`: one connection's life, and what is sent over it.
//!   `link/incoming.rs`: what the server says over it.
//! - `link/handshake.rs`: from nothing to a welcome. `link/login.rs`: what may prove who this
//!   client is.
//! - `link/request.rs`, `link/in_flight.rs`: requests, until they are answered.
//! - `link/event_queue.rs`: events, until the program has room for them. `link/doubts.rs`: where
//!   messages may have been missed, until that is certain.

mod active_connection;
mod backoff;
mod doubts;
mod event_queue;
mod handshake;
mod in_flight;
mod incoming;
mod login;
mod request;
mod task;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use request::{LinkRequest, ReplyTo};
pub(crate) use task::{Ends, Link};
