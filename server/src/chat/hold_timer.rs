//! For how long devices have been held: elapsed time, as this node has measured it.
//!
//! Time of day has no part in it. A clock that is set back must not hold a name for an hour, and
//! one that is set forward must not end the stay of somebody who is away for three seconds. So a
//! node measures by itself, from when it first sees in the log that a connection is gone. A node
//! that begins has seen nothing: whoever is held then is held for the whole grace time again.

use std::collections::VecDeque;

use chatroom_proto::Seq;

/// How many moments are remembered. Two are apart by at least this part of the grace time: somebody
/// may be held for so much longer.
const LOOKS_MAX: u64 = 64;

/// Milliseconds since this node began, on a clock that does not jump: what durations are measured
/// by. Time of day, which is for people, is [`UnixMillis`](chatroom_proto::UnixMillis).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UptimeMillis(pub u64);

/// When this node has looked at who is held, the earliest first.
#[derive(Debug, Default)]
pub(super) struct HoldTimer {
    looks: VecDeque<Look>,
}

/// Whoever was lost up to this place was away at this moment.
#[derive(Debug, Clone, Copy)]
struct Look {
    newest: Seq,
    at: UptimeMillis,
}

impl HoldTimer {
    /// Looks at who is held: the newest of them was lost at this place. Called about once a second.
    pub(super) fn look(&mut self, newest: Option<Seq>, grace_ms: u64, now: UptimeMillis) {
        let Some(newest) = newest else { return self.looks.clear() };
        let is_new = self
            .looks
            .back()
            .is_none_or(|last| newest > last.newest && since(last.at, now) >= grace_ms / LOOKS_MAX);
        if is_new {
            self.looks.push_back(Look { newest, at: now });
        }
    }

    /// Whoever was lost up to this place has been away for the grace time.
    pub(super) fn over(&mut self, grace_ms: u64, now: UptimeMillis) -> Option<Seq> {
        let is_over = |look: &Look| since(look.at, now) >= grace_ms;
        // The last of these stays: not everybody's stay may have been ended yet.
        while self.looks.get(1).is_some_and(is_over) {
            self.looks.pop_front();
        }
        self.looks.front().filter(|look| is_over(look)).map(|look| look.newest)
    }

    /// Everyone who is held is held from now on.
    pub(super) fn restart(&mut self) {
        self.looks.clear();
    }
}

fn since(then: UptimeMillis, now: UptimeMillis) -> u64 {
    now.0.saturating_sub(then.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: u64 = 30_000;

    fn second(number: u64) -> UptimeMillis {
        UptimeMillis(number * 1_000)
    }

    #[test]
    fn who_is_lost_later_is_waited_for_later() {
        let mut timer = HoldTimer::default();
        timer.look(Some(Seq(5)), GRACE, second(1));
        timer.look(Some(Seq(9)), GRACE, second(11));
        assert_eq!(timer.over(GRACE, second(30)), None);
        assert_eq!(timer.over(GRACE, second(31)), Some(Seq(5)));
        assert_eq!(timer.over(GRACE, second(40)), Some(Seq(5)));
        assert_eq!(timer.over(GRACE, second(41)), Some(Seq(9)));
        assert_eq!(timer.over(GRACE, second(99)), Some(Seq(9)), "until nobody is held");
        timer.look(None, GRACE, second(99));
        assert_eq!(timer.over(GRACE, second(100)), None);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_delays_little() {
        let mut timer = HoldTimer::default();
        for tick in 0..10_000 {
            let now = UptimeMillis(10 * tick);
            timer.look(Some(Seq(tick)), GRACE, now);
            if let Some(over) = timer.over(GRACE, now) {
                let away = 10 * (tick - over.0);
                assert!((GRACE..GRACE + 1_000).contains(&away), "{away} ms");
            }
            assert!(timer.looks.len() <= LOOKS_MAX as usize + 1);
        }
    }

    #[test]
    fn a_server_that_begins_waits_for_everybody_anew() {
        let mut timer = HoldTimer::default();
        timer.look(Some(Seq(5)), GRACE, second(1));
        timer.restart();
        timer.look(Some(Seq(5)), GRACE, second(29));
        assert_eq!(timer.over(GRACE, second(40)), None);
        assert_eq!(timer.over(GRACE, second(59)), Some(Seq(5)));
    }
}
