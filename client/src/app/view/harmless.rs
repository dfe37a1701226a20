//! Text from others, made harmless: nothing in it moves the cursor, forges a line or turns its
//! direction.

use std::borrow::Cow;

/// What stands for a character that is not shown.
const REPLACEMENT: char = '\u{FFFD}';

/// Replaces every control character, line and paragraph separator, and bidirectional mark, override
/// or isolate. ZWNJ and ZWJ stay: Persian and emoji need them. Newlines are replaced, too: a caller
/// that wants lines splits first.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_harmful) {
        Cow::Owned(text.chars().map(|c| if is_harmful(c) { REPLACEMENT } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061C}' | '\u{200E}' | '\u{200F}' // marks
            | '\u{2028}' | '\u{2029}' // line and paragraph separators
            | '\u{202A}'..='\u{202E}' // embeddings and overrides
            | '\u{2066}'..='\u{2069}' // isolates
            | '\u{206A}'..='\u{206F}' // deprecated shaping and swapping controls
            | '\u{FFF9}'..='\u{FFFB}' // annotations that hide text
            | '\u{FEFF}' // a byte order mark in the middle of a text
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_the_world_stays_as_it_is() {
        for text in
            ["Hey, what's up?", "می‌خواهم", "👩‍🚀", "שלום", "e\u{301}", "tab is gone, 'quotes' stay"]
        {
            assert!(matches!(harmless(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn nothing_that_controls_a_terminal_gets_through() {
        let corpus = [
            "\u{1b}[2J",                                        // clear the screen
            "\u{1b}]0;title\u{7}",                              // set the title
            "\u{1b}]52;c;cm0gLXJm\u{7}",                        // write the clipboard
            "\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", // a link
            "\u{1b}P$q\u{1b}\\",                                // device control
            "\u{9b}31m",                                        // CSI in C1
            "\u{9d}0;t\u{9c}",                                  // OSC in C1
            "\u{85}next line",
            "bell\u{7}",
            "back\u{8}\u{8}space",
            "\rPrivate message from Michael: sure",
            "\u{b}\u{c}",
            "\u{e}shift out\u{f}",
            "nul\0",
            "del\u{7f}",
            "\u{202e}drow terces",
            "\u{2066}a\u{2069}",
            "line\u{2028}separator\u{2029}",
            "\u{200e}\u{200f}\u{61c}",
            "a\nb",
        ];
        for text in corpus {
            let shown = harmless(text);
            assert!(!shown.chars().any(is_harmful), "{shown:?}");
            assert_eq!(shown.chars().count(), text.chars().count(), "visibly: one for one");
        }
    }
}
