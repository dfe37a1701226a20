//! A pseudo-terminal in which a real program runs, as in a person's window: under a shell that
//! stays when the program has ended, and sees in what state it left the terminal.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use rustix::termios::{LocalModes, OutputModes, tcgetattr};

use crate::process::{DEADLINE, Process, Watched, spawning};
use crate::program::{Home, ServerProgram, programs};
use crate::screen::{Emulator, Screen, Size};

/// The shell is the session's leader: when a leader ends, the kernel resets the terminal, and
/// nobody would see what the program left behind. The inner shell says which process the program
/// will be, and becomes it.
const SHELL: &str = r#"
trap : INT QUIT TERM
sh -c 'echo $$ >"$0"; exec "$@"' "$@"
echo "[left with $?]"
exec cat >/dev/null
"#;

/// A key that is not a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Ends a line.
    Enter,
    /// Completes.
    Tab,
    /// Deletes to the left.
    Backspace,
    /// Stops what goes on.
    Escape,
    /// The line before.
    Up,
    /// The line after.
    Down,
    /// To the left.
    Left,
    /// To the right.
    Right,
    /// To the beginning of the line.
    Home,
    /// A letter with Control.
    Control(char),
}

impl Key {
    fn bytes(self) -> Vec<u8> {
        match self {
            Key::Enter => b"\r".to_vec(),
            Key::Tab => b"\t".to_vec(),
            Key::Backspace => b"\x7f".to_vec(),
            Key::Escape => b"\x1b".to_vec(),
            Key::Up => b"\x1b[A".to_vec(),
            Key::Down => b"\x1b[B".to_vec(),
            Key::Right => b"\x1b[C".to_vec(),
            Key::Left => b"\x1b[D".to_vec(),
            Key::Home => b"\x1b[H".to_vec(),
            Key::Control(letter) => vec![letter.to_ascii_uppercase() as u8 & 0x1f],
        }
    }
}

/// In what state a terminal's line discipline is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Modes {
    /// Whether a line is edited by the kernel and read when it is complete.
    pub canonical: bool,
    /// Whether the kernel shows what is typed.
    pub echo: bool,
    /// Whether Ctrl-C sends a signal.
    pub signals: bool,
    /// Whether a line feed also returns to the first column.
    pub newlines: bool,
}

impl Modes {
    /// What a shell expects to find.
    pub const USABLE: Modes = Modes { canonical: true, echo: true, signals: true, newlines: true };
}

/// What a program left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Its exit code; 128 and the signal's number if a signal ended it.
    pub code: i32,
    /// The state of the line discipline.
    pub modes: Modes,
    /// The screen; its last line tells the exit code.
    pub screen: Screen,
}

/// A window in which a program runs. Everything in it is killed when this is dropped.
pub struct Terminal {
    shown: Arc<Watched<Shown>>,
    keyboard: Box<dyn Write + Send>,
    window: Box<dyn MasterPty + Send>,
    tty: OwnedFd,
    shell: Process,
    pid_file: PathBuf,
    _home: Home,
}

struct Shown {
    emulator: Emulator,
    raw: Vec<u8>,
    closed: bool,
}

impl Terminal {
    /// Opens a window and runs a program in it.
    ///
    /// # Panics
    /// When that can't be done.
    pub fn run(program: &Path, arguments: &[&str], home: &Home, size: Size) -> Terminal {
        let pid_file = home.path().join("pid");
        let mut command = CommandBuilder::new("sh");
        command.args(["-c", SHELL, "sh"]);
        command.arg(&pid_file);
        command.arg(program);
        command.args(arguments);
        command.cwd(home.path());
        command.env_clear();
        for (name, value) in home.environment() {
            command.env(name, value);
        }
        let (window, child) = {
            let _spawning = spawning();
            let pair = native_pty_system()
                .openpty(pty_size(size))
                .expect("a pseudo-terminal can be opened");
            let child = pair.slave.spawn_command(command).expect("a shell can be run");
            (pair.master, child)
        };
        let child: Box<dyn Child> = child;
        let child =
            child.downcast::<std::process::Child>().expect("here a child is a plain process");
        let shown =
            Watched::new(Shown { emulator: Emulator::new(size), raw: Vec::new(), closed: false });
        let output = window.try_clone_reader().expect("a terminal can be read");
        thread::spawn({
            let shown = Arc::clone(&shown);
            move || draw(output, &shown)
        });
        // NOCTTY: it shall not become the terminal of the tests.
        let name = window.tty_name().expect("a pseudo-terminal has a name");
        let tty =
            rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())
                .expect("a terminal can be opened by its name");
        let keyboard = window.take_writer().expect("a terminal can be written to");
        Terminal {
            shown,
            keyboard,
            window,
            tty,
            shell: Process::watch(*child),
            pid_file,
            _home: home.clone(),
        }
    }

    /// Runs `chatroom` with these arguments in a window of the usual size.
    ///
    /// # Panics
    /// When that can't be done.
    pub fn chatroom(arguments: &[&str], home: &Home) -> Terminal {
        Terminal::run(&programs().client, arguments, home, Size::default())
    }

    /// Somebody sits down at a terminal of their own, has been let in, and may type.
    ///
    /// # Panics
    /// When they were not let in.
    #[track_caller]
    pub fn sit_down(server: &ServerProgram, name: &str) -> Terminal {
        Terminal::sit_down_at(server.port(), name)
    }

    /// The same, with the server or what leads to it on this port.
    ///
    /// # Panics
    /// When they were not let in.
    #[track_caller]
    pub fn sit_down_at(port: u16, name: &str) -> Terminal {
        let terminal = Terminal::chatroom(&["127.0.0.1", &port.to_string(), name], &Home::new());
        terminal.wait_for("the welcome, and a line to type in", |screen| {
            screen.lines.len() == 3 && screen.is_typing() && screen.before_cursor.is_empty()
        });
        terminal
    }

    /// Types a text.
    ///
    /// # Panics
    /// When the window is gone.
    pub fn type_text(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).expect("the terminal takes what is typed");
    }

    /// Types bytes that need not be a text.
    ///
    /// # Panics
    /// When the window is gone.
    pub fn type_bytes(&mut self, bytes: &[u8]) {
        self.keyboard.write_all(bytes).expect("the terminal takes what is typed");
    }

    /// Presses a key.
    ///
    /// # Panics
    /// When the window is gone.
    pub fn press(&mut self, key: Key) {
        self.keyboard.write_all(&key.bytes()).expect("the terminal takes what is typed");
    }

    /// Types a line, with Enter.
    ///
    /// # Panics
    /// When the window is gone.
    pub fn type_line(&mut self, line: &str) {
        self.type_text(&format!("{line}\r"));
    }

    /// Pastes a text, as terminals do it for programs that want to know it.
    ///
    /// # Panics
    /// When the program does not.
    pub fn paste(&mut self, text: &str) {
        self.wait_for("pastes are marked", Screen::is_typing);
        self.type_text(&format!("\x1b[200~{}\x1b[201~", text.replace('\n', "\r")));
    }

    /// Changes the window's size.
    ///
    /// # Panics
    /// When that can't be done.
    pub fn resize(&mut self, size: Size) {
        self.shown.change(|shown| shown.emulator.resize(size));
        self.window.resize(pty_size(size)).expect("a window can be resized");
    }

    /// Closes the window and waits until the program has noticed and is gone. It has nobody to tell
    /// its exit code.
    ///
    /// # Panics
    /// When it does not go.
    pub fn close_window(self) {
        let program = self.program().expect("the program was started");
        let program = pidfd_open(program, PidfdFlags::empty()).expect("the program still runs");
        // With the session's leader the kernel takes the terminal away from all others, and tells
        // them.
        self.shell.signal(Signal::KILL);
        let deadline = Timespec::try_from(DEADLINE).expect("a moderate time");
        let gone = poll(&mut [PollFd::new(&program, PollFlags::IN)], Some(&deadline));
        assert_eq!(gone, Ok(1), "the program stays without its window");
    }

    /// Waits until the screen is as it should be.
    ///
    /// # Panics
    /// When it does not become so.
    #[track_caller]
    pub fn wait_for(&self, what: &str, mut ready: impl FnMut(&Screen) -> bool) -> Screen {
        let mut seen = false;
        let mut shown = self.shown.wait(|shown| {
            seen = ready(&shown.emulator.screen());
            seen || shown.closed
        });
        let screen = shown.emulator.screen();
        assert!(
            seen,
            "waited for this in vain: {what}; the screen:\n{screen}\n{}",
            shown.end_of_raw()
        );
        screen
    }

    /// Waits for a line that says exactly this.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn wait_for_line(&self, line: &str) -> Screen {
        self.wait_for(line, |screen| screen.has(line))
    }

    /// What is to be seen now.
    pub fn screen(&self) -> Screen {
        self.shown.lock().emulator.screen()
    }

    /// All bytes that were written to the terminal.
    pub fn raw(&self) -> Vec<u8> {
        self.shown.lock().raw.clone()
    }

    /// The state of the line discipline now.
    ///
    /// # Panics
    /// When the window is gone.
    pub fn modes(&self) -> Modes {
        let modes = tcgetattr(&self.tty).expect("a terminal tells its state");
        Modes {
            canonical: modes.local_modes.contains(LocalModes::ICANON),
            echo: modes.local_modes.contains(LocalModes::ECHO),
            signals: modes.local_modes.contains(LocalModes::ISIG),
            newlines: modes.output_modes.contains(OutputModes::OPOST | OutputModes::ONLCR),
        }
    }

    /// Sends the program a signal.
    ///
    /// # Panics
    /// When it is gone already.
    pub fn signal(&self, signal: Signal) {
        let pid = self.program().expect("the program was started");
        kill_process(pid, signal).expect("the program still runs");
    }

    fn program(&self) -> Option<Pid> {
        let pid = std::fs::read_to_string(&self.pid_file).ok()?;
        Pid::from_raw(pid.trim().parse().ok()?)
    }

    /// Waits for the program's end.
    ///
    /// # Panics
    /// When it does not end, or leaves the cursor in the middle of a line.
    #[track_caller]
    pub fn wait_exit(&self) -> Left {
        let screen = self.wait_for("the end of the program", |screen| left_with(screen).is_some());
        Left { code: left_with(&screen).unwrap_or_default(), modes: self.modes(), screen }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(program) = self.program().filter(|_| left_with(&self.screen()).is_none()) {
            // It may have ended since.
            let _ = kill_process(program, Signal::KILL);
        }
        self.shell.signal(Signal::KILL);
    }
}

impl Shown {
    /// For a message about what went wrong: what was written last, with everything that does not
    /// show.
    fn end_of_raw(&self) -> String {
        let start = self.raw.len().saturating_sub(1_000);
        format!("the last bytes written: {}", self.raw[start..].escape_ascii())
    }
}

fn draw(mut output: Box<dyn Read + Send>, shown: &Watched<Shown>) {
    let mut chunk = [0; 8 * 1024];
    while let Ok(bytes @ 1..) = output.read(&mut chunk) {
        shown.change(|shown| {
            shown.emulator.draw(&chunk[..bytes]);
            shown.raw.extend_from_slice(&chunk[..bytes]);
        });
    }
    shown.change(|shown| shown.closed = true);
}

fn left_with(screen: &Screen) -> Option<i32> {
    screen
        .lines
        .iter()
        .rev()
        .find_map(|line| line.strip_prefix("[left with ")?.strip_suffix(']')?.parse().ok())
}

fn pty_size(size: Size) -> PtySize {
    PtySize { rows: size.rows, cols: size.columns, pixel_width: 0, pixel_height: 0 }
}
