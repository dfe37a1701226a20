//! A program that runs: how it ends, and what it says. Threads wait for both, so that a test waits
//! for an event and a program is never blocked by a pipe that nobody reads.

use std::fmt;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// How long a test waits for anything. It exists to fail, not to be reached: a busy machine with
/// two cores and debug builds stays far below it.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Held by whoever starts a program. A new pseudo-terminal is inheritable for a moment; a program
/// that is started in that moment would hold it open long after its own end.
pub fn spawning() -> MutexGuard<'static, ()> {
    static SPAWNING: Mutex<()> = Mutex::new(());
    SPAWNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until nobody starts a program. Until it runs, it holds whatever this process has open: the
/// locked journal of a client that was just killed, too, which then can't begin again.
pub(crate) fn nothing_is_starting() {
    drop(spawning());
}

/// Starts a program.
///
/// # Errors
/// When it can't be run.
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    let _spawning = spawning();
    command.spawn()
}

/// Something that threads change and tests wait for.
#[derive(Debug)]
pub(crate) struct Watched<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Watched<T> {
    pub(crate) fn new(value: T) -> Arc<Watched<T>> {
        Arc::new(Watched { value: Mutex::new(value), changed: Condvar::new() })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits until `ready`, or until the deadline: the caller looks which of the two it was.
    pub(crate) fn wait(&self, mut ready: impl FnMut(&mut T) -> bool) -> MutexGuard<'_, T> {
        let (value, _) = self
            .changed
            .wait_timeout_while(self.lock(), DEADLINE, |value| !ready(value))
            .unwrap_or_else(PoisonError::into_inner);
        value
    }
}

/// A program that was started. It is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    exit: Arc<Watched<Option<ExitStatus>>>,
}

impl Process {
    /// Watches a program that was just started.
    pub fn watch(mut child: Child) -> Process {
        let pid = Pid::from_child(&child);
        let exit = Watched::new(None);
        let seen = Arc::clone(&exit);
        thread::spawn(move || {
            let status = child.wait().expect("a child can be waited for");
            seen.change(|exit| *exit = Some(status));
        });
        Process { pid, exit }
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.pid.as_raw_pid().unsigned_abs()
    }

    /// Sends it a signal, unless it has ended.
    pub fn signal(&self, signal: Signal) {
        if self.exit.lock().is_none() {
            // It may have ended since: then there is nobody to tell.
            let _ = kill_process(self.pid, signal);
        }
    }

    /// How it has ended, if it has.
    pub fn has_ended(&self) -> Option<Exit> {
        self.exit.lock().map(Exit::from)
    }

    /// Waits for its end; nothing when it does not come.
    pub fn wait(&self) -> Option<Exit> {
        self.exit.wait(|exit| exit.is_some()).map(Exit::from)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Exit {
        match status.code() {
            Some(code) => Exit::Code(code),
            None => Exit::Signal(status.signal().unwrap_or_default()),
        }
    }
}

/// What a program says on one of its outputs, gathered as it comes.
#[derive(Debug, Clone)]
pub struct Output(Arc<Watched<ArchivedPost>>);

#[derive(Debug, Default)]
struct ArchivedPost {
    bytes: Vec<u8>,
    ended: bool,
}

impl Output {
    /// Gathers what comes from there.
    pub fn gather(mut from: impl Read + Send + 'static) -> Output {
        let said = Watched::new(ArchivedPost::default());
        let output = Output(Arc::clone(&said));
        thread::spawn(move || {
            let mut chunk = [0; 8 * 1024];
            while let Ok(bytes @ 1..) = from.read(&mut chunk) {
                said.change(|said| said.bytes.extend_from_slice(&chunk[..bytes]));
            }
            said.change(|said| said.ended = true);
        });
        output
    }

    /// Waits until what was said so far has what is sought. Nothing when it ended without, or at
    /// the deadline.
    pub fn find<T>(&self, mut seek: impl FnMut(&str) -> Option<T>) -> Option<T> {
        let mut found = None;
        let _said = self.0.wait(|said| {
            found = seek(&String::from_utf8_lossy(&said.bytes));
            found.is_some() || said.ended
        });
        found
    }

    /// How many bytes were said so far.
    pub fn length(&self) -> usize {
        self.0.lock().bytes.len()
    }

    /// Waits for the complete line with that number, counted from 0.
    pub fn line(&self, number: usize) -> Option<String> {
        self.find(|said| {
            let complete = &said[..=said.rfind('\n')?];
            complete.lines().nth(number).map(str::to_owned)
        })
    }

    /// Everything, after the end.
    pub fn to_the_end(&self) -> String {
        String::from_utf8_lossy(&self.0.wait(|said| said.ended).bytes).into_owned()
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0.lock().bytes))
    }
}
