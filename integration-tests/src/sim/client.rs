//! One device of a person of a simulation: does what the real client does where it matters.
//! Requests have tags that go on counting, what is unanswered is sent again over the next
//! connection, and what is on disk is enough to go on from after a kill: the token, how far it has
//! come, the password, and the posts that were not answered.

use std::collections::VecDeque;

use chatroom_proto::{
    ClientFrame, Conversation, GroupName, Hello, Password, Proof, Request, Seq, Tag, Token,
    UserName, VersionRange,
};

use super::{Broken, Fault, Tally};
use crate::chance::Chance;
use crate::history::record::{Event, History};
use crate::test_client::{body, post_id, user};

mod hearing;

/// Who takes part.
pub(super) const PEOPLE: [&str; 5] = ["jim", "ann", "bob", "zoe", "kim"];

/// Whose device each client is. Who has a second one comes with it by their password, when they
/// have registered.
pub(super) const DEVICES: [usize; 7] = [0, 1, 2, 3, 4, 0, 1];

/// A password is one of these, and then the other.
const PASSWORDS: [&str; 2] = ["tea and milk", "milk and tea"];

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
    pub(super) groups: Vec<GroupName>,
    /// The newest welcome: what took effect before it is in it.
    welcomed_at: Seq,
    pub(super) tries: u64,
    /// What it is to have shown when its last ping is answered.
    resting: Option<(Tag, Seq)>,
    pub(super) has_rested: bool,
}

/// What survives a kill.
#[derive(Debug, Clone, Default)]
struct Disk {
    token: Option<Token>,
    /// Which password it believes in.
    password: usize,
    /// Whether it has to come by its password.
    logs_in: bool,
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
        let is_second = DEVICES[..number].contains(&DEVICES[number]);
        Client {
            number,
            history: History::new(user(PEOPLE[DEVICES[number]])),
            disk: Disk { logs_in: is_second, ..Disk::default() },
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
            welcomed_at: Seq::ZERO,
            tries: 0,
            resting: None,
            has_rested: false,
        }
    }

    pub(super) fn record(&mut self, event: Event) {
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
        let proof = match &self.disk.token {
            _ if self.disk.logs_in => Proof::Password(password(self.disk.password)),
            Some(token) => Proof::Resume(token.clone()),
            None => Proof::Open,
        };
        let name = self.name().clone();
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
        self.unanswered
            .retain(|(_, request)| *request != Request::Exit && *request != Request::Ping);
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

    /// Whether it is a device whose owner has never registered: it was never let in.
    pub(super) fn is_locked_out(&self) -> bool {
        self.disk.logs_in && self.disk.token.is_none()
    }

    pub(super) fn name(&self) -> &UserName {
        &self.history.name
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
                if to != PEOPLE[DEVICES[self.number]] {
                    self.post(Conversation::User(user(to)), desk);
                }
            }
            28..=33 => self.ask_about_groups(chance, desk),
            39 if chance.once_in(3) => self.ask_about_the_account(chance, desk),
            39 => self.operate(chance, desk),
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

    fn ask_about_the_account(&mut self, chance: &mut Chance, desk: &mut Desk<'_>) {
        let now = self.disk.password;
        let request = match chance.below(3) {
            0 => Request::ChangePassword { old: password(now), new: password(1 - now) },
            _ => Request::Register { password: password(now) },
        };
        self.ask(request, desk);
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

    pub(super) fn ask(&mut self, request: Request, desk: &mut Desk<'_>) {
        let tag = self.next_tag();
        if self.unanswered.is_empty() {
            self.waits_since = desk.now;
        }
        self.unanswered.push((tag, request.clone()));
        if self.is_welcome {
            self.send(tag, request, desk);
        }
    }
}

fn password(nth: usize) -> Password {
    PASSWORDS[nth].to_owned().try_into().expect("a password")
}
