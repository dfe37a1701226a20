//! Sockets: who may connect, how bytes become frames, and one task for each connection.
//!
//! - `listener`: the accept loop.
//! - `permits`: how many connections there may be, in all and from one network.
//! - `stream`: a client's bytes, plain or through TLS, as the first byte says.
//! - `tls`: the server's key and certificate. `tls_handshakes`: how many handshakes a network may
//!   begin.
//! - `connection`: the task of one connection.
//!
//! This room knows the protocol, outboxes and the handle of the dispatch task; it knows neither the
//! chat nor the log.

pub(crate) mod connection;
pub mod listener;
mod permits;
pub(crate) mod stream;
pub mod tls;
mod tls_handshakes;
