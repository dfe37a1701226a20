//! The signals that end a program, and the one that must not.

use std::io;

use nix::sys::signal::Signal::{SIGCONT, SIGXFSZ};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::keyboard::Keyboard;

/// SIGTERM, SIGHUP and SIGINT, from when it is made; and SIGCONT, which ends nothing.
pub(crate) struct Signals {
    keyboard: Keyboard,
    go_on: Signal,
    terminate: Signal,
    hangup: Signal,
    interrupt: Signal,
}

impl Signals {
    /// The keyboard is told when the program goes on after it was stopped.
    pub(crate) fn listen(keyboard: Keyboard) -> io::Result<Signals> {
        Ok(Signals {
            keyboard,
            go_on: signal(SignalKind::from_raw(SIGCONT as i32))?,
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
                _ = self.go_on.recv() => {
                    self.keyboard.go_on();
                    continue;
                }
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
