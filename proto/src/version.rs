//! What an older version of the protocol knows: the only place that says it.

use crate::{
    BanTarget, Notification, Operation, Page, Refusal, Request, Response, Seq, ServerFrame,
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
            ServerFrame::Notification(Notification::Operated {
                act:
                    Operation::Ban { whom: BanTarget::Network(_), .. }
                    | Operation::Unban { whom: BanTarget::Network(_) },
                ..
            }) => None,
            ServerFrame::Notification(notification) => {
                Some(ServerFrame::Notification(notification))
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
            // Of those who are here, it tells the names.
            Request::Who { .. } if version < 2 => Request::Users { after: Seq::ZERO },
            request => request,
        }
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
        // It can't have asked that.
        Ok(Response::Who(who)) => {
            let here = Some(who.user).filter(|_| who.away_since.is_none());
            Ok(Response::Users { users: Page::fill(here), next: None })
        }
        // Nothing was done, and there are no better words for why.
        Err(
            Refusal::Invalid { .. }
            | Refusal::MarkedName
            | Refusal::NoWords
            | Refusal::SessionEnded
            | Refusal::Unavailable,
        ) => Err(Refusal::TookTooLong),
        other => other,
    }
}
