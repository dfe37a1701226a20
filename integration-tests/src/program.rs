//! The real binaries: built when they are first needed; and the server as a program.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::{Exit, Output, Process, spawn};

/// Where the binaries are.
#[derive(Debug)]
pub struct Programs {
    /// `chatroom-server`
    pub server: PathBuf,
    /// `chatroom`
    pub client: PathBuf,
}

/// The binaries, as the sources are now: whoever asks first has them built, in the running test's
/// profile and target directory. `cargo test` holds no lock while tests run, and has nothing left
/// to build for a second one.
///
/// # Panics
/// When they can't be built.
pub fn programs() -> &'static Programs {
    // A failure is kept, too: the compiler says the same to every test.
    static PROGRAMS: OnceLock<Result<Programs, String>> = OnceLock::new();
    let built = PROGRAMS.get_or_init(|| {
        let directory = own_directory();
        let [server, client] = build(&directory, ["chatroom-server", "chatroom"])?;
        Ok(Programs { server, client })
    });
    built.as_ref().unwrap_or_else(|why| panic!("there are no programs to test: {why}"))
}

/// The server, optimized, for its instructions to be counted: in a profile of its own, whatever
/// profile runs this.
///
/// # Panics
/// When it can't be built.
pub fn counted_server() -> PathBuf {
    let [server] = build(&own_directory().with_file_name("counted"), ["chatroom-server"])
        .unwrap_or_else(|why| panic!("there is no server to measure: {why}"));
    server
}

/// The folder of the running program's profile: `<target>/<profile>`.
fn own_directory() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    // <target>/<profile>/deps/<test>, or <target>/<profile>/<program>
    let mut above = test.ancestors().skip(1);
    above
        .find(|directory| directory.file_name().is_some_and(|name| name != "deps"))
        .expect("a test is built into its profile's directory")
        .to_owned()
}

/// Has these programs built into a profile's folder, and says where each is.
fn build<const N: usize>(directory: &Path, names: [&str; N]) -> Result<[PathBuf; N], String> {
    let target = directory.parent().expect("a profile's directory is in the target directory");
    let profile = match directory.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    // The package of `chatroom` is named after the other one's.
    let packages = names.map(|name| if name == "chatroom" { "chatroom-client" } else { name });
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "--bins"])
        .args(packages.map(|package| format!("--package={package}")))
        .args(["--profile", profile, "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null());
    let built = spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
        .and_then(std::process::Child::wait_with_output)
        .expect("cargo can be run");
    if !built.status.success() {
        return Err(format!("{command:?} failed:\n{}", String::from_utf8_lossy(&built.stderr)));
    }
    let programs = names.map(|name| directory.join(name));
    match programs.iter().find(|program| !program.is_file()) {
        Some(missing) => Err(format!("{command:?} made no {}", missing.display())),
        None => Ok(programs),
    }
}

/// A home directory for programs, gone with the last of them. Nothing else of the environment
/// reaches them.
#[derive(Debug, Clone)]
pub struct Home(Arc<TempDir>);

impl Home {
    /// An empty one.
    ///
    /// # Panics
    /// When there is no room for temporary files.
    pub fn new() -> Home {
        Home(Arc::new(
            TempDir::with_prefix("chatroom-").expect("a temporary directory can be made"),
        ))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// What programs find in their environment.
    pub fn environment(&self) -> [(&'static str, String); 5] {
        let path = |below: &str| self.path().join(below).to_string_lossy().into_owned();
        [
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("HOME", path("")),
            ("XDG_STATE_HOME", path("state")),
            ("TERM", "xterm-256color".to_owned()),
            ("LC_ALL", "C.UTF-8".to_owned()),
        ]
    }
}

impl Default for Home {
    fn default() -> Home {
        Home::new()
    }
}

/// For a server that is asked for more than people ask for: everything is counted, and nothing is
/// too much.
pub const BUSY: [&str; 4] = ["--rate", "1000000", "--connections-per-address-max", "1000000"];

/// The server as a program. It is killed when this is dropped.
#[derive(Debug)]
pub struct ServerProgram {
    port: u16,
    process: Process,
    output: Output,
    diagnostics: Output,
    home: Home,
    /// Held open: an output that is gone is another thing than one that nobody reads.
    _unread: Option<std::io::PipeReader>,
}

/// A port that no system hands out by itself, neither to a server that asks for any port nor to a
/// client that connects, and that nobody else in this process gets: nobody takes it while its
/// server is away for a moment.
pub fn quiet_port() -> u16 {
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 10_000;
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    // Processes that run at the same time begin far from each other.
    let number =
        std::process::id().wrapping_mul(97).wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
    u16::try_from(FIRST + number % COUNT).expect("these are ports")
}

impl ServerProgram {
    /// Starts it on any free port, and waits until it says that it listens.
    ///
    /// # Panics
    /// When it does not.
    pub fn start() -> ServerProgram {
        ServerProgram::start_with(&[])
    }

    /// The same, with more arguments.
    ///
    /// # Panics
    /// When it does not say that it listens.
    pub fn start_with(arguments: &[&str]) -> ServerProgram {
        ServerProgram::try_start(0, arguments)
            .unwrap_or_else(|said| panic!("the server did not start: {said}"))
    }

    /// Starts it on a port on which it can be started again.
    ///
    /// # Panics
    /// When no such port is free.
    pub fn start_where_it_can_come_back() -> ServerProgram {
        (0..50)
            .find_map(|_| ServerProgram::try_start(quiet_port(), &[]).ok())
            .expect("one of fifty ports is free")
    }

    /// Starts it on that port.
    ///
    /// # Panics
    /// When it does not say that it listens.
    pub fn start_on(port: u16) -> ServerProgram {
        ServerProgram::try_start(port, &[])
            .unwrap_or_else(|said| panic!("the server did not start: {said}"))
    }

    /// Starts it on that port with these arguments, where one was a moment ago.
    ///
    /// # Panics
    /// When it does not say that it listens.
    pub fn start_again(port: u16, arguments: &[String]) -> ServerProgram {
        ServerProgram::start_again_with(port, arguments, &[])
    }

    /// The same, with these in its environment, too.
    ///
    /// # Panics
    /// When it does not say that it listens.
    pub fn start_again_with(
        port: u16,
        arguments: &[String],
        environment: &[(&str, String)],
    ) -> ServerProgram {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let home = Home::new();
        let mut command = server_command(&home, port, &arguments);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        ServerProgram::wait_for(home, &mut command)
            .unwrap_or_else(|said| panic!("the server did not start again: {said}"))
    }

    /// Runs it on a port that it can't have, and waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    pub fn fail_on(port: u16) -> Finished {
        ServerProgram::fail(port, &[])
    }

    /// Runs it with arguments that it can't serve with, and waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    pub fn fail_with(arguments: &[&str]) -> Finished {
        ServerProgram::fail(0, arguments)
    }

    fn fail(port: u16, arguments: &[&str]) -> Finished {
        let home = Home::new();
        let Started { process, output, diagnostics, .. } =
            start(&mut server_command(&home, port, arguments));
        finish(&process, &output, &diagnostics)
    }

    /// Runs it with these arguments and no others, and waits for its end: for what it can do beside
    /// serving.
    ///
    /// # Panics
    /// When it does not end.
    pub fn run(home: &Home, arguments: &[&str]) -> Finished {
        ServerProgram::run_with(home, &[], arguments)
    }

    /// The same, with these in its environment, too.
    ///
    /// # Panics
    /// When it does not end.
    pub fn run_with(home: &Home, environment: &[(&str, &str)], arguments: &[&str]) -> Finished {
        let mut command = Command::new(&programs().server);
        command.args(arguments).env_clear().envs(home.environment());
        command.envs(environment.iter().copied());
        let Started { process, output, diagnostics, .. } =
            start(command.stdin(Stdio::null()).stdout(Stdio::piped()));
        finish(&process, &output, &diagnostics)
    }

    /// The same, with a standard output that nobody reads any more.
    ///
    /// # Panics
    /// When it does not end.
    pub fn run_unheard(home: &Home, arguments: &[&str]) -> Finished {
        let (unread, output) = std::io::pipe().expect("a pipe");
        drop(unread);
        let mut command = Command::new(&programs().server);
        command.args(arguments).env_clear().envs(home.environment());
        let Started { process, output, diagnostics, .. } =
            start(command.stdin(Stdio::null()).stdout(output));
        finish(&process, &output, &diagnostics)
    }

    /// Starts it on any free port as somebody does who has read nothing: it keeps things where it
    /// wants to.
    ///
    /// # Panics
    /// When it does not say that it listens.
    pub fn start_at_home(home: &Home) -> ServerProgram {
        let mut command = Command::new(&programs().server);
        command.args(["--listen", "127.0.0.1:0"]).env_clear().envs(home.environment());
        ServerProgram::wait_for(home.clone(), command.stdin(Stdio::null()).stdout(Stdio::piped()))
            .unwrap_or_else(|said| panic!("the server did not start: {said}"))
    }

    /// Starts it on any free port where no file may have more than so many KiB.
    ///
    /// # Errors
    /// What it says, when it does not say that it listens.
    pub fn start_with_room_for(kib: u32, arguments: &[&str]) -> Result<ServerProgram, String> {
        let shell = format!("ulimit -f {kib}; exec \"$0\" \"$@\"");
        ServerProgram::start_under(&["bash", "-c", &shell], arguments)
    }

    /// Starts it on any free port under another program, which is given its command line behind its
    /// own arguments.
    ///
    /// # Errors
    /// What they say, when it does not say that it listens.
    pub fn start_under(wrapper: &[&str], arguments: &[&str]) -> Result<ServerProgram, String> {
        ServerProgram::start_file_under(&programs().server, wrapper, arguments)
    }

    /// The same with another file of the server's program.
    ///
    /// # Errors
    /// What they say, when it does not say that it listens.
    pub fn start_file_under(
        file: &Path,
        wrapper: &[&str],
        arguments: &[&str],
    ) -> Result<ServerProgram, String> {
        let home = Home::new();
        let whole = command_of(file, &home, 0, arguments);
        let (program, first) = wrapper.split_first().expect("a program to start it under");
        let mut command = Command::new(program);
        command.args(first).arg(whole.get_program()).args(whole.get_args());
        command.env_clear().envs(home.environment()).stdin(Stdio::null()).stdout(Stdio::piped());
        ServerProgram::wait_for(home, &mut command)
    }

    /// Starts it with a standard output that nobody reads.
    ///
    /// # Panics
    /// When it does not say where it listens.
    pub fn start_unheard() -> ServerProgram {
        let home = Home::new();
        let (unread, output) = std::io::pipe().expect("a pipe");
        let Started { process, output, diagnostics, .. } =
            start(server_command(&home, 0, &[]).stdout(output));
        let port = diagnostics.find(port_in).expect("the server says where it listens");
        ServerProgram { port, process, output, diagnostics, home, _unread: Some(unread) }
    }

    /// Everywhere it listens, when it has said so.
    ///
    /// # Panics
    /// When it does not.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let (mark, listening) = ("recognize this server", "listening address=");
        let found = self.diagnostics.find(|said| {
            let (before, _) = said.split_once(mark)?;
            let addresses = before.split(listening).skip(1);
            Some(
                addresses.filter_map(|rest| rest.split_whitespace().next()?.parse().ok()).collect(),
            )
        });
        found.unwrap_or_else(|| panic!("it does not say where it listens: {}", self.diagnostics))
    }

    /// The fingerprint of its key, as it says it at the start.
    ///
    /// # Panics
    /// When it does not.
    pub fn fingerprint(&self) -> String {
        let found = self.diagnostics.find(|said| {
            let (_, rest) = said.split_once("recognize this server by its key fingerprint=")?;
            rest.contains('\n').then(|| rest.lines().next().unwrap_or_default().to_owned())
        });
        found.unwrap_or_else(|| panic!("it does not say its fingerprint: {}", self.diagnostics))
    }

    /// Asks it to read its certificate again.
    pub fn signal_reload(&self) {
        self.process.signal(Signal::HUP);
    }

    /// Asks it to list its clients.
    pub fn signal_clients(&self) {
        self.process.signal(Signal::USR1);
    }

    fn try_start(port: u16, arguments: &[&str]) -> Result<ServerProgram, String> {
        let home = Home::new();
        let mut command = server_command(&home, port, arguments);
        ServerProgram::wait_for(home, &mut command)
    }

    fn wait_for(home: Home, command: &mut Command) -> Result<ServerProgram, String> {
        let Started { process, output, diagnostics, .. } = start(command);
        let started = output.line(0);
        let port = diagnostics.find(port_in);
        match (started.as_deref(), port) {
            (Some("Server is listening!"), Some(port)) => {
                Ok(ServerProgram { port, process, output, diagnostics, home, _unread: None })
            }
            _ => Err(format!("{output}{diagnostics}")),
        }
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Its home directory.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it says on standard output.
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// What it says on standard error.
    pub fn diagnostics(&self) -> &Output {
        &self.diagnostics
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    ///
    /// # Panics
    /// When it survives that.
    pub fn kill(self) {
        self.process.signal(Signal::KILL);
        self.process.wait().expect("nothing survives SIGKILL");
    }

    /// Tells it to stop, and waits until it has.
    ///
    /// # Panics
    /// When it does not.
    pub fn stop(self) -> Finished {
        self.process.signal(Signal::TERM);
        self.wait()
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait(self) -> Finished {
        finish(&self.process, &self.output, &self.diagnostics)
    }
}

fn server_command(home: &Home, port: u16, arguments: &[&str]) -> Command {
    command_of(&programs().server, home, port, arguments)
}

fn command_of(file: &Path, home: &Home, port: u16, arguments: &[&str]) -> Command {
    let mut command = Command::new(file);
    command.args(["--listen", &format!("127.0.0.1:{port}")]);
    if !arguments.contains(&"--log") {
        command.args(["--log", "info"]);
    }
    if !arguments.contains(&"--data") {
        command.arg("--in-memory");
    }
    command
        .args(arguments)
        .env_clear()
        .envs(home.environment())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

/// Finds the port in the line that says where the server listens.
fn port_in(diagnostics: &str) -> Option<u16> {
    let complete = &diagnostics[..=diagnostics.rfind('\n')?];
    let (_, address) = complete.split_once("listening address=127.0.0.1:")?;
    let digits = address.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// How a program ended, and all that it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// How it ended.
    pub exit: Exit,
    /// What it said on standard output.
    pub output: String,
    /// What it said on standard error.
    pub diagnostics: String,
}

pub(crate) fn finish(process: &Process, output: &Output, diagnostics: &Output) -> Finished {
    let Some(exit) = process.wait() else {
        panic!("the program does not end; it said:\n{output}{diagnostics}")
    };
    Finished { exit, output: output.to_the_end(), diagnostics: diagnostics.to_the_end() }
}

/// A program that was just started.
pub(crate) struct Started {
    pub(crate) process: Process,
    pub(crate) input: Option<ChildStdin>,
    pub(crate) output: Output,
    pub(crate) diagnostics: Output,
}

pub(crate) fn start(command: &mut Command) -> Started {
    let spawned = spawn(command.stderr(Stdio::piped()));
    let mut child = spawned.unwrap_or_else(|error| panic!("can't run {command:?}: {error}"));
    let input = child.stdin.take();
    let output =
        child.stdout.take().map_or_else(|| Output::gather(std::io::empty()), Output::gather);
    let diagnostics = Output::gather(child.stderr.take().expect("standard error is a pipe"));
    Started { process: Process::watch(child), input, output, diagnostics }
}

/// What [`ServerProgram::run`] does, while clients in this thread go on.
///
/// # Panics
/// When it does not end.
pub async fn run_tool(home: &Home, arguments: &[&str]) -> Finished {
    let home = home.clone();
    let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
    let run = move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        ServerProgram::run(&home, &arguments)
    };
    tokio::task::spawn_blocking(run).await.expect("it ends")
}
