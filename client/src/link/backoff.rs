//! When to try again.

use std::time::Duration;

/// The first wait is drawn from zero to this; each later one from twice the range.
const FIRST_WAIT_MAX: Duration = Duration::from_millis(250);

/// No wait is longer: a server that is back should not wait for its people.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Exponential backoff with full jitter: at once, and then any time from zero to a bound that
/// doubles. The jitter keeps the clients of a restarted server from coming all at once.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// How long to wait before the next try; `random` is any number.
    pub(crate) fn next(&mut self, random: u64) -> Duration {
        let tries = self.tries;
        self.tries = tries.saturating_add(1);
        let Some(doublings) = tries.checked_sub(1) else { return Duration::ZERO };
        let range = FIRST_WAIT_MAX
            .saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX))
            .min(WAIT_MAX);
        let range_ms = u64::try_from(range.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(random % (range_ms + 1))
    }

    /// All is well again: the next try comes at once.
    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_try_comes_at_once_and_again_after_a_reset() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next(u64::MAX), Duration::ZERO);
        assert!(backoff.next(77) > Duration::ZERO);
        backoff.reset();
        assert_eq!(backoff.next(u64::MAX), Duration::ZERO);
    }

    #[test]
    fn the_range_doubles_up_to_half_a_minute_and_the_whole_range_is_used() {
        let mut backoff = Backoff::default();
        backoff.next(0);
        for bound_ms in [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            let mut again = Backoff { tries: backoff.tries };
            assert_eq!(again.next(0), Duration::ZERO);
            assert_eq!(backoff.next(bound_ms), Duration::from_millis(bound_ms));
            let mut beyond = Backoff { tries: backoff.tries - 1 };
            assert_eq!(beyond.next(bound_ms + 1), Duration::ZERO);
        }
    }

    #[test]
    fn trying_for_years_does_not_overflow() {
        let mut backoff = Backoff { tries: u32::MAX };
        assert!(backoff.next(u64::MAX) <= WAIT_MAX);
        assert!(Backoff { tries: 40 }.next(29_999) == Duration::from_millis(29_999));
    }
}
