//! From the command line to an exit code.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use chatroom_client::{Client, ConnectError, Ended, Events, KeepError, KnownHosts, Options, Reconnect, Tls};
use chatroom_proto::{CloseReason, GroupName, Keeps, Membership, Password, Refusal, Seq, UserName, Welcome};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Duration, timeout};
use tracing_subscriber::EnvFilter;

use crate::args::Args;
use crate::chat::{Chat, Outcome, Pace, Parts};
use crate::clock;
use crate::completer::{Assistant, Wish};
use crate::directory::Directory;
use crate::gate::Gate;
use crate::history;
use crate::home;
use crate::ignore::IgnoreList;
use crate::lines::{self, Typed};
use crate::prompt::{NAME_QUESTION, Prompt, Typist};
use crate::screen::{AboveTheLine, Output, Screen};
use crate::secret::{self, Given};
use crate::signals::Signals;
use crate::terminal;
use crate::view::{Layout, Paint, Target, View};

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

/// How long a program in a pipe waits for a lost connection: a restart of the server. A person waits for ever.
const PIPE_PATIENCE: Duration = Duration::from_secs(30);

/// How long connecting may take without a word.
const CONNECT_QUIET: Duration = Duration::from_secs(1);

/// The most wishes of the line being typed that wait: one of each kind.
const WISHES_MAX: usize = 2;

/// Runs the program, and leaves the terminal as it was.
pub(crate) async fn run(args: Args) -> i32 {
    let set = Stage::set(&args).and_then(|stage| Ok((stage, Signals::listen()?)));
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
enum Input {
    /// A line editor at a terminal.
    Editor(Typist),
    /// Plain lines.
    Plain(mpsc::Receiver<Typed>),
}

/// A chat that is about to begin.
struct Entered {
    client: Client,
    events: Events,
    welcome: Welcome,
    typed: mpsc::Receiver<Typed>,
    /// What a pipe registers its name with.
    password: Option<Password>,
    ignore: IgnoreList,
}

/// What the program plays on: where it shows, and what the line editor shares with it.
struct Stage {
    screen: Screen,
    gate: Arc<Gate>,
    wishes: mpsc::Receiver<Wish>,
    left: Arc<Notify>,
    published: Arc<ArcSwap<Directory>>,
    view: View,
    target: Target,
    /// Whether standard input is a terminal: a person, or a pipe?
    is_typed: bool,
}

impl Stage {
    /// Sets up input, output and logs; also gives what has to be said about that.
    fn set(args: &Args) -> io::Result<(Stage, Input, Vec<String>)> {
        let is_typed = io::stdin().is_terminal();
        let at_terminal = is_typed && io::stdout().is_terminal();
        let layout = if at_terminal { Layout::Screen } else { Layout::Lines };
        let paint = Paint { colours: args.color.decide(at_terminal) };
        let view = View { layout, paint, zone: clock::zone() };
        let gate = Arc::new(Gate::default());
        let published = Arc::new(ArcSwap::from_pointee(Directory::default()));
        let (wish, wishes) = mpsc::channel(WISHES_MAX);
        let assistant = Assistant {
            directory: Arc::clone(&published),
            wishes: wish,
            gate: Arc::clone(&gate),
            paint: view.paint,
            knows_commands: false,
        };
        let left = Arc::new(Notify::new());
        let mut warnings = Vec::new();
        let editor =
            if at_terminal { edited(assistant, Arc::clone(&left), view, args, &mut warnings) } else { None };
        let at_editor = editor.is_some();
        if !start_log(args, at_editor)? {
            warnings.push(view.no_log());
        }
        let (screen, input) = match editor {
            Some((prompt, output)) => {
                let screen = Screen::start(output)?;
                let typist = prompt.start(screen.aside())?;
                (screen, Input::Editor(typist))
            }
            None => (Screen::start(Output::Streams)?, Input::Plain(lines::start()?)),
        };
        let target = target(args);
        Ok((Stage { screen, gate, wishes, left, published, view, target, is_typed }, input, warnings))
    }

    /// All of it, from the name to the goodbye.
    async fn play(&mut self, args: Args, input: Input, signals: &mut Signals) -> Ending {
        let at_editor = matches!(input, Input::Editor(_));
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
            ending.words = Some(ending.words.map_or(text.clone(), |words| format!("{words}\n{text}")));
            ending.code = if ending.code == 0 { NO_CONNECTION } else { ending.code };
        }
        ending
    }

    async fn end(&self, chat: Chat, outcome: Result<Outcome, i32>, code: i32) -> Ending {
        match outcome {
            Ok(Outcome::Ended(ended)) => self.ended(&ended, code),
            Ok(Outcome::Unanswered(0)) => Ending::quiet(code),
            Ok(Outcome::Unanswered(count)) => Ending::saying(NO_CONNECTION, self.view.unanswered(count)),
            Ok(Outcome::Away(undone)) => match self.view.undone(undone.unanswered, undone.unsent) {
                Some(words) => Ending::saying(NO_CONNECTION, words),
                None => Ending::quiet(code),
            },
            Ok(Outcome::OutputGone) => {
                chat.farewell().await;
                Ending::quiet(code)
            }
            Err(signal) => {
                chat.farewell().await;
                Ending::quiet(SIGNALLED + signal)
            }
        }
    }

    /// Finds a name that the server takes, and connects.
    async fn enter(&self, args: Args, mut input: Input) -> Result<Entered, Ending> {
        let reconnect = if self.is_typed { Reconnect::Forever } else { Reconnect::For(PIPE_PATIENCE) };
        let known_hosts = known_hosts(&args);
        let is_asked = args.name.is_none();
        let given_password = self.given_password(&args).await?;
        let (mut given, mut password) = (args.name.clone(), given_password.clone());
        loop {
            let text = match given.take() {
                Some(text) => text,
                None => self.ask_name(&mut input).await?,
            };
            let refused = match UserName::parse(text.trim()) {
                Err(error) => self.view.bad_name(text.trim(), &error),
                Ok(name) => {
                    let (host, keep) = (args.host.clone(), state_file(&args, &name));
                    let options = Options {
                        reconnect,
                        password: password.take(),
                        keep: keep.clone(),
                        tls: tls(&args),
                        known_hosts: known_hosts.clone(),
                        ..Options::new(host, args.port, name)
                    };
                    let connected = self.connect(options).await;
                    self.tell_of_acquaintances(&known_hosts).await?;
                    match connected {
                        Ok((client, events, welcome)) => {
                            let (ignore, unread) = IgnoreList::open(keep.as_deref(), &welcome.name);
                            let unread =
                                unread.map(|(file, why)| self.view.no_ignored(&file, &why.to_string()));
                            let warnings = self.state_warning(&client, keep).into_iter().chain(unread);
                            let entered = self
                                .welcome((client, events, welcome), input, ignore, warnings.collect())
                                .await?;
                            return Ok(Entered { password: given_password, ..entered });
                        }
                        Err(ConnectError::Refused(
                            refusal @ (Refusal::NameTaken { .. } | Refusal::NameLooksLike { .. }),
                        )) => self.view.refusal(&chatroom_proto::Request::Ping, &refusal, None),
                        // The name is asked for its password, as long as somebody is there to know it.
                        Err(ConnectError::Refused(
                            refusal @ (Refusal::PasswordNeeded { .. } | Refusal::WrongPassword { .. }),
                        )) if matches!(input, Input::Editor(_)) => {
                            if matches!(refusal, Refusal::WrongPassword { .. }) {
                                let words = self.view.refusal(&chatroom_proto::Request::Ping, &refusal, None);
                                self.screen.note(words).await.map_err(|_| Ending::quiet(0))?;
                            }
                            password = self.ask_password(&mut input).await;
                            if password.is_some() {
                                given = Some(text);
                                continue;
                            }
                            self.view.refusal(&chatroom_proto::Request::Ping, &refusal, None)
                        }
                        Err(error) => {
                            let words = self.view.connect_error(&error, &self.target);
                            return Err(Ending::saying(connect_code(&error), words));
                        }
                    }
                }
            };
            if !(is_asked && self.is_typed) {
                return Err(Ending::saying(NAME_REFUSED, refused));
            }
            match input {
                Input::Editor(_) => self.screen.note(refused).await.map_err(|_| Ending::quiet(0))?,
                // As the question, which must come after it.
                Input::Plain(_) => drop(writeln!(io::stderr(), "{refused}")),
            }
        }
    }

    /// Shows the keys that were learned, whatever else came of it.
    async fn tell_of_acquaintances(&self, known_hosts: &KnownHosts) -> Result<(), Ending> {
        let file = known_hosts.file().map(|file| file.display().to_string());
        for with in known_hosts.take_news() {
            let words = self.view.acquainted(&with, file.as_deref());
            self.screen.note(words).await.map_err(|_| Ending::quiet(0))?;
        }
        Ok(())
    }

    /// Connects. A person is not left wondering when that takes a while.
    async fn connect(&self, options: Options) -> Result<(Client, Events, Welcome), ConnectError> {
        let words = self.view.connecting(&options.host, options.port);
        let mut connecting = pin!(Client::connect_and_greet(options));
        match timeout(CONNECT_QUIET, &mut connecting).await {
            Ok(connected) => connected,
            Err(_) => {
                if self.is_typed {
                    // Not above the line being typed: there is none. In one write: Ctrl-C throws away what the terminal has
                    // not shown yet, and half a line would be left.
                    let _ = io::stderr().write_all(format!("{words}\n").as_bytes());
                }
                connecting.await
            }
        }
    }

    /// The password that the command line says where to find.
    async fn given_password(&self, args: &Args) -> Result<Option<Password>, Ending> {
        match secret::given(args.password_file.as_deref(), args.password_command.as_deref()) {
            Ok(Given { password, warning }) => {
                if let Some(file) = warning {
                    let words = self.view.open_password_file(&file);
                    self.screen.note(words).await.map_err(|_| Ending::quiet(0))?;
                }
                Ok(password)
            }
            Err((from, why)) => Err(Ending::saying(USAGE, self.view.no_password(&from, &why))),
        }
    }

    /// Nothing when it is not given.
    async fn ask_password(&self, input: &mut Input) -> Option<Password> {
        let Input::Editor(typist) = input else { return None };
        typist.ask_password();
        match typist.typed.recv().await {
            Some(Typed::Secret(password)) => password,
            _ => None,
        }
    }

    async fn ask_name(&self, input: &mut Input) -> Result<String, Ending> {
        let typed = match input {
            Input::Editor(typist) => {
                typist.ask_name();
                typist.typed.recv().await
            }
            Input::Plain(typed) => {
                if self.is_typed {
                    let _ = io::stderr().write_all(NAME_QUESTION.as_bytes());
                }
                typed.recv().await
            }
        };
        match typed {
            Some(Typed::Line(name)) => Ok(name),
            Some(Typed::Unreadable(why)) => Err(Ending::saying(NAME_REFUSED, self.view.unreadable(why))),
            Some(Typed::End | Typed::Secret(_) | Typed::Request(_)) | None if self.is_typed => {
                Err(Ending::quiet(0))
            }
            Some(Typed::End | Typed::Secret(_) | Typed::Request(_)) | None => {
                Err(Ending::saying(USAGE, self.view.no_name()))
            }
        }
    }

    async fn welcome(
        &self,
        (client, events, welcome): (Client, Events, Welcome),
        input: Input,
        ignore: IgnoreList,
        warnings: Vec<String>,
    ) -> Result<Entered, Ending> {
        let mut text = self.view.welcome(&welcome);
        let typed = match input {
            Input::Editor(typist) => {
                text = format!("{text}\n{}", self.view.orientation());
                for Membership { group, .. } in earlier(&welcome) {
                    text = format!("{text}\n{}", self.view.earlier(group, welcome.keeps));
                }
                typist.read_commands()
            }
            Input::Plain(typed) => typed,
        };
        // When nobody reads this, the chat notices it soon enough.
        let _ = self.screen.say(text).await;
        let sent_again = client.kept().sent_again;
        let again = (sent_again > 0).then(|| self.view.sent_again(sent_again));
        for note in warnings.into_iter().chain(again) {
            let _ = self.screen.note(note).await;
        }
        Ok(Entered { client, events, welcome, typed, password: None, ignore })
    }

    /// What has to be said about the file for what must not be forgotten.
    fn state_warning(&self, client: &Client, file: Option<PathBuf>) -> Option<String> {
        let file = file?.display().to_string();
        client.kept().trouble.as_ref().map(|trouble| match trouble {
            KeepError::Damaged => self.view.damaged_state(&file),
            other => self.view.no_state(&file, &other.to_string()),
        })
    }

    fn begin(&mut self, entered: Entered) -> Chat {
        let Entered { client, events, welcome, typed, password, ignore } = entered;
        let groups = welcome.groups.as_slice().iter().map(|membership| membership.group.clone());
        let groups: Vec<GroupName> = groups.collect();
        let (_, no_wishes) = mpsc::channel(WISHES_MAX);
        let kept = client.kept();
        let last_here = kept.last_used.filter(|_| welcome.resumed).map(clock::millis);
        Chat::new(Parts {
            keeps: welcome.keeps,
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
            Ended::GaveUp(_) | Ended::Replaced | Ended::Disconnected | Ended::Untrusted(_) => NO_CONNECTION,
            Ended::PasswordChanged => NAME_REFUSED,
            Ended::Refused(refusal) => refused_code(refusal),
            Ended::Misbehaved(_) | Ended::Garbled(_) => OTHER_PROTOCOL,
        };
        Ending { code, words: self.view.ended(ended, &self.target) }
    }

    /// Clears up: everything is shown, the terminal is as it was, and only then the last words are said. Gives the exit
    /// code: one that tells of nothing worse tells of an output that can't be written.
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

/// Groups in which something was said before one came. One who was here before knows that.
fn earlier(welcome: &Welcome) -> impl Iterator<Item = &Membership> {
    let offers = !welcome.resumed && welcome.keeps != Keeps::Nothing;
    welcome.groups.as_slice().iter().filter(move |membership| offers && membership.head > Seq::ZERO)
}

/// Where to go.
fn target(args: &Args) -> Target {
    let known_hosts = args.known_hosts.as_ref().map(|file| file.display().to_string());
    Target { host: args.host.clone(), port: args.port, name: args.name.clone(), known_hosts }
}

/// Whether to speak TLS. To accept a key is to ask for it.
fn tls(args: &Args) -> Tls {
    match (args.tls || args.accept_key.is_some(), args.plaintext) {
        (true, _) => Tls::Always,
        (false, true) => Tls::Never,
        (false, false) => Tls::Auto,
    }
}

/// The servers that are known. Without a home they are forgotten in the end.
fn known_hosts(args: &Args) -> KnownHosts {
    let file = args.known_hosts.clone().or_else(|| Some(home::directory()?.join("known_hosts")));
    let known = file.map_or_else(KnownHosts::in_memory, KnownHosts::in_file);
    match args.accept_key {
        Some(key) => known.accepting(key),
        None => known,
    }
}

/// Where this name's state on this server is kept.
fn state_file(args: &Args, name: &UserName) -> Option<PathBuf> {
    if args.no_state {
        return None;
    }
    args.state.clone().or_else(|| home::state_file(&args.host, args.port, &name.key()))
}

/// The line editor and its output; nothing where the terminal is not made for it.
fn edited(
    assistant: Assistant,
    left: Arc<Notify>,
    view: View,
    args: &Args,
    warnings: &mut Vec<String>,
) -> Option<(Prompt, Output)> {
    let gate = Arc::clone(&assistant.gate);
    let mut prompt = Prompt::open(assistant, left, view).ok()?;
    let printer = prompt.printer().ok()?;
    let file = if args.no_history { None } else { args.history.clone().or_else(history::default_file) };
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

fn connect_code(error: &ConnectError) -> i32 {
    match error {
        ConnectError::Unreachable(_)
        | ConnectError::Silent
        | ConnectError::Cut
        | ConnectError::Untrusted(_) => NO_CONNECTION,
        ConnectError::Refused(refusal) => refused_code(refusal),
        ConnectError::Closed(CloseReason::Misbehaved(_)) | ConnectError::Garbled(_) => OTHER_PROTOCOL,
        ConnectError::Closed(_) => NO_CONNECTION,
    }
}

fn refused_code(refusal: &Refusal) -> i32 {
    match refusal {
        Refusal::UnsupportedVersion { .. } => OTHER_PROTOCOL,
        Refusal::RateLimited { .. } => NO_CONNECTION,
        _ => NAME_REFUSED,
    }
}
