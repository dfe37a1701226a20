//! What a program hears from its link.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use chatroom_proto::{Conversation, GroupName, Notification, Refusal, Request, Response, Seq, Tag};
use futures_util::Stream;
use tokio::sync::{Semaphore, mpsc};

use crate::error::{Ended, Lost};
use crate::journal::{Cursor, JournalHandle};
use crate::limits::SUBMITTED_MAX;
use crate::shared::Shared;

/// One thing that happened, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The server said something unasked. [`Notification::Ping`] and [`Notification::Closing`] are
    /// the link's business and never show here.
    Notification(Notification),
    /// Said while the connection was lost, or while this client was not running: the server tells
    /// it now that the client is back. Such posts come in their order, before [`Event::CaughtUp`];
    /// when the connection is lost in the middle of them, the rest comes over the next one. Among
    /// them is how memberships ended meanwhile ([`Notification::Moderated`], or
    /// [`Notification::Left`] of another device): what was said in that group comes before it.
    Replayed(Notification),
    /// All that was missed has been told again; what comes now is live. Only servers that keep what
    /// is said get that far.
    CaughtUp,
    /// The answer to a [`Client::submit`](crate::Client::submit), or to a post of an earlier run
    /// that had none (see [`Options::keep`](crate::Options::keep)).
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
        /// Whether the session went on (nobody was told). Otherwise a new one began, the link joins
        /// the client's groups again, and each gives [`Event::Rejoined`] or [`Event::NotRejoined`].
        resumed: bool,
        /// The groups that the client is in now.
        groups: Vec<GroupName>,
        /// The groups in which messages were missed meanwhile that are not told again.
        missed: Vec<GroupName>,
    },
    /// The server was put back to an earlier copy of itself, or another one took its place. What
    /// was told after what both share is not there any more; what follows may have been told
    /// before only if it is the same.
    PutBack {
        /// The newest event that both share.
        to: Seq,
    },
    /// In the new session, the client is in this group again.
    Rejoined {
        /// Which group.
        group: GroupName,
        /// Whether messages were missed in it meanwhile.
        missed: bool,
    },
    /// In the new session, the client could not come into this group again: it is gone, most
    /// likely.
    NotRejoined {
        /// Which group.
        group: GroupName,
        /// What the server says to it.
        refusal: Refusal,
    },
    /// The next message in this conversation is not the one after the last that was heard: some
    /// were missed, and the server does not have them either.
    Missed(Conversation),
    /// The server asks to go slower, and what was asked has to wait for longer than a moment. It is
    /// sent by itself, in its order, and what is asked meanwhile comes after it. Told once, until
    /// nothing waits any more.
    Slowed {
        /// How long it takes until the next is sent.
        wait: Duration,
        /// How many requests have no answer.
        waiting: usize,
    },
    /// It is over; nothing comes after this.
    Ended(Ended),
}

/// An event on its way to the program, and how far the client has come with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueuedEvent {
    pub(crate) event: Event,
    pub(crate) place: Cursor,
}

/// How far a program has come with its events; see [`Events::receipt`]. Those of one run are to be
/// signed in their order; a later one stands for all before it.
#[derive(Debug)]
pub struct Receipt {
    journal: Arc<JournalHandle>,
    place: Cursor,
}

impl Receipt {
    /// The program has done with that event, and all before it.
    pub fn sign(self) {
        self.journal.handed(self.place);
    }
}

/// The stream of [`Event`]s of one link. Read it or drop it: see [the crate's
/// bounds](crate#the-bounds).
#[derive(Debug)]
pub struct Events {
    events: mpsc::Receiver<QueuedEvent>,
    shared: Arc<Shared>,
    journal: Arc<JournalHandle>,
    /// How far the client has come with the event that the program has now.
    taken: Option<Cursor>,
    is_over: bool,
}

impl Events {
    pub(crate) fn new(
        events: mpsc::Receiver<QueuedEvent>,
        shared: Arc<Shared>,
        journal: Arc<JournalHandle>,
    ) -> Events {
        Events { events, shared, journal, taken: None, is_over: false }
    }

    /// The next event; nothing after [`Event::Ended`]. Dropping the future loses nothing.
    ///
    /// Whoever asks for the next event has done with the one before whatever it does: with a file
    /// ([`Options::keep`](crate::Options::keep)) that is written down, and a client that is killed
    /// and runs again is told what comes after it. In a `tokio::select!` this should be the first
    /// branch of a `biased` one: otherwise it may not be asked at all before the others have
    /// waited, and the event before comes again if the client is killed then.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|context| self.poll(context)).await
    }

    /// For a program that has done with events later than it asks for the next: takes over to say
    /// when that is, for the event that it has now and all before it. Nothing, when there is
    /// nothing to say.
    pub fn receipt(&mut self) -> Option<Receipt> {
        let place = self.taken.take()?;
        Some(Receipt { journal: Arc::clone(&self.journal), place })
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.hand_over();
        let Some(QueuedEvent { event, place }) = ready!(self.events.poll_recv(context)) else {
            return Poll::Ready(None);
        };
        self.taken = Some(place);
        self.is_over = matches!(event, Event::Ended(_));
        if matches!(event, Event::Answer { .. }) {
            self.shared.submits.add_permits(1);
        }
        Poll::Ready(Some(event))
    }

    fn hand_over(&mut self) {
        if let Some(place) = self.taken.take() {
            self.journal.handed(place);
        }
    }
}

impl Drop for Events {
    /// Answers that go nowhere need not be waited for.
    fn drop(&mut self) {
        if self.is_over {
            self.hand_over();
        }
        self.shared.submits.add_permits(Semaphore::MAX_PERMITS - SUBMITTED_MAX);
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll(context)
    }
}
