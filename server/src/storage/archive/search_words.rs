//! What counts as a word, and which words are the same.
//!
//! - In scripts that put spaces between words, a word is what stands between two characters that
//!   are no letters or digits.
//! - Other scripts say nowhere where a word ends, or put endings on it (Korean). What stands there
//!   without a gap is a run, and every two characters of it that follow one another are indexed: so
//!   any part of it is found. A dictionary would lose the words inside longer ones.
//! - A symbol is a word of its own: 🎉 is found wherever it stands.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_script::{Script, UnicodeScript};

/// Stretches Arabic letters to fill a line, and means nothing.
const TATWEEL: char = '\u{640}';

/// What makes ガ of カ, and パ of ハ: another letter, and no accent.
const VOICED: [char; 2] = ['\u{3099}', '\u{309A}'];

/// The scripts in which words are not parted, or come with endings.
const UNPARTED: [Script; 16] = [
    Script::Han,
    Script::Hiragana,
    Script::Katakana,
    Script::Bopomofo,
    Script::Hangul,
    Script::Yi,
    Script::Thai,
    Script::Lao,
    Script::Khmer,
    Script::Myanmar,
    Script::Tai_Le,
    Script::New_Tai_Lue,
    Script::Tai_Tham,
    Script::Tai_Viet,
    Script::Balinese,
    Script::Javanese,
];

/// A piece of a text that can be looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SearchPiece {
    /// A word of a script with gaps, or a number. It is found as a whole.
    Word(String),
    /// Characters of a script without gaps. Any part is found.
    Run(String),
    /// A symbol, or the two letters of a flag.
    Symbol(String),
}

/// What a character is to a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Unparted,
    Symbol,
    FlagLetter,
    /// Parts words, but not a run: marks that are no letters, and what a reader does not see.
    Unseen,
    Gap,
}

/// The pieces of a text, folded, in their order.
pub(super) fn pieces(text: &str) -> Vec<SearchPiece> {
    let mut pieces: Vec<SearchPiece> = Vec::new();
    // What the character before was, as far as the next one may go on with its piece.
    let mut open = Class::Gap;
    for c in folded(text) {
        let class = class(c);
        match (class, pieces.last_mut()) {
            (Class::Letter, Some(SearchPiece::Word(piece)))
            | (Class::Unparted, Some(SearchPiece::Run(piece)))
            | (Class::FlagLetter, Some(SearchPiece::Symbol(piece)))
                if open == class =>
            {
                piece.push(c);
                // A flag has two letters.
                open = if class == Class::FlagLetter { Class::Gap } else { class };
            }
            (Class::Unseen, _) if open == Class::Unparted => {}
            _ => {
                pieces.extend(beginning_with(c, class));
                open = class;
            }
        }
    }
    pieces
}

fn beginning_with(c: char, class: Class) -> Option<SearchPiece> {
    match class {
        Class::Letter => Some(SearchPiece::Word(c.into())),
        Class::Unparted => Some(SearchPiece::Run(c.into())),
        Class::Symbol | Class::FlagLetter => Some(SearchPiece::Symbol(c.into())),
        Class::Unseen | Class::Gap => None,
    }
}

/// Every two characters of a run that follow one another.
pub(super) fn bigrams(run: &str) -> impl Iterator<Item = &str> {
    let starts = run.char_indices().map(|(start, _)| start);
    let ends = run.char_indices().map(|(start, c)| start + c.len_utf8()).skip(1);
    starts.zip(ends).map(|(start, end)| &run[start..end])
}

/// Signs of ASCII are no symbols: they stand in every address and in every line of a program.
fn class(c: char) -> Class {
    if c.is_ascii() {
        return if c.is_ascii_alphanumeric() { Class::Letter } else { Class::Gap };
    }
    match c {
        _ if c.is_alphanumeric() || VOICED.contains(&c) => {
            if is_unparted(c) {
                Class::Unparted
            } else {
                Class::Letter
            }
        }
        '\u{1F1E6}'..='\u{1F1FF}' => Class::FlagLetter,
        _ => match c.general_category() {
            GeneralCategory::OtherSymbol
            | GeneralCategory::MathSymbol
            | GeneralCategory::CurrencySymbol => Class::Symbol,
            GeneralCategory::Format
            | GeneralCategory::NonspacingMark
            | GeneralCategory::SpacingMark
            | GeneralCategory::EnclosingMark => Class::Unseen,
            _ => Class::Gap,
        },
    }
}

fn is_unparted(c: char) -> bool {
    let scripts = c.script_extension();
    // What is common to all scripts has all of them.
    !scripts.is_common()
        && !scripts.is_inherited()
        && UNPARTED.iter().any(|script| scripts.contains_script(*script))
}

/// A text without what makes no difference to who searches: case, accents and vowel marks,
/// compatibility forms, and the letters and digits that Arabic and Persian write differently.
fn folded(text: &str) -> impl Iterator<Item = char> {
    let bare = text.nfkd().filter(|c| !is_dropped(*c));
    bare.flat_map(char::to_lowercase).map(letter).nfc()
}

/// Marks are dropped, but for those that make another letter: voiced kana, and vowels of Thai and
/// its like.
fn is_dropped(c: char) -> bool {
    let makes_a_letter = || VOICED.contains(&c) || (c.is_alphanumeric() && is_unparted(c));
    c == TATWEEL || (canonical_combining_class(c) != 0 && !makes_a_letter())
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
    use super::*;

    /// The pieces: runs in brackets, symbols in angles.
    fn shown(text: &str) -> String {
        let shown = pieces(text).into_iter().map(|piece| match piece {
            SearchPiece::Word(word) => word,
            SearchPiece::Run(run) => format!("[{run}]"),
            SearchPiece::Symbol(symbol) => format!("<{symbol}>"),
        });
        shown.collect::<Vec<_>>().join(" ")
    }

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
            ("ﾃﾞｰﾀ", "データ"),
            ("👍🏽", "👍"),
            ("❤\u{FE0F}", "❤"),
            ("เป็น", "เปน"),
        ] {
            assert_eq!(shown(one), shown(other));
        }
    }

    #[test]
    fn words_end_where_letters_and_digits_do() {
        assert_eq!(shown("can't stop-- (now)! می\u{200C}خواهم"), "can t stop now می خواهم");
        assert_eq!(shown("https://x.org/a_b?c=1&d=%20#e+f"), "https x org a b c 1 d 20 e f");
        assert_eq!(shown("so\u{AD}ft zero\u{200B}width"), "so ft zero width");
        assert_eq!(pieces("हिन्दी").len(), 1, "vowel signs belong to a word");
        assert_eq!(shown(", ; ?! \"*\" :-) C++"), "c");
    }

    #[test]
    fn what_has_no_gaps_is_a_run() {
        assert_eq!(shown("我好想要，中文搜尋"), "[我好想要] [中文搜尋]");
        assert_eq!(shown("iPhone手机2024年"), "iphone [手机] 2024 [年]");
        assert_eq!(shown("データを食べた"), "[データを食べた]");
        assert_eq!(shown("々〇ー"), "[々〇ー]");
        assert_eq!(shown("회의에서 만나요"), "[회의에서] [만나요]");
        assert_eq!(shown("ภาษา\u{200B}ไทย"), "[ภาษาไทย]", "what nobody sees parts no run");
        assert_ne!(shown("かき"), shown("かぎ"));
        assert_ne!(shown("ดุ"), shown("ดู"));
    }

    #[test]
    fn symbols_are_words() {
        assert_eq!(shown("yes🎉🎉 ❤️!"), "yes <🎉> <🎉> <❤>");
        assert_eq!(shown("👩🏽\u{200D}👩\u{200D}👧"), "<👩> <👩> <👧>");
        assert_eq!(shown("🇩🇪🇫🇷 🇯"), "<🇩🇪> <🇫🇷> <🇯>");
        assert_eq!(shown("🇩👍🇪"), "<🇩> <👍> <🇪>");
        assert_eq!(shown("5 € → ∞"), "5 <€> <→> <∞>");
        assert_eq!(shown("🏽 \u{FE0F}\u{200D}"), "");
    }

    #[test]
    fn a_run_has_one_bigram_less_than_characters() {
        assert_eq!(bigrams("我好想").collect::<Vec<_>>(), ["我好", "好想"]);
        assert_eq!(bigrams("我").count() + bigrams("").count(), 0);
    }
}
