//! The lives of the log: from one start of a server to the next. By them it shows what a client and
//! this log have in common when the log was put back to an earlier copy, or another one is there.

use std::collections::VecDeque;

use chatroom_proto::{LIVES_TOLD_MAX, Life, Lives, Seq};
use serde::{Deserialize, Serialize};

/// How many lives are remembered, the newest. Whoever has been away for more starts of the server
/// is believed.
const LIVES_MAX: usize = 1_024;

/// The lives of this log, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::chat) struct LogLives(VecDeque<Life>);

impl LogLives {
    /// A server begins here.
    pub(super) fn begin(&mut self, life: Life) {
        self.0.push_back(life);
        if self.0.len() > LIVES_MAX {
            self.0.pop_front();
        }
    }

    /// The newest, as they are told to clients.
    pub(in crate::chat) fn told(&self) -> Lives {
        let surplus = self.0.len().saturating_sub(LIVES_TOLD_MAX);
        let newest: Vec<Life> = self.0.iter().skip(surplus).copied().collect();
        Lives::try_from(newest).unwrap_or_default()
    }

    /// The last event that a client and this log surely share, if the client has seen more than
    /// that, or was told of a life that this log does not have. `seen` is how far the client came,
    /// in these lives; `head` is the newest event of this log.
    pub(in crate::chat) fn put_back(&self, seen: Seq, told: &Lives, head: Seq) -> Option<Seq> {
        let told = told.as_slice();
        let Some(newest) = told.last() else {
            // Nothing tells where another log began: surely not behind what there is.
            return (seen > head).then_some(head);
        };
        // Each life of the client's ends where its next one begins. What it was answered may be
        // newer than what it has seen.
        let mut end = Seq(u64::MAX);
        for life in told.iter().rev() {
            if let Some(place) = self.0.iter().rposition(|own| own == life) {
                let ends_here =
                    self.0.get(place + 1).map_or(head, |next| Seq(next.began.0.saturating_sub(1)));
                let shared = ends_here.min(end);
                return (life != newest || shared < seen).then_some(shared.max(Seq::FIRST));
            }
            end = end.min(Seq(life.began.0.saturating_sub(1)));
        }
        let is_forgotten = self.0.len() == LIVES_MAX && newest.began < self.0[0].began;
        (!is_forgotten).then_some(Seq::FIRST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(id: u64, began: u64) -> Life {
        Life { id, began: Seq(began) }
    }

    fn log(lives: &[(u64, u64)]) -> LogLives {
        let mut log = LogLives::default();
        lives.iter().for_each(|(id, began)| log.begin(life(*id, *began)));
        log
    }

    fn put_back(log: &LogLives, seen: u64, told: &[(u64, u64)]) -> Option<u64> {
        let told: Vec<Life> = told.iter().map(|(id, began)| life(*id, *began)).collect();
        let lives = Lives::try_from(told).expect("few lives");
        log.put_back(Seq(seen), &lives, Seq(2_000)).map(|shared| shared.0)
    }

    #[test]
    fn who_knows_no_other_life_has_missed_nothing_but_what_is_new() {
        let log = log(&[(1, 1), (2, 50), (3, 90)]);
        assert_eq!(put_back(&log, 0, &[]), None, "it comes for the first time");
        assert_eq!(put_back(&log, 2_000, &[]), None, "it keeps no lives");
        assert_eq!(put_back(&log, 2_001, &[]), Some(2_000), "and has seen more than there is");
        assert_eq!(put_back(&log, 40, &[(1, 1)]), None);
        assert_eq!(put_back(&log, 49, &[(1, 1)]), None, "up to the last event of that life");
        assert_eq!(put_back(&log, 95, &[(1, 1), (3, 90)]), None);
    }

    #[test]
    fn what_was_seen_in_a_life_that_is_no_more_is_no_more() {
        // A copy of 1..=80 was put back, and 3 began on it.
        let log = log(&[(1, 1), (2, 50), (3, 81), (4, 90)]);
        assert_eq!(put_back(&log, 120, &[(1, 1), (2, 50)]), Some(80), "seen before the copy was");
        assert_eq!(put_back(&log, 150, &[(2, 50), (9, 130)]), Some(80), "in another life since");
        assert_eq!(put_back(&log, 60, &[(2, 50), (9, 75)]), Some(74), "and not come that far");
        assert_eq!(put_back(&log, 70, &[(2, 50)]), None, "all of it is there");
        assert_eq!(put_back(&log, 150, &[(8, 1), (9, 130)]), Some(1), "it is another log");
        assert_eq!(put_back(&log, 2_001, &[(3, 81), (4, 90)]), Some(2_000), "more than there is");
    }

    #[test]
    fn who_was_away_for_longer_than_lives_are_remembered_is_believed() {
        let log = log(&(0..1_025).map(|id| (id, 10 + id)).collect::<Vec<_>>());
        assert_eq!(log.0.len(), LIVES_MAX);
        assert_eq!(put_back(&log, 5, &[(77, 2)]), None);
        assert_eq!(put_back(&log, 2_000, &[(77, 1_500)]), Some(1));
        assert_eq!(log.told().as_slice().len(), LIVES_TOLD_MAX);
    }
}
