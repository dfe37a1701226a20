//! What a program hears from its link.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use chatroom_proto::{
    CloseReason, Conversation, GroupName, Misbehaviour, Notification, Refusal, Request, Response, Tag,
};
use futures_util::Stream;
use tokio::sync::{Semaphore, mpsc};

use crate::client::Shared;
use crate::link::SUBMITTED_MAX;

/// One thing that happened, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The server said something unasked. [`Notification::Ping`] and [`Notification::Closing`] are the link's
    /// business and never show here.
    Notification(Notification),
    /// The answer to a [`Client::submit`](crate::Client::submit).
    Answer {
        /// What `submit` returned.
        tag: Tag,
        /// What was asked.
        request: Request,
        /// What came of it.
        result: Result<Response, Refusal>,
    },
    /// The connection is lost. What is asked meanwhile is sent when it is back.
    Lost(Lost),
    /// The connection is back.
    Back {
        /// Whether the session went on (nobody was told). Otherwise a new one began, the link joins the client's
        /// groups again, and each gives [`Event::Rejoined`] or [`Event::NotRejoined`].
        resumed: bool,
        /// The groups that the client is in now.
        groups: Vec<GroupName>,
        /// The groups in which messages were missed meanwhile.
        missed: Vec<GroupName>,
    },
    /// In the new session, the client is in this group again.
    Rejoined {
        /// Which group.
        group: GroupName,
        /// Whether messages were missed in it meanwhile.
        missed: bool,
    },
    /// In the new session, the client could not come into this group again: it is gone, most likely.
    NotRejoined {
        /// Which group.
        group: GroupName,
        /// What the server says to it.
        refusal: Refusal,
    },
    /// The next message in this conversation is not the one after the last that was heard: some were missed.
    Missed(Conversation),
    /// It is over; nothing comes after this.
    Ended(Ended),
}

/// Why a connection was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The server hung up and said why.
    #[error("the server hung up: {0:?}")]
    Closed(CloseReason),
    /// The server hung up without a word.
    #[error("the server hung up")]
    HungUp,
    /// Nothing was heard from the server for too long.
    #[error("nothing was heard from the server")]
    Silent,
    /// More came than the program took: this side gave the connection up. What is missing is told by
    /// [`Event::Missed`] and [`Event::Back`].
    #[error("more came than was read")]
    Overrun,
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Failed(io::ErrorKind),
}

/// Why a link ended for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// The client left ([`Request::Exit`]), or dropped its end.
    #[error("the client left")]
    Left,
    /// The connection was lost, and [`Reconnect`](crate::Reconnect) says not to try any longer.
    #[error("{0}")]
    GaveUp(Lost),
    /// The server refused the client on its way back: the name has gone to somebody else, or the server speaks
    /// another version now.
    #[error("the server refused to let the client in again: {0:?}")]
    Refused(Refusal),
    /// The same session goes on over another connection.
    #[error("the session goes on elsewhere")]
    Replaced,
    /// The server says that this client broke the protocol. That is a bug, and trying again would repeat it.
    #[error("the server says that this client broke the protocol: {0:?}")]
    Misbehaved(Misbehaviour),
    /// The server said something that is not the protocol.
    #[error("the server does not speak this protocol: {0}")]
    Garbled(String),
}

/// The stream of [`Event`]s of one link. Read it or drop it: see [the crate's bounds](crate#the-bounds).
#[derive(Debug)]
pub struct Events {
    events: mpsc::Receiver<Event>,
    shared: Arc<Shared>,
}

impl Events {
    pub(crate) fn new(events: mpsc::Receiver<Event>, shared: Arc<Shared>) -> Events {
        Events { events, shared }
    }

    /// The next event; nothing after [`Event::Ended`]. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let event = ready!(self.events.poll_recv(context));
        if let Some(Event::Answer { .. }) = event {
            self.shared.submits.add_permits(1);
        }
        Poll::Ready(event)
    }
}

impl Drop for Events {
    /// Answers that go nowhere need not be waited for.
    fn drop(&mut self) {
        self.shared.submits.add_permits(Semaphore::MAX_PERMITS - SUBMITTED_MAX);
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll(context)
    }
}
