//! A request on its way through the link, and where its answer goes.

use chatroom_proto::{Refusal, Request, Response, Tag};
use tokio::sync::oneshot;

/// A request on its way to the link.
#[derive(Debug)]
pub(crate) struct LinkRequest {
    pub(crate) tag: Tag,
    pub(crate) request: Request,
    pub(crate) reply_to: ReplyTo,
}

/// Where an answer goes out.
#[derive(Debug)]
pub(crate) enum ReplyTo {
    /// To the one who waits for it.
    Asker(oneshot::Sender<Result<Response, Refusal>>),
    /// Among the events.
    Events,
    /// To this link, which rejoins its groups in a new session.
    Rejoin,
    /// To this link, which only wants to know that the server is there.
    Alive,
}
