//! Logging in: a name that the server takes, a password where one is needed, and what is said
//! first.

use std::future::Future;
use std::io::{self, Write};
use std::path::PathBuf;
use std::pin::pin;

use crate::client::Client;
use crate::dial;
use crate::error::{ConnectError, KeepError};
use crate::event::Events;
use crate::journal;
use crate::options::{Options, Reconnect};
use crate::trust::{KnownHosts, TlsMode};
use chatroom_proto::{
    Conversation, Membership, Password, Refusal, Request, Retention, Seq, UserName, Welcome,
};
use tokio::sync::mpsc;
use tokio::time::{Duration, timeout};

use super::ending::{Ending, NAME_REFUSED, USAGE, connect_code, say};
use super::setup::{InputSource, Program};
use crate::app::args::Args;
use crate::app::home;
use crate::app::ignore::IgnoreList;
use crate::app::lines::Typed;
use crate::app::prompt::NAME_QUESTION;
use crate::app::secret::Given;
use crate::app::settings::Settings;
use crate::app::view::Layout;

/// How long a program in a pipe waits for a lost connection: a restart of the server. A person
/// waits for ever.
const PIPE_PATIENCE: Duration = Duration::from_secs(30);

/// How long connecting may take without a word.
const CONNECT_QUIET: Duration = Duration::from_secs(1);

/// A chat that is about to begin.
pub(super) struct ReadyChat {
    pub(super) client: Client,
    pub(super) events: Events,
    pub(super) welcome: Welcome,
    pub(super) typed: mpsc::Receiver<Typed>,
    /// What a pipe registers its name with.
    pub(super) password: Option<Password>,
    pub(super) ignore: IgnoreList,
    pub(super) settings: Settings,
}

/// A client that was let in.
struct LoggedIn {
    client: Client,
    events: Events,
    welcome: Welcome,
    /// The file for what it must not forget.
    keep: Option<PathBuf>,
}

impl Program {
    /// Finds a name that the server takes, and connects.
    pub(super) async fn log_in(
        &self,
        args: Args,
        mut input: InputSource,
    ) -> Result<ReadyChat, Ending> {
        let known_hosts = known_hosts(&args);
        let is_asked = args.name.is_none();
        let given_password = self.given_password().await?;
        if is_asked && self.is_typed {
            // Before the question: a name that is typed for nothing is lost.
            self.reach(&args).await?;
        }
        let (mut given, mut password) = (args.name.clone(), given_password.clone());
        loop {
            let text = match given.take() {
                Some(text) => text,
                None => self.ask_name(&mut input).await?,
            };
            let refused = match UserName::parse(text.trim()) {
                Err(error) => self.view.bad_name(text.trim(), &error),
                Ok(name) => {
                    let way = (&args, &known_hosts);
                    match self.log_in_as(name, password.take(), way, &mut input).await? {
                        Ok(logged_in) => {
                            return self.welcome(logged_in, input, given_password).await;
                        }
                        Err(refused) => refused,
                    }
                }
            };
            if !(is_asked && self.is_typed) {
                return Err(Ending::saying(NAME_REFUSED, refused));
            }
            match input {
                InputSource::Editor(_) => {
                    self.screen.note(refused).await.map_err(|_| Ending::quiet(0))?;
                }
                // As the question, which must come after it.
                InputSource::Plain(_) => say(&refused),
            }
        }
    }

    /// Comes under this name. It is asked for its password, as long as somebody is there to know
    /// it. When another name may help, tells why this one was refused.
    async fn log_in_as(
        &self,
        name: UserName,
        mut password: Option<Password>,
        (args, known_hosts): (&Args, &KnownHosts),
        input: &mut InputSource,
    ) -> Result<Result<LoggedIn, String>, Ending> {
        let reconnect =
            if self.is_typed { Reconnect::Forever } else { Reconnect::For(PIPE_PATIENCE) };
        let keep = state_file(args, &name);
        // A terminal of one's own at which one is here has the file that tells who one is.
        let is_here = keep.as_deref().is_some_and(journal::is_in_use);
        loop {
            let connecting = Client::connect_and_greet(Options {
                reconnect,
                password: password.take(),
                keep: keep.clone(),
                tls: tls(args),
                known_hosts: known_hosts.clone(),
                ..Options::new(args.host.clone(), args.port, name.clone())
            });
            let connected = self.with_a_word(args, connecting).await;
            self.tell_of_acquaintances(known_hosts).await?;
            let error = match connected {
                Ok((client, events, welcome)) => {
                    return Ok(Ok(LoggedIn { client, events, welcome, keep }));
                }
                Err(error) => error,
            };
            if let Some(question) = self.password_question(&error, is_here, input) {
                self.screen.note(question).await.map_err(|_| Ending::quiet(0))?;
                password = self.ask_password(input).await;
                if password.is_some() {
                    continue;
                }
            }
            return match self.why_not_this_name(&error, is_here, input) {
                Some(refused) => Ok(Err(refused)),
                None => {
                    let words = self.view.connect_error(&error, &self.target);
                    Err(Ending::saying(connect_code(&error), words))
                }
            };
        }
    }

    /// What is said before a password is asked for, if one helps and somebody can be asked.
    fn password_question(
        &self,
        error: &ConnectError,
        is_here: bool,
        input: &InputSource,
    ) -> Option<String> {
        let ConnectError::Refused(refusal) = error else { return None };
        let question = match refusal {
            Refusal::PasswordNeeded { name } if is_here => self.view.password_wanted_here_too(name),
            Refusal::PasswordNeeded { name } => self.view.password_wanted(name),
            Refusal::WrongPassword { .. } => self.view.refusal(&Request::Ping, refusal, None),
            _ => return None,
        };
        matches!(input, InputSource::Editor(_)).then_some(question)
    }

    /// Why this name was refused, where another one may help. `is_here`: it is one's own, at
    /// another terminal.
    fn why_not_this_name(
        &self,
        error: &ConnectError,
        is_here: bool,
        input: &InputSource,
    ) -> Option<String> {
        match error {
            ConnectError::Refused(Refusal::NameTaken { name }) if is_here => {
                Some(self.view.here_already(name))
            }
            ConnectError::Refused(
                refusal @ (Refusal::NameTaken { .. }
                | Refusal::NameLooksLike { .. }
                | Refusal::MarkedName),
            ) => Some(self.view.refusal(&Request::Ping, refusal, None)),
            // One who was asked for the password, and has none.
            ConnectError::Refused(
                refusal @ (Refusal::PasswordNeeded { .. } | Refusal::WrongPassword { .. }),
            ) if matches!(input, InputSource::Editor(_)) => {
                Some(self.view.refusal(&Request::Ping, refusal, None))
            }
            ConnectError::PasswordUnsaid { .. } => {
                Some(self.view.connect_error(error, &self.target))
            }
            _ => None,
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

    /// Makes sure that a server may be there.
    async fn reach(&self, args: &Args) -> Result<(), Ending> {
        let reached = self.with_a_word(args, dial::reach(args.host.clone(), args.port)).await;
        reached.map_err(|error| {
            let words = self.view.connect_error(&error, &self.target);
            Ending::saying(connect_code(&error), words)
        })
    }

    /// A person is not left wondering when it takes a while to connect.
    async fn with_a_word<T>(
        &self,
        args: &Args,
        connecting: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        let words = self.view.connecting(&args.host, args.port);
        let mut connecting = pin!(connecting);
        match timeout(CONNECT_QUIET, &mut connecting).await {
            Ok(connected) => connected,
            Err(_) => {
                if self.is_typed {
                    // Not above the line being typed: there is none. In one write: Ctrl-C throws
                    // away what the terminal has not shown yet, and half a line would be left.
                    say(&words);
                }
                connecting.await
            }
        }
    }

    /// The password that the command line says where to find.
    async fn given_password(&self) -> Result<Option<Password>, Ending> {
        match &self.given_password {
            Ok(Given { password, warning }) => {
                if let Some(file) = warning {
                    let words = self.view.open_password_file(file);
                    self.screen.note(words).await.map_err(|_| Ending::quiet(0))?;
                }
                Ok(password.clone())
            }
            Err((from, why)) => Err(Ending::saying(USAGE, self.view.no_password(from, why))),
        }
    }

    /// Nothing when it is not given.
    async fn ask_password(&self, input: &mut InputSource) -> Option<Password> {
        let InputSource::Editor(input) = input else { return None };
        input.ask_password();
        match input.typed.recv().await {
            Some(Typed::Secret(password)) => password,
            _ => None,
        }
    }

    async fn ask_name(&self, input: &mut InputSource) -> Result<String, Ending> {
        let typed = match input {
            InputSource::Editor(input) => {
                input.ask_name();
                input.typed.recv().await
            }
            InputSource::Plain(typed) => {
                if self.is_typed {
                    let _ = io::stderr().write_all(NAME_QUESTION.as_bytes());
                }
                typed.recv().await
            }
        };
        match typed {
            Some(Typed::Line(name)) => Ok(name),
            Some(Typed::Unreadable(why)) => {
                Err(Ending::saying(NAME_REFUSED, self.view.unreadable(why)))
            }
            Some(Typed::End | Typed::Secret(_) | Typed::Request(_)) | None if self.is_typed => {
                Err(Ending::quiet(0))
            }
            Some(Typed::End | Typed::Secret(_) | Typed::Request(_)) | None => {
                Err(Ending::saying(USAGE, self.view.no_name()))
            }
        }
    }

    /// Says who is there and what is to be known; from now on, lines are commands.
    async fn welcome(
        &self,
        LoggedIn { client, events, welcome, keep }: LoggedIn,
        input: InputSource,
        password: Option<Password>,
    ) -> Result<ReadyChat, Ending> {
        let (ignore, unread) = IgnoreList::open(keep.as_deref(), &welcome.name);
        let unread = unread.map(|(file, why)| self.view.no_ignored(&file, &why.to_string()));
        // What a pipe does depends on nothing that somebody chose at a terminal.
        let is_for_people = self.view.layout == Layout::Screen;
        let (mut settings, unset) = Settings::open(keep.as_deref().filter(|_| is_for_people));
        let unset = unset.map(|(file, why)| self.view.no_settings(&file, &why.to_string()));
        let warnings = self.state_warning(&client, keep).into_iter().chain(unread).chain(unset);
        let mut text = self.view.welcome(&welcome);
        // Before a line is read: the first one may be a message already.
        let opened = self.open_again(&mut settings, &welcome);
        let typed = match input {
            InputSource::Editor(input) => {
                text = format!("{text}\n{}", self.view.orientation());
                for Membership { group, .. } in earlier(&welcome) {
                    text = format!("{text}\n{}", self.view.earlier(group, welcome.retention));
                }
                input.read_commands(client.is_private())
            }
            InputSource::Plain(typed) => typed,
        };
        // When nobody reads this, the chat notices it soon enough.
        let _ = self.screen.say(text).await;
        let sent_again = client.kept().sent_again;
        let again = (sent_again > 0).then(|| self.view.sent_again(sent_again));
        for note in warnings.chain(again).chain(opened) {
            let _ = self.screen.note(note).await;
        }
        Ok(ReadyChat { client, events, welcome, typed, password, ignore, settings })
    }

    /// Opens what was open in the last run; gives what is to be said about that. A group that is
    /// gone, or that one was put out of, is closed instead.
    fn open_again(&self, settings: &mut Settings, welcome: &Welcome) -> Option<String> {
        let open = settings.choices.open.clone()?;
        if let Conversation::Group(group) = &open {
            let mut groups = welcome.groups.as_slice().iter();
            if !groups.any(|membership| membership.group.key() == group.key()) {
                // What can't be kept is said when something is chosen.
                let _ = settings.choose(|chosen| chosen.open = None);
                return Some(self.view.closed_with(group));
            }
        }
        let text = self.view.opened(&open);
        self.open.set(Some(open));
        Some(text)
    }

    /// What has to be said about the file for what must not be forgotten.
    fn state_warning(&self, client: &Client, file: Option<PathBuf>) -> Option<String> {
        let file = file?.display().to_string();
        client.kept().fault.as_ref().map(|fault| match fault {
            KeepError::Damaged => self.view.damaged_state(&file),
            other => self.view.no_state(&file, &other.to_string()),
        })
    }
}

/// Groups in which something was said before one came. One who was here before knows that.
fn earlier(welcome: &Welcome) -> impl Iterator<Item = &Membership> {
    let offers = !welcome.resumed && welcome.retention != Retention::Nothing;
    welcome.groups.as_slice().iter().filter(move |membership| offers && membership.head > Seq::ZERO)
}

/// Whether to speak TLS. To accept a key is to ask for it.
fn tls(args: &Args) -> TlsMode {
    match (args.tls || args.accept_key.is_some(), args.plaintext) {
        (true, _) => TlsMode::Always,
        (false, true) => TlsMode::Never,
        (false, false) => TlsMode::Auto,
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
