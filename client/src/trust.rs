//! Whom a client trusts to be the server: one that an authority of this system vouches for, or one
//! whose key is the known one.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatroom_proto::{Fingerprint, FingerprintError};

use file::Trouble;

mod file;
#[cfg(test)]
mod tests;

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
    /// The server has another key than the one that is to be accepted ([`KnownHosts::accepting`]).
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

/// A server whose key was learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acquaintance {
    /// Where it is.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its key.
    pub fingerprint: Fingerprint,
    /// By what it was known before, if it was.
    pub before: Option<Known>,
    /// Why it could not be written down, if it was to be.
    pub trouble: Option<String>,
}

/// The servers that a client knows. Clones share what they learn.
#[derive(Debug, Clone)]
pub struct KnownHosts {
    file: Option<PathBuf>,
    accepted: Option<Fingerprint>,
    learned: Arc<Mutex<Learned>>,
}

#[derive(Debug, Default)]
struct Learned {
    /// What this run has met stays so for this run, whatever the file says.
    met: HashMap<(String, u16), Known>,
    news: Vec<Acquaintance>,
}

/// Those that share what they learn are the same.
impl PartialEq for KnownHosts {
    fn eq(&self, other: &KnownHosts) -> bool {
        Arc::ptr_eq(&self.learned, &other.learned)
    }
}

impl Eq for KnownHosts {}

impl KnownHosts {
    /// Nobody is known in the beginning, and everybody is forgotten in the end.
    pub fn in_memory() -> KnownHosts {
        KnownHosts { file: None, accepted: None, learned: Arc::default() }
    }

    /// Those in this file, which need not be there yet: a line for each, with its host, its port
    /// and its key.
    pub fn in_file(file: impl Into<PathBuf>) -> KnownHosts {
        KnownHosts { file: Some(file.into()), ..KnownHosts::in_memory() }
    }

    /// The same; a server is trusted if it has this key, and only then, and is known by it from now
    /// on.
    #[must_use]
    pub fn accepting(mut self, accepted: Fingerprint) -> KnownHosts {
        self.accepted = Some(accepted);
        self
    }

    /// Where they are written down.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The servers whose keys were learned since this was asked last: for a program that shows
    /// them.
    pub fn take_news(&self) -> Vec<Acquaintance> {
        std::mem::take(&mut self.learned().news)
    }

    /// What is expected of a server.
    pub(crate) fn expected(&self, host: &str, port: u16) -> Result<Expected, Untrusted> {
        let host = host.to_lowercase();
        let met = self.learned().met.get(&(host.clone(), port)).copied();
        let known = match (met, &self.file) {
            (None, Some(file)) => {
                file::find(file, &host, port).map_err(|trouble| untrusted(trouble, file))?
            }
            (met, _) => met,
        };
        Ok(Expected { known, accepted: self.accepted })
    }

    /// Learns whom it has met; or that somebody else has met another one there since it was asked
    /// what is expected.
    pub(crate) fn meet(
        &self,
        host: &str,
        port: u16,
        expected: Expected,
        met: Met,
    ) -> Result<(), Untrusted> {
        let host = host.to_lowercase();
        // Held until all is written down, so that of two who meet a server at once one is the
        // second.
        let mut learned = self.learned();
        let place = (host.clone(), port);
        let mut before = learned.met.get(&place).copied().or(expected.known);
        let mut known = expected.given(before).known_by(met)?;
        let mut trouble = None;
        if Some(known) != before
            && let Some(file) = &self.file
        {
            match file::put(file, &host, port, |there| expected.given(there).known_by(met)) {
                Ok(written) => (before, known) = written,
                Err(Trouble::Io(why)) => trouble = Some(why.to_string()),
                Err(why) => return Err(untrusted(why, file)),
            }
        }
        if let Known::Key(fingerprint) = known
            && Some(known) != before
        {
            learned.news.push(Acquaintance { host, port, fingerprint, before, trouble });
        }
        learned.met.insert(place, known);
        Ok(())
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the trouble with a file means for the server that was looked for in it.
fn untrusted(trouble: Trouble, file: &Path) -> Untrusted {
    let file = file.to_owned();
    match trouble {
        Trouble::Io(why) => Untrusted::Unreadable { file, why: why.to_string() },
        Trouble::Damaged(line) => Untrusted::Damaged { file, line },
        Trouble::Untrusted(untrusted) => untrusted,
    }
}

/// What is expected of a server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    known: Option<Known>,
    accepted: Option<Fingerprint>,
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
    fn given(self, known: Option<Known>) -> Expected {
        Expected { known, ..self }
    }

    /// By what one is known who was met.
    fn known_by(self, met: Met) -> Result<Known, Untrusted> {
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
