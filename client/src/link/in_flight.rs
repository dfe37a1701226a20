//! What was asked and not answered yet, in the order of asking; and how fast it may be sent.

use std::collections::VecDeque;
use std::time::Duration;

use chatroom_proto::{
    ClientFrame, Conversation, Password, RETRY_AFTER_MS_MAX, Request, Tag, Token,
};
use tokio::time::Instant;

use super::request::{LinkRequest, ReplyTo};
use crate::limits::ASKS_WAITING_MAX;

/// The longest that a server is waited for that asks to go slower; then it is asked again, whatever
/// it said.
const RETRY_AFTER_MAX: Duration = Duration::from_millis(RETRY_AFTER_MS_MAX as u64);

/// What is sent over this connection, and over the next one if it is not answered. Answers come in
/// the order of the requests, so the one that is looked for is the first.
///
/// A server may ask to go slower: it refuses a request, and all that was sent behind it, until the
/// first comes again after some time. These stay here in their place, and are sent again one at a
/// time; with each that is granted, twice as many may be under way. So a client whose allowance
/// is spent asks little more than it is granted; where the server was only busy, it soon asks as
/// fast as before.
#[derive(Debug)]
pub(crate) struct InFlight {
    asks: VecDeque<Waiting>,
    /// How many of these are sent over this connection.
    sent: usize,
    /// Answered when nobody could take the answer: they are asked again over the next connection.
    put_off: Vec<LinkRequest>,
    /// Asked by an earlier run, and not sent by this one yet.
    inherited: VecDeque<LinkRequest>,
    /// How many may be under way.
    pace: usize,
    /// When the next of those that are not sent may be.
    not_before: Option<Instant>,
}

/// One of them.
#[derive(Debug)]
struct Waiting {
    ask: LinkRequest,
    /// Whether an answer may come.
    is_sent: bool,
}

impl Default for InFlight {
    fn default() -> InFlight {
        InFlight {
            asks: VecDeque::new(),
            sent: 0,
            put_off: Vec::new(),
            inherited: VecDeque::new(),
            pace: ASKS_WAITING_MAX,
            not_before: None,
        }
    }
}

impl InFlight {
    /// One that is being sent.
    pub(crate) fn push(&mut self, ask: LinkRequest) {
        self.asks.push_back(Waiting { ask, is_sent: true });
        self.sent += 1;
    }

    /// Takes out the one that an answer with this tag belongs to.
    pub(crate) fn take(&mut self, tag: Tag) -> Option<LinkRequest> {
        let place = self.place(tag)?;
        let Waiting { ask, is_sent } = self.asks.remove(place)?;
        self.sent -= usize::from(is_sent);
        self.pace = (2 * self.pace).min(ASKS_WAITING_MAX);
        Some(ask)
    }

    /// The server asks to go slower: the one with this tag is to be sent again after so long.
    /// Nothing, when there is none.
    pub(crate) fn hold_back(&mut self, tag: Tag, wait: Duration, now: Instant) -> Option<()> {
        let place = self.place(tag)?;
        if std::mem::take(&mut self.asks[place].is_sent) {
            self.sent -= 1;
        }
        self.pace = 1;
        if self.asks.iter().position(|waiting| !waiting.is_sent) == Some(place) {
            // Those behind it are refused because of it, and wait for it.
            self.not_before = Some(now + wait.min(RETRY_AFTER_MAX));
        }
        Some(())
    }

    /// Whether some are to be sent before anything new is.
    pub(crate) fn is_held_back(&self) -> bool {
        self.sent < self.asks.len()
    }

    /// When the next of these may be sent, if it is that for which it waits.
    pub(crate) fn sends_at(&self) -> Option<Instant> {
        self.not_before.filter(|_| self.has_next_to_send())
    }

    fn has_next_to_send(&self) -> bool {
        self.is_held_back() && self.sent < self.pace
    }

    /// The next of these, if it may be sent now.
    pub(crate) fn next_to_send(&mut self, now: Instant) -> Option<ClientFrame> {
        if !self.has_next_to_send() || self.not_before.is_some_and(|at| now < at) {
            return None;
        }
        self.not_before = None;
        let waiting = self.asks.iter_mut().find(|waiting| !waiting.is_sent)?;
        waiting.is_sent = true;
        self.sent += 1;
        Some(ClientFrame { tag: waiting.ask.tag, request: waiting.ask.request.clone() })
    }

    /// Keeps one whose answer can't be taken now, to ask it again.
    pub(crate) fn put_off(&mut self, ask: LinkRequest) {
        self.put_off.push(ask);
    }

    /// Takes over what an earlier run has asked.
    pub(crate) fn inherit(&mut self, ask: LinkRequest) {
        self.inherited.push_back(ask);
    }

    /// The next thing that an earlier run has asked, to be sent before all that is asked now.
    pub(crate) fn next_inherited(&mut self) -> Option<LinkRequest> {
        self.inherited.pop_front()
    }

    /// How many answers may still come over this connection.
    pub(crate) fn due(&self) -> usize {
        self.sent
    }

    /// How many were asked, and would be sent again over the next one.
    pub(crate) fn len(&self) -> usize {
        self.asks.len() + self.put_off.len()
    }

    /// Whether the client was about to leave, and the server may know it.
    pub(crate) fn has_exit(&self) -> bool {
        self.asks.iter().any(|waiting| waiting.is_sent && waiting.ask.request == Request::Exit)
    }

    /// Whether the server was already asked for a sign of life.
    pub(crate) fn has_ping(&self) -> bool {
        self.asks.iter().any(|waiting| matches!(waiting.ask.reply_to, ReplyTo::Alive))
    }

    /// Whether one of ours may already be in this conversation without our knowing.
    pub(crate) fn has_post_to(&self, conversation: &Conversation) -> bool {
        let asked = self.asks.iter().map(|waiting| &waiting.ask);
        let mut all = asked.chain(&self.put_off).chain(&self.inherited);
        all.any(|ask| match (&ask.request, conversation) {
            (Request::Public { group, .. }, Conversation::Group(other)) => {
                group.key() == other.key()
            }
            (Request::Private { to, .. }, Conversation::User(other)) => to.key() == other.key(),
            _ => false,
        })
    }

    /// The tokens that the session may have by now, the newest first: the server may have changed
    /// the password, and its answer be lost.
    pub(crate) fn new_tokens(&self) -> impl Iterator<Item = &Token> {
        self.asks.iter().rev().filter_map(|waiting| change_of(&waiting.ask.request)).map(|it| it.0)
    }

    /// Takes out what asked for this token, and what asked for those before it, each with its new
    /// password: the session has it, so all that was done.
    pub(crate) fn take_changes_to(&mut self, token: &Token) -> Vec<(LinkRequest, Password)> {
        let is_last = |waiting: &Waiting| {
            change_of(&waiting.ask.request).is_some_and(|(asked, _)| asked == token)
        };
        let done = self.asks.iter().rposition(is_last).map_or(0, |place| place + 1);
        let mut changes = Vec::new();
        for (place, waiting) in std::mem::take(&mut self.asks).into_iter().enumerate() {
            let new = change_of(&waiting.ask.request).map(|(_, new)| new.clone());
            match new.filter(|_| place < done) {
                Some(new) => changes.push((waiting.ask, new)),
                None => self.asks.push_back(waiting),
            }
        }
        self.sent = self.asks.iter().filter(|waiting| waiting.is_sent).count();
        changes
    }

    /// For a new connection, over which nothing was sent yet: the groups to rejoin come before all
    /// else, and those of a connection before are forgotten, as are pings. What was put off was
    /// asked before what has no answer.
    pub(crate) fn replace_rejoins(&mut self, rejoins: impl IntoIterator<Item = LinkRequest>) {
        self.asks
            .retain(|waiting| !matches!(waiting.ask.reply_to, ReplyTo::Rejoin | ReplyTo::Alive));
        let rest = std::mem::take(&mut self.asks).into_iter().map(|waiting| waiting.ask);
        let all = rejoins.into_iter().chain(self.put_off.drain(..)).chain(rest);
        self.asks = all.map(|ask| Waiting { ask, is_sent: false }).collect();
        self.sent = 0;
    }

    fn place(&self, tag: Tag) -> Option<usize> {
        self.asks.iter().position(|waiting| waiting.ask.tag == tag)
    }
}

fn change_of(request: &Request) -> Option<(&Token, &Password)> {
    match request {
        Request::ChangePasswordAndToken { new, token, .. } => Some((token, new)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use chatroom_proto::{Body, GroupName, PostId};

    use super::*;

    fn ask(tag: u32, request: Request, reply_to: ReplyTo) -> LinkRequest {
        LinkRequest { tag: Tag(tag), request, reply_to }
    }

    fn group(name: &str) -> GroupName {
        GroupName::parse(name).unwrap()
    }

    fn tags(in_flight: &InFlight) -> Vec<u32> {
        in_flight.asks.iter().map(|waiting| waiting.ask.tag.0).collect()
    }

    /// Sends all that may be sent now.
    fn send(in_flight: &mut InFlight, now: Instant) -> Vec<u32> {
        std::iter::from_fn(|| in_flight.next_to_send(now)).map(|frame| frame.tag.0).collect()
    }

    #[test]
    fn an_answer_finds_its_ask_once() {
        let mut in_flight = InFlight::default();
        in_flight.push(ask(4, Request::Ping, ReplyTo::Events));
        in_flight.push(ask(5, Request::Exit, ReplyTo::Events));
        assert_eq!(in_flight.take(Tag(5)).unwrap().request, Request::Exit);
        assert!(in_flight.take(Tag(5)).is_none());
        assert_eq!(tags(&in_flight), [4]);
    }

    #[test]
    fn rejoins_go_first_and_replace_those_of_an_earlier_connection() {
        let mut in_flight = InFlight::default();
        in_flight.push(ask(1, Request::Exit, ReplyTo::Events));
        in_flight.push(ask(2, Request::Ping, ReplyTo::Alive));
        let rejoin = |tag| ask(tag, Request::Join { group: group("tea") }, ReplyTo::Rejoin);
        in_flight.replace_rejoins([rejoin(3), rejoin(4)]);
        assert_eq!(tags(&in_flight), [3, 4, 1]);
        in_flight.replace_rejoins([rejoin(5)]);
        assert_eq!(tags(&in_flight), [5, 1]);
    }

    #[test]
    fn what_was_put_off_is_asked_again_in_its_place() {
        let mut in_flight = InFlight::default();
        (1..=4).for_each(|tag| in_flight.push(ask(tag, Request::Exit, ReplyTo::Events)));
        for tag in [1, 2] {
            let answered = in_flight.take(Tag(tag)).unwrap();
            in_flight.put_off(answered);
        }
        assert_eq!((in_flight.due(), in_flight.len()), (2, 4));
        in_flight.replace_rejoins([]);
        assert_eq!(tags(&in_flight), [1, 2, 3, 4]);
        assert_eq!(
            (in_flight.due(), in_flight.len()),
            (0, 4),
            "nothing is sent over the new connection yet"
        );
        assert_eq!(send(&mut in_flight, Instant::now()), [1, 2, 3, 4]);
    }

    #[test]
    fn what_is_held_back_is_sent_again_in_its_order_when_its_time_has_come_and_all_were_refused() {
        let mut in_flight = InFlight::default();
        (1..=4).for_each(|tag| in_flight.push(ask(tag, Request::Ping, ReplyTo::Events)));
        in_flight.take(Tag(1)).unwrap();
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        in_flight.hold_back(Tag(2), second, start).unwrap();
        in_flight.hold_back(Tag(3), 5 * second, start).unwrap();
        assert_eq!(
            send(&mut in_flight, start + 9 * second),
            [0; 0],
            "another is still to be refused"
        );
        in_flight.hold_back(Tag(4), 5 * second, start).unwrap();
        assert!(in_flight.hold_back(Tag(5), second, start).is_none());
        assert_eq!(in_flight.sends_at(), Some(start + second), "the first one's wait counts");
        assert_eq!(send(&mut in_flight, start), [0; 0]);
        assert_eq!(send(&mut in_flight, start + second), [2], "one at a time");
        assert_eq!(in_flight.sends_at(), None);
        in_flight.take(Tag(2)).unwrap();
        assert_eq!(send(&mut in_flight, start + second), [3, 4], "and then twice as many");
        assert!(!in_flight.is_held_back());
    }

    #[test]
    fn no_server_is_waited_for_for_ever() {
        let mut in_flight = InFlight::default();
        in_flight.push(ask(1, Request::Ping, ReplyTo::Events));
        let now = Instant::now();
        in_flight.hold_back(Tag(1), Duration::MAX, now).unwrap();
        assert_eq!(in_flight.sends_at(), Some(now + RETRY_AFTER_MAX));
    }

    #[test]
    fn one_who_was_refused_the_way_out_is_still_here() {
        let mut in_flight = InFlight::default();
        in_flight.push(ask(1, Request::Exit, ReplyTo::Events));
        assert!(in_flight.has_exit());
        in_flight.hold_back(Tag(1), Duration::ZERO, Instant::now()).unwrap();
        assert!(!in_flight.has_exit());
    }

    #[test]
    fn it_knows_where_a_post_of_ours_may_be() {
        let mut in_flight = InFlight::default();
        let body = Body::parse("hi").unwrap();
        let post = Request::Public { group: group("Tea"), id: PostId([0; 16]), body };
        in_flight.push(ask(1, post, ReplyTo::Events));
        assert!(in_flight.has_post_to(&Conversation::Group(group("tea"))));
        assert!(!in_flight.has_post_to(&Conversation::Group(group("coffee"))));
    }
}
