//! The rows of the line being typed: each ends where the window does, by a line end of ours.
//!
//! The terminal must never wrap the line. One that does joins its rows again when the window
//! becomes wider. The line editor does not know that: it clears as many rows as the line had, and
//! with them what arrived before. Rows that end in a line end stay rows.

use std::borrow::Cow;
use std::cell::Cell;

use rustyline::GraphemeClusterMode;
use unicode_segmentation::UnicodeSegmentation;

use crate::app::terminal;

/// Where the terminal's tabs lead to, in columns, as the line editor counts them.
const TAB_COLUMNS: usize = 8;

/// What the line editor believes of a terminal that does not tell its width, in columns.
const COLUMNS_UNKNOWN: usize = 80;

/// To the row's start, and away with it and everything below.
const CLEAR_BELOW: &str = "\r\x1b[J";

/// A place on the screen, counted from where the prompt begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Place {
    row: usize,
    /// As many as the row has, when it is full.
    column: usize,
}

/// How the line editor counts columns and rows.
#[derive(Debug, Clone, Copy)]
struct Ruler {
    columns: usize,
    mode: GraphemeClusterMode,
}

impl Ruler {
    /// Goes on from there with a text, and calls `full` where a new row begins.
    fn walk(self, from: Place, text: &str, mut full: impl FnMut(usize)) -> Place {
        let mut place = from;
        for (at, cluster) in text.grapheme_indices(true) {
            if cluster == "\n" {
                place = Place { row: place.row + 1, column: 0 };
                continue;
            }
            let width = match cluster {
                "\t" => TAB_COLUMNS - place.column % TAB_COLUMNS,
                _ => usize::from(self.mode.width(cluster)),
            };
            if place.column + width > self.columns {
                full(at);
                place = Place { row: place.row + 1, column: 0 };
            }
            place.column += width;
        }
        place
    }

    /// The text with a line end wherever a row is full, and where it ends.
    fn hard(self, from: Place, text: &str) -> (Cow<'_, str>, Place) {
        let mut ends = Vec::new();
        let place = self.walk(from, text, |at| ends.push(at));
        if ends.is_empty() {
            return (Cow::Borrowed(text), place);
        }
        let mut hard = String::with_capacity(text.len() + 2 * ends.len());
        let mut copied = 0;
        for end in ends {
            hard.push_str(&text[copied..end]);
            hard.push_str("\r\n");
            copied = end;
        }
        hard.push_str(&text[copied..]);
        (Cow::Owned(hard), place)
    }

    /// How many rows are begun by a prompt and a line. One that is full to its end has begun the
    /// next.
    fn rows(self, prompt: &str, line: &str) -> usize {
        let place = self.walk(self.walk(Place::default(), prompt, |_| {}), line, |_| {});
        place.row + 1 + usize::from(place.column >= self.columns)
    }
}

/// What was painted last, and how wide the window was then.
pub struct LineRows {
    ruler: Cell<Ruler>,
    /// Where the prompt ends.
    prompt: Cell<Place>,
    /// Where what was painted ends.
    end: Cell<Place>,
    /// The line is finished, and may be wrapped by the terminal as any text.
    is_finished: Cell<bool>,
}

impl Default for LineRows {
    fn default() -> LineRows {
        LineRows {
            ruler: Cell::new(ruler()),
            prompt: Cell::default(),
            end: Cell::default(),
            is_finished: Cell::default(),
        }
    }
}

impl LineRows {
    /// Takes over the window's width, for this line. To be called when the line editor has taken it
    /// over, and never between that and the next time: what arrives is printed with the rows that
    /// the line has had until then.
    pub fn measure(&self, line: &str) {
        let before = self.ruler.get();
        let now = Ruler { columns: window_columns(), ..before };
        self.ruler.set(now);
        self.is_finished.set(false);
        if now.columns < before.columns {
            let end = before.walk(self.prompt.get(), line, |_| {});
            if end.row > 0 || end.column > now.columns {
                // The terminal has made more rows of it. Those below the cursor would stay.
                terminal::write(CLEAR_BELOW);
            }
        }
    }

    /// The prompt, which is painted first.
    pub fn prompt<'t>(&self, prompt: &'t str) -> Cow<'t, str> {
        self.end.set(Place::default());
        let painted = self.paint(prompt);
        self.prompt.set(self.end.get());
        painted
    }

    /// What is painted behind that.
    pub fn paint<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.is_finished.get() {
            return Cow::Borrowed(text);
        }
        let (hard, end) = self.ruler.get().hard(self.end.get(), text);
        self.end.set(end);
        hard
    }

    /// The line is finished. Tells whether to paint it once more, as one line that the terminal may
    /// wrap: from now on it is a text like any other.
    pub fn finish(&self, line: &str) -> bool {
        let has_rows = self.ruler.get().walk(self.prompt.get(), line, |_| {}).row > 0;
        // The line editor would take a line end there for the end of a full row.
        let again = has_rows && !line.ends_with('\n');
        self.is_finished.set(again);
        again
    }
}

/// As it is now.
fn ruler() -> Ruler {
    Ruler { columns: window_columns(), mode: GraphemeClusterMode::from_env() }
}

fn window_columns() -> usize {
    terminal::columns().filter(|columns| *columns > 0).unwrap_or(COLUMNS_UNKNOWN)
}

/// How many rows of the window, as it is now, are begun by a prompt and a line.
pub(crate) fn rows(prompt: &str, line: &str) -> usize {
    ruler().rows(prompt, line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ruler(columns: usize) -> Ruler {
        Ruler { columns, mode: GraphemeClusterMode::WcWidth }
    }

    fn hard(columns: usize, column: usize, text: &str) -> (String, Place) {
        let (hard, place) = ruler(columns).hard(Place { row: 0, column }, text);
        (hard.into_owned(), place)
    }

    #[test]
    fn a_row_that_is_full_ends_and_one_that_is_only_just_full_waits() {
        assert_eq!(hard(4, 0, "abc"), ("abc".to_owned(), Place { row: 0, column: 3 }));
        assert_eq!(hard(4, 0, "abcd"), ("abcd".to_owned(), Place { row: 0, column: 4 }));
        assert_eq!(hard(4, 0, "abcde"), ("abcd\r\ne".to_owned(), Place { row: 1, column: 1 }));
        assert_eq!(hard(4, 4, "ab"), ("\r\nab".to_owned(), Place { row: 1, column: 2 }));
        assert_eq!(hard(4, 2, "ab\ncd"), ("ab\ncd".to_owned(), Place { row: 1, column: 2 }));
    }

    #[test]
    fn a_wide_character_is_not_split_and_a_mark_stays_with_its_letter() {
        let (text, place) = hard(4, 0, "abc\u{5b57}d");
        assert_eq!((text.as_str(), place.row), ("abc\r\n\u{5b57}d", 1));
        let (text, place) = hard(4, 0, "abce\u{301}");
        assert_eq!((text.as_str(), place), ("abce\u{301}", Place { row: 0, column: 4 }));
    }

    #[test]
    fn a_tab_leads_to_the_next_stop() {
        assert_eq!(hard(12, 1, "\tx").1, Place { row: 0, column: 9 });
        assert_eq!(hard(12, 9, "\tx"), ("\r\n\tx".to_owned(), Place { row: 1, column: 8 }));
    }

    #[test]
    fn rows_are_counted_as_the_line_editor_counts_them() {
        assert_eq!(ruler(10).rows("", ""), 1);
        assert_eq!(ruler(10).rows("G1> ", "12345"), 1);
        assert_eq!(ruler(10).rows("G1> ", "123456"), 2, "the cursor is in the next one");
        assert_eq!(ruler(10).rows("", &"x".repeat(25)), 3);
        assert_eq!(ruler(10).rows("", "a\nb"), 2);
    }
}
