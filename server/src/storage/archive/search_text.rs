//! What counts as a word, and which words are the same.
//!
//! The index is given words that are folded and separated already. So what is the same word is
//! decided here alone, for texts and queries alike, and no syntax of the index can be in a query.

use chatroom_proto::SearchQuery;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

use crate::chat::effect::ConversationId;
use crate::chat::entry::{GroupId, PersonId};

/// Stretches Arabic letters to fill a line, and means nothing.
const TATWEEL: char = '\u{640}';

/// Begins the tokens that say where something was said. No word has it in it, and to the index it
/// is a letter.
const PLACE: char = '§';

/// What the index is given of a post: its words, and where it was said. Made again from the row
/// when it is deleted from the index, so a change of what comes out of it is a change of the
/// schema.
pub(super) fn text(conversation: ConversationId, body: &str) -> String {
    let mut text = joined(body, " ");
    let places = match conversation {
        ConversationId::Group(group) => vec![group_token(group)],
        ConversationId::Pair(one, other) => vec![person_token(one), person_token(other)],
    };
    for place in places {
        text.push(' ');
        text.push_str(&place);
    }
    text
}

/// Asks the index for what has all of these words and was said in one of these groups, or to or by
/// this reader alone. Nothing, when that could find nothing.
pub(super) fn query(
    words: &SearchQuery,
    groups: &[GroupId],
    in_private: Option<PersonId>,
) -> Option<String> {
    let words = joined(words.as_str(), "\" AND \"");
    let places: Vec<String> =
        groups.iter().copied().map(group_token).chain(in_private.map(person_token)).collect();
    if words.is_empty() || places.is_empty() {
        return None;
    }
    Some(format!("\"{words}\" AND (\"{}\")", places.join("\" OR \"")))
}

fn group_token(group: GroupId) -> String {
    format!("{PLACE}g{}", group.0)
}

fn person_token(person: PersonId) -> String {
    format!("{PLACE}p{}", person.0)
}

fn joined(text: &str, separator: &str) -> String {
    let folded = folded(text);
    let words: Vec<&str> =
        folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.join(separator)
}

/// A text without what makes no difference to who searches: case, accents and vowel marks,
/// compatibility forms, and the letters and digits that Arabic and Persian write differently.
fn folded(text: &str) -> String {
    let is_mark = |c: &char| canonical_combining_class(*c) != 0 || *c == TATWEEL;
    let bare = text.nfkd().filter(|c| !is_mark(c));
    bare.flat_map(char::to_lowercase).map(letter).nfc().collect()
}

fn letter(c: char) -> char {
    match c {
        'ي' | 'ى' => 'ی',
        'ك' => 'ک',
        'ς' => 'σ',
        '٠'..='٩' => ascii_digit(c, '٠'),
        '۰'..='۹' => ascii_digit(c, '۰'),
        _ => c,
    }
}

fn ascii_digit(digit: char, zero: char) -> char {
    char::from_digit(u32::from(digit) - u32::from(zero), 10).unwrap_or(digit)
}

#[cfg(test)]
mod tests {
    use chatroom_proto::Seq;

    use super::*;

    #[test]
    fn words_that_look_the_same_to_a_reader_are_the_same() {
        for (one, other) in [
            ("كتاب علي", "کتاب علی"),
            ("موسى", "موسی"),
            ("کِتاب", "کتاب"),
            ("ســلام", "سلام"),
            ("۱۴۰۵ ١٤٠٥", "1405 1405"),
            ("Café ÉCOLE", "cafe ecole"),
            ("ＡＢＣ ﬁn", "abc fin"),
            ("ΣΟΦΟΣ", "σοφος"),
            ("İstanbul", "istanbul"),
            ("한국어", "\u{1112}\u{1161}\u{11AB}국어"),
        ] {
            assert_eq!(joined(one, " "), joined(other, " "));
        }
    }

    #[test]
    fn words_end_where_letters_and_digits_do() {
        assert_eq!(joined("can't stop-- (now)! می\u{200C}خواهم", "|"), "can|t|stop|now|می|خواهم");
        assert_eq!(joined("हिन्दी", "|").split('|').count(), 1, "vowel signs belong to a word");
    }

    #[test]
    fn a_query_has_no_syntax_but_ours() {
        let query = |words| {
            query(&SearchQuery::parse(words).unwrap(), &[GroupId(Seq(3))], Some(PersonId(Seq(7))))
        };
        assert_eq!(query("a").unwrap(), "\"a\" AND (\"§g3\" OR \"§p7\")");
        let hostile = query("\" OR NEAR(x*) :text -y ^z §g9").unwrap();
        let words = "\"or\" AND \"near\" AND \"x\" AND \"text\" AND \"y\" AND \"z\" AND \"g9\"";
        assert_eq!(hostile, format!("{words} AND (\"§g3\" OR \"§p7\")"));
        assert_eq!(query("?! \"*\""), None);
    }

    #[test]
    fn who_may_read_nothing_asks_for_nothing() {
        assert_eq!(query(&SearchQuery::parse("a").unwrap(), &[], None), None);
    }
}
