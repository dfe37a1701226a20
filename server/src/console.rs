//! What the server says on standard output: that it listens, and who connects, as in the
//! assignment's figure.

use std::fmt;
use std::io::Write;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use chatroom_proto::Fingerprint;
use tracing_appender::non_blocking::NonBlocking;

/// Standard output, or silence.
pub struct Console(Option<Mutex<NonBlocking>>);

impl Console {
    /// Says nothing: for servers inside another program.
    pub fn silent() -> Console {
        Console(None)
    }

    /// Writes lines to `output`, which never blocks: a terminal that is paused must not stop the
    /// server.
    pub fn new(output: NonBlocking) -> Console {
        Console(Some(Mutex::new(output)))
    }

    /// The server is ready for clients.
    pub fn listening(&self) {
        self.say(format_args!("Server is listening!"));
    }

    /// By this the server is recognized by those who come from elsewhere.
    pub fn fingerprint(&self, fingerprint: Fingerprint) {
        self.say(format_args!("Fingerprint: {fingerprint}"));
    }

    /// A client was let in that comes from this address.
    pub fn connected(&self, ip: IpAddr, port: u16) {
        self.say(format_args!("Connected with ('{ip}', {port})"));
    }

    fn say(&self, line: fmt::Arguments<'_>) {
        if let Some(output) = &self.0 {
            let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
            // An output that is gone is no reason to stop: the clients are what the server is for.
            let _ = output.write_all(format!("{line}\n").as_bytes());
        }
    }
}

impl Clone for Console {
    fn clone(&self) -> Console {
        let output = self
            .0
            .as_ref()
            .map(|output| output.lock().unwrap_or_else(PoisonError::into_inner).clone());
        Console(output.map(Mutex::new))
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Console(standard output)" } else { "Console(silent)" })
    }
}
