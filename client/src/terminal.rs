//! The terminal must be usable afterwards, whatever happens: remembered at the start, restored at every end.
//!
//! The line editor sets raw mode while it waits for a key, and nothing can stop it from outside. So every end of this
//! process that is not the editor's own (a signal, a panic, a server that is gone) restores the terminal here, and
//! then leaves by `exit`, which takes the editor's thread with it.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

const BRACKETED_PASTE_OFF: &[u8] = b"\x1b[?2004l";

/// To the line's start, and away with it: the shell's prompt comes there.
const CLEAR_LINE: &[u8] = b"\r\x1b[J";

static REMEMBERED: OnceLock<Termios> = OnceLock::new();

/// Remembers how the terminal is, and sees to it that a panic in any thread restores it and ends the process: half a
/// client is of no use to anybody.
pub(crate) fn remember() {
    if !io::stdin().is_terminal() {
        return;
    }
    if let Ok(termios) = tcgetattr(io::stdin()) {
        let _ = REMEMBERED.set(termios);
    }
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        restore(true);
        report(panic);
        std::process::exit(101);
    }));
}

/// Restores the terminal. `is_typing` tells whether a line is being typed: it is cleared away.
pub(crate) fn restore(is_typing: bool) {
    let Some(termios) = REMEMBERED.get() else { return };
    // The terminal may be gone (SIGHUP); then there is nothing to restore.
    if io::stdout().is_terminal() {
        let mut out = io::stdout().lock();
        let _ = out.write_all(BRACKETED_PASTE_OFF);
        if is_typing {
            let _ = out.write_all(CLEAR_LINE);
        }
        let _ = out.flush();
    }
    let _ = tcsetattr(io::stdin(), OptionalActions::Now, termios);
}
