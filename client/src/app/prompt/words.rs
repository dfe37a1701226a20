//! Alt-f, Alt-b, Alt-d, Alt-Backspace: to the end or the beginning of a word.
//!
//! The line editor's words are made of letters alone: an accent that is a character of its own ends
//! one, and so does the zero-width non-joiner of Persian. Here a letter is what it looks like.

use rustyline::{At, CharSearch, Cmd, EventHandler, KeyCode, KeyEvent, Modifiers, Movement, Word};
use unicode_segmentation::UnicodeSegmentation;

use crate::app::keyboard::on_line::{LineKey, OnLine};

/// What a key does with a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WordKey {
    Forward,
    Backward,
    KillForward,
    KillBackward,
}

impl WordKey {
    /// All keys, with what they do.
    pub(super) fn all() -> impl Iterator<Item = (KeyEvent, EventHandler)> {
        let named = |code, modifiers, key| (KeyEvent(code, modifiers), key);
        let keys = [
            (KeyEvent::alt('f'), WordKey::Forward),
            (KeyEvent::alt('F'), WordKey::Forward),
            named(KeyCode::Right, Modifiers::ALT, WordKey::Forward),
            named(KeyCode::Right, Modifiers::CTRL, WordKey::Forward),
            (KeyEvent::alt('b'), WordKey::Backward),
            (KeyEvent::alt('B'), WordKey::Backward),
            named(KeyCode::Left, Modifiers::ALT, WordKey::Backward),
            named(KeyCode::Left, Modifiers::CTRL, WordKey::Backward),
            (KeyEvent::alt('d'), WordKey::KillForward),
            (KeyEvent::alt('D'), WordKey::KillForward),
            named(KeyCode::Backspace, Modifiers::ALT, WordKey::KillBackward),
        ];
        keys.into_iter().map(|(key, word)| (key, EventHandler::Conditional(Box::new(OnLine(word)))))
    }
}

impl LineKey for WordKey {
    fn command(&self, line: &str, cursor: usize) -> Option<Cmd> {
        let (before, behind) = line.split_at(cursor);
        match self {
            WordKey::Forward => forward(behind, CharSearch::Forward).map(Cmd::Move),
            WordKey::KillForward => forward(behind, CharSearch::ForwardBefore).map(Cmd::Kill),
            WordKey::Backward => backward(before).map(Cmd::Move),
            WordKey::KillBackward => backward(before).map(Cmd::Kill),
        }
    }
}

/// The movement to the end of the next word. The line editor counts nothing for a handler, so it is
/// one that needs no count: to the character behind the word, or over what has no space in it.
fn forward(behind: &str, search: fn(char) -> CharSearch) -> Option<Movement> {
    let word = &behind[..end(behind)];
    let Some(next) = behind[word.len()..].chars().next() else {
        return Some(Movement::EndOfBuffer);
    };
    // The editor looks for it behind the first letter.
    let first = word.graphemes(true).next()?.len();
    if !word[first..].contains(next) {
        return Some(Movement::ViCharSearch(1, search(next)));
    }
    let is_alone = next.is_whitespace() && !word.trim_start().contains(char::is_whitespace);
    is_alone.then_some(Movement::ForwardWord(1, At::AfterEnd, Word::Big))
}

/// The movement to the beginning of the last word.
fn backward(before: &str) -> Option<Movement> {
    let (kept, word) = before.split_at(start(before));
    let Some(last) = kept.chars().next_back() else { return Some(Movement::BeginningOfBuffer) };
    if !word.contains(last) {
        return Some(Movement::ViCharSearch(1, CharSearch::BackwardAfter(last)));
    }
    let is_alone = last.is_whitespace() && !word.trim_end().contains(char::is_whitespace);
    is_alone.then_some(Movement::BackwardWord(1, Word::Big))
}

/// Where the next word ends, in bytes.
fn end(text: &str) -> usize {
    let mut letters = text.grapheme_indices(true).skip_while(|(_, letter)| !is_letter(letter));
    letters.find(|(_, letter)| !is_letter(letter)).map_or(text.len(), |(at, _)| at)
}

/// Where the last word begins.
fn start(text: &str) -> usize {
    let mut letters =
        text.grapheme_indices(true).rev().skip_while(|(_, letter)| !is_letter(letter));
    letters.find(|(_, letter)| !is_letter(letter)).map_or(0, |(at, letter)| at + letter.len())
}

fn is_letter(cluster: &str) -> bool {
    cluster.chars().next().is_some_and(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "I want": a word with a zero-width non-joiner in it.
    const PERSIAN: &str = "\u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}\u{647}\u{645}";

    #[test]
    fn a_word_is_a_word_whatever_its_letters_are_made_of() {
        for word in ["plain", "cafe\u{301}s", PERSIAN] {
            let line = format!("  {word}, {word} ");
            assert_eq!(&line[..end(&line)], format!("  {word}"));
            assert_eq!(&line[start(&line)..], format!("{word} "));
            assert_eq!((end(word), start(word)), (word.len(), 0));
        }
        assert_eq!((end(""), start("")), (0, 0));
        assert_eq!((end("..."), start("...")), (3, 0));
    }

    #[test]
    fn keys_go_to_the_character_beside_the_word() {
        let search = |search| Some(Movement::ViCharSearch(1, search));
        let line = format!("{PERSIAN} {PERSIAN}");
        assert_eq!(forward(&line, CharSearch::Forward), search(CharSearch::Forward(' ')));
        assert_eq!(backward(&line), search(CharSearch::BackwardAfter(' ')));
        let over = forward("cafe\u{301}, x", CharSearch::Forward);
        assert_eq!(over, search(CharSearch::Forward(',')));
        assert_eq!(forward(PERSIAN, CharSearch::Forward), Some(Movement::EndOfBuffer));
        assert_eq!(backward(PERSIAN), Some(Movement::BeginningOfBuffer));
    }

    #[test]
    fn where_that_stands_before_the_word_too_another_movement_does_the_same() {
        let over = |line| forward(line, CharSearch::Forward);
        let big = Some(Movement::ForwardWord(1, At::AfterEnd, Word::Big));
        assert_eq!(over("  cafe\u{301} b"), big);
        assert_eq!(over("  ..cafe\u{301} b"), big);
        assert_eq!(over(" . a, b . c"), Some(Movement::ViCharSearch(1, CharSearch::Forward(','))));
        assert_eq!(backward("a b  "), Some(Movement::BackwardWord(1, Word::Big)));
        assert_eq!(backward("a b . "), None, "as the line editor has it");
    }
}
