//! What an older version of the protocol knows: the only place that says it.

use crate::{
    BanTarget, Body, Conversation, DeletedPost, Moderation, ModerationRecord, Notification,
    Operation, Page, Post, Refusal, Response, ServerBan, ServerFrame,
};

impl ServerFrame {
    /// The first version whose peers know this frame as it is.
    pub fn since_version(&self) -> u16 {
        let is_new = match self {
            ServerFrame::Notification(notification) => is_new_notification(notification),
            ServerFrame::Response { result: Ok(response), .. } => is_new_response(response),
            ServerFrame::Response { result: Err(refusal), .. } => is_new_refusal(refusal),
        };
        1 + u16::from(is_new)
    }

    /// What a peer of an older version is told instead of this, in words that its version knows.
    /// Nothing, if there are none.
    #[must_use]
    pub fn in_version(self, version: u16) -> Option<ServerFrame> {
        match self {
            frame if version >= frame.since_version() => Some(frame),
            ServerFrame::Response { tag, result } => {
                Some(ServerFrame::Response { tag, result: in_version_1(result) })
            }
            ServerFrame::Notification(notification) => {
                notification_in_version_1(notification).map(ServerFrame::Notification)
            }
        }
    }
}

fn is_new_notification(notification: &Notification) -> bool {
    match notification {
        Notification::Operated {
            act: Operation::Ban { whom, .. } | Operation::Unban { whom },
            ..
        } => matches!(whom, BanTarget::Network(_)),
        Notification::Moderated { act: Moderation::Delete { .. }, .. }
        | Notification::Deleted { .. }
        | Notification::DeletedPost { .. } => true,
        _ => false,
    }
}

fn is_new_response(response: &Response) -> bool {
    match response {
        Response::WelcomeInLife { .. }
        | Response::Who(_)
        | Response::Deleted { .. }
        | Response::PastWithDeleted { .. } => true,
        Response::ServerBans { bans, .. } => bans.as_slice().iter().any(is_of_version_2),
        Response::Acts { acts, .. } => {
            acts.as_slice().iter().any(|it| matches!(it.act, Moderation::Delete { .. }))
        }
        _ => false,
    }
}

fn is_new_refusal(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::Invalid { .. }
            | Refusal::MarkedName
            | Refusal::NoWords
            | Refusal::SessionEnded
            | Refusal::Unavailable
            | Refusal::NoSuchPost { .. }
            | Refusal::NotYours { .. }
            | Refusal::AlreadyDeleted { .. }
    )
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
            let bans = Page::fill(bans.into_vec().into_iter().filter(|ban| !is_of_version_2(ban)));
            Ok(Response::ServerBans { bans, next })
        }
        // That is what was found.
        Err(Refusal::NoWords) => {
            Ok(Response::Past { posts: Page::fill(std::iter::empty()), next: None })
        }
        // It can't have asked that.
        Ok(Response::Who(who)) => {
            let here = Some(who.user).filter(|_| who.away_since.is_none());
            Ok(Response::Users { users: Page::fill(here), next: None })
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
            | Refusal::SessionEnded
            | Refusal::Unavailable,
        ) => Err(Refusal::TookTooLong),
        other => other,
    }
}

fn is_of_version_2(ban: &ServerBan) -> bool {
    matches!(ban.whom, BanTarget::Network(_))
}
