//! Sockets: who may connect, how bytes become requests, and one task for each connection.
//!
//! - [`listener`]: the accept loop. `permits`: how many connections there may be, in all and from
//!   one network.
//! - `stream`: a client's bytes, plain or through TLS, as the first of them says.
//! - [`tls`]: the server's key and certificate. `tls_handshakes`: how many handshakes a network may
//!   begin.
//! - `connection`: the handshake, the requests and the deadlines of one connection, and its task.
//!
//! This room knows the protocol, outboxes and the handle of the dispatch task. It knows neither the
//! chat nor the log.

pub(crate) mod connection;
pub mod listener;
mod permits;
pub(crate) mod stream;
pub mod tls;
mod tls_handshakes;
