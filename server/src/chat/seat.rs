//! A seat: what this node keeps of one of its connections.

use std::collections::VecDeque;

use chatroom_proto::{Request, Seq, Tag, Token};

use super::effect::SessionId;

/// One connection's place in the chat.
#[derive(Debug)]
pub(super) struct Seat {
    /// How far it has come.
    pub(super) stage: Stage,
    /// Its proposals that were not applied yet.
    pub(super) under_way: u32,
    /// Whether something is being looked up for it.
    pub(super) is_reading: bool,
    /// Requests that wait for these, in their order. Bounded: a connection stops reading when
    /// [`ASKS_UNANSWERED_MAX`](chatroom_proto::ASKS_UNANSWERED_MAX) requests are unanswered. Mostly none do.
    #[expect(clippy::box_collection, reason = "nothing is smaller than an empty queue")]
    waiting: Option<Box<VecDeque<(Tag, Request)>>>,
}

/// How far a connection has come.
#[derive(Debug)]
pub(super) enum Stage {
    /// Its arrival was proposed.
    Knocking(Box<Knock>),
    /// It was let in.
    In(SessionId),
}

/// What has to be known to let somebody in.
#[derive(Debug)]
pub(super) struct Knock {
    /// The protocol version that it will speak.
    pub(super) version: u16,
    /// The token that it came with.
    pub(super) old: Option<Token>,
    /// The token that a new session gets.
    pub(super) fresh: Token,
    /// What it says it has seen.
    pub(super) seen: Seq,
}

impl Seat {
    /// A connection whose arrival is about to be proposed.
    pub(super) fn new(stage: Stage) -> Seat {
        Seat { stage, under_way: 0, is_reading: false, waiting: None }
    }

    /// Whether a request can't be served yet: others wait before it, or something is being looked up, or it asks for what
    /// deeds under way may change.
    pub(super) fn must_wait(&self, request: &Request) -> bool {
        let knocking = matches!(self.stage, Stage::Knocking(_));
        let blocked = self.is_reading || (self.under_way > 0 && is_question(request));
        knocking || blocked || self.waiting.is_some()
    }

    /// Lets a request wait.
    pub(super) fn wait(&mut self, tag: Tag, request: Request) {
        self.waiting.get_or_insert_default().push_back((tag, request));
    }

    /// How many requests wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.len())
    }

    /// Takes out the next request that need not wait any longer.
    pub(super) fn next_ready(&mut self) -> Option<(Tag, Request)> {
        let waiting = self.waiting.as_mut()?;
        let asks = waiting.front().is_some_and(|(_, request)| is_question(request));
        let blocked = self.is_reading || (self.under_way > 0 && asks);
        let next = if blocked { None } else { waiting.pop_front() };
        self.waiting.take_if(|waiting| waiting.is_empty());
        next
    }
}

/// Whether a request is answered from the state as it is, without the log.
fn is_question(request: &Request) -> bool {
    matches!(
        request,
        Request::Hello(_)
            | Request::Groups { .. }
            | Request::Users { .. }
            | Request::Ping
            | Request::History { .. }
            | Request::Search { .. }
            | Request::Why { .. }
            | Request::About { .. }
            | Request::Clients { .. }
            | Request::ServerBans { .. }
    )
}
