//! The terminal must be usable afterwards, whatever happens: remembered at the start, restored at
//! every end.
//!
//! The line editor sets raw mode while it waits for a key, and nothing can stop it from outside. So
//! every end of this process that is not the editor's own (a signal, a panic, a server that is
//! gone) restores the terminal here, and then leaves by `exit`, which takes the editor's thread
//! with it.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use nix::sys::signal::{Signal, raise};
use rustix::termios::{InputModes, LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

const BRACKETED_PASTE_ON: &[u8] = b"\x1b[?2004h";
const BRACKETED_PASTE_OFF: &[u8] = b"\x1b[?2004l";

/// To the line's start, and away with it: the shell's prompt comes there.
const CLEAR_LINE: &[u8] = b"\r\x1b[J";

static REMEMBERED: OnceLock<Termios> = OnceLock::new();

/// Remembers how the terminal is, and sees to it that a panic in any thread restores it and ends
/// the process: half a client is of no use to anybody.
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

/// Makes the terminal keep what is typed to itself, until the line editor wants it. Between two
/// lines the editor puts back the mode that it found; if that were the shell's, what is typed just
/// then would be shown twice. `signals` tells whether Ctrl-C still interrupts the program.
pub(crate) fn quieten(signals: bool) {
    let Some(mut quiet) = REMEMBERED.get().cloned() else { return };
    quiet.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::IEXTEN;
    quiet.local_modes.set(LocalModes::ISIG, signals);
    quiet.input_modes -= InputModes::ICRNL | InputModes::IXON;
    let _ = tcsetattr(io::stdin(), OptionalActions::Now, &quiet);
}

/// Ctrl-Z while a line is being typed: the shell gets its terminal as it was, and the line goes on
/// where it stopped.
pub(crate) fn suspend() {
    let Ok(editing) = tcgetattr(io::stdin()) else { return };
    restore(false);
    // To this thread: a signal to the whole process may stop another one first, and this one would
    // go on for a moment and take the terminal back.
    let _ = raise(Signal::SIGTSTP);
    // The shell has called this program to the foreground again.
    let _ = tcsetattr(io::stdin(), OptionalActions::Now, &editing);
    write(&[BRACKETED_PASTE_ON]);
}

/// Restores the terminal. `is_typing` tells whether a line is being typed: it is cleared away.
pub(crate) fn restore(is_typing: bool) {
    let Some(termios) = REMEMBERED.get() else { return };
    write(if is_typing { &[BRACKETED_PASTE_OFF, CLEAR_LINE] } else { &[BRACKETED_PASTE_OFF] });
    let _ = tcsetattr(io::stdin(), OptionalActions::Now, termios);
}

/// The terminal may be gone (SIGHUP): then there is nobody to complain to.
fn write(sequences: &[&[u8]]) {
    if io::stdout().is_terminal() {
        let mut out = io::stdout().lock();
        let _ = out.write_all(&sequences.concat());
        let _ = out.flush();
    }
}
