//! Standard output and standard error. The server never waits for them; and what can't be written
//! there ends nothing, and panics nowhere.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};

/// Lines that may wait for a standard output or error that is slow; more are dropped. The server
/// never waits for them.
const LINES_WAITING_MAX: usize = 16_384;

/// Writes to `output` on a thread of its own, until the guard is dropped.
pub(super) fn lossy(output: impl Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    let lines = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES_WAITING_MAX);
    lines.finish(Forgiving(output))
}

/// An output that never fails. The thread would complain with `eprintln!`, which panics where
/// standard error can't be written either.
struct Forgiving<W>(W);

impl<W: Write> Write for Forgiving<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.0.flush();
        Ok(())
    }
}

/// Says a line on standard error, if that can be written. `eprintln!` would panic.
pub(super) fn say(line: &str) {
    let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// Writes a line to standard output.
///
/// # Errors
/// What the system says to it. One that nobody reads is an error, too: all of it was for a reader.
pub(super) fn write_line(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes())?;
    out.flush()
}

/// Writes what the command line itself answers: help, the version, or what is wrong with it. Gives
/// the exit code.
pub(super) fn answer(answer: &clap::Error) -> ExitCode {
    let code = u8::try_from(answer.exit_code()).unwrap_or(u8::MAX);
    match answer.print().and_then(|()| io::stdout().flush()) {
        // Help was asked for. Who reads no further has read enough of it.
        Err(error) if code == 0 && error.kind() != ErrorKind::BrokenPipe => {
            say(&format!("chatroom-server: can't write to standard output: {error}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::from(code),
    }
}
