//! What a program holds: a handle to ask with. What can be asked, each with its own answer, is in
//! `client/asks.rs`.

mod asks;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chatroom_proto::{
    CloseReason, Password, PostId, Refusal, Request, Response, Tag, UserName, Welcome,
};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::dial::{Dial, Net};
use crate::event::{Ended, Events};
use crate::journal::{Journal, JournalHandle, KeptState};
use crate::link::{ASKS_QUEUED_MAX, EVENTS_MAX, Ends, Link, LinkRequest, ReplyTo, SUBMITTED_MAX};
use crate::trust::{KnownHosts, TlsMode, Untrusted};
pub use asks::{HistoryPage, LIST_ITEMS_MAX, Posted};

/// Where to connect to, under which name, and what to do when the connection is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// A host name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The name to go by.
    pub name: UserName,
    /// What to do when the connection is lost.
    pub reconnect: Reconnect,
    /// A file for what this client must not forget when it is killed: one for each server and name.
    /// With it, a client that runs again is the one that it was: it hears what it missed while it
    /// did not run, each thing once, and sends again the posts that had no answer, before anything
    /// new ([`Event::Answer`](crate::Event::Answer) tells what came of them). Without it, every run
    /// is a stranger.
    ///
    /// A file that can't be used ([`Client::kept`]), because another client uses it for example,
    /// stops nobody from connecting. It survives a killed client, and not a machine that loses its
    /// power.
    pub keep: Option<PathBuf>,
    /// The name's password, should it need one: when the server does not know this client, or not
    /// any more.
    pub password: Option<Password>,
    /// Whether to speak TLS.
    pub tls: TlsMode,
    /// The servers that are known: by these this one is recognized, when it speaks TLS.
    pub known_hosts: KnownHosts,
}

impl Options {
    /// Options of a client that comes back for ever, and keeps no file: it takes the server that it
    /// meets first for the right one, unless it is on this machine, and no other after that.
    pub fn new(host: impl Into<String>, port: u16, name: UserName) -> Options {
        Options {
            host: host.into(),
            port,
            name,
            reconnect: Reconnect::Forever,
            keep: None,
            password: None,
            tls: TlsMode::Auto,
            known_hosts: KnownHosts::in_memory(),
        }
    }
}

/// Whether to come back when the connection is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reconnect {
    /// Not at all.
    Never,
    /// Try for so long, counted from the loss.
    For(Duration),
    /// Try until it works.
    Forever,
}

/// Why there is no connection to begin with.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody answers there.
    #[error("cannot connect: {0}")]
    Unreachable(#[source] io::Error),
    /// There is a connection, and no answer came over it in time.
    #[error("no answer came in time")]
    Silent,
    /// The connection was cut before the client was let in.
    #[error("the connection was cut during the handshake")]
    Cut,
    /// The server said no.
    #[error("the server refused: {0:?}")]
    Refused(Refusal),
    /// The name needs its password, which is not said over this line: others can read along.
    #[error("the name {name:?} needs its password, which is not said where others can read along")]
    PasswordUnsaid {
        /// The registered name.
        name: UserName,
    },
    /// The server hung up and said why.
    #[error("the server hung up: {0:?}")]
    Closed(CloseReason),
    /// What answers there does not speak Chatroom's protocol.
    #[error("what answers there does not speak this protocol: {0}")]
    Garbled(String),
    /// This client can't trust that it is the server, or can't speak to it so that nobody reads
    /// along.
    #[error("{0}")]
    Untrusted(Untrusted),
}

/// Why a request has no answer that could be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The server said no.
    #[error("the server refused: {0:?}")]
    Refused(Refusal),
    /// The link has ended. Whether the request took effect is unknown.
    #[error("the link has ended: {0}")]
    Closed(Ended),
    /// The server answered something that does not fit the question.
    #[error("the server answered something else")]
    Unexpected,
}

/// Asks a server, over a link that comes back by itself. Cheap to clone; clones share the link.
#[derive(Debug, Clone)]
pub struct Client {
    asks: mpsc::Sender<LinkRequest>,
    shared: Arc<Shared>,
    keeper: Arc<JournalHandle>,
    kept: Arc<KeptState>,
    is_private: bool,
}

/// Any numbers: where the tags begin, and how long to wait before the next try. The default asks
/// the operating system.
#[derive(Clone)]
pub struct Random(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Random {
    /// Numbers from this.
    pub fn new(number: impl Fn() -> u64 + Send + Sync + 'static) -> Random {
        Random(Arc::new(number))
    }

    fn number(&self) -> u64 {
        (self.0)()
    }
}

impl Default for Random {
    fn default() -> Random {
        // Without randomness there is no jitter, and the full wait is right.
        Random::new(|| getrandom::u64().unwrap_or(u64::MAX))
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random(..)")
    }
}

/// What the handles and the link's task share.
#[derive(Debug)]
pub(crate) struct Shared {
    tags: AtomicU32,
    random: Random,
    /// One for each answer that may still come among the events.
    pub(crate) submits: Semaphore,
    pub(crate) ended: OnceLock<Ended>,
}

impl Shared {
    /// A client that runs again may be in the same session: its tags begin anywhere, so that they
    /// name other requests than those of the run before.
    pub(crate) fn new(random: Random) -> Shared {
        // The lower half of it.
        let first = random.number() as u32;
        let (tags, submits) = (AtomicU32::new(first), Semaphore::new(SUBMITTED_MAX));
        Shared { tags, random, submits, ended: OnceLock::new() }
    }

    /// Any number, to wait for so long that not everybody comes at once.
    pub(crate) fn random(&self) -> u64 {
        self.random.number()
    }

    /// A tag that this link has not used yet.
    pub(crate) fn next_tag(&self) -> Tag {
        Tag(self.tags.fetch_add(1, Ordering::Relaxed))
    }
}

impl Client {
    /// Connects once, and says hello; again only if the server asks to do so a little later. From
    /// then on a lost connection is remade as the options say, by a task that lives until the
    /// client leaves, or until both ends are dropped.
    ///
    /// # Errors
    /// [`ConnectError`]: this first attempt is not repeated.
    pub async fn connect(options: Options) -> Result<(Client, Events), ConnectError> {
        Client::connect_and_greet(options).await.map(|(client, events, _)| (client, events))
    }

    /// As [`Client::connect`], for a program that wants to show how it was welcomed.
    ///
    /// # Errors
    /// [`ConnectError`]: this first attempt is not repeated.
    pub async fn connect_and_greet(
        options: Options,
    ) -> Result<(Client, Events, Welcome), ConnectError> {
        let dial = Net::new(options.host, options.port, options.tls, options.known_hosts);
        Client::over(dial, (options.name, options.password), options.reconnect, options.keep).await
    }

    /// As [`Client::connect_and_greet`], by any means that gives streams of bytes.
    ///
    /// # Errors
    /// [`ConnectError`]: this first attempt is not repeated.
    pub async fn over<D: Dial>(
        dial: D,
        who: (UserName, Option<Password>),
        reconnect: Reconnect,
        keep: Option<PathBuf>,
    ) -> Result<(Client, Events, Welcome), ConnectError> {
        Client::over_with(dial, who, reconnect, keep, Random::default()).await
    }

    /// As [`Client::over`], for a test that is to be the same every time: what the link leaves to
    /// chance is drawn from this.
    ///
    /// # Errors
    /// [`ConnectError`]: this first attempt is not repeated.
    pub async fn over_with<D: Dial>(
        dial: D,
        (name, password): (UserName, Option<Password>),
        reconnect: Reconnect,
        keep: Option<PathBuf>,
        random: Random,
    ) -> Result<(Client, Events, Welcome), ConnectError> {
        let shared = Arc::new(Shared::new(random));
        let (journal, image, kept) = Journal::open(keep.as_deref(), &name);
        let keeper = JournalHandle::new(journal);
        let (asks, asked) = mpsc::channel(ASKS_QUEUED_MAX);
        let (happens, events) = mpsc::channel(EVENTS_MAX);
        let ends = Ends {
            shared: Arc::clone(&shared),
            asks: asked,
            events: happens,
            journal: keeper.share(),
        };
        let (link, connection) = Link::open(dial, (name, password), reconnect, ends, image).await?;
        let (welcome, is_private) = (connection.welcome.clone(), connection.is_private);
        tokio::spawn(link.run(connection));
        let events = Events::new(events, Arc::clone(&shared), Arc::clone(&keeper));
        Ok((Client { asks, shared, keeper, kept: Arc::new(kept), is_private }, events, welcome))
    }

    /// Whether nobody but the server can read what is asked: the connection is TLS, or does not
    /// leave this machine. It stays so when the connection is remade. A secret is for such a
    /// connection only.
    pub fn is_private(&self) -> bool {
        self.is_private
    }

    /// Whether posts without an answer outlive this client: the file of [`Options::keep`] is in
    /// use.
    pub fn has_journal(&self) -> bool {
        self.keeper.is_open()
    }

    /// Leaves a post to the next run, without sending it. Tells whether it is kept.
    pub fn leave_for_next_time(&self, post: &Request) -> bool {
        self.keeper.asked(post)
    }

    /// What came of [`Options::keep`].
    pub fn kept(&self) -> &KeptState {
        &self.kept
    }

    /// Sends a request and waits for its answer; while the connection is lost, until it is back.
    /// When the future is dropped the request still takes effect. [`Request::Hello`] is the link's
    /// business: a server hangs up on one from here.
    ///
    /// # Errors
    /// [`AskError::Refused`] or [`AskError::Closed`].
    pub async fn ask(&self, request: Request) -> Result<Response, AskError> {
        let (door, answer) = oneshot::channel();
        self.send(request, ReplyTo::Asker(door)).await?;
        match answer.await {
            Ok(result) => result.map_err(AskError::Refused),
            Err(_) => Err(self.closed()),
        }
    }

    /// Sends a request whose answer comes as [`Event::Answer`](crate::Event::Answer), in its place
    /// among the events. Waits while too many are queued, and while [`SUBMITTED_MAX`] answers are
    /// under way or not taken yet: one who only submits, and takes no events, waits for itself.
    ///
    /// # Errors
    /// [`AskError::Closed`].
    pub async fn submit(&self, request: Request) -> Result<Tag, AskError> {
        let permit = self.shared.submits.acquire().await.map_err(|_| self.closed())?;
        let tag = self.send(request, ReplyTo::Events).await?;
        // The events give it back when the answer is taken.
        permit.forget();
        Ok(tag)
    }

    async fn send(&self, request: Request, door: ReplyTo) -> Result<Tag, AskError> {
        let permit = self.asks.reserve().await.map_err(|_| self.closed())?;
        let tag = self.shared.next_tag();
        // Not when it is sent: until then it may wait for a connection for as long as the client
        // lives.
        self.keeper.asked(&request);
        permit.send(LinkRequest { tag, request, door });
        Ok(tag)
    }

    fn closed(&self) -> AskError {
        AskError::Closed(self.shared.ended.get().cloned().unwrap_or(Ended::Left))
    }
}

/// A new post's identity: 16 random bytes.
///
/// # Panics
/// When the operating system has no randomness to give.
pub fn new_post_id() -> PostId {
    let mut id = [0; 16];
    getrandom::fill(&mut id).expect("the operating system gives randomness");
    PostId(id)
}
