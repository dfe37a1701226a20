//! Standard output and standard error, which the server never waits for.

use std::io::Write;

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};

/// Lines that may wait for a standard output or error that is slow; more are dropped. The server
/// never waits for them.
const LINES_WAITING_MAX: usize = 16_384;

/// Writes to `output` on a thread of its own, until the guard is dropped.
pub(super) fn lossy(output: impl Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES_WAITING_MAX).finish(output)
}
