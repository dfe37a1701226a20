//! The servers that a client knows: in memory, and in a file that outlives it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatroom_proto::Fingerprint;

use super::file::{self, FileFault};
use super::judgement::{Expected, Known, Met, Untrusted};

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
    pub fault: Option<String>,
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
                file::find(file, &host, port).map_err(|fault| untrusted(fault, file))?
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
        let mut fault = None;
        if Some(known) != before
            && let Some(file) = &self.file
        {
            match file::put(file, &host, port, |there| expected.given(there).known_by(met)) {
                Ok(written) => (before, known) = written,
                Err(FileFault::Io(why)) => fault = Some(why.to_string()),
                Err(why) => return Err(untrusted(why, file)),
            }
        }
        if let Known::Key(fingerprint) = known
            && Some(known) != before
        {
            learned.news.push(Acquaintance { host, port, fingerprint, before, fault });
        }
        learned.met.insert(place, known);
        Ok(())
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the fault of a file means for the server that was looked for in it.
fn untrusted(fault: FileFault, file: &Path) -> Untrusted {
    let file = file.to_owned();
    match fault {
        FileFault::Io(why) => Untrusted::Unreadable { file, why: why.to_string() },
        FileFault::Damaged(line) => Untrusted::Damaged { file, line },
        FileFault::Untrusted(untrusted) => untrusted,
    }
}
