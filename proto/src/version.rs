//! What an older version of the protocol knows: the only place that says it.

use crate::{BanTarget, Notification, Operation, Page, Refusal, Response, ServerBan, ServerFrame};

impl ServerFrame {
    /// The first version whose peers know this frame as it is.
    pub fn since_version(&self) -> u16 {
        match self {
            ServerFrame::Notification(Notification::Operated {
                act:
                    Operation::Ban { whom: BanTarget::Network(_), .. }
                    | Operation::Unban { whom: BanTarget::Network(_) },
                ..
            })
            | ServerFrame::Response {
                result:
                    Ok(Response::WelcomeInLife { .. } | Response::Who(_))
                    | Err(
                        Refusal::Invalid { .. }
                        | Refusal::MarkedName
                        | Refusal::NoWords
                        | Refusal::SessionEnded
                        | Refusal::Unavailable,
                    ),
                ..
            } => 2,
            ServerFrame::Response { result: Ok(Response::ServerBans { bans, .. }), .. } => {
                1 + u16::from(bans.as_slice().iter().any(is_of_version_2))
            }
            ServerFrame::Response { .. } | ServerFrame::Notification(_) => 1,
        }
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
            ServerFrame::Notification(_) => None,
        }
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
        // Nothing was done, and there are no better words for why.
        Err(
            Refusal::Invalid { .. }
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
