//! The signals that end a program, and the one that must not.

use std::io;

use nix::sys::signal::Signal::SIGXFSZ;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM, SIGHUP and SIGINT, from when it is made.
pub(crate) struct Signals {
    terminate: Signal,
    hangup: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(crate) fn listen() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The number of the next one. Ctrl-C counts when `interrupts` says so: at a prompt it clears
    /// the line.
    pub(crate) async fn next(&mut self, interrupts: impl Fn() -> bool) -> i32 {
        loop {
            let kind = tokio::select! {
                _ = self.terminate.recv() => SignalKind::terminate(),
                _ = self.hangup.recv() => SignalKind::hangup(),
                _ = self.interrupt.recv() => SignalKind::interrupt(),
            };
            if interrupts() || kind != SignalKind::interrupt() {
                return kind.as_raw_value();
            }
        }
    }
}

/// From now on, a file that may not get any longer (`ulimit -f`) is an error where it is written.
/// The system would end the program otherwise, without a word. To be called within a runtime.
pub(crate) fn outlive_file_limits() -> io::Result<()> {
    // To listen for it is all: it says nothing that the error does not say.
    signal(SignalKind::from_raw(SIGXFSZ as i32)).map(drop)
}
