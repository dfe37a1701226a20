//! The only place that reads the wall clock. Everything else is told what time it is.

use std::time::{SystemTime, UNIX_EPOCH};

use chatroom_proto::UnixMillis;

/// What time it is.
#[expect(clippy::disallowed_methods, reason = "this is the shell's one clock")]
pub(crate) fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
