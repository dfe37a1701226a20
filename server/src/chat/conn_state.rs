//! What one node keeps of one of its connections.
//!
//! A connection's replies come in the order of its requests, though some are answered at once and
//! some only when the log gives their commands back. So a connection counts its commands under way,
//! and queues what has to wait for them. A queued request is served when everything before it was
//! answered, or is on its way to the log.

use std::collections::VecDeque;

use chatroom_proto::{Lives, Password, Refusal, Request, Seq, Tag, Token, UserName};

use super::effect::Channel;
use super::entry::{Address, DeviceId, TokenDigest};
use super::request_class::RequestClass;

/// One connection's place in the chat.
#[derive(Debug)]
pub(super) struct ConnState {
    /// How far it has come.
    pub(super) phase: Phase,
    /// Its proposals that were not applied yet.
    pub(super) under_way: u32,
    /// Whether something is being looked up for it.
    pub(super) is_reading: bool,
    /// Who can read along.
    pub(super) channel: Channel,
    /// What is rarely there. Mostly nothing is.
    cold: Option<Box<ColdState>>,
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
    /// It is to be refused, which was settled before it came here.
    Refuse(Refusal),
}

/// How far a connection has come.
#[derive(Debug)]
pub(super) enum Phase {
    /// Its login was proposed, or its password is being checked.
    LoggingIn(Box<PendingLogin>),
    /// It was let in, as this device.
    In(DeviceId),
}

/// What has to be known to let somebody in.
#[derive(Debug)]
pub(super) struct PendingLogin {
    /// The protocol version that it will speak.
    pub(super) version: u16,
    /// The token of its session.
    pub(super) token: Token,
    /// What it says it has seen.
    pub(super) seen: Seq,
    /// And in which lives of the log.
    pub(super) lives: Lives,
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
    ChangePassword { old: Option<Seq>, token: Token },
    /// That was granted by the password, and is in the log's hands: the device gets this token.
    Change { token: Token },
    /// To give the account up.
    Unregister { password: Option<Seq> },
}

/// What somebody who was let in asks for with a password.
#[derive(Debug)]
pub(super) enum PasswordRequest {
    /// To own a name.
    Register { password: Password },
    /// To have another password.
    ChangePassword { old: Password, new: Password, token: Token },
    /// To give the account up.
    Unregister { password: Password },
}

impl ConnState {
    /// A connection whose login is about to be proposed.
    pub(super) fn new(phase: Phase, channel: Channel) -> ConnState {
        ConnState { phase, under_way: 0, is_reading: false, channel, cold: None }
    }

    /// Whether a request can't be served yet: others wait before it, or something is being looked
    /// up, or it asks for what commands under way may change.
    pub(super) fn must_wait(&self, queued: &Queued) -> bool {
        self.waiting() > 0 || self.is_blocked_for(queued)
    }

    fn is_blocked_for(&self, queued: &Queued) -> bool {
        let is_logging_in = matches!(self.phase, Phase::LoggingIn(_));
        let must_see_commands = || match queued {
            Queued::Serve(request) => RequestClass::of(request).kind.waits_for_commands(),
            Queued::Refuse(_) => true,
        };
        is_logging_in || self.is_reading || (self.under_way > 0 && must_see_commands())
    }

    /// Notes what it has said a password for.
    pub(super) fn set_auth(&mut self, auth: PendingAuth) {
        self.cold.get_or_insert_default().auth = Some(auth);
    }

    /// Takes out what it has said a password for.
    pub(super) fn take_auth(&mut self) -> Option<PendingAuth> {
        let auth = self.cold.as_mut()?.auth.take();
        self.shrink();
        auth
    }

    /// Lets a request wait.
    pub(super) fn wait(&mut self, tag: Tag, queued: Queued) {
        self.cold.get_or_insert_default().waiting.push_back((tag, queued));
    }

    /// Lets a request wait whose turn it was: before all others.
    pub(super) fn wait_first(&mut self, tag: Tag, queued: Queued) {
        self.cold.get_or_insert_default().waiting.push_front((tag, queued));
    }

    /// How many requests wait.
    pub(super) fn waiting(&self) -> usize {
        self.cold.as_ref().map_or(0, |cold| cold.waiting.len())
    }

    /// Takes out the next request that need not wait any longer.
    pub(super) fn next_ready(&mut self) -> Option<(Tag, Queued)> {
        let (_, first) = self.cold.as_ref()?.waiting.front()?;
        if self.is_blocked_for(first) {
            return None;
        }
        let next = self.cold.as_mut()?.waiting.pop_front();
        self.shrink();
        next
    }

    /// Gives up the memory of what is rarely there, when nothing is any more.
    fn shrink(&mut self) {
        if let Some(cold) = self.cold.as_mut().filter(|cold| cold.waiting.is_empty()) {
            cold.waiting = VecDeque::new();
        }
        self.cold.take_if(|cold| cold.auth.is_none() && cold.waiting.is_empty());
    }
}
