//! What is typed and not shown: a password.
//!
//! The line editor never gets it. What it once had stays in its kill ring for the next Ctrl-Y, and
//! in what undo brings back; and its cursor tells how long the line is. So the keys are taken
//! before they come there, the line stays empty, and the cursor stays behind the question.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustyline::{
    Cmd, ConditionalEventHandler, Event, EventContext, KeyCode, KeyEvent, Modifiers, RepeatCount,
};

/// The most bytes of it that are kept, more than any password has: a paste of anything else must
/// not fill the memory.
const UNSEEN_BYTES_MAX: usize = 16 * 1024;

/// Where the keys go while something is asked for that is not shown. Clones share it.
#[derive(Clone, Default)]
pub(super) struct PasswordInput(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// What was typed so far; nothing while lines are read as they are.
    typed: Option<String>,
    /// In a paste, a line end is no Enter.
    is_pasted: bool,
}

impl PasswordInput {
    /// From now on, keys come here.
    pub(super) fn begin(&self) {
        *self.lock() = State { typed: Some(String::new()), is_pasted: false };
    }

    /// And now they don't any more. Gives what was typed.
    pub(super) fn end(&self) -> String {
        std::mem::take(&mut *self.lock()).typed.unwrap_or_default()
    }

    /// Whether keys come here.
    pub(super) fn is_asked_for(&self) -> bool {
        self.lock().typed.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What the editor does about a key; nothing when it may do what it always does.
    fn take(&mut self, KeyEvent(code, modifiers): KeyEvent) -> Option<Cmd> {
        let typed = self.typed.as_mut()?;
        let is_enter = code == KeyCode::Enter || is_control(code, modifiers, &['J', 'M']);
        match code {
            _ if is_enter && self.is_pasted => typed.push('\n'),
            _ if is_enter => return None,
            KeyCode::BracketedPasteStart => self.is_pasted = true,
            KeyCode::BracketedPasteEnd => {
                self.is_pasted = false;
                // Whoever copies a line often copies its end.
                typed.truncate(typed.trim_end_matches('\n').len());
            }
            KeyCode::Tab if self.is_pasted => typed.push('\t'),
            KeyCode::Char(c) if modifiers == Modifiers::NONE => typed.push(c),
            KeyCode::Backspace => drop(typed.pop()),
            _ if is_control(code, modifiers, &['H']) => drop(typed.pop()),
            // Nobody sees where a word begins: all of it goes.
            _ if is_control(code, modifiers, &['U', 'W']) => typed.clear(),
            _ if is_control(code, modifiers, &['C']) => return Some(Cmd::Interrupt),
            _ if is_control(code, modifiers, &['D']) && typed.is_empty() => return None,
            _ => {}
        }
        if typed.len() > UNSEEN_BYTES_MAX {
            // What is too long is no password any more, and is said to be none.
            typed.truncate(typed.floor_char_boundary(UNSEEN_BYTES_MAX));
        }
        Some(Cmd::Noop)
    }
}

fn is_control(code: KeyCode, modifiers: Modifiers, letters: &[char]) -> bool {
    modifiers == Modifiers::CTRL && letters.iter().any(|letter| code == KeyCode::Char(*letter))
}

impl ConditionalEventHandler for PasswordInput {
    fn handle(&self, event: &Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        match event {
            Event::KeySeq(keys) => self.lock().take(*keys.first()?),
            Event::Any | Event::Mouse() => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(password_input: &PasswordInput, keys: &[KeyEvent]) -> Vec<Option<Cmd>> {
        keys.iter().map(|key| password_input.lock().take(*key)).collect()
    }

    fn type_text(password_input: &PasswordInput, text: &str) {
        for c in text.chars() {
            assert_eq!(
                press(password_input, &[KeyEvent(KeyCode::Char(c), Modifiers::NONE)]),
                [Some(Cmd::Noop)]
            );
        }
    }

    #[test]
    fn keys_are_the_editor_s_unless_something_is_asked_for() {
        let password_input = PasswordInput::default();
        let key = KeyEvent(KeyCode::Char('a'), Modifiers::NONE);
        assert_eq!(press(&password_input, &[key]), [None]);
        password_input.begin();
        type_text(&password_input, "ab");
        assert_eq!(password_input.end(), "ab");
        assert_eq!(press(&password_input, &[key]), [None]);
        assert_eq!(password_input.end(), "");
    }

    #[test]
    fn what_was_typed_can_be_taken_back() {
        let password_input = PasswordInput::default();
        password_input.begin();
        type_text(&password_input, "wrong");
        press(&password_input, &[KeyEvent::ctrl('W')]);
        type_text(&password_input, "räxx");
        press(
            &password_input,
            &[KeyEvent(KeyCode::Backspace, Modifiers::NONE), KeyEvent::ctrl('H')],
        );
        assert_eq!(
            press(&password_input, &[KeyEvent::ctrl('D')]),
            [Some(Cmd::Noop)],
            "it is not empty"
        );
        assert_eq!(press(&password_input, &[KeyEvent(KeyCode::Enter, Modifiers::NONE)]), [None]);
        assert_eq!(password_input.end(), "rä");
    }

    #[test]
    fn nothing_that_an_editor_could_do_with_it_is_done() {
        let password_input = PasswordInput::default();
        password_input.begin();
        let keys =
            [KeyEvent::ctrl('Y'), KeyEvent::ctrl('R'), KeyEvent::ctrl('V'), KeyEvent::ctrl('_')];
        for key in
            keys.into_iter().chain([KeyEvent::alt('b'), KeyEvent(KeyCode::Up, Modifiers::NONE)])
        {
            assert_eq!(press(&password_input, &[key]), [Some(Cmd::Noop)], "{key:?}");
        }
        assert_eq!(press(&password_input, &[KeyEvent::ctrl('C')]), [Some(Cmd::Interrupt)]);
        assert_eq!(press(&password_input, &[KeyEvent::ctrl('D')]), [None]);
        assert_eq!(password_input.end(), "");
    }

    #[test]
    fn a_paste_is_one_password_without_the_line_end_behind_it() {
        let password_input = PasswordInput::default();
        password_input.begin();
        let enter = KeyEvent(KeyCode::Enter, Modifiers::NONE);
        press(&password_input, &[KeyEvent(KeyCode::BracketedPasteStart, Modifiers::NONE)]);
        type_text(&password_input, "one");
        assert_eq!(press(&password_input, &[enter]), [Some(Cmd::Noop)]);
        type_text(&password_input, "two");
        press(&password_input, &[enter, KeyEvent(KeyCode::BracketedPasteEnd, Modifiers::NONE)]);
        assert_eq!(press(&password_input, &[enter]), [None]);
        assert_eq!(password_input.end(), "one\ntwo");
    }

    #[test]
    fn it_is_bounded() {
        let password_input = PasswordInput::default();
        password_input.begin();
        type_text(&password_input, &"é".repeat(UNSEEN_BYTES_MAX));
        assert_eq!(password_input.end().len(), UNSEEN_BYTES_MAX);
    }
}
