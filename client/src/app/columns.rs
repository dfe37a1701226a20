//! How many columns of a terminal a text may take: at most, in any terminal in use.
//!
//! Terminals don't agree. A character that this program gives none and the terminal gives one makes
//! a line longer than the row, and the rest of it would begin a row of its own: there, somebody
//! could write what looks like another person's message. The other way round, a line only ends a
//! little earlier. So each character counts for what the most generous terminal gives it.
//!
//! `unicode-width` is what vt100, Alacritty and others go by. What glibc 2.36 and tmux 3.3a give
//! more than that is in a table here: all assigned characters were compared. That a variation
//! selector makes an emoji wide is kitty's way, and not tmux's.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

/// Makes the character before it an emoji, which is wide.
const EMOJI_SELECTOR: char = '\u{FE0F}';

/// The widest character with its marks that is not divided: a family of four.
const CLUSTER_COLUMNS_MAX: usize = 8;

/// Characters that have no column by `unicode-width`, and one elsewhere: signs before numbers and
/// verses, fillers, and vowel signs that stand beside their letter.
const ONE: &[(char, char)] = &[
    ('\u{AD}', '\u{AD}'),
    ('\u{605}', '\u{605}'),
    ('\u{70F}', '\u{70F}'),
    ('\u{890}', '\u{891}'),
    ('\u{8E2}', '\u{8E2}'),
    ('\u{9BE}', '\u{9BE}'),
    ('\u{9D7}', '\u{9D7}'),
    ('\u{B3E}', '\u{B3E}'),
    ('\u{B57}', '\u{B57}'),
    ('\u{BBE}', '\u{BBE}'),
    ('\u{BD7}', '\u{BD7}'),
    ('\u{CC0}', '\u{CC0}'),
    ('\u{CC2}', '\u{CC2}'),
    ('\u{CC7}', '\u{CC8}'),
    ('\u{CCA}', '\u{CCB}'),
    ('\u{CD5}', '\u{CD6}'),
    ('\u{D3E}', '\u{D3E}'),
    ('\u{D4E}', '\u{D4E}'),
    ('\u{D57}', '\u{D57}'),
    ('\u{DCF}', '\u{DCF}'),
    ('\u{DDF}', '\u{DDF}'),
    ('\u{1715}', '\u{1715}'),
    ('\u{1734}', '\u{1734}'),
    ('\u{1B35}', '\u{1B35}'),
    ('\u{1B3B}', '\u{1B3B}'),
    ('\u{1B3D}', '\u{1B3D}'),
    ('\u{1B43}', '\u{1B44}'),
    ('\u{1BAA}', '\u{1BAA}'),
    ('\u{1BF2}', '\u{1BF3}'),
    ('\u{A8FA}', '\u{A8FA}'),
    ('\u{A953}', '\u{A953}'),
    ('\u{A9C0}', '\u{A9C0}'),
    ('\u{FFA0}', '\u{FFA0}'),
    ('\u{111C0}', '\u{111C0}'),
    ('\u{111C2}', '\u{111C3}'),
    ('\u{11235}', '\u{11235}'),
    ('\u{1133E}', '\u{1133E}'),
    ('\u{1134D}', '\u{1134D}'),
    ('\u{11357}', '\u{11357}'),
    ('\u{114B0}', '\u{114B0}'),
    ('\u{114BD}', '\u{114BD}'),
    ('\u{115AF}', '\u{115AF}'),
    ('\u{116B6}', '\u{116B6}'),
    ('\u{11930}', '\u{11930}'),
    ('\u{1193D}', '\u{1193D}'),
    ('\u{1193F}', '\u{1193F}'),
    ('\u{11941}', '\u{11941}'),
    ('\u{11A84}', '\u{11A89}'),
    ('\u{11D46}', '\u{11D46}'),
    ('\u{1D165}', '\u{1D166}'),
    ('\u{1D16D}', '\u{1D172}'),
];

/// Characters that have two columns elsewhere, and fewer by `unicode-width`: tone marks, the Hangul
/// filler, numbers in squares; and the letters that flags are made of.
const TWO: &[(char, char)] = &[
    ('\u{302E}', '\u{302F}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{3248}', '\u{324F}'),
    ('\u{16FF0}', '\u{16FF1}'),
    ('\u{1F1E6}', '\u{1F1FF}'),
];

/// The columns of a text.
pub(crate) fn columns(text: &str) -> usize {
    pieces(text).map(|(_, columns)| columns).sum()
}

/// What can't be divided, piece by piece, with its columns: characters with their marks, and
/// sequences that set a colour.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = (&str, usize)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let length = sequence(rest).or_else(|| undivided(rest))?;
        let (piece, behind) = rest.split_at(length);
        rest = behind;
        let is_shown = !piece.starts_with('\u{1b}');
        Some((piece, if is_shown { cluster(piece) } else { 0 }))
    })
}

/// The length of the character that the text begins with, with its marks. So many marks that they
/// fill a row are no character: then it is the first of them.
fn undivided(text: &str) -> Option<usize> {
    let whole = text.graphemes(true).next()?;
    let first = whole.chars().next()?;
    Some(if cluster(whole) <= CLUSTER_COLUMNS_MAX { whole.len() } else { first.len_utf8() })
}

/// The length of a sequence that the text begins with.
fn sequence(text: &str) -> Option<usize> {
    text.strip_prefix("\u{1b}[").and(text.find('m')).map(|end| end + 1)
}

fn cluster(cluster: &str) -> usize {
    let columns = cluster.chars().map(character).sum();
    if cluster.contains(EMOJI_SELECTOR) { 2.max(columns) } else { columns }
}

fn character(c: char) -> usize {
    if is_in(TWO, c) {
        2
    } else if is_in(ONE, c) {
        1
    } else {
        c.width().unwrap_or_default()
    }
}

fn is_in(ranges: &[(char, char)], c: char) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= c);
    after.checked_sub(1).is_some_and(|at| c <= ranges[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_counts_for_what_the_most_generous_terminal_gives_it() {
        for (text, expected) in [
            ("plain", 5),
            ("\u{5b57}", 2),
            ("e\u{301}", 1),
            ("\u{645}\u{6cc}\u{200c}", 2),
            ("\u{AD}", 1),
            ("\u{70F}", 1),
            ("\u{8E2}", 1),
            ("\u{FFA0}", 1),
            ("\u{3164}", 2),
            ("\u{302E}", 2),
            ("\u{16FF0}", 2),
            ("\u{995}\u{9BE}", 2),
            ("\u{2764}\u{FE0F}", 2),
            ("1\u{FE0F}\u{20E3}", 2),
            ("\u{1F1E9}\u{1F1EA}", 4),
            ("\u{1b}[1mbold\u{1b}[0m", 4),
        ] {
            assert_eq!(columns(text), expected, "{}", text.escape_unicode());
        }
    }

    #[test]
    fn the_tables_are_in_order_and_no_character_takes_more_columns_than_bytes() {
        for table in [ONE, TWO] {
            assert!(table.iter().all(|(first, last)| first <= last));
            assert!(table.windows(2).all(|two| two[0].1 < two[1].0));
        }
        let all = (0..=u32::from(char::MAX)).filter_map(char::from_u32);
        let wide = all.clone().find(|c| character(*c) > c.len_utf8());
        assert_eq!(wide, None);
        let mut all = all;
        let narrow = all.find(|c| character(*c) < c.width().unwrap_or_default());
        assert_eq!(narrow, None, "never less than others count");
    }
}
