//! Where somebody's name stands in a text. Pure.

use std::ops::Range;

use chatroom_proto::UserName;
use unicode_segmentation::UnicodeSegmentation;

/// Joins letters, or keeps them apart.
const JOINERS: [char; 2] = ['\u{200C}', '\u{200D}'];

/// Where in this line the name stands as a word of its own: written in any way in which it is the
/// same name. The time that this takes grows with the line, whatever is in it.
pub fn mentions(line: &str, name: &UserName) -> Vec<Range<usize>> {
    let key = name.key();
    let letters: Vec<_> = line.grapheme_indices(true).map(Letter::new).collect();
    let begins_word =
        |at: usize| at == 0 || !(letters[at - 1].is_of_word && letters[at].is_of_word);
    let mut found = Vec::new();
    let mut at = 0;
    while at < letters.len() {
        match name_ends(&letters[at..], key.as_str()) {
            Some(length) if begins_word(at) => {
                let next = at + length;
                if next == letters.len() || begins_word(next) {
                    let end = letters.get(next).map_or(line.len(), |letter| letter.at);
                    found.push(letters[at].at..end);
                }
                at = next;
            }
            _ => at += 1,
        }
    }
    found
}

/// How many letters the name takes, if it begins here.
fn name_ends(letters: &[Letter], key: &str) -> Option<usize> {
    let mut rest = key;
    for (length, letter) in letters.iter().enumerate() {
        if rest.is_empty() {
            return Some(length);
        }
        rest = rest.strip_prefix(letter.folded.as_deref()?)?;
    }
    rest.is_empty().then_some(letters.len())
}

/// What looks like one letter, with its accents.
struct Letter {
    at: usize,
    /// As in keys of names; nothing for what can be in none.
    folded: Option<Box<str>>,
    /// Whether words are made of it.
    is_of_word: bool,
}

impl Letter {
    fn new((at, letter): (usize, &str)) -> Letter {
        // Behind a letter they are a part of it, and make no difference; at the end of a name they
        // are refused.
        let alone = letter.trim_end_matches(JOINERS);
        let folded = UserName::parse(alone).ok().map(|name| name.key().as_str().into());
        Letter { at, folded, is_of_word: letter.chars().next().is_some_and(char::is_alphanumeric) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'a>(line: &'a str, name: &str) -> Vec<&'a str> {
        let name = UserName::parse(name).unwrap();
        mentions(line, &name).into_iter().map(|range| &line[range]).collect()
    }

    #[test]
    fn a_name_is_found_as_a_whole_word_in_any_case_and_width() {
        assert_eq!(found("Jim: ask @jim, not JIM's", "jim"), ["Jim", "jim", "JIM"]);
        assert_eq!(found("Jimmy, jimjim and xjim", "Jim"), [""; 0]);
        assert_eq!(found("Ｊｉｍ", "jim"), ["Ｊｉｍ"]);
        assert_eq!(found("STRASSE", "straße"), ["STRASSE"]);
        assert_eq!(found("is it e\u{301}?", "É"), ["e\u{301}"]);
        assert_eq!(found("", "x"), [""; 0]);
    }

    #[test]
    fn names_of_any_script_are_found_and_those_of_signs() {
        assert_eq!(found("سلام علی، خوبی؟", "علی"), ["علی"]);
        assert_eq!(found("علیرضا", "علی"), [""; 0]);
        assert_eq!(found("می\u{200C}خواهم", "میخواهم"), ["می\u{200C}خواهم"]);
        assert_eq!(found("ask J.R.R., please", "j.r.r."), ["J.R.R."]);
        assert_eq!(found("👩👩\u{200D}🚀", "👩"), ["👩"]);
        assert_eq!(found("🦀🦀", "🦀"), ["🦀", "🦀"]);
    }
}
