//! The only place that asks what time it is, and where. Everything else is told.

use std::sync::OnceLock;
use std::time::SystemTime;

use chatroom_proto::UnixMillis;
use jiff::tz::TimeZone;

/// What time it is.
#[expect(clippy::disallowed_methods, reason = "this is the program's one clock")]
pub(crate) fn now() -> UnixMillis {
    millis(SystemTime::now())
}

/// A moment as the protocol writes it.
pub(crate) fn millis(moment: SystemTime) -> UnixMillis {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The time zone of the one who reads this: of `TZ`, or of the machine. It does not change while
/// the program runs.
pub(crate) fn zone() -> &'static TimeZone {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    ZONE.get_or_init(TimeZone::system)
}
