//! What each request is and what it costs, in one exhaustive list.
//!
//! The connection, the rate limits and the chat all ask here. A new variant of [`Request`] does not
//! compile until it has its line, and needs no other list: how it is queued, limited and answered
//! in its turn follows from the class. What it does is said where requests are served.

use chatroom_proto::{BODY_BYTES_MAX, Moderation, Request};

/// What the dearest request costs, in units: every allowance must hold it, or it would never be
/// served.
pub(crate) const COST_MAX: u32 = 1 + BODY_BYTES_MAX as u32 / BODY_BYTES_A_UNIT;

const _: () = assert!(COST_MAX >= CREATE_COST && COST_MAX >= PASSWORD_COST);

/// The part of a message that costs one unit more, in bytes: the longest costs as much as 17 short
/// ones.
const BODY_BYTES_A_UNIT: u32 = 500;

/// Making a group, which stays for ever.
const CREATE_COST: u32 = 10;

/// Searching: up to a second of a reader's time, where the words are common.
const SEARCH_COST: u32 = 5;

/// Having a password or a code looked at: tens of milliseconds of a processor, or a guess.
const PASSWORD_COST: u32 = 10;

/// Reading a page of history, or doing something of which a whole group is told.
const PAGE_COST: u32 = 2;

/// What is refused because it is invalid, in units.
pub(crate) const INVALID_COST: u32 = 1;

/// How a request is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestKind {
    /// It belongs before everything else, and is misbehaviour later.
    Login,
    /// It asks for a sign of life.
    Liveness,
    /// It is answered at once from the state, in a few words.
    Question,
    /// It is answered at once from the state, with a page.
    List,
    /// It is answered from the archive.
    LookUp,
    /// A password is hashed first; then it is a command.
    NeedsPassword,
    /// What it is about is looked up in the archive first; then it is a command.
    NeedsPost,
    /// It becomes a command in the log, and is answered when that is applied.
    Command,
}

/// What a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestClass {
    /// How it is served.
    pub(crate) kind: RequestKind,
    /// What it costs, in units. One unit is about what a short message costs everybody together.
    /// What costs nothing is only counted.
    pub(crate) cost: u32,
}

impl RequestClass {
    /// The class of a request.
    #[inline]
    pub(crate) fn of(request: &Request) -> RequestClass {
        use RequestKind::{
            Command, List, Liveness, Login, LookUp, NeedsPassword, NeedsPost, Question,
        };
        let (kind, cost) = match request {
            Request::Hello(_) | Request::ComeBack { .. } => (Login, 0),
            Request::Ping => (Liveness, 0),
            // One who wants to go is not held up for what it has spent.
            Request::Exit => (Command, 0),
            Request::About { .. } => (Question, 1),
            Request::Groups { .. }
            | Request::Users { .. }
            | Request::Why { .. }
            | Request::Who { .. }
            | Request::Clients { .. }
            | Request::ServerBans { .. } => (List, 1),
            Request::History { .. } => (LookUp, PAGE_COST),
            Request::Search { .. } => (LookUp, SEARCH_COST),
            Request::Delete { .. } | Request::Moderate { act: Moderation::Delete { .. }, .. } => {
                (NeedsPost, PAGE_COST)
            }
            Request::Register { .. }
            | Request::ChangePassword { .. }
            | Request::ChangePasswordAndToken { .. }
            | Request::Unregister { .. } => (NeedsPassword, PASSWORD_COST),
            // A code is guessed like a password.
            Request::Claim { .. } => (Command, PASSWORD_COST),
            Request::Create { .. } => (Command, CREATE_COST),
            Request::Join { .. }
            | Request::Leave { .. }
            | Request::Moderate { .. }
            | Request::Operate { .. } => (Command, PAGE_COST),
            Request::Public { body, .. } | Request::Private { body, .. } => {
                let bytes = u32::try_from(body.as_str().len()).unwrap_or(u32::MAX);
                (Command, 1 + bytes / BODY_BYTES_A_UNIT)
            }
        };
        RequestClass { kind, cost }
    }
}

impl RequestKind {
    /// Whether the answer is decided before the log is asked, by the state as it is then. Such a
    /// request waits until the commands before it on its connection were applied.
    #[inline]
    pub(crate) fn waits_for_commands(self) -> bool {
        match self {
            RequestKind::Login
            | RequestKind::Liveness
            | RequestKind::Question
            | RequestKind::List
            | RequestKind::LookUp
            | RequestKind::NeedsPassword
            | RequestKind::NeedsPost => true,
            RequestKind::Command => false,
        }
    }

    /// Whether the answer is long, or is a while in coming. Then the connection hands nothing in
    /// behind it until it is there.
    #[inline]
    pub(crate) fn blocks_connection(self) -> bool {
        match self {
            RequestKind::List
            | RequestKind::LookUp
            | RequestKind::NeedsPassword
            | RequestKind::NeedsPost => true,
            RequestKind::Login
            | RequestKind::Liveness
            | RequestKind::Question
            | RequestKind::Command => false,
        }
    }
}
