//! The thread between the terminal and the line editor.
//!
//! The line editor is a good one, and trusts its terminal: a byte that is not UTF-8 ends it, half a
//! key blocks it, and nothing can wake it. So it does not get the terminal. This thread reads it,
//! and passes on what is whole through a pseudo-terminal, which takes the place of standard input.
//! The line editor still writes to the window itself.
//!
//! ```text
//! terminal --> this thread: keys --> pseudo-terminal --> line editor --> window
//! ```
//!
//! - `keyboard/keys.rs`: from bytes to whole keys and whole pastes.
//! - `keyboard/waking.rs`: what the line editor is woken for.
//! - `keyboard/on_line.rs`: keys of ours, as the line editor calls them.

pub(crate) mod keys;
pub(crate) mod on_line;
pub(crate) mod waking;

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, raise};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{OptionalActions, tcsetattr};

use crate::app::gate::Gate;
use crate::app::terminal;
use keys::{Keys, Typing, WAKE};
use waking::Waking;

/// The most bytes that are read at once.
const READ_BYTES_MAX: usize = 4 * 1024;

/// How long this thread waits to be told that the program goes on after a Ctrl-Z. Nobody tells it
/// where there is no shell to stop for.
const GO_ON_WAIT: Duration = Duration::from_millis(150);

/// How long an open search is left for, to show what has arrived.
const REVEAL_WAIT: Duration = Duration::from_millis(200);

/// Asks this thread to wake the line editor.
const WAKE_UP: u8 = b'w';

/// Asks it to leave the terminal alone: what is typed from now on is the shell's.
const REST: u8 = b'r';

/// A handle to the thread. Without one, the line editor reads the terminal itself, and a prompt
/// changes with the next line.
#[derive(Clone, Default)]
pub(crate) struct Keyboard {
    pub(crate) waking: Waking,
    requests: Option<Arc<PipeWriter>>,
}

impl Keyboard {
    /// Puts the thread between the terminal and standard input.
    ///
    /// # Errors
    /// When no pseudo-terminal is to be had. Then nothing has changed.
    pub(crate) fn plug_in(gate: Arc<Gate>) -> io::Result<Keyboard> {
        let (terminal, mode) = terminal::found().ok_or(io::ErrorKind::NotConnected)?;
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let editor = openpt(flags)?;
        grantpt(&editor)?;
        unlockpt(&editor)?;
        let input = ioctl_tiocgptpeer(&editor, flags)?;
        tcsetattr(&input, OptionalActions::Now, &terminal::raw(mode))?;
        let (requested, requests) = io::pipe()?;
        let waking = Waking::default();
        let between = Between {
            terminal,
            editor,
            requested,
            keys: Keys::default(),
            gate,
            waking: waking.clone(),
        };
        rustix::stdio::dup2_stdin(&input)?;
        let started = thread::Builder::new().name("keys".to_owned()).spawn(move || between.run());
        if let Err(error) = started {
            rustix::stdio::dup2_stdin(terminal)?;
            return Err(error);
        }
        Ok(Keyboard { waking, requests: Some(Arc::new(requests)) })
    }

    /// What stands before each command from now on: at once, if a command is being typed.
    pub(crate) fn set_prompt(&self, prompt: &str) {
        if self.waking.set_prompt(prompt) {
            self.ask(WAKE_UP);
        }
    }

    /// The program was stopped, and goes on.
    pub(crate) fn go_on(&self) {
        terminal::take_again();
        self.waking.stopped();
        self.ask(WAKE_UP);
    }

    /// No line is read any more.
    pub(crate) fn rest(&self) {
        self.ask(REST);
    }

    fn ask(&self, request: u8) {
        if let Some(mut requests) = self.requests.as_deref() {
            // A thread that has ended needs to know nothing more.
            let _ = requests.write_all(&[request]);
        }
    }
}

/// What the thread owns. Nobody else writes to the pseudo-terminal.
struct Between {
    terminal: BorrowedFd<'static>,
    editor: OwnedFd,
    requested: PipeReader,
    keys: Keys,
    gate: Arc<Gate>,
    waking: Waking,
}

/// What there is to do.
struct Ready {
    is_typed: bool,
    is_requested: bool,
}

impl Between {
    fn run(mut self) {
        // An error is one of the pseudo-terminal: the line editor is gone.
        while let Ok(true) = self.turn() {}
    }

    /// Waits, and passes on what came. Tells whether there may be more.
    fn turn(&mut self) -> io::Result<bool> {
        let ready = self.wait(self.keys.patience())?;
        if ready.is_requested && !self.take_request()? {
            return Ok(false);
        }
        let typed = if ready.is_typed {
            let mut bytes = [0; READ_BYTES_MAX];
            match retry_on_intr(|| rustix::io::read(self.terminal, &mut bytes)) {
                Ok(0) | Err(Errno::IO) => {
                    self.waking.gone();
                    self.wake()?;
                    return Ok(false);
                }
                Ok(length) => self.keys.feed(&bytes[..length]),
                // Nothing to read after all.
                Err(_) => Vec::new(),
            }
        } else if ready.is_requested {
            Vec::new()
        } else {
            self.keys.expire()
        };
        self.pass_on(typed)?;
        self.reveal()?;
        Ok(true)
    }

    fn wait(&self, patience: Option<Duration>) -> io::Result<Ready> {
        let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
        let mut on = [
            PollFd::new(&self.terminal, PollFlags::IN),
            PollFd::new(&self.requested, PollFlags::IN),
        ];
        retry_on_intr(|| poll(&mut on, patience.as_ref()))?;
        let [is_typed, is_requested] = on.map(|fd| !fd.revents().is_empty());
        Ok(Ready { is_typed, is_requested })
    }

    /// Does what was asked for; tells whether to go on.
    fn take_request(&mut self) -> io::Result<bool> {
        let mut request = [REST];
        // Whoever could ask is gone when there is nothing to read.
        if self.requested.read(&mut request)? == 0 || request == [REST] {
            return Ok(false);
        }
        self.wake()?;
        Ok(true)
    }

    fn pass_on(&mut self, typed: Vec<Typing>) -> io::Result<()> {
        for typing in typed {
            match typing {
                Typing::Keys(keys) => self.write(&keys)?,
                Typing::Suspend => self.suspend()?,
            }
        }
        Ok(())
    }

    /// Rests in the background: the shell gets its terminal as it was.
    fn suspend(&mut self) -> io::Result<()> {
        terminal::lend();
        // To this thread: a signal to the whole process may stop another one first, and this one
        // would go on for a moment and take the terminal back.
        let _ = raise(Signal::SIGTSTP);
        // The shell has called this program to the foreground again, or there is none.
        if !self.wait_for_request(GO_ON_WAIT)? {
            terminal::take_again();
            self.waking.stopped();
            self.wake()?;
        }
        Ok(())
    }

    fn wait_for_request(&self, patience: Duration) -> io::Result<bool> {
        let patience = Timespec::try_from(patience).ok();
        let mut on = [PollFd::new(&self.requested, PollFlags::IN)];
        Ok(retry_on_intr(|| poll(&mut on, patience.as_ref()))? > 0)
    }

    fn wake(&mut self) -> io::Result<()> {
        self.keys.leave_search();
        self.write(WAKE.encode_utf8(&mut [0; 4]).as_bytes())
    }

    /// While a search in the history is open, the line editor shows nothing that arrives. So the
    /// search is left for a moment when something has, and opened again as it was.
    fn reveal(&mut self) -> io::Result<()> {
        if let Some((leave, again)) = self.keys.search()
            && self.gate.is_held_back()
        {
            let painted = self.gate.paints();
            self.write(leave)?;
            // The line without the search, and again below what has arrived.
            self.gate.wait_for_paints(painted + 2, REVEAL_WAIT);
            self.write(again)?;
        }
        Ok(())
    }

    fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = retry_on_intr(|| rustix::io::write(&self.editor, bytes))?;
            bytes = &bytes[written..];
        }
        Ok(())
    }
}
