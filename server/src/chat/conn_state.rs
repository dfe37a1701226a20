//! A connection's state: what this node keeps of one of its connections.

use std::collections::VecDeque;

use chatroom_proto::{Refusal, Request, Seq, Tag, Token, UserName};

use super::effect::Channel;
use super::entry::{Address, DeviceId, TokenDigest};

/// One connection's place in the chat.
#[derive(Debug)]
pub(super) struct ConnState {
    /// How far it has come.
    pub(super) stage: Phase,
    /// Its proposals that were not applied yet.
    pub(super) under_way: u32,
    /// Whether something is being looked up for it.
    pub(super) is_reading: bool,
    /// Who can read along.
    pub(super) channel: Channel,
    /// What is out of the ordinary. Mostly nothing is.
    rare: Option<Box<ColdState>>,
}

/// What a connection waits for, and what waits for it.
#[derive(Debug, Default)]
struct ColdState {
    /// What it has said a password for.
    auth: Option<PendingAuth>,
    /// Requests that wait for what is under way or looked up, in their order. Bounded: a connection
    /// stops reading when [`ASKS_UNANSWERED_MAX`](chatroom_proto::ASKS_UNANSWERED_MAX) requests are
    /// unanswered.
    waiting: VecDeque<(Tag, Queued)>,
}

/// What a connection has asked for.
#[derive(Debug)]
pub(super) enum Queued {
    /// It is to be served.
    Serve(Request),
    /// It is not, and was settled before it came here.
    Refuse(Refusal),
}

/// How far a connection has come.
#[derive(Debug)]
pub(super) enum Phase {
    /// Its arrival was proposed.
    LoggingIn(Box<PendingLogin>),
    /// It was let in.
    In(DeviceId),
}

/// What has to be known to let somebody in.
#[derive(Debug)]
pub(super) struct PendingLogin {
    /// The protocol version that it will speak.
    pub(super) version: u16,
    /// The token that it came with.
    pub(super) old: Option<Token>,
    /// The token that a new session gets.
    pub(super) fresh: Token,
    /// What it says it has seen.
    pub(super) seen: Seq,
}

/// What somebody has said a password for. With the entry that set what it must match; nothing when
/// there is no account.
#[derive(Debug)]
pub(super) enum PendingAuth {
    /// To come in.
    LogIn { name: UserName, password: Option<Seq>, fresh: TokenDigest, address: Address },
    /// To own a name.
    Register,
    /// To have another password.
    ChangePassword { old: Option<Seq> },
    /// That was granted by the password, and is in the log's hands: the device gets this token.
    Change { token: Token },
    /// To give the account up.
    Unregister { password: Option<Seq> },
}

impl ConnState {
    /// A connection whose arrival is about to be proposed.
    pub(super) fn new(stage: Phase, channel: Channel) -> ConnState {
        ConnState { stage, under_way: 0, is_reading: false, channel, rare: None }
    }

    /// Whether a request can't be served yet: others wait before it, or something is being looked
    /// up, or it asks for what commands under way may change.
    pub(super) fn must_wait(&self, turn: &Queued) -> bool {
        let logging_in = matches!(self.stage, Phase::LoggingIn(_));
        let blocked = self.is_reading || (self.under_way > 0 && is_question(turn));
        logging_in || blocked || self.waiting() > 0
    }

    /// Notes what it has said a password for.
    pub(super) fn wishes(&mut self, auth: PendingAuth) {
        self.rare.get_or_insert_default().auth = Some(auth);
    }

    /// Takes out what it has said a password for.
    pub(super) fn take_auth(&mut self) -> Option<PendingAuth> {
        let auth = self.rare.as_mut()?.auth.take();
        self.calm_down();
        auth
    }

    /// Lets a request wait.
    pub(super) fn wait(&mut self, tag: Tag, turn: Queued) {
        self.rare.get_or_insert_default().waiting.push_back((tag, turn));
    }

    /// How many requests wait.
    pub(super) fn waiting(&self) -> usize {
        self.rare.as_ref().map_or(0, |rare| rare.waiting.len())
    }

    /// Takes out the next request that need not wait any longer.
    pub(super) fn next_ready(&mut self) -> Option<(Tag, Queued)> {
        let is_logging_in = matches!(self.stage, Phase::LoggingIn(_));
        let waiting = &mut self.rare.as_mut()?.waiting;
        let asks = waiting.front().is_some_and(|(_, turn)| is_question(turn));
        let blocked = is_logging_in || self.is_reading || (self.under_way > 0 && asks);
        let next = if blocked { None } else { waiting.pop_front() };
        self.calm_down();
        next
    }

    /// Gives up what is kept for what is out of the ordinary, when nothing is any more.
    fn calm_down(&mut self) {
        if let Some(rare) = self.rare.as_mut().filter(|rare| rare.waiting.is_empty()) {
            rare.waiting = VecDeque::new();
        }
        self.rare.take_if(|rare| rare.auth.is_none() && rare.waiting.is_empty());
    }
}

/// Whether a request is answered from the state as it is, or looked at with it, before the log
/// is asked; what is refused anyway is, too.
fn is_question(turn: &Queued) -> bool {
    let Queued::Serve(request) = turn else { return true };
    matches!(
        request,
        Request::Hello(_)
            | Request::Groups { .. }
            | Request::Users { .. }
            | Request::Ping
            | Request::History { .. }
            | Request::Search { .. }
            | Request::Register { .. }
            | Request::ChangePassword { .. }
            | Request::Unregister { .. }
            | Request::Why { .. }
            | Request::About { .. }
            | Request::Clients { .. }
            | Request::ServerBans { .. }
    )
}
