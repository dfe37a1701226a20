//! For how long the clock has run without a jump.

use std::time::Duration;

use chatroom_proto::UnixMillis;
use tokio::time::Instant;

/// What the time of day may differ from the elapsed time between two looks. Days are counted by it:
/// an hour, as a machine that sleeps or a clock that is put right may have it, does no harm.
const JUMP_MIN: Duration = Duration::from_secs(60 * 60);

/// Compares the time of day with a clock that does not jump.
#[derive(Debug)]
pub(super) struct Steadiness {
    /// The time of the start, or of the last jump that was seen.
    since: Instant,
    /// The last look.
    last: (UnixMillis, Instant),
}

impl Steadiness {
    /// A program that starts has seen nothing yet.
    pub(super) fn new(now: UnixMillis, instant: Instant) -> Steadiness {
        Steadiness { since: instant, last: (now, instant) }
    }

    /// For how long the clock has run without a jump.
    pub(super) fn look(&mut self, now: UnixMillis, instant: Instant) -> Duration {
        let (then, last) = std::mem::replace(&mut self.last, (now, instant));
        let elapsed = u64::try_from((instant - last).as_millis()).unwrap_or(u64::MAX);
        let jump = then.0.saturating_add(elapsed).abs_diff(now.0);
        if Duration::from_millis(jump) >= JUMP_MIN {
            self.since = instant;
        }
        instant - self.since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_in_either_direction_begins_the_time_anew_and_a_small_one_does_not() {
        let hour = Duration::from_secs(60 * 60);
        let (begin, hour_ms) = (Instant::now(), 3_600_000);
        let mut steadiness = Steadiness::new(UnixMillis(100 * hour_ms), begin);
        let mut look =
            |wall: u64, hours: u32| steadiness.look(UnixMillis(wall), begin + hours * hour);
        assert_eq!(look(101 * hour_ms, 1), hour);
        assert_eq!(look(102 * hour_ms + 59_000, 2), 2 * hour, "a clock that was a minute behind");
        assert_eq!(look(104 * hour_ms + 59_000, 3), Duration::ZERO, "an hour forward");
        assert_eq!(look(105 * hour_ms + 59_000, 4), hour);
        assert_eq!(look(50 * hour_ms, 5), Duration::ZERO, "and back");
        assert_eq!(look(53 * hour_ms, 8), 3 * hour);
    }
}
