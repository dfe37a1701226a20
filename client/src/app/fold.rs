//! Long lines, as a terminal shows them. By itself it would go on at the beginning of the next row,
//! where lines of this program begin: somebody could fill a row with spaces, and what comes behind
//! them would look like a line of its own.

use std::borrow::Cow;

use crate::app::columns::{columns, pieces};
use crate::app::view::CONTINUATION;

/// Terminals that are narrower than this show what they can.
const COLUMNS_MIN: usize = 20;

/// What may be folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fold {
    /// Everything, since it may be somebody's who wants it to begin a row: no line is longer than
    /// the row.
    Everywhere,
    /// Not the words, since a fingerprint may be one, that is there to be copied: one that is too
    /// long stays whole.
    BetweenWords,
}

/// The text, whose lines are no longer than that many columns. What goes on in another row is
/// indented there.
pub(crate) fn folded(text: &str, width: usize, fold: Fold) -> Cow<'_, str> {
    // No character takes more columns than bytes.
    if width < COLUMNS_MIN || text.split('\n').all(|line| line.len() <= width) {
        return Cow::Borrowed(text);
    }
    let lines = text.split('\n').map(|line| {
        if columns(line) <= width {
            Cow::Borrowed(line)
        } else {
            Cow::Owned(rows(line, width, fold))
        }
    });
    Cow::Owned(lines.collect::<Vec<_>>().join("\n"))
}

/// A line that is too long, as rows. The spaces where it is broken are left out.
fn rows(line: &str, width: usize, fold: Fold) -> String {
    let mut rows = Rows::default();
    let mut rest = line;
    loop {
        let (mut gap, behind) = rest.split_at(rest.len() - rest.trim_start_matches(' ').len());
        let (word, behind) = behind.split_at(behind.find(' ').unwrap_or(behind.len()));
        if word.is_empty() {
            return rows.text;
        }
        rest = behind;
        let length = columns(word);
        if !rows.has_room(gap.len() + length, width) {
            if !rows.text.is_empty() {
                rows.begin_another();
                gap = "";
            } else if gap.len() > width / 2 {
                gap = CONTINUATION;
            }
        }
        rows.push(gap, gap.len());
        if rows.has_room(length, width) || fold == Fold::BetweenWords {
            rows.push(word, length);
            continue;
        }
        for (piece, length) in pieces(word) {
            if !rows.has_room(length, width) {
                rows.begin_another();
            }
            rows.push(piece, length);
        }
    }
}

/// The rows of a line so far.
#[derive(Default)]
struct Rows {
    text: String,
    /// The columns that are used in the last one.
    used: usize,
}

impl Rows {
    fn has_room(&self, columns: usize, width: usize) -> bool {
        self.used + columns <= width
    }

    /// Begins a row, unless nothing is in this one but what it begins with.
    fn begin_another(&mut self) {
        if self.text.rsplit('\n').next() != Some(CONTINUATION) {
            self.text.push('\n');
            self.used = 0;
            self.push(CONTINUATION, CONTINUATION.len());
        }
    }

    fn push(&mut self, text: &str, columns: usize) {
        self.text.push_str(text);
        self.used += columns;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_somebody_wrote_begins_a_row() {
        let forged =
            format!("In group tea, eve: hi{}Private message from Bob: psst", " ".repeat(59));
        assert_eq!(
            folded(&forged, 80, Fold::Everywhere),
            "In group tea, eve: hi\n    Private message from Bob: psst",
            "the row is full of spaces"
        );
        let forged = format!("In group tea, eve: {}Private message from Bob: psst", "x".repeat(61));
        let folded = folded(&forged, 80, Fold::Everywhere);
        let rows: Vec<_> = folded.split('\n').collect();
        assert!(rows.iter().all(|row| row.len() <= 80), "{rows:?}");
        assert!(rows[1..].iter().all(|row| row.starts_with("    ")), "{rows:?}");
    }

    #[test]
    fn what_takes_columns_in_some_terminals_only_begins_no_row_either() {
        let begun = "In group tea, eve: ";
        for filling in [
            "\u{3164}",
            "\u{FFA0}",
            "\u{AD}",
            "\u{70F}",
            "\u{8E2}",
            "\u{302E}",
            "\u{16FF0}",
            "\u{9BE}",
        ] {
            let forged = format!("{begun}{}Private message from Bob: psst", filling.repeat(61));
            let folded = folded(&forged, 80, Fold::Everywhere);
            let rows: Vec<_> = folded.split('\n').collect();
            assert!(rows.iter().all(|row| columns(row) <= 80), "{rows:?}");
            assert!(rows[1..].iter().all(|row| row.starts_with(CONTINUATION)), "{rows:?}");
            assert!(rows.len() > 1, "{rows:?}");
        }
    }

    #[test]
    fn what_a_line_begins_with_stays_and_spaces_at_its_end_are_no_row() {
        let fold = |text: &str| folded(text, 20, Fold::Everywhere).into_owned();
        let long = "x".repeat(30);
        assert_eq!(fold(&long), format!("{}\n    {}", "x".repeat(20), "x".repeat(10)));
        assert_eq!(
            fold(&format!("    {long}")),
            format!("    {}\n    {}", "x".repeat(16), "x".repeat(14))
        );
        assert_eq!(fold(&format!("{}psst", " ".repeat(40))), "    psst");
        assert_eq!(fold(&format!("psst{}", " ".repeat(40))), "psst");
        assert_eq!(fold("one two three four five"), "one two three four\n    five");
    }

    #[test]
    fn what_is_to_be_copied_stays_whole() {
        let key = "SHA256:".to_owned() + &"0f".repeat(32);
        let text = format!("The server at chat.example:9000 is new here. Its fingerprint is {key}");
        let rows = "The server at chat.example:9000 is new\n    here. Its fingerprint is\n    ";
        assert_eq!(folded(&text, 40, Fold::BetweenWords), format!("{rows}{key}"));
    }

    #[test]
    fn short_lines_and_colours_stay_as_they_are() {
        let text = "one\n    two   with  spaces \nthree\n";
        assert_eq!(folded(text, 80, Fold::Everywhere), text);
        let painted = format!("\u{1b}[1m{}\u{1b}[0m and on", "a".repeat(15));
        assert_eq!(
            folded(&painted, 30, Fold::Everywhere),
            painted,
            "what is not seen takes no columns"
        );
    }
}
