//! Whether the time stands before what arrives, and on which day the last of it came. Pure.

use jiff::civil::Date;

/// The choice, and the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    Off,
    /// Of what arrived last, or else when they were switched on.
    On(Date),
}

impl Times {
    pub(crate) fn new(are_on: bool, today: Date) -> Times {
        if are_on { Times::On(today) } else { Times::Off }
    }

    pub(crate) fn are_on(self) -> bool {
        self != Times::Off
    }

    /// Something arrives. Whether that is on another day than the last.
    pub(crate) fn turn_page(&mut self, today: Date) -> bool {
        match self {
            Times::Off => false,
            Times::On(day) => std::mem::replace(day, today) != today,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_arrives_on_a_day_turns_the_page() {
        let day = |day| jiff::civil::date(2026, 12, day);
        let mut times = Times::new(true, day(1));
        let turns = [1, 1, 2, 2, 5].map(|today| times.turn_page(day(today)));
        assert_eq!(turns, [false, false, true, false, true]);
        let mut off = Times::new(false, day(1));
        assert!(!off.turn_page(day(2)) && !off.are_on());
    }
}
