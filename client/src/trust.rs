//! Whom a client trusts to be the server: one that an authority of this system vouches for, or one
//! whose key is the known one.
//!
//! - [`KnownHosts`] (`trust/known_hosts.rs`): the servers that are known, and what is learned.
//! - `trust/file.rs`: the file in which they are written down.
//! - `trust/judgement.rs`: what is known against what a server shows, and why it is [`Untrusted`].

mod file;
mod judgement;
mod known_hosts;
#[cfg(test)]
mod tests;

pub(crate) use judgement::{Expected, Met};
pub use judgement::{Known, Untrusted};
pub use known_hosts::{Acquaintance, KnownHosts};

/// Whether to speak TLS. What was decided stays so: no answer, and no lack of one, makes a client
/// speak plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsMode {
    /// To every host but this machine: one whose addresses are all 127.0.0.0/8 or ::1.
    #[default]
    Auto,
    /// To every host.
    Always,
    /// To none: everybody on the way can read along.
    Never,
}
