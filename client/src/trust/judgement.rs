//! Whether to believe that a server is the one: what is known of it against what it shows. Pure.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use chatroom_proto::{Fingerprint, FingerprintError};

/// By what a server is recognized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// By its key.
    Key(Fingerprint),
    /// By an authority of this system, which vouches for its name.
    Authority,
}

/// What stands for [`Known::Authority`] in a file.
const AUTHORITY: &str = "authority";

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Known::Key(fingerprint) => fingerprint.fmt(f),
            Known::Authority => f.write_str(AUTHORITY),
        }
    }
}

impl FromStr for Known {
    type Err = FingerprintError;
    fn from_str(text: &str) -> Result<Known, FingerprintError> {
        if text == AUTHORITY { Ok(Known::Authority) } else { text.parse().map(Known::Key) }
    }
}

/// Why a connection was not trusted, or not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// The server has another key than the one that is known: it was changed, or somebody else
    /// answers.
    #[error("the server was known by {known}, and its key is {offered}")]
    KeyChanged {
        /// By what the server was known.
        known: Known,
        /// Its key now.
        offered: Fingerprint,
    },
    /// The server has another key than the one that is to be accepted
    /// ([`KnownHosts::accepting`](super::KnownHosts::accepting)).
    #[error("the key to be accepted is {accepted}, and the server's is {offered}")]
    NotAccepted {
        /// The one to be accepted.
        accepted: Fingerprint,
        /// The server's.
        offered: Fingerprint,
    },
    /// The server showed a certificate and could not prove to have its key.
    #[error("the server could not prove to have the key of its certificate")]
    NoProof,
    /// What answers there does not speak TLS.
    #[error("what answers there does not speak TLS")]
    NotTls,
    /// The server speaks nothing but TLS to where this client is.
    #[error("the server asks for TLS")]
    TlsRequired,
    /// Whom this client knows can't be read, so it can't tell whether it knows this server.
    #[error("can't read {}: {why}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why not.
        why: String,
    },
    /// There was no agreement on how to speak TLS.
    #[error("TLS failed: {0}")]
    Failed(String),
    /// A line of the known servers can't be read, and may be the one about this server: it is not
    /// taken for a new one.
    #[error("line {line} of {} can't be read", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// The line, counted from one.
        line: usize,
    },
}

/// What is expected of a server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    pub(super) known: Option<Known>,
    pub(super) accepted: Option<Fingerprint>,
}

/// As what a server was trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Met {
    /// An authority vouches for it.
    Vouched,
    /// It has this key.
    Key(Fingerprint),
}

impl Expected {
    /// The same, when this is what is known.
    pub(super) fn given(self, known: Option<Known>) -> Expected {
        Expected { known, ..self }
    }

    /// By what one is known who was met.
    pub(super) fn known_by(self, met: Met) -> Result<Known, Untrusted> {
        match met {
            Met::Vouched => Ok(self.known.unwrap_or(Known::Authority)),
            Met::Key(offered) => self.judge(offered, false).map(|_| Known::Key(offered)),
        }
    }

    /// Whether to trust the server that has this key, for which an authority vouches, or not. An
    /// authority's word is enough also for a server that was known by its key: it may have got a
    /// certificate since. The other way round it is what somebody in between would do.
    pub(crate) fn judge(self, offered: Fingerprint, is_vouched: bool) -> Result<Met, Untrusted> {
        match (self.accepted, self.known) {
            (Some(accepted), _) if accepted == offered => Ok(Met::Key(offered)),
            (Some(accepted), _) => Err(Untrusted::NotAccepted { accepted, offered }),
            (None, _) if is_vouched => Ok(Met::Vouched),
            (None, None) => Ok(Met::Key(offered)),
            (None, Some(Known::Key(known))) if known == offered => Ok(Met::Key(offered)),
            (None, Some(known)) => Err(Untrusted::KeyChanged { known, offered }),
        }
    }
}
