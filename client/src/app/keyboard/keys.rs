//! From the bytes of a keyboard to whole keys and whole pastes. Pure.
//!
//! The line editor reads its keys one byte after the other, and while it waits for the rest of one
//! it shows nothing. So it gets only what is whole and what it knows. Nothing of a paste ever is a
//! key.
//!
//! - A byte that is not UTF-8 becomes U+FFFD.
//! - A key that the line editor does not know, or after which it would wait for another one, is
//!   dropped: cursor reports, the mouse, Ctrl-V, Ctrl-X, Alt with a digit.
//! - What comes behind a paste that was given up, and looks like more of it, is that.
//! - What was begun and does not go on is given up after a while: see [`Keys::patience`].

use std::time::Duration;

use crate::app::view::harmless;

/// Wakes the line editor. Nobody can type it.
pub(crate) const WAKE: char = '\u{10FFFD}';

/// Before a Ctrl-C: the line editor goes to the newest place of its history, where a draft is kept.
pub(crate) const BEFORE_INTERRUPT: char = '\u{10FFFC}';

/// What stands for what can't be read.
const REPLACEMENT: char = '\u{FFFD}';

/// How long a begun key is waited for. Less, and one that comes slowly over a network is taken for
/// several. Nothing but a lone Esc is seen to wait.
const BEGUN_PATIENCE: Duration = Duration::from_millis(500);

/// How long a paste may be silent before it is over, though its end did not come.
const PASTE_PATIENCE: Duration = Duration::from_secs(1);

/// How long Ctrl-C in a paste waits, to be sure that it is a key and not a part of the paste.
const INTERRUPT_PATIENCE: Duration = Duration::from_millis(50);

/// How long what arrives may wait while a search in the history is open.
const SEARCH_PATIENCE: Duration = Duration::from_millis(200);

/// The most bytes of a paste that are kept: a hundred times the longest message. The rest of it is
/// thrown away, and never typed.
const PASTE_BYTES_MAX: usize = 1024 * 1024;

/// The longest key, in bytes; a longer one is none.
const KEY_BYTES_MAX: usize = 32;

/// The longest answer of a terminal to a question that somebody else has asked, in bytes.
const ANSWER_BYTES_MAX: usize = 4 * 1024;

/// The longest search in the history, in keys.
const SEARCH_KEYS_MAX: usize = 1_024;

const ESC: u8 = 0x1b;
const CONTROL_C: u8 = 0x03;
const CONTROL_G: u8 = 0x07;
const CONTROL_R: u8 = 0x12;
const CONTROL_Z: u8 = 0x1a;

const PASTE_START: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";

/// What is to be done about what was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Typing {
    /// The line editor gets this: whole keys and whole pastes.
    Keys(Vec<u8>),
    /// Ctrl-Z.
    Suspend,
}

/// What was begun, and is not whole yet.
#[derive(Debug, PartialEq, Eq, Default)]
enum Begun {
    #[default]
    Nothing,
    /// A key that begins with Esc.
    Key(Vec<u8>),
    /// A character of several bytes.
    Character(Vec<u8>),
    /// A click, of which so many bytes are still to come.
    Click(usize),
    /// An answer to a question that the line editor has not asked.
    Answer(usize),
    Paste(Paste),
}

#[derive(Debug, PartialEq, Eq, Default)]
struct Paste {
    kept: Vec<u8>,
    /// The newest bytes, in which its end is looked for.
    newest: Vec<u8>,
    is_interrupted: bool,
}

/// What was typed and is on its way to the line editor.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    begun: Begun,
    /// A paste was given up before its end came: what goes on may still be it.
    has_stalled: bool,
    /// The keys of a search that may be open.
    search: Option<Vec<u8>>,
    typed: Vec<Typing>,
}

impl Keys {
    /// Takes what was read, and gives what is whole.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Typing> {
        if self.has_stalled && self.begun == Begun::Nothing && is_pasted(bytes) {
            self.begun = Begun::Paste(Paste::default());
        }
        for byte in bytes {
            self.take(*byte);
        }
        if let Begun::Paste(paste) = &mut self.begun {
            paste.is_interrupted = bytes == [CONTROL_C];
        }
        std::mem::take(&mut self.typed)
    }

    /// How long to wait for more before [`Keys::expire`]; nothing when there is nothing to wait
    /// for.
    pub(crate) fn patience(&self) -> Option<Duration> {
        match &self.begun {
            Begun::Nothing => self.search.as_ref().map(|_| SEARCH_PATIENCE),
            Begun::Key(_) | Begun::Character(_) | Begun::Click(_) | Begun::Answer(_) => {
                Some(BEGUN_PATIENCE)
            }
            Begun::Paste(paste) if paste.is_interrupted => Some(INTERRUPT_PATIENCE),
            Begun::Paste(_) => Some(PASTE_PATIENCE),
        }
    }

    /// Nothing more came for that long: what was begun is given up.
    pub(crate) fn expire(&mut self) -> Vec<Typing> {
        match std::mem::take(&mut self.begun) {
            Begun::Nothing | Begun::Click(_) | Begun::Answer(_) => {}
            Begun::Key(bytes) => self.give_up(&bytes),
            Begun::Character(_) => self.character(REPLACEMENT),
            Begun::Paste(Paste { is_interrupted: true, .. }) => self.interrupt(),
            Begun::Paste(Paste { kept, newest, .. }) => {
                self.has_stalled = true;
                self.paste(&[kept, newest].concat());
            }
        }
        std::mem::take(&mut self.typed)
    }

    /// The keys that leave an open search, and those that open it again as it was.
    pub(crate) fn search(&self) -> Option<(&'static [u8], &[u8])> {
        self.search.as_deref().map(|keys| (&[CONTROL_G][..], keys))
    }

    /// The search is over, if one was open.
    pub(crate) fn leave_search(&mut self) {
        self.search = None;
    }

    fn take(&mut self, byte: u8) {
        match std::mem::take(&mut self.begun) {
            Begun::Nothing => self.begin(byte),
            Begun::Key(bytes) => self.go_on(bytes, byte),
            Begun::Character(bytes) => self.go_on_in_character(bytes, byte),
            Begun::Click(left) => {
                self.begun = if left > 1 { Begun::Click(left - 1) } else { Begun::Nothing };
            }
            Begun::Answer(length) => match byte {
                // BEL, or the backslash of ESC \, whose Esc has begun a key.
                CONTROL_G => {}
                ESC => self.begun = Begun::Key(vec![ESC]),
                _ if length < ANSWER_BYTES_MAX => self.begun = Begun::Answer(length + 1),
                _ => {}
            },
            Begun::Paste(paste) => self.go_on_in_paste(paste, byte),
        }
    }

    fn begin(&mut self, byte: u8) {
        match byte {
            ESC => self.begun = Begun::Key(vec![ESC]),
            CONTROL_C | 0x1c => self.interrupt(),
            CONTROL_Z => self.typed.push(Typing::Suspend),
            0x20..=0x7f => self.key(&[byte]),
            0x00..=0x1f if is_known_control(byte) => self.key(&[byte]),
            0x00..=0x1f => {}
            0xc2..=0xf4 => self.begun = Begun::Character(vec![byte]),
            0x80..=0xc1 | 0xf5..=0xff => self.character(REPLACEMENT),
        }
    }

    fn go_on_in_character(&mut self, mut bytes: Vec<u8>, byte: u8) {
        bytes.push(byte);
        match str::from_utf8(&bytes) {
            Ok(text) => text.chars().for_each(|c| self.character(c)),
            Err(error) if error.error_len().is_none() => self.begun = Begun::Character(bytes),
            Err(_) => {
                self.character(REPLACEMENT);
                self.begin(byte);
            }
        }
    }

    fn go_on(&mut self, mut bytes: Vec<u8>, byte: u8) {
        if !matches!(byte, 0x20..=0x7f) {
            return self.break_off(&bytes, byte);
        }
        bytes.push(byte);
        match bytes[1..] {
            [b'[' | b'O'] => self.begun = Begun::Key(bytes),
            [b']' | b'P' | b'_' | b'^'] => self.begun = Begun::Key(bytes),
            // Behind a title, a colour or a version that a terminal tells.
            [b']' | b'P' | b'_' | b'^', b'0'..=b'?'] => self.begun = Begun::Answer(0),
            [b']' | b'P' | b'_' | b'^', ..] => self.begin(byte),
            [b'\\'] => {}
            [letter] if is_known_alt(letter) => self.key(&bytes),
            [_] => {}
            [b'O', b'0'..=b'9'] | [b'[', b'['] => self.begun = Begun::Key(bytes),
            [b'O', ..] | [b'[', b'[', _] => self.finish(&bytes),
            [b'[', ref digits @ .., b'$'] if digits.iter().all(u8::is_ascii_digit) => {
                self.finish(&bytes);
            }
            [.., 0x20..=0x3f] if bytes.len() < KEY_BYTES_MAX => self.begun = Begun::Key(bytes),
            _ => self.finish(&bytes),
        }
    }

    /// A key that has begun is followed by what can't belong to it.
    fn break_off(&mut self, bytes: &[u8], byte: u8) {
        match (bytes, byte) {
            // Alt with a control key, which the line editor does not know.
            ([ESC], 0x00..=0x1f) if ![ESC, CONTROL_C, CONTROL_Z].contains(&byte) => {}
            _ => {
                self.give_up(bytes);
                self.begin(byte);
            }
        }
    }

    fn give_up(&mut self, bytes: &[u8]) {
        if bytes == [ESC] {
            // Leaves a search; otherwise it does nothing, as Esc.
            self.key(&[CONTROL_G]);
        }
    }

    fn finish(&mut self, bytes: &[u8]) {
        match bytes {
            PASTE_START => self.begun = Begun::Paste(Paste::default()),
            PASTE_END => self.has_stalled = false,
            b"\x1b[M" => self.begun = Begun::Click(3),
            _ if is_known(&bytes[1..]) => self.key(bytes),
            _ => {}
        }
    }

    fn go_on_in_paste(&mut self, mut paste: Paste, byte: u8) {
        if paste.newest.len() == PASTE_END.len() {
            let oldest = paste.newest.remove(0);
            if paste.kept.len() < PASTE_BYTES_MAX {
                paste.kept.push(oldest);
            }
        }
        paste.newest.push(byte);
        if paste.newest == PASTE_END {
            self.has_stalled = false;
            self.paste(&paste.kept);
        } else {
            self.begun = Begun::Paste(paste);
        }
    }

    /// A whole paste. What would control the terminal is shown as in what others have written.
    fn paste(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
        let harmless = text
            .split_inclusive(['\n', '\t'])
            .map(|part| match part.char_indices().next_back() {
                Some((at, end @ ('\n' | '\t'))) => format!("{}{end}", harmless(&part[..at])),
                _ => harmless(part).into_owned(),
            })
            .collect::<String>()
            .replace([WAKE, BEFORE_INTERRUPT], "\u{FFFD}");
        self.search = None;
        self.send(&[PASTE_START, harmless.as_bytes(), PASTE_END].concat());
    }

    fn interrupt(&mut self) {
        self.search = None;
        self.has_stalled = false;
        let mut keys = BEFORE_INTERRUPT.to_string().into_bytes();
        keys.push(CONTROL_C);
        self.send(&keys);
    }

    fn character(&mut self, c: char) {
        let c = match c {
            WAKE | BEFORE_INTERRUPT => REPLACEMENT,
            c if c.is_control() => return,
            c => c,
        };
        self.key(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn key(&mut self, key: &[u8]) {
        match (&mut self.search, key) {
            (Some(keys), [0x20..=0x7f | 0x08 | CONTROL_R | 0x13] | [0x80..=0xff, ..])
                if keys.len() < SEARCH_KEYS_MAX =>
            {
                keys.extend_from_slice(key);
            }
            (None, [CONTROL_R]) => self.search = Some(vec![CONTROL_R]),
            _ => self.search = None,
        }
        self.send(key);
    }

    fn send(&mut self, keys: &[u8]) {
        match self.typed.last_mut() {
            Some(Typing::Keys(more)) => more.extend_from_slice(keys),
            Some(Typing::Suspend) | None => self.typed.push(Typing::Keys(keys.to_vec())),
        }
    }
}

/// Whether this looks like more of a paste: the end of a line comes together with something else.
/// Nobody types so fast. Without that it is harmless: it only becomes a part of the line.
fn is_pasted(bytes: &[u8]) -> bool {
    let ends_line = |byte: &u8| matches!(byte, b'\r' | b'\n');
    bytes.len() > 1 && bytes.iter().any(ends_line)
}

/// Keys with Control that the line editor does something about, and waits for nothing after.
fn is_known_control(byte: u8) -> bool {
    matches!(byte, 0x01 | 0x02 | 0x04..=0x0e | 0x10 | 0x12..=0x15 | 0x17 | 0x19 | 0x1f)
}

/// What Alt does something with.
fn is_known_alt(letter: u8) -> bool {
    b"bcdfltuyBCDFLTUY<>\x7f".contains(&letter)
}

/// The keys that the line editor knows, behind their Esc.
fn is_known(key: &[u8]) -> bool {
    match key {
        [b'O', letter] => b"ABCDFHMPQRSabcdltuvwx".contains(letter),
        [b'[', b'[', b'A'..=b'E'] => true,
        [b'[', letter] => b"ABCDFHZabcd".contains(letter),
        [b'[', b'1'..=b'8', b'~' | b'$' | b'@'] => true,
        [b'[', b'5', b'A'..=b'D'] => true,
        [b'[', b'1' | b'2', b'0'..=b'9', b'~'] => true,
        [b'[', b'1', b';', b'2'..=b'9', letter] => b"ABCDFHPQSpqrstuvwxy".contains(letter),
        [b'[', b'2' | b'3' | b'5' | b'6', b';', b'2'..=b'8', b'~'] => true,
        [b'[', b'1' | b'2', b'0'..=b'9', b';', b'2'..=b'8', b'~'] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
