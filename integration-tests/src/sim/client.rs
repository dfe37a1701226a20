//! One person of a simulation: does what the real client does where it matters. Requests have tags that go on counting,
//! what is unanswered is sent again over the next connection, and what is on disk is enough to go on from after a kill: the
//! token, how far it has come, and the posts that were not answered.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use chatroom_proto::{
    ClientFrame, Conversation, GroupName, Hello, Moderation, Notification, PostId, Proof, Refusal, Request,
    Response, Seq, ServerFrame, Tag, Token, Topic, VersionRange, Welcome,
};

use super::{Broken, Fault, Tally};
use crate::chance::Chance;
use crate::guest::{body, group, post_id, user};
use crate::history::record::{Event, History, Manner, Shown};

/// Who takes part.
pub(super) const PEOPLE: [&str; 5] = ["jim", "ann", "bob", "zoe", "kim"];

/// The groups that are made and joined.
const GROUPS: [&str; 3] = ["tea", "art", "sea"];

/// How many requests one leaves unanswered.
const UNANSWERED_MAX: usize = 12;

/// One person.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) number: usize,
    pub(super) history: History,
    disk: Disk,
    /// Counts its lives and connections: what was meant for an earlier one is not for this one.
    pub(super) life: u64,
    pub(super) is_alive: bool,
    /// Its connection, if it has one.
    pub(super) wire: Option<u64>,
    pub(super) is_reading: bool,
    is_welcome: bool,
    is_live: bool,
    /// The tags sent over this connection and not answered, in order.
    due: VecDeque<Tag>,
    unanswered: Vec<(Tag, Request)>,
    /// Since when the oldest of these waits.
    pub(super) waits_since: u64,
    /// The newest event that this connection told of.
    told: Seq,
    groups: Vec<GroupName>,
    pub(super) tries: u64,
    /// What it is to have shown when its last ping is answered.
    resting: Option<(Tag, Seq)>,
    pub(super) has_rested: bool,
}

/// What survives a kill.
#[derive(Debug, Clone, Default)]
struct Disk {
    token: Option<Token>,
    seen: Seq,
    posts: Vec<(Tag, Request)>,
    next_tag: u32,
}

/// What a client writes to and reports to.
pub(super) struct Desk<'a> {
    pub(super) now: u64,
    pub(super) fault: Option<Fault>,
    pub(super) out: &'a mut Vec<ClientFrame>,
    pub(super) broken: &'a mut Vec<Broken>,
    pub(super) tally: &'a mut Tally,
    pub(super) next_post: &'a mut u64,
}

impl Client {
    pub(super) fn new(number: usize) -> Client {
        Client {
            number,
            history: History::new(user(PEOPLE[number])),
            disk: Disk::default(),
            life: 0,
            is_alive: true,
            wire: None,
            is_reading: true,
            is_welcome: false,
            is_live: false,
            due: VecDeque::new(),
            unanswered: Vec::new(),
            waits_since: 0,
            told: Seq::ZERO,
            groups: Vec::new(),
            tries: 0,
            resting: None,
            has_rested: false,
        }
    }

    fn record(&mut self, event: Event) {
        self.history.events.push(event);
    }

    fn next_tag(&mut self) -> Tag {
        self.disk.next_tag += 1;
        Tag(self.disk.next_tag)
    }

    /// Begins to talk over a new connection.
    pub(super) fn hello(&mut self, wire: u64, desk: &mut Desk<'_>) {
        self.leave_wire();
        self.wire = Some(wire);
        let proof = self.disk.token.clone().map_or(Proof::Open, Proof::Resume);
        let name = self.history.name.clone();
        let hello = Hello { versions: VersionRange::SPOKEN, name, proof, seen: self.disk.seen };
        let tag = self.next_tag();
        self.waits_since = desk.now;
        self.send(tag, Request::Hello(hello), desk);
    }

    fn send(&mut self, tag: Tag, request: Request, desk: &mut Desk<'_>) {
        self.due.push_back(tag);
        desk.out.push(ClientFrame { tag, request });
    }

    /// The connection is no longer this one's.
    pub(super) fn leave_wire(&mut self) -> Option<u64> {
        (self.is_welcome, self.is_live, self.told) = (false, false, Seq::ZERO);
        self.due.clear();
        self.resting = None;
        // Who was leaving has left; it comes back later.
        self.unanswered.retain(|(_, request)| *request != Request::Exit && *request != Request::Ping);
        self.wire.take()
    }

    /// Everything that is not on disk is gone.
    pub(super) fn kill(&mut self) -> Option<u64> {
        self.record(Event::Killed);
        let wire = self.leave_wire();
        self.life += 1;
        self.is_alive = false;
        self.is_reading = true;
        self.unanswered.clear();
        wire
    }

    /// Starts again from the disk.
    pub(super) fn start(&mut self, now: u64) {
        self.is_alive = true;
        self.unanswered = self.disk.posts.clone();
        self.waits_since = now;
    }

    /// Whether it waits for nothing.
    pub(super) fn is_quiet(&self) -> bool {
        self.is_alive && self.is_welcome && self.is_live && self.unanswered.is_empty()
    }

    /// Whether it waits for an answer.
    pub(super) fn is_waiting(&self) -> bool {
        !self.due.is_empty()
    }

    /// Asks for the sign that everything up to here was shown.
    pub(super) fn rest(&mut self, until: Seq, desk: &mut Desk<'_>) {
        if self.resting.is_none() && !self.has_rested {
            let tag = self.next_tag();
            self.resting = Some((tag, until));
            self.waits_since = desk.now;
            self.send(tag, Request::Ping, desk);
        }
    }

    /// Does something that people do.
    pub(super) fn act(&mut self, chance: &mut Chance, desk: &mut Desk<'_>) {
        if self.disk.token.is_none() || self.unanswered.len() >= UNANSWERED_MAX {
            return;
        }
        match chance.below(40) {
            0..=19 => {
                let Some(group) = chance.pick(&self.groups).cloned() else { return };
                self.post(Conversation::Group(group), desk);
            }
            20..=27 => {
                let to = PEOPLE[chance.below(PEOPLE.len() as u64) as usize];
                if to != PEOPLE[self.number] {
                    self.post(Conversation::User(user(to)), desk);
                }
            }
            28..=33 => self.ask_about_groups(chance, desk),
            34 => self.ask(Request::Groups { after: Seq::ZERO }, desk),
            35 => self.ask(Request::Ping, desk),
            36 | 37 => {
                let of = Conversation::Group(GroupName::general());
                self.ask(Request::History { of, before: Seq::ZERO, count: 5 }, desk);
            }
            38 if chance.once_in(4) && self.is_welcome => self.ask(Request::Exit, desk),
            _ => {}
        }
    }

    fn ask_about_groups(&mut self, chance: &mut Chance, desk: &mut Desk<'_>) {
        let name = group(GROUPS[chance.below(GROUPS.len() as u64) as usize]);
        match chance.below(4) {
            0 => self.ask(Request::Create { group: name }, desk),
            1 if self.groups.contains(&name) => {
                self.groups.retain(|group| *group != name);
                self.record(Event::Leaving(name.clone()));
                self.ask(Request::Leave { group: name }, desk);
            }
            _ if !self.groups.contains(&name) => {
                self.record(Event::Joining(name.clone()));
                self.ask(Request::Join { group: name }, desk);
            }
            _ => self.keep_order(name, chance, desk),
        }
    }

    /// What changes nobody's memberships: those are this client's own affair, as far as its history goes.
    fn keep_order(&mut self, group: GroupName, chance: &mut Chance, desk: &mut Desk<'_>) {
        let someone = user(PEOPLE[chance.below(PEOPLE.len() as u64) as usize]);
        let act = match chance.below(3) {
            0 => Moderation::Topic { topic: Topic::parse("what it is about").ok() },
            1 => Moderation::Mute { user: someone, seconds: NonZeroU32::new(1), reason: None },
            _ => Moderation::Op { user: someone },
        };
        self.ask(Request::Moderate { group, act }, desk);
    }

    fn post(&mut self, to: Conversation, desk: &mut Desk<'_>) {
        *desk.next_post += 1;
        let id = post_id(*desk.next_post);
        desk.tally.posts += 1;
        self.record(Event::Sent(id, to.clone()));
        self.record(Event::Entrusted(id));
        let request = match to {
            Conversation::Group(group) => Request::Public { group, id, body: body("hi") },
            Conversation::User(to) => Request::Private { to, id, body: body("hi") },
        };
        let tag = self.disk.next_tag + 1;
        self.disk.posts.push((Tag(tag), request.clone()));
        self.ask(request, desk);
    }

    fn ask(&mut self, request: Request, desk: &mut Desk<'_>) {
        let tag = self.next_tag();
        if self.unanswered.is_empty() {
            self.waits_since = desk.now;
        }
        self.unanswered.push((tag, request.clone()));
        if self.is_welcome {
            self.send(tag, request, desk);
        }
    }

    /// Hears a frame. Whether it is done with this connection.
    pub(super) fn hear(&mut self, frame: ServerFrame, desk: &mut Desk<'_>) -> bool {
        match frame {
            ServerFrame::Response { tag, result } => self.hear_answer(tag, result, desk),
            ServerFrame::Notification(notification) => {
                self.hear_news(notification, desk);
                false
            }
        }
    }

    fn hear_answer(&mut self, tag: Tag, result: Result<Response, Refusal>, desk: &mut Desk<'_>) -> bool {
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
            Err(_) if !self.is_welcome => return true,
            _ => {}
        }
        let Some(place) = self.unanswered.iter().position(|(asked, _)| *asked == tag) else { return true };
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
                self.groups.push(membership.group.clone());
                self.record(Event::Joined(membership.group, seq));
            }
            (_, Ok(Response::Left { seq, group })) => {
                self.see(seq);
                self.groups.retain(|left| *left != group);
                self.record(Event::Left(group, seq));
            }
            (_, Ok(Response::Created { seq, .. } | Response::Moderated { seq, .. })) => self.see(seq),
            (_, Ok(Response::Goodbye)) => return true,
            _ => {}
        }
        false
    }

    fn welcomed(&mut self, welcome: Welcome, desk: &mut Desk<'_>) {
        let Welcome { token, resumed, seq, groups, .. } = welcome;
        self.tries = 0;
        self.is_welcome = true;
        self.is_live = !resumed;
        self.disk.token = Some(token);
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
            Notification::PrivatePost { post, .. } => {
                self.in_order(post.seq, desk);
                let place = Conversation::User(post.from.clone());
                self.show(Shown::new(&post, place, self.manner()), desk);
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
