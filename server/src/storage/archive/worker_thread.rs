//! A thread that is waited for at its end, but not for ever.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use tracing::warn;

/// How long a thread may take to end: its last commit and a snapshot, on a slow disk.
const END_DEADLINE: Duration = Duration::from_secs(10);

/// A thread that ends when it is told to, by a channel that closes.
#[derive(Debug)]
pub(super) struct WorkerThread {
    name: &'static str,
    /// Locked by nobody: this is how a receiver may be a part of what threads share.
    ended: Mutex<Receiver<()>>,
}

impl WorkerThread {
    /// Starts one. What `work` owns is gone when it has ended.
    pub(super) fn start(
        name: &'static str,
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<WorkerThread> {
        let (end, ended) = sync_channel(1);
        Builder::new().name(name.to_owned()).spawn(move || {
            // Its other end sees it closed also when `work` panics.
            let _end = end;
            work();
        })?;
        Ok(WorkerThread { name, ended: Mutex::new(ended) })
    }

    /// Waits for its end. One that takes too long is left to itself: what it writes is whole or not
    /// there.
    pub(super) fn wait(self) {
        let ended = self.ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(END_DEADLINE) == Err(RecvTimeoutError::Timeout) {
            warn!(thread = self.name, "a thread takes too long to end; it is not waited for");
        }
    }
}
