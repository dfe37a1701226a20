//! Long lines, as a terminal shows them. By itself it would go on at the beginning of the next row,
//! where lines of this program begin: somebody could fill a row with spaces, and what comes behind
//! them would look like a line of its own.

use std::borrow::Cow;

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

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
pub(crate) fn folded(text: &str, columns: usize, fold: Fold) -> Cow<'_, str> {
    // No character takes more columns than bytes.
    if columns < COLUMNS_MIN || text.split('\n').all(|line| line.len() <= columns) {
        return Cow::Borrowed(text);
    }
    let options = Options::new(columns)
        .subsequent_indent(CONTINUATION)
        .word_separator(WordSeparator::AsciiSpace)
        .break_words(fold == Fold::Everywhere)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    let lines = text.split('\n').flat_map(|line| textwrap::wrap(line, &options));
    Cow::Owned(lines.collect::<Vec<_>>().join("\n"))
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
