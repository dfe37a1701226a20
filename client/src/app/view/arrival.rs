//! How what arrives is shown: its time, its day, and whether it rings.

use chatroom_proto::UnixMillis;
use jiff::civil::Date;

use super::history::instant;
use super::text::View;
use crate::app::bell::Bell;

impl View {
    /// The day that it is here.
    pub fn day(self, now: UnixMillis) -> Date {
        instant(now).to_zoned_datetime(self.zone.clone()).date()
    }

    /// Something that has just arrived, behind the time. On another day than the last, below a line
    /// that says so.
    pub fn at_time(self, text: &str, now: UnixMillis, is_new_day: bool) -> String {
        let text = format!("{} {text}", self.stamp(now, now));
        if is_new_day {
            let day = self.day(now).strftime("--- %A, %-d %B %Y ---").to_string();
            return format!("{}\n{text}", self.system(day));
        }
        text
    }

    /// Whether the time stands before what arrives. The slash is right also while a conversation
    /// is open.
    pub fn times(self, are_on: bool) -> String {
        self.system(if are_on {
            "What arrives has the time in front of it. To change that: /times off"
        } else {
            "What arrives has no time in front of it. To change that: /times on"
        })
    }

    /// What the bell rings for.
    pub fn bell(self, bell: Bell) -> String {
        self.system(match bell {
            Bell::Off => "The bell does not ring. To change that: /bell mentions, or /bell all",
            Bell::Mentions => {
                "The bell rings for private messages, and for your name. To change that: \
                 /bell off, or /bell all"
            }
            Bell::All => {
                "The bell rings for every message. To change that: /bell off, or /bell mentions"
            }
        })
    }

    /// Neither is for programs.
    pub fn for_terminals(self) -> String {
        self.warning("That is for people at a terminal: what a pipe is told does not change.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::view::tests::view;

    #[test]
    fn the_time_stands_in_front_and_the_day_above() {
        // In the time zone of these tests, the next day has begun three hours ago.
        let now = UnixMillis(1_796_083_200_000);
        assert_eq!(view().at_time("Ann: hi", now, false), "[03:00] Ann: hi");
        assert_eq!(
            view().at_time("Ann: hi", now, true),
            "--- Tuesday, 1 December 2026 ---\n[03:00] Ann: hi"
        );
    }
}
