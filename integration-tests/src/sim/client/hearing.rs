//! What a client hears, and what it makes of it.

use chatroom_proto::{
    CloseReason, Conversation, GroupName, Notification, PostId, Refusal, Request, Response, Seq,
    ServerFrame, Tag, Welcome,
};

use super::super::{Broken, Fault};
use super::{Client, Desk};
use crate::history::record::{Event, Manner, Shown};

impl Client {
    /// Hears a frame. Whether it is done with this connection.
    pub(in super::super) fn hear(&mut self, frame: ServerFrame, desk: &mut Desk<'_>) -> bool {
        match frame {
            ServerFrame::Response { tag, result } => self.hear_answer(tag, result, desk),
            ServerFrame::Notification(notification) => {
                self.hear_news(notification, desk);
                false
            }
        }
    }

    fn hear_answer(
        &mut self,
        tag: Tag,
        result: Result<Response, Refusal>,
        desk: &mut Desk<'_>,
    ) -> bool {
        if self.due.pop_front() != Some(tag) {
            desk.broken.push(Broken::AnswerOutOfTurn { client: self.number, tag: tag.0 });
            return true;
        }
        self.waits_since = desk.now;
        if let Some((_, until)) = self.resting.take_if(|(resting, _)| *resting == tag) {
            self.has_rested = true;
            self.record(Event::Rested(until));
            return false;
        }
        match result {
            Ok(Response::Welcome(welcome)) => {
                self.welcomed(welcome, desk);
                return false;
            }
            Err(refusal) if !self.is_welcome => {
                self.turned_away(&refusal);
                return true;
            }
            _ => {}
        }
        let Some(place) = self.unanswered.iter().position(|(asked, _)| *asked == tag) else {
            return true;
        };
        let (_, request) = self.unanswered.remove(place);
        self.disk.posts.retain(|(asked, _)| *asked != tag);
        self.answered(&request, result, desk)
    }

    fn answered(
        &mut self,
        request: &Request,
        result: Result<Response, Refusal>,
        desk: &mut Desk<'_>,
    ) -> bool {
        match (request, result) {
            (
                Request::Public { id, .. } | Request::Private { id, .. },
                Ok(Response::Posted { seq, .. } | Response::Kept { seq, .. }),
            ) => {
                desk.tally.acknowledged += 1;
                self.see(seq);
                self.record(Event::Acknowledged(*id, seq));
            }
            (Request::Public { id, .. } | Request::Private { id, .. }, Err(_)) => {
                self.record(Event::Refused(*id));
            }
            (_, Ok(Response::Joined { seq, membership })) => {
                self.see(seq);
                self.is_in(membership.group, seq);
            }
            (_, Ok(Response::Left { seq, group })) => {
                self.see(seq);
                self.is_out(&group);
                self.record(Event::Left(group, seq));
            }
            (_, Ok(Response::Created { seq, .. } | Response::Moderated { seq, .. })) => {
                self.see(seq)
            }
            (_, Ok(Response::PasswordChanged { seq, token })) => {
                self.see(seq);
                self.disk.token = Some(token);
                self.disk.password = 1 - self.disk.password;
            }
            (_, Err(Refusal::WrongPassword { .. })) => self.disk.password = 1 - self.disk.password,
            (_, Ok(Response::Goodbye)) => return true,
            _ => {}
        }
        false
    }

    /// It is not let in: what it tries next.
    fn turned_away(&mut self, refusal: &Refusal) {
        match refusal {
            Refusal::PasswordNeeded { .. } => self.disk.logs_in = true,
            Refusal::WrongPassword { .. } => self.disk.password = 1 - self.disk.password,
            _ => {}
        }
    }

    fn is_in(&mut self, group: GroupName, seq: Seq) {
        // The answer to what comes again is the first one's, and may be undone since.
        if seq > self.welcomed_at && !self.groups.contains(&group) {
            self.groups.push(group.clone());
        }
        self.record(Event::Joined(group, seq));
    }

    fn is_out(&mut self, group: &GroupName) {
        self.groups.retain(|left| left != group);
    }

    fn welcomed(&mut self, welcome: Welcome, desk: &mut Desk<'_>) {
        let Welcome { token, resumed, seq, groups, .. } = welcome;
        self.tries = 0;
        self.is_welcome = true;
        self.is_live = !resumed;
        self.disk.token = Some(token);
        if std::mem::take(&mut self.disk.logs_in) {
            desk.tally.logins += 1;
            self.record(Event::NewDevice);
            // Whether it took effect, it knows by the password with which it was let in.
            self.unanswered
                .retain(|(_, request)| !matches!(request, Request::ChangePassword { .. }));
        }
        self.welcomed_at = seq;
        self.groups = groups.into_vec().into_iter().map(|membership| membership.group).collect();
        self.record(Event::Welcomed { seq, resumed, groups: self.groups.clone() });
        if !resumed {
            self.disk.seen = seq;
        }
        if desk.fault == Some(Fault::NotSentAgain) {
            // A planted bug: what was sent over a connection that broke counts as done.
            self.unanswered.clear();
            self.disk.posts.clear();
        }
        for (tag, request) in self.unanswered.clone() {
            self.send(tag, request, desk);
        }
    }

    fn see(&mut self, seq: Seq) {
        self.disk.seen = self.disk.seen.max(seq);
    }

    fn hear_news(&mut self, notification: Notification, desk: &mut Desk<'_>) {
        match notification {
            Notification::GroupPost { post, group } => {
                self.in_order(post.seq, desk);
                self.show(Shown::new(&post, Conversation::Group(group), self.manner()), desk);
            }
            Notification::PrivatePost { post, to } => {
                self.in_order(post.seq, desk);
                let other = if post.from == *self.name() { to } else { post.from.clone() };
                let place = Conversation::User(other);
                self.show(Shown::new(&post, place, self.manner()), desk);
            }
            // Another device of the same person did something.
            Notification::Joined { seq, user, group } if user == *self.name() => {
                self.in_order(seq, desk);
                self.is_in(group, seq);
            }
            Notification::Left { seq, user, group } if user == *self.name() => {
                self.in_order(seq, desk);
                self.is_out(&group);
                self.record(Event::Left(group, seq));
            }
            Notification::Moderated { seq, group, act, .. }
                if act.expels() && act.user() == Some(self.name()) =>
            {
                self.in_order(seq, desk);
                desk.tally.expelled += 1;
                self.is_out(&group);
                self.record(Event::Expelled(group, seq));
            }
            Notification::Arrived { seq, .. }
            | Notification::Departed { seq, .. }
            | Notification::Joined { seq, .. }
            | Notification::Left { seq, .. }
            | Notification::Moderated { seq, .. }
            | Notification::PassedOn { seq, .. }
            | Notification::Operated { seq, .. } => self.in_order(seq, desk),
            Notification::CaughtUp { seq } => {
                self.is_live = true;
                self.in_order(seq, desk);
            }
            Notification::Closing(CloseReason::Disconnected) => desk.tally.disconnected += 1,
            Notification::Ping | Notification::Closing(_) | Notification::TopicIs { .. } => {}
        }
    }

    fn manner(&self) -> Manner {
        if self.is_live { Manner::Live } else { Manner::Replayed }
    }

    fn show(&mut self, shown: Shown, desk: &mut Desk<'_>) {
        desk.tally.shown += 1;
        desk.tally.replayed += u64::from(shown.manner == Manner::Replayed);
        let id = u128::from_be_bytes(shown.id.0) & u128::from(u64::MAX);
        self.record(Event::Showed(Shown { id: PostId(id.to_be_bytes()), ..shown }));
    }

    fn in_order(&mut self, seq: Seq, desk: &mut Desk<'_>) {
        if seq < self.told {
            desk.broken.push(Broken::ToldOutOfOrder { client: self.number, seq: seq.0 });
        }
        self.told = seq;
        self.see(seq);
    }
}
