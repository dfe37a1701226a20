//! The link: one task that owns the connection to a server, and remakes it when it is lost.
//!
//! Everything that happens goes one way: a [`Client`](crate::Client) puts a `LinkRequest` into a
//! bounded queue, the link gives it to the connection and keeps it in `InFlight`; the answer finds
//! it there, and goes out through its `ReplyTo`. A connection that is lost takes nothing with it:
//! what is unanswered is sent again over the next one, with the same tags, and a server that has
//! already done it answers with the first result.

mod active_connection;
mod backoff;
mod event_queue;
mod handshake;
mod in_flight;
mod login;
mod request;
mod task;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use request::{LinkRequest, ReplyTo};
pub(crate) use task::{Ends, Link};
