//! Input, output and logs, before anything is said.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, mpsc};

use crate::app::args::Args;
use crate::app::clock;
use crate::app::completer::{EditorHelper, ListRequest};
use crate::app::directory::Directory;
use crate::app::gate::Gate;
use crate::app::history;
use crate::app::keyboard::Keyboard;
use crate::app::line_rows::LineRows;
use crate::app::lines::{self, Typed};
use crate::app::open_conversation::OpenConversation;
use crate::app::prompt::{InputHandle, Prompt};
use crate::app::screen::{AboveTheLine, Output, Screen};
use crate::app::secret::{self, Given};
use crate::app::teletype::Teletype;
use crate::app::view::{Layout, Paint, ServerTarget, View};

/// The most lists that the line being typed asks for at once: one of each kind.
pub(super) const LIST_REQUESTS_MAX: usize = 2;

/// Where lines come from.
pub(super) enum InputSource {
    /// A line editor at a terminal.
    Editor(InputHandle),
    /// Plain lines.
    Plain(mpsc::Receiver<Typed>),
}

impl InputSource {
    /// What the line editor's keys come through.
    pub(super) fn keyboard(&self) -> Keyboard {
        match self {
            InputSource::Editor(input) => input.keyboard.clone(),
            InputSource::Plain(_) => Keyboard::default(),
        }
    }
}

/// What the program is made of: where it shows, and what the line editor shares with it.
pub(super) struct Program {
    pub(super) screen: Screen,
    pub(super) gate: Arc<Gate>,
    pub(super) list_requests: mpsc::Receiver<ListRequest>,
    pub(super) left: Arc<Notify>,
    pub(super) published: Arc<ArcSwap<Directory>>,
    /// Where every line is said that is typed, if anywhere.
    pub(super) open: OpenConversation,
    pub(super) view: View,
    /// Whether the command line asks for the time before what arrives.
    pub(super) times: bool,
    pub(super) target: ServerTarget,
    /// The password that the command line says where to find, or why there is none.
    pub(super) given_password: Result<Given, (String, String)>,
    /// Whether standard input is a terminal: a person, or a pipe?
    pub(super) is_typed: bool,
}

impl Program {
    /// Sets up input, output and logs; also gives what has to be said about that.
    pub(super) fn set_up(args: &Args) -> io::Result<(Program, InputSource, Vec<String>)> {
        // First of all: a command that gives it may have to ask for something, at the terminal.
        let given_password =
            secret::given(args.password_file.as_deref(), args.password_command.as_deref());
        let is_typed = io::stdin().is_terminal();
        let at_terminal = is_typed && io::stdout().is_terminal();
        let layout = if at_terminal { Layout::Screen } else { Layout::Lines };
        let paint = Paint::new(args.color.decide(at_terminal));
        let view = View { layout, paint, zone: clock::zone() };
        let gate = Arc::new(Gate::default());
        let published = Arc::new(ArcSwap::from_pointee(Directory::default()));
        let (list_request, list_requests) = mpsc::channel(LIST_REQUESTS_MAX);
        let open = OpenConversation::default();
        let helper = EditorHelper {
            directory: Arc::clone(&published),
            list_requests: list_request,
            gate: Arc::clone(&gate),
            paint: view.paint,
            knows_commands: false,
            rows: LineRows::default(),
            open: open.clone(),
        };
        let left = Arc::new(Notify::new());
        let mut warnings = Vec::new();
        let editor = if at_terminal {
            edited(helper, Arc::clone(&left), view, args, &mut warnings)
        } else {
            None
        };
        let at_editor = editor.is_some();
        if !start_log(args, at_editor)? {
            warnings.push(view.no_log());
        }
        let (screen, input) = match editor {
            Some((prompt, output)) => {
                let screen = Screen::start(output)?;
                let input = prompt.start(screen.aside())?;
                (screen, InputSource::Editor(input))
            }
            None => plain(at_terminal, &open)?,
        };
        let target = target(args);
        let program = Program {
            screen,
            gate,
            list_requests,
            left,
            published,
            open,
            view,
            times: args.times,
            target,
            given_password,
            is_typed,
        };
        Ok((program, input, warnings))
    }
}

/// Lines that nobody edits: from a pipe, or at a terminal that is not made for it.
fn plain(at_terminal: bool, open: &OpenConversation) -> io::Result<(Screen, InputSource)> {
    let teletype = Teletype::default();
    match at_terminal.then(|| teletype.start(open.clone())).flatten() {
        Some(typed) => Ok((Screen::start(Output::Teletype(teletype))?, InputSource::Plain(typed?))),
        None => {
            Ok((Screen::start(Output::Streams)?, InputSource::Plain(lines::start(open.clone())?)))
        }
    }
}

/// Where to go.
fn target(args: &Args) -> ServerTarget {
    let known_hosts = args.known_hosts.as_ref().map(|file| file.display().to_string());
    ServerTarget { host: args.host.clone(), port: args.port, name: args.name.clone(), known_hosts }
}

/// The line editor and its output; nothing where the terminal is not made for it.
fn edited(
    helper: EditorHelper,
    left: Arc<Notify>,
    view: View,
    args: &Args,
    warnings: &mut Vec<String>,
) -> Option<(Prompt, Output)> {
    let gate = Arc::clone(&helper.gate);
    let mut prompt = Prompt::open(helper, left, view).ok()?;
    let printer = prompt.printer().ok()?;
    let file =
        if args.no_history { None } else { args.history.clone().or_else(history::default_file) };
    if let Some(file) = file
        && let Err(error) = prompt.keep_history(file.clone())
    {
        warnings.push(view.no_history(&file.display().to_string(), &error.to_string()));
    }
    Some((prompt, Output::AboveTheLine(AboveTheLine::new(printer, gate))))
}

/// Starts to log, if that was asked for; tells when it would spoil the screen, and does not then.
fn start_log(args: &Args, at_editor: bool) -> io::Result<bool> {
    let Some(filter) = &args.log else { return Ok(true) };
    // Not `init`: that would also take in what rustyline logs, which is every key that is pressed.
    // A log that can't be written is no reason to end: `eprintln!` would say so, and panic.
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter.clone())
        .with_ansi(false)
        .log_internal_errors(false);
    let set = match &args.log_file {
        Some(file) => {
            let file = OpenOptions::new().append(true).create(true).open(file)?;
            tracing::subscriber::set_global_default(log.with_writer(Arc::new(file)).finish())
        }
        None if at_editor && io::stderr().is_terminal() => return Ok(false),
        None => tracing::subscriber::set_global_default(log.with_writer(io::stderr).finish()),
    };
    set.map_err(io::Error::other).map(|()| true)
}
