//! The handle of the dispatch task, and the messages that go through it.

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

#[cfg(feature = "test-util")]
use crate::chat::ChatState;
use crate::chat::ClientReport;
use crate::chat::effect::{Input, LoginRequest};
use crate::config::INBOX_INPUTS_MAX;
use crate::dispatch::outbox::Outbox;

/// What connections and the server's owner say to the dispatch task.
#[derive(Debug)]
pub(crate) enum Message {
    /// A connection's first words, and where its answers go.
    LogIn(Box<LoginRequest>, Outbox),
    /// Anything else from a connection.
    Input(Input),
    /// Who is here?
    Clients(oneshot::Sender<Vec<ClientReport>>),
    /// What has everything come to, and how much is under way? The answer is a copy of all of it,
    /// and everybody waits while it is made: no program asks.
    #[cfg(feature = "test-util")]
    State(oneshot::Sender<(ChatState, usize)>),
}

/// How a server comes to its end. Not messages: these must get through when the inbox is full and
/// nothing is taken in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lifetime {
    /// The server goes down: everyone is told, and nobody is let in any more.
    pub(crate) shutdown: CancellationToken,
    /// Nobody is left: the dispatch task ends.
    pub(crate) end: CancellationToken,
}

/// The way to the dispatch task. Cloned for every connection.
#[derive(Debug, Clone)]
pub(crate) struct DispatchHandle(mpsc::Sender<Message>);

/// The dispatch task has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server has stopped")]
pub(crate) struct Stopped;

impl DispatchHandle {
    /// A handle, and the inbox behind it.
    pub(crate) fn new() -> (DispatchHandle, mpsc::Receiver<Message>) {
        let (handle, inbox) = mpsc::channel(INBOX_INPUTS_MAX);
        (DispatchHandle(handle), inbox)
    }

    /// Hands something in; waits while the inbox is full.
    pub(crate) async fn send(&self, message: Message) -> Result<(), Stopped> {
        self.0.send(message).await.map_err(|_| Stopped)
    }

    /// Hands something in, or gives it back when the inbox is full.
    pub(crate) fn try_send(&self, message: Message) -> Result<Option<Message>, Stopped> {
        match self.0.try_send(message) {
            Ok(()) => Ok(None),
            Err(TrySendError::Full(message)) => Ok(Some(message)),
            Err(TrySendError::Closed(_)) => Err(Stopped),
        }
    }

    /// Who is here, in the order of arrival.
    pub(crate) async fn clients(&self) -> Result<Vec<ClientReport>, Stopped> {
        let (answer, answered) = oneshot::channel();
        self.send(Message::Clients(answer)).await?;
        answered.await.map_err(|_| Stopped)
    }

    /// What everything has come to, and how much is under way.
    #[cfg(feature = "test-util")]
    pub(crate) async fn state(&self) -> Result<(ChatState, usize), Stopped> {
        let (answer, answered) = oneshot::channel();
        self.send(Message::State(answer)).await?;
        answered.await.map_err(|_| Stopped)
    }
}
