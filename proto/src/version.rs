//! What an older version of the protocol knows: the only place that says it.

use crate::{
    BanTarget, Body, Conversation, DeletedPost, Moderation, ModerationRecord, Notification,
    Operation, Page, Post, Refusal, Request, Response, ServerFrame,
};

impl ServerFrame {
    /// What a peer of an older version is told instead of this, in words that its version knows.
    /// Nothing, if there are none.
    #[must_use]
    pub fn in_version(self, version: u16) -> Option<ServerFrame> {
        match self {
            frame if version >= 2 => Some(frame),
            ServerFrame::Response { tag, result } => {
                Some(ServerFrame::Response { tag, result: in_version_1(result) })
            }
            ServerFrame::Notification(notification) => {
                notification_in_version_1(notification).map(ServerFrame::Notification)
            }
        }
    }
}

impl Request {
    /// What a server that speaks an older version is asked instead of this, in words that its
    /// version knows.
    #[must_use]
    pub fn in_version(self, version: u16) -> Request {
        match self {
            Request::ComeBack { hello, .. } if version < 2 => Request::Hello(hello),
            Request::ChangePasswordAndToken { old, new, .. } if version < 2 => {
                Request::ChangePassword { old, new }
            }
            // A server that can't delete has to answer something that says so.
            Request::Delete { .. } if version < 2 => Request::Ping,
            request => request,
        }
    }
}

fn notification_in_version_1(notification: Notification) -> Option<Notification> {
    match notification {
        Notification::Operated {
            act:
                Operation::Ban { whom: BanTarget::Network(_), .. }
                | Operation::Unban { whom: BanTarget::Network(_) },
            ..
        }
        | Notification::Moderated { act: Moderation::Delete { .. }, .. }
        | Notification::Deleted { .. } => None,
        // Without a post in that place, something would be missing before the next.
        Notification::DeletedPost { post, place } => {
            let DeletedPost { seq, prev, at, id, from, .. } = post;
            let post = Post { seq, prev, at, id, from, body: Body::deleted() };
            Some(match place {
                Conversation::Group(group) => Notification::GroupPost { post, group },
                Conversation::User(to) => Notification::PrivatePost { post, to },
            })
        }
        other => Some(other),
    }
}

fn in_version_1(result: Result<Response, Refusal>) -> Result<Response, Refusal> {
    match result {
        Ok(Response::WelcomeInLife { welcome, .. }) => Ok(Response::Welcome(*welcome)),
        Ok(Response::ServerBans { bans, next }) => {
            let is_known = |ban: &crate::ServerBan| !matches!(ban.whom, BanTarget::Network(_));
            let bans = Page::fill(bans.into_vec().into_iter().filter(is_known));
            Ok(Response::ServerBans { bans, next })
        }
        Ok(Response::PastWithDeleted { posts, next, .. }) => Ok(Response::Past { posts, next }),
        Ok(Response::Acts { group, acts }) => {
            let is_known =
                |record: &ModerationRecord| !matches!(record.act, Moderation::Delete { .. });
            let acts = Page::fill(acts.into_vec().into_iter().filter(is_known));
            Ok(Response::Acts { group, acts })
        }
        // It has not asked for that.
        Ok(Response::Deleted { .. }) => Ok(Response::Pong),
        // Nothing was done, and there are no better words for why.
        Err(
            Refusal::AlreadyDeleted { .. }
            | Refusal::NoSuchPost { .. }
            | Refusal::NotYours { .. }
            | Refusal::Invalid { .. }
            | Refusal::MarkedName
            | Refusal::NoWords
            | Refusal::SessionEnded
            | Refusal::Unavailable,
        ) => Err(Refusal::TookTooLong),
        other => other,
    }
}
