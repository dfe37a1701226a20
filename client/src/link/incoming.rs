//! What the server says over one connection, and what it means for the link.

use std::io;
use std::time::Duration;

use chatroom_proto::codec::FrameError;
use chatroom_proto::{
    CloseReason, Conversation, GroupName, Notification, Refusal, Request, Response, Seq,
    ServerFrame, Tag, UserName,
};
use tokio::time::Instant;

use super::active_connection::ActiveConnection;
use super::request::{LinkRequest, ReplyTo};
use super::task::{ConnectionEnd, Link, SlowDown};
use crate::dial::Dial;
use crate::error::{Ended, Lost};
use crate::event::Event;
use crate::limits::{ASKS_WAITING_MAX, SLOW_AFTER};
use crate::trust::Untrusted;

impl<D: Dial> Link<D> {
    /// Takes in what the server says, or that it says nothing more. Tells when that is the end.
    pub(super) fn handle_frame(
        &mut self,
        active: &mut ActiveConnection,
        frame: Option<Result<ServerFrame, FrameError>>,
    ) -> Option<ConnectionEnd> {
        active.heard = Instant::now();
        tracing::trace!(?frame, "heard");
        match frame {
            Some(Ok(ServerFrame::Response { tag, result })) => {
                self.handle_response(active, tag, result)
            }
            Some(Ok(ServerFrame::Notification(notification))) => {
                self.handle_notification(active, notification)
            }
            Some(Err(FrameError::Io(error))) => Some(active.end(match error.kind() {
                io::ErrorKind::UnexpectedEof => Lost::HungUp,
                kind => Lost::Failed(kind),
            })),
            Some(Err(error)) => Some(ConnectionEnd::Over(Ended::Garbled(error.to_string()))),
            None => Some(active.end(Lost::HungUp)),
        }
    }

    fn handle_response(
        &mut self,
        active: &mut ActiveConnection,
        tag: Tag,
        result: Result<Response, Refusal>,
    ) -> Option<ConnectionEnd> {
        if let Err(Refusal::RateLimited { retry_after_ms }) = result {
            return self.go_slower(active, tag, Duration::from_millis(retry_after_ms.into()));
        }
        let Some(ask) = self.in_flight.take(tag) else {
            return Some(answer_to_nothing(tag));
        };
        active.due_since = active.heard;
        if !self.in_flight.is_held_back() {
            self.slow = None;
        }
        let is_goodbye = matches!(result, Ok(Response::Goodbye | Response::Unregistered { .. }));
        if let (
            Request::ChangePassword { new, .. } | Request::ChangePasswordAndToken { new, .. },
            Ok(Response::PasswordChanged { token, .. }),
        ) = (&ask.request, &result)
        {
            // At once: whoever comes with the old one is a stranger.
            self.token = token.clone();
            self.journal.resumed(token);
            self.password = Some(new.clone());
        }
        if self.is_skipping && !is_goodbye && self.puts_off(&ask) {
            self.in_flight.put_off(ask);
            return None;
        }
        let LinkRequest { request, reply_to, .. } = ask;
        let is_undone =
            result.as_ref().is_ok_and(|response| self.state.is_undone(&request, response));
        self.journal.answered(&request, &result, is_undone);
        let missed =
            result.as_ref().ok().and_then(|response| self.state.answered(&request, response));
        let was_missed = self.has_missed_before(&request, &result);
        match reply_to {
            // One who no longer waits for the answer does not want it.
            ReplyTo::Asker(asker) => drop(asker.send(result)),
            ReplyTo::Events => self.tell(Event::Answer { tag, request, result }),
            ReplyTo::Rejoin => {
                let missed = missed.is_some_and(|group| self.is_surely_missed(&group, &result));
                if let Some(event) = rejoined(request, result, missed) {
                    self.tell(event);
                }
            }
            ReplyTo::Alive => {}
        }
        if let Some(group) = was_missed {
            self.tell(Event::Missed(group));
        }
        is_goodbye.then_some(ConnectionEnd::Over(Ended::Left))
    }

    /// Whether it is certain that messages were missed in a group that was joined again.
    fn is_surely_missed(
        &mut self,
        place: &Conversation,
        joined: &Result<Response, Refusal>,
    ) -> bool {
        let may_be_own = self.in_flight.has_post_to(place);
        if let Ok(Response::Joined { membership, .. }) = joined
            && may_be_own
        {
            self.doubts.note(&membership.group, membership.head);
        }
        !may_be_own
    }

    /// Whether the answer to a message shows that others were missed in its group.
    fn has_missed_before(
        &mut self,
        request: &Request,
        result: &Result<Response, Refusal>,
    ) -> Option<Conversation> {
        let Request::Public { group, .. } = request else { return None };
        let place = Conversation::Group(group.clone());
        let seq = result.as_ref().ok().and_then(Response::seq);
        let has_more = self.in_flight.has_post_to(&place);
        self.doubts.answered(group, seq, has_more).then_some(place)
    }

    /// The server asks to go slower. That is the link's business: the program learns of it only
    /// when it takes long, and has its answer when there is one.
    fn go_slower(
        &mut self,
        active: &mut ActiveConnection,
        tag: Tag,
        wait: Duration,
    ) -> Option<ConnectionEnd> {
        if self.in_flight.hold_back(tag, wait, active.heard).is_none() {
            return Some(answer_to_nothing(tag));
        }
        active.due_since = active.heard;
        let slow = self.slow.get_or_insert(SlowDown { since: active.heard, is_told: false });
        if !slow.is_told && (wait >= SLOW_AFTER || slow.since + SLOW_AFTER <= active.heard) {
            slow.is_told = true;
            self.tell(Event::Slowed { wait, waiting: self.in_flight.len() });
        }
        None
    }

    /// Whether an answer is to come again later: among the events it would stand before what is let
    /// go now. (Only as long as there is room to ask something else.)
    fn puts_off(&self, ask: &LinkRequest) -> bool {
        matches!(ask.reply_to, ReplyTo::Events)
            && !has_password(&ask.request)
            && self.in_flight.len() + 1 < ASKS_WAITING_MAX
    }

    fn handle_notification(
        &mut self,
        active: &mut ActiveConnection,
        notification: Notification,
    ) -> Option<ConnectionEnd> {
        match notification {
            Notification::Ping => self.ping(active),
            Notification::Closing(reason) => active.closing = Some(reason),
            _ if self.is_skipping => {}
            Notification::CaughtUp { seq } => return self.catch_up(active, seq),
            notification => return self.hear(active, notification),
        }
        None
    }

    fn hear(
        &mut self,
        active: &ActiveConnection,
        notification: Notification,
    ) -> Option<ConnectionEnd> {
        let seq = notification.seq().unwrap_or_default();
        if let Some(place) = self.state.gap(&notification)
            && !self.in_flight.has_post_to(&place)
        {
            if self.goes_back_for(seq, active.again_until) {
                return Some(ConnectionEnd::Lost(Lost::Gap));
            }
            self.tell(Event::Missed(place));
        }
        let is_told_again =
            notification.seq().is_some() && active.again_until.is_some_and(|until| seq <= until);
        if let Some(group) = self.is_out_of(&notification) {
            if is_told_again {
                // The welcome has said in which groups it is now.
                self.state.was_out(group);
            } else {
                self.state.expelled(group);
                self.journal.is_out(group);
            }
        }
        self.state.notified(&notification);
        self.tell(if is_told_again {
            Event::Replayed(notification)
        } else {
            Event::Notification(notification)
        });
        None
    }

    /// The group that the client is a member of no longer: somebody has put it out, or another
    /// device of the same person has left it.
    fn is_out_of<'a>(&self, notification: &'a Notification) -> Option<&'a GroupName> {
        let is_own = |user: &UserName| user.key() == self.name.key();
        match notification {
            Notification::Moderated { group, act, .. } => {
                (act.expels() && act.user().is_some_and(is_own)).then_some(group)
            }
            Notification::Left { user, group, .. } => is_own(user).then_some(group),
            _ => None,
        }
    }

    /// All that was missed was told again; what the groups' newest posts at the beginning say is
    /// checked against it.
    fn catch_up(&mut self, active: &mut ActiveConnection, seq: Seq) -> Option<ConnectionEnd> {
        let missing =
            self.state.missing().map(|(group, head)| (Conversation::Group(group.clone()), head));
        let mut missing: Vec<_> = missing.collect();
        missing.retain(|(group, _)| !self.in_flight.has_post_to(group));
        if let Some(newest) = missing.iter().map(|(_, head)| *head).max()
            && self.goes_back_for(newest, active.again_until)
        {
            return Some(ConnectionEnd::Lost(Lost::Gap));
        }
        for (group, _) in missing {
            self.tell(Event::Missed(group));
        }
        active.again_until = None;
        self.state.caught_up(seq);
        self.tell(Event::CaughtUp);
        None
    }

    /// Something is missing before this: whether it helps to come back and hear it again. Once for
    /// each: what a server does not tell the second time, it does not have any more.
    fn goes_back_for(&mut self, seq: Seq, again_until: Option<Seq>) -> bool {
        let goes_back = self.can_hear_again() && seq > self.went_back_for;
        if goes_back {
            tracing::warn!(%seq, "something is missing before this");
            self.went_back_for = again_until.unwrap_or(seq).max(seq);
        }
        goes_back
    }

    /// More came than the program takes. What will not be heard again is let go but for what must
    /// be told; a program that does not even take that will never take anything.
    pub(super) fn be_overrun(&mut self) -> Option<ConnectionEnd> {
        if self.can_hear_again() {
            self.is_skipping = true;
            self.state.fall_behind();
            return self
                .event_queue
                .is_overrun_by_answers()
                .then_some(ConnectionEnd::Over(Ended::GaveUp(Lost::Overrun)));
        }
        self.event_queue.shed();
        Some(if self.event_queue.is_overrun() {
            ConnectionEnd::Over(Ended::GaveUp(Lost::Overrun))
        } else {
            ConnectionEnd::Lost(Lost::Overrun)
        })
    }
}

impl ActiveConnection {
    /// Why the connection really ended: the server's last word says more than the socket.
    fn end(&self, lost: Lost) -> ConnectionEnd {
        match self.closing {
            Some(CloseReason::Misbehaved(how)) => ConnectionEnd::Over(Ended::Misbehaved(how)),
            Some(CloseReason::Replaced) => ConnectionEnd::Over(Ended::Replaced),
            Some(CloseReason::PasswordChanged) => ConnectionEnd::Over(Ended::PasswordChanged),
            Some(CloseReason::TlsRequired) => {
                ConnectionEnd::Over(Ended::Untrusted(Untrusted::TlsRequired))
            }
            Some(CloseReason::Disconnected) => ConnectionEnd::Over(Ended::Disconnected),
            Some(reason) => ConnectionEnd::Lost(Lost::Closed(reason)),
            None => ConnectionEnd::Lost(lost),
        }
    }
}

fn answer_to_nothing(tag: Tag) -> ConnectionEnd {
    ConnectionEnd::Over(Ended::Garbled(format!("an answer to nothing that was asked ({tag:?})")))
}

/// What can't be asked again: the password that it says is not the right one any more.
fn has_password(request: &Request) -> bool {
    matches!(
        request,
        Request::Register { .. }
            | Request::ChangePassword { .. }
            | Request::ChangePasswordAndToken { .. }
            | Request::Unregister { .. }
    )
}

fn rejoined(request: Request, result: Result<Response, Refusal>, missed: bool) -> Option<Event> {
    let Request::Join { group } = request else { return None };
    match result {
        Ok(_) => Some(Event::Rejoined { group, missed }),
        Err(Refusal::AlreadyMember { .. }) => None,
        Err(refusal) => Some(Event::NotRejoined { group, refusal }),
    }
}
