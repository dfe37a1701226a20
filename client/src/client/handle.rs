//! The handle that a program asks with.

use std::path::PathBuf;
use std::sync::Arc;

use chatroom_proto::{Password, PostId, Request, Response, Tag, Token, UserName, Welcome};
use tokio::sync::{mpsc, oneshot};

use crate::dial::{Dial, Net};
use crate::error::{AskError, ConnectError, Ended};
use crate::event::Events;
use crate::journal::{Journal, JournalHandle, KeptState};
use crate::limits::{ASKS_QUEUED_MAX, EVENTS_MAX};
use crate::link::{Ends, Link, LinkRequest, ReplyTo};
use crate::options::{Options, Reconnect};
use crate::random::Random;
use crate::shared::Shared;

/// Asks a server, over a link that comes back by itself. Cheap to clone; clones share the link.
#[derive(Debug, Clone)]
pub struct Client {
    asks: mpsc::Sender<LinkRequest>,
    shared: Arc<Shared>,
    journal: Arc<JournalHandle>,
    kept: Arc<KeptState>,
    is_private: bool,
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
        let (journal, former, kept) = Journal::open(keep.as_deref(), &name);
        let journal = JournalHandle::new(journal);
        let (asks, asked) = mpsc::channel(ASKS_QUEUED_MAX);
        let (happens, events) = mpsc::channel(EVENTS_MAX);
        let ends = Ends {
            shared: Arc::clone(&shared),
            asks: asked,
            events: happens,
            journal: journal.share(),
        };
        let (link, connection) =
            Link::open(dial, (name, password), reconnect, ends, former).await?;
        let (welcome, is_private) = ((*connection.welcome).clone(), connection.is_private);
        tokio::spawn(link.run(connection));
        let events = Events::new(events, Arc::clone(&shared), Arc::clone(&journal));
        Ok((Client { asks, shared, journal, kept: Arc::new(kept), is_private }, events, welcome))
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
        self.journal.is_open()
    }

    /// Leaves a post to the next run, without sending it. Tells whether it is kept.
    pub fn leave_for_next_time(&self, post: &Request) -> bool {
        self.journal.asked(post)
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
        let (reply_to, answer) = oneshot::channel();
        self.send(request, ReplyTo::Asker(reply_to)).await?;
        match answer.await {
            Ok(result) => result.map_err(AskError::Refused),
            Err(_) => Err(self.closed()),
        }
    }

    /// Sends a request whose answer comes as [`Event::Answer`](crate::Event::Answer), in its place
    /// among the events. Waits while too many are queued, and while
    /// [`SUBMITTED_MAX`](crate::limits::SUBMITTED_MAX) answers are under way or not taken yet: one
    /// who only submits, and takes no events, waits for itself.
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

    async fn send(&self, request: Request, reply_to: ReplyTo) -> Result<Tag, AskError> {
        let permit = self.asks.reserve().await.map_err(|_| self.closed())?;
        let tag = self.shared.next_tag();
        // Not when it is sent: until then it may wait for a connection for as long as the client
        // lives.
        self.journal.asked(&request);
        permit.send(LinkRequest { tag, request, reply_to });
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

/// A token for [`Request::ChangePasswordAndToken`]: 32 random bytes.
///
/// # Panics
/// When the operating system has no randomness to give.
pub fn new_token() -> Token {
    let mut token = [0; 32];
    getrandom::fill(&mut token).expect("the operating system gives randomness");
    Token(token)
}
