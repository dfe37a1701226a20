//! From the command line to an exit code.

mod entrance;

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use crate::error::Ended;
use arc_swap::ArcSwap;
use chatroom_proto::{GroupName, Refusal};
use tokio::sync::{Notify, mpsc};
use tracing_subscriber::EnvFilter;

use crate::app::args::Args;
use crate::app::chat_loop::{ChatLoop, ChatOutcome, Pace, Parts};
use crate::app::clock;
use crate::app::completer::{EditorHelper, ListRequest};
use crate::app::directory::Directory;
use crate::app::gate::Gate;
use crate::app::history;
use crate::app::lines::{self, Typed};
use crate::app::prompt::{InputHandle, Prompt};
use crate::app::screen::{AboveTheLine, Output, Screen};
use crate::app::signals::Signals;
use crate::app::terminal;
use crate::app::view::{Layout, Paint, ServerTarget, View};
use entrance::ReadyChat;

/// A command from a pipe was refused, or was none.
const REFUSED: i32 = 1;
/// The output can't be written.
const UNSHOWN: i32 = 1;
/// What was given does not make sense.
const USAGE: i32 = 2;
/// There is no connection, or none any more.
pub(crate) const NO_CONNECTION: i32 = 3;
/// The name was refused.
const NAME_REFUSED: i32 = 4;
/// The other side speaks something else.
const OTHER_PROTOCOL: i32 = 5;
/// Added to a signal's number.
const SIGNALLED: i32 = 128;

/// The most wishes of the line being typed that wait: one of each kind.
const WISHES_MAX: usize = 2;

/// Runs the program, and leaves the terminal as it was.
pub(crate) async fn run(args: Args) -> i32 {
    let set = Program::set(&args).and_then(|stage| Ok((stage, Signals::listen()?)));
    let ((mut stage, input, warnings), mut signals) = match set {
        Ok(set) => set,
        Err(error) => {
            let _ = writeln!(io::stderr(), "chatroom: {error}");
            return NO_CONNECTION;
        }
    };
    let mut ending = Ending::quiet(0);
    for warning in warnings {
        if stage.screen.note(warning).await.is_err() {
            return ending.code;
        }
    }
    ending = stage.play(args, input, &mut signals).await;
    stage.strike(ending).await
}

/// How the program ends.
#[derive(Debug, PartialEq, Eq)]
struct Ending {
    code: i32,
    /// What is still to be said.
    words: Option<String>,
}

impl Ending {
    fn quiet(code: i32) -> Ending {
        Ending { code, words: None }
    }

    fn saying(code: i32, words: String) -> Ending {
        Ending { code, words: Some(words) }
    }
}

/// Where lines come from.
enum InputSource {
    /// A line editor at a terminal.
    Editor(InputHandle),
    /// Plain lines.
    Plain(mpsc::Receiver<Typed>),
}

/// What the program plays on: where it shows, and what the line editor shares with it.
struct Program {
    screen: Screen,
    gate: Arc<Gate>,
    wishes: mpsc::Receiver<ListRequest>,
    left: Arc<Notify>,
    published: Arc<ArcSwap<Directory>>,
    view: View,
    target: ServerTarget,
    /// Whether standard input is a terminal: a person, or a pipe?
    is_typed: bool,
}

impl Program {
    /// Sets up input, output and logs; also gives what has to be said about that.
    fn set(args: &Args) -> io::Result<(Program, InputSource, Vec<String>)> {
        let is_typed = io::stdin().is_terminal();
        let at_terminal = is_typed && io::stdout().is_terminal();
        let layout = if at_terminal { Layout::Screen } else { Layout::Lines };
        let paint = Paint { colours: args.color.decide(at_terminal) };
        let view = View { layout, paint, zone: clock::zone() };
        let gate = Arc::new(Gate::default());
        let published = Arc::new(ArcSwap::from_pointee(Directory::default()));
        let (wish, wishes) = mpsc::channel(WISHES_MAX);
        let assistant = EditorHelper {
            directory: Arc::clone(&published),
            wishes: wish,
            gate: Arc::clone(&gate),
            paint: view.paint,
            knows_commands: false,
        };
        let left = Arc::new(Notify::new());
        let mut warnings = Vec::new();
        let editor = if at_terminal {
            edited(assistant, Arc::clone(&left), view, args, &mut warnings)
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
                let typist = prompt.start(screen.aside())?;
                (screen, InputSource::Editor(typist))
            }
            None => (Screen::start(Output::Streams)?, InputSource::Plain(lines::start()?)),
        };
        let target = target(args);
        Ok((
            Program { screen, gate, wishes, left, published, view, target, is_typed },
            input,
            warnings,
        ))
    }

    /// All of it, from the name to the goodbye.
    async fn play(&mut self, args: Args, input: InputSource, signals: &mut Signals) -> Ending {
        let at_editor = matches!(input, InputSource::Editor(_));
        let entered = tokio::select! {
            biased;
            signal = signals.next(|| true) => return Ending::quiet(SIGNALLED + signal),
            entered = self.enter(args, input) => entered,
        };
        let mut chat = match entered {
            Ok(entered) => self.begin(entered),
            Err(ending) => return ending,
        };
        let interrupts = || !at_editor || self.gate.is_deserted();
        let outcome = tokio::select! {
            biased;
            signal = signals.next(interrupts) => Err(signal),
            outcome = chat.run(&self.screen) => Ok(outcome),
        };
        let has_trouble = chat.has_trouble() && !self.is_typed;
        let code = if has_trouble { REFUSED } else { 0 };
        // A signal does not wait to see what is answered after all.
        let left_over = if outcome.is_ok() { chat.sent_next_time() } else { 0 };
        let sent_next_time = self.view.sent_next_time(left_over, chat.name());
        let mut ending = self.end(chat, outcome, code).await;
        if let Some(text) = sent_next_time {
            ending.words =
                Some(ending.words.map_or(text.clone(), |words| format!("{words}\n{text}")));
            ending.code = if ending.code == 0 { NO_CONNECTION } else { ending.code };
        }
        ending
    }

    async fn end(&self, chat: ChatLoop, outcome: Result<ChatOutcome, i32>, code: i32) -> Ending {
        match outcome {
            Ok(ChatOutcome::Ended(ended)) => self.ended(&ended, code),
            Ok(ChatOutcome::Unanswered(0)) => Ending::quiet(code),
            Ok(ChatOutcome::Unanswered(count)) => {
                Ending::saying(NO_CONNECTION, self.view.unanswered(count))
            }
            Ok(ChatOutcome::Away(undone)) => {
                match self.view.undone(undone.unanswered, undone.unsent) {
                    Some(words) => Ending::saying(NO_CONNECTION, words),
                    None => Ending::quiet(code),
                }
            }
            Ok(ChatOutcome::OutputGone) => {
                chat.farewell().await;
                Ending::quiet(code)
            }
            Err(signal) => {
                chat.farewell().await;
                Ending::quiet(SIGNALLED + signal)
            }
        }
    }

    fn begin(&mut self, entered: ReadyChat) -> ChatLoop {
        let ReadyChat { client, events, welcome, typed, password, ignore } = entered;
        let groups = welcome.groups.as_slice().iter().map(|membership| membership.group.clone());
        let groups: Vec<GroupName> = groups.collect();
        let (_, no_wishes) = mpsc::channel(WISHES_MAX);
        let kept = client.kept();
        let last_here = kept.last_used.filter(|_| welcome.resumed).map(clock::millis);
        ChatLoop::new(Parts {
            retention: welcome.retention,
            arrived: welcome.seq,
            last_here,
            sent_again: kept.sent_again,
            name: welcome.name.clone(),
            password,
            client,
            events,
            typed,
            ignore,
            left: Arc::clone(&self.left),
            wishes: std::mem::replace(&mut self.wishes, no_wishes),
            directory: Directory::new(&welcome.name, &groups),
            published: Arc::clone(&self.published),
            view: self.view,
            pace: if self.is_typed { Pace::AsTyped } else { Pace::OneByOne },
        })
    }

    fn ended(&self, ended: &Ended, code_of_exit: i32) -> Ending {
        let code = match ended {
            Ended::Left => code_of_exit,
            Ended::GaveUp(_) | Ended::Replaced | Ended::Disconnected | Ended::Untrusted(_) => {
                NO_CONNECTION
            }
            Ended::PasswordChanged => NAME_REFUSED,
            Ended::Refused(refusal) => refused_code(refusal),
            Ended::Misbehaved(_) | Ended::Garbled(_) => OTHER_PROTOCOL,
        };
        Ending { code, words: self.view.ended(ended, &self.target) }
    }

    /// Clears up: everything is shown, the terminal is as it was, and only then the last words are
    /// said. Gives the exit code: one that tells of nothing worse tells of an output that can't be
    /// written.
    async fn strike(self, ending: Ending) -> i32 {
        let Ending { mut code, words } = ending;
        let shown = self.screen.finish().await;
        terminal::restore(self.gate.is_typing());
        let unshown = shown.err().map(|error| self.view.no_output(&error.to_string()));
        if unshown.is_some() && code == 0 {
            code = UNSHOWN;
        }
        for words in unshown.into_iter().chain(words) {
            let _ = writeln!(io::stderr(), "{words}");
        }
        code
    }
}

/// Where to go.
fn target(args: &Args) -> ServerTarget {
    let known_hosts = args.known_hosts.as_ref().map(|file| file.display().to_string());
    ServerTarget { host: args.host.clone(), port: args.port, name: args.name.clone(), known_hosts }
}

/// The line editor and its output; nothing where the terminal is not made for it.
fn edited(
    assistant: EditorHelper,
    left: Arc<Notify>,
    view: View,
    args: &Args,
    warnings: &mut Vec<String>,
) -> Option<(Prompt, Output)> {
    let gate = Arc::clone(&assistant.gate);
    let mut prompt = Prompt::open(assistant, left, view).ok()?;
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
    let log = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(filter)).with_ansi(false);
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

fn refused_code(refusal: &Refusal) -> i32 {
    match refusal {
        Refusal::UnsupportedVersion { .. } => OTHER_PROTOCOL,
        Refusal::RateLimited { .. } => NO_CONNECTION,
        _ => NAME_REFUSED,
    }
}
