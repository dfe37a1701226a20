//! What a device hears, and what it makes of it.

use chatroom_client::{Event as Told, Lost};
use chatroom_proto::{
    CloseReason, Conversation, GroupName, Notification, PostId, Proof, Refusal, Request, Response,
    Seq,
};

use super::super::Broken;
use super::super::people::DEVICES;
use super::super::witness::Greeting;
use super::Device;
use crate::history::record::Shown;
use crate::history::{Delivery, Event};

/// How many places of posts one remembers.
const KNOWN_MAX: usize = 12;

impl Device {
    /// It was let in, for the first time in this life or again.
    pub(super) fn is_welcome(&mut self) {
        let greeting =
            self.life.greetings.lock().ok().and_then(|mut greetings| greetings.pop_front());
        let Some(greeting) = greeting else {
            return self.world.broken(Broken::LinkEnded("welcomed by nobody".to_owned()));
        };
        let token = match &greeting.proof {
            Proof::Resume(token) => Some(token),
            Proof::Open | Proof::Password(_) => None,
        };
        let unheard = std::mem::take(&mut self.unheard);
        // What it had seen is no more, whether or not it had the time to look.
        for to in unheard.iter().filter_map(|unheard| unheard.put_back) {
            self.record(Event::PutBack(to));
        }
        let began = unheard.into_iter().find(|unheard| {
            // The session that goes on began when nobody had the time to write it down.
            !unheard.welcome.resumed && token.is_some_and(|token| unheard.tokens.contains(token))
        });
        if let Some(began) = began {
            self.is_greeted(began);
        }
        self.is_greeted(greeting);
    }

    fn is_greeted(&mut self, Greeting { proof, welcome, put_back, run, .. }: Greeting) {
        if matches!(proof, Proof::Password(_)) {
            self.world.tally(|tally| tally.logins += 1);
            self.record(Event::NewDevice);
        }
        let groups: Vec<GroupName> =
            welcome.groups.into_vec().into_iter().map(|membership| membership.group).collect();
        let (seq, resumed) = (welcome.seq, welcome.resumed);
        // It may hear of this after the server was put back, in a run before.
        if self.learns_that_it_was_put_back(run) && self.has_later_token() && !resumed {
            self.record(Event::NewDevice);
        }
        if let Some(to) = put_back {
            self.record(Event::PutBack(to));
        }
        if !resumed {
            // The link asks to come into these again.
            let asked = self.life.followed.iter().filter(|group| !groups.contains(group)).cloned();
            let asked: Vec<Event> = asked.map(Event::Joining).collect();
            self.record(Event::Welcomed { seq, resumed, groups: groups.clone() });
            asked.into_iter().for_each(|event| self.record(event));
        } else {
            self.record(Event::Welcomed { seq, resumed, groups: groups.clone() });
        }
        (self.life.followed, self.life.groups) = (groups.clone(), groups);
        self.life.welcomed_at = seq;
        self.life.is_live = !resumed;
        self.life.told = Seq::ZERO;
        if put_back.is_some() {
            self.life.known.clear();
        }
    }

    /// Whether this is the first that it hears from a server that was put back.
    fn learns_that_it_was_put_back(&self, run: u64) -> bool {
        let put_back = &mut self.world.now().devices[self.number].put_back;
        put_back.take_if(|(_, after)| *after < run).is_some()
    }

    /// Whether the copy that was put back knows it by another token. It is told once.
    fn has_later_token(&self) -> bool {
        std::mem::take(&mut self.world.now().devices[self.number].has_later_token)
    }

    /// Writes down what happened. Nothing here waits.
    pub(super) fn hear(&mut self, told: Told) {
        match told {
            Told::Notification(notification) => self.hear_news(notification, Delivery::Live),
            Told::Replayed(notification) => self.hear_news(notification, Delivery::Replayed),
            Told::Answer { tag, request, result } => {
                self.life.unanswered = self.life.unanswered.saturating_sub(1);
                if let Some((_, until)) = self.life.resting.take_if(|(asked, _)| *asked == tag) {
                    return self.has_shown(until);
                }
                self.answered(&request, result);
            }
            Told::Back { .. } => self.is_welcome(),
            Told::CaughtUp => self.life.is_live = true,
            // Its welcome has said so.
            Told::PutBack { .. } => {}
            Told::Missed(place) => self.record(Event::Missed(place)),
            Told::Rejoined { group, .. } => {
                if !self.life.groups.contains(&group) {
                    self.life.groups.push(group.clone());
                    self.life.followed.push(group);
                }
            }
            Told::Lost(lost) => self.is_lost(lost),
            Told::NotRejoined { .. } | Told::Slowed { .. } | Told::Ended(_) => {}
        }
    }

    fn is_lost(&mut self, lost: Lost) {
        self.life.is_live = false;
        // What was asked over that connection may be answered before what it has not heard.
        self.life.resting = None;
        if lost == Lost::Closed(CloseReason::TooSlow) {
            self.world.tally(|tally| tally.too_slow += 1);
        }
    }

    fn has_shown(&mut self, until: Seq) {
        self.record(Event::Rested(until));
        self.world.now().devices[self.number].has_rested = true;
    }

    fn answered(&mut self, request: &Request, result: Result<Response, Refusal>) {
        match (request, result) {
            (
                Request::Public { id, .. } | Request::Private { id, .. },
                Ok(Response::Posted { seq, .. } | Response::Kept { seq, .. }),
            ) => {
                self.world.tally(|tally| tally.acknowledged += 1);
                // What it said itself it takes back more often.
                self.knows(seq);
                self.knows(seq);
                self.record(Event::Acknowledged(*id, seq));
            }
            (Request::Public { id, .. } | Request::Private { id, .. }, Err(_)) => {
                self.record(Event::Refused(*id));
            }
            (Request::Delete { post }, Ok(Response::Deleted { seq })) => {
                self.world.tally(|tally| tally.deleted += 1);
                self.record(Event::Deleted(*post, seq));
            }
            (
                Request::History { .. },
                Ok(Response::Past { posts, .. } | Response::PastWithDeleted { posts, .. }),
            ) => {
                for said in posts.into_vec() {
                    self.record(Event::ReadBack(said.post.seq));
                }
            }
            (_, Ok(Response::Joined { seq, membership })) => self.is_in(membership.group, seq),
            (_, Ok(Response::Left { seq, group })) => {
                self.is_out(&group);
                self.record(Event::Left(group, seq));
            }
            (_, Ok(Response::Registered { .. })) => {
                let mut now = self.world.now();
                // Unless it is an answer of before the server was put back.
                if now.devices[self.number].put_back.is_none() {
                    now.devices[DEVICES[self.number]].is_registered = true;
                }
            }
            (_, Ok(Response::PasswordChanged { .. })) | (_, Err(Refusal::WrongPassword { .. })) => {
                self.password = 1 - self.password;
                let device = &mut self.world.now().devices[self.number];
                device.tokens_answered = device.tokens_asked;
            }
            _ => {}
        }
    }

    fn is_in(&mut self, group: GroupName, seq: Seq) {
        // The answer to what comes again is the first one's, and may be undone since.
        if seq > self.life.welcomed_at && !self.life.groups.contains(&group) {
            self.life.groups.push(group.clone());
            self.life.followed.push(group.clone());
        }
        self.record(Event::Joined(group, seq));
    }

    fn is_out(&mut self, group: &GroupName) {
        self.life.groups.retain(|left| left != group);
        self.life.followed.retain(|left| left != group);
    }

    /// A membership has ended meanwhile; when it is in again, its welcome has said so.
    fn was_out(&mut self, group: GroupName, event: impl FnOnce(GroupName) -> Event) {
        if !self.life.groups.contains(&group) {
            self.record(event(group));
        }
    }

    fn hear_news(&mut self, notification: Notification, delivery: Delivery) {
        self.is_in_order(&notification);
        match notification {
            Notification::GroupPost { post, group } => {
                self.show(Shown::new(&post, Conversation::Group(group), delivery));
            }
            Notification::PrivatePost { post, to } => {
                let other = if post.from == *self.name() { to } else { post.from.clone() };
                self.show(Shown::new(&post, Conversation::User(other), delivery));
            }
            Notification::DeletedPost { post, place } => {
                let place = match place {
                    Conversation::User(to) if post.from == *self.name() => Conversation::User(to),
                    Conversation::User(_) => Conversation::User(post.from.clone()),
                    group @ Conversation::Group(_) => group,
                };
                self.world.tally(|tally| tally.told_deleted += 1);
                self.show(Shown::gone(&post, place));
            }
            Notification::Deleted { post, seq, .. } => self.record(Event::Deleted(post, seq)),
            Notification::Left { seq, user, group }
                if user == *self.name() && delivery == Delivery::Replayed =>
            {
                self.was_out(group, |group| Event::Left(group, seq));
            }
            Notification::Moderated { seq, group, act, .. }
                if act.expels()
                    && act.user() == Some(self.name())
                    && delivery == Delivery::Replayed =>
            {
                self.world.tally(|tally| tally.expelled += 1);
                self.was_out(group, |group| Event::Expelled(group, seq));
            }
            // Another device of the same person did something.
            Notification::Joined { seq, user, group } if user == *self.name() => {
                self.is_in(group, seq);
            }
            Notification::Left { seq, user, group } if user == *self.name() => {
                self.is_out(&group);
                self.record(Event::Left(group, seq));
            }
            Notification::Moderated { seq, group, act, .. }
                if act.expels() && act.user() == Some(self.name()) =>
            {
                self.world.tally(|tally| tally.expelled += 1);
                self.is_out(&group);
                self.record(Event::Expelled(group, seq));
            }
            _ => {}
        }
    }

    /// Remembers a few places where something was said.
    fn knows(&mut self, seq: Seq) {
        self.life.known.push(seq);
        if self.life.known.len() > KNOWN_MAX {
            self.life.known.remove(0);
        }
    }

    fn show(&mut self, shown: Shown) {
        self.knows(shown.seq);
        self.world.tally(|tally| {
            tally.shown += 1;
            tally.replayed += u64::from(shown.delivery == Delivery::Replayed);
        });
        self.record(Event::Showed(Shown { id: as_sent(shown.id), ..shown }));
    }

    fn is_in_order(&mut self, notification: &Notification) {
        let Some(seq) = notification.seq() else { return };
        if seq < self.life.told {
            self.world.broken(Broken::ToldOutOfOrder { device: self.number, seq: seq.0 });
        }
        self.life.told = seq;
    }
}

/// The identity that a post's sender gave it, whatever a planted bug has made of it.
pub(in super::super) fn as_sent(id: PostId) -> PostId {
    let id = u128::from_be_bytes(id.0) & u128::from(u64::MAX);
    PostId(id.to_be_bytes())
}
