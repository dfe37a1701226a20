//! The terminal: it must be usable afterwards, whatever happens.
//!
//! Its mode is this program's affair from the first question to the end: remembered at the start,
//! restored at every end. The line editor waits for keys in a thread that nothing can stop from
//! outside. So every end of this process that is not the editor's own (a signal, a panic, a server
//! that is gone) restores the terminal here, and then leaves by `exit`, which takes that thread
//! with it.

use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize,
    tcsetattr,
};

const BRACKETED_PASTE_ON: &str = "\x1b[?2004h";
const BRACKETED_PASTE_OFF: &str = "\x1b[?2004l";

/// To the line's start, and away with it: the shell's prompt comes there.
const CLEAR_LINE: &str = "\r\x1b[J";

static FOUND: OnceLock<Found> = OnceLock::new();

/// The terminal as it was found, and what this program wants of it now.
struct Found {
    /// Standard input is the line editor's from some time on, and not the terminal any more.
    terminal: OwnedFd,
    mode: Termios,
    wanted: Mutex<Wanted>,
}

#[derive(Default)]
struct Wanted {
    /// What is typed comes here at once, and the terminal keeps it to itself.
    raw: bool,
    /// Ctrl-C interrupts the program.
    signals: bool,
    /// Pastes are marked.
    marks_pastes: bool,
}

/// Remembers how the terminal is, and sees to it that a panic in any thread restores it and ends
/// the process: half a client is of no use to anybody.
pub(crate) fn remember() {
    if !io::stdin().is_terminal() {
        return;
    }
    let terminal = io::stdin().as_fd().try_clone_to_owned();
    if let (Ok(terminal), Ok(mode)) = (terminal, tcgetattr(io::stdin())) {
        let _ = FOUND.set(Found { terminal, mode, wanted: Mutex::default() });
    }
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        restore(true);
        report(panic);
        std::process::exit(101);
    }));
}

/// Makes the terminal this program's: what is typed is shown by the line editor and nobody else,
/// and pastes are marked. Ctrl-C still interrupts the program.
pub(crate) fn take() {
    want(|wanted| *wanted = Wanted { raw: true, signals: true, marks_pastes: true });
    write(BRACKETED_PASTE_ON);
}

/// The same for a terminal that knows no sequences. Tells whether it has shown what is typed: one
/// that does not is left as it is.
pub(crate) fn take_plain() -> bool {
    let shows = |found: &Found| found.mode.local_modes.contains(LocalModes::ECHO);
    let is_to_be_taken = FOUND.get().is_some_and(shows);
    if is_to_be_taken {
        want(|wanted| *wanted = Wanted { raw: true, signals: true, marks_pastes: false });
    }
    is_to_be_taken
}

/// Whether Ctrl-C interrupts the program. Otherwise it is a key.
pub(crate) fn set_interrupts(interrupts: bool) {
    want(|wanted| wanted.signals = interrupts);
}

/// The shell has called this program to the foreground again, and may have changed the mode.
pub(crate) fn take_again() {
    let Some(found) = FOUND.get() else { return };
    let wanted = found.wanted();
    if wanted.raw {
        found.apply(&wanted);
    }
    if wanted.marks_pastes {
        write(BRACKETED_PASTE_ON);
    }
}

/// The shell gets its terminal as it was, until [`take_again`].
pub(crate) fn lend() {
    let Some(found) = FOUND.get() else { return };
    if found.wanted().marks_pastes {
        write(BRACKETED_PASTE_OFF);
    }
    let _ = tcsetattr(&found.terminal, OptionalActions::Now, &found.mode);
}

/// No line is edited any more: pastes are not marked.
pub(crate) fn stop_editing() {
    want(|wanted| {
        wanted.signals = true;
        wanted.marks_pastes = false;
    });
    write(BRACKETED_PASTE_OFF);
}

/// Restores the terminal. `is_typing` tells whether a line is being typed: it is cleared away.
pub(crate) fn restore(is_typing: bool) {
    let Some(found) = FOUND.get() else { return };
    let wanted = std::mem::take(&mut *found.wanted());
    if wanted.marks_pastes {
        write(BRACKETED_PASTE_OFF);
    }
    if is_typing {
        write(CLEAR_LINE);
    }
    let _ = tcsetattr(&found.terminal, OptionalActions::Now, &found.mode);
}

/// How wide the window is now, in columns; nothing where it is no window.
pub(crate) fn columns() -> Option<usize> {
    tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col))
}

/// How high it is, in rows.
pub(crate) fn rows() -> Option<usize> {
    tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_row))
}

/// Writes what moves the cursor and the like, and only to a terminal, which may be gone (SIGHUP):
/// then there is nobody to complain to.
pub(crate) fn write(sequence: &str) {
    if io::stdout().is_terminal() {
        let mut out = io::stdout().lock();
        let _ = out.write_all(sequence.as_bytes());
        let _ = out.flush();
    }
}

/// The terminal, and the mode in which it has been found.
pub(crate) fn found() -> Option<(BorrowedFd<'static>, &'static Termios)> {
    FOUND.get().map(|found| (found.terminal.as_fd(), &found.mode))
}

fn want(change: impl FnOnce(&mut Wanted)) {
    let Some(found) = FOUND.get() else { return };
    let mut wanted = found.wanted();
    change(&mut wanted);
    if wanted.raw {
        found.apply(&wanted);
    }
}

impl Found {
    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, wanted: &Wanted) {
        let mut mode = raw(&self.mode);
        mode.local_modes.set(LocalModes::ISIG, wanted.signals);
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &mode);
    }
}

/// This mode, but that every byte comes at once and as it is, and nothing is shown. What is written
/// stays as it was: a line feed returns to the first column.
pub(crate) fn raw(mode: &Termios) -> Termios {
    let mut raw = mode.clone();
    raw.local_modes -=
        LocalModes::ECHO | LocalModes::ICANON | LocalModes::IEXTEN | LocalModes::ISIG;
    raw.input_modes -= InputModes::BRKINT
        | InputModes::ICRNL
        | InputModes::INPCK
        | InputModes::ISTRIP
        | InputModes::IXON;
    raw.special_codes[SpecialCodeIndex::VMIN] = 1;
    raw.special_codes[SpecialCodeIndex::VTIME] = 0;
    raw
}
