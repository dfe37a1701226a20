//! What was asked and not answered yet, in the order of asking.

use std::collections::VecDeque;

use chatroom_proto::{ClientFrame, Conversation, Request, Tag};

use super::{Ask, Door};

/// The requests that will be sent again over the next connection. Answers come in the order of the requests, so the
/// one that is looked for is the first.
#[derive(Debug, Default)]
pub(crate) struct Unanswered {
    asks: VecDeque<Ask>,
    /// Answered when nobody could take the answer: they are asked again over the next connection.
    put_off: Vec<Ask>,
    /// Asked by an earlier run, and not sent by this one yet.
    inherited: VecDeque<Ask>,
}

impl Unanswered {
    pub(crate) fn push(&mut self, ask: Ask) {
        self.asks.push_back(ask);
    }

    /// Takes out the one that an answer with this tag belongs to.
    pub(crate) fn take(&mut self, tag: Tag) -> Option<Ask> {
        let place = self.asks.iter().position(|ask| ask.tag == tag)?;
        self.asks.remove(place)
    }

    /// Keeps one whose answer can't be taken now, to ask it again.
    pub(crate) fn put_off(&mut self, ask: Ask) {
        self.put_off.push(ask);
    }

    /// Takes over what an earlier run has asked.
    pub(crate) fn inherit(&mut self, ask: Ask) {
        self.inherited.push_back(ask);
    }

    /// The next thing that an earlier run has asked, to be sent before all that is asked now.
    pub(crate) fn next_inherited(&mut self) -> Option<Ask> {
        self.inherited.pop_front()
    }

    /// How many answers may still come over this connection.
    pub(crate) fn due(&self) -> usize {
        self.asks.len()
    }

    /// How many were sent, and would be sent again over the next one.
    pub(crate) fn len(&self) -> usize {
        self.asks.len() + self.put_off.len()
    }

    /// What was sent as frames, to be sent (again).
    pub(crate) fn frames(&self) -> impl Iterator<Item = ClientFrame> {
        self.asks.iter().map(|ask| ClientFrame { tag: ask.tag, request: ask.request.clone() })
    }

    /// Whether the client was about to leave.
    pub(crate) fn has_exit(&self) -> bool {
        self.asks.iter().any(|ask| ask.request == Request::Exit)
    }

    /// Whether the server was already asked for a sign of life.
    pub(crate) fn has_ping(&self) -> bool {
        self.asks.iter().any(|ask| matches!(ask.door, Door::Alive))
    }

    /// Whether one of ours may already be in this conversation without our knowing.
    pub(crate) fn has_post_to(&self, conversation: &Conversation) -> bool {
        let all = self.asks.iter().chain(&self.put_off).chain(&self.inherited);
        all.into_iter().any(|ask| match (&ask.request, conversation) {
            (Request::Public { group, .. }, Conversation::Group(other)) => group.key() == other.key(),
            (Request::Private { to, .. }, Conversation::User(other)) => to.key() == other.key(),
            _ => false,
        })
    }

    /// For a new connection: the groups to rejoin come before all else, and those of a connection before are
    /// forgotten, as are pings. What was put off was asked before what has no answer.
    pub(crate) fn replace_rejoins(&mut self, rejoins: impl IntoIterator<Item = Ask>) {
        self.asks.retain(|ask| !matches!(ask.door, Door::Rejoin | Door::Alive));
        let rest = std::mem::replace(&mut self.asks, rejoins.into_iter().collect());
        self.asks.extend(self.put_off.drain(..));
        self.asks.extend(rest);
    }
}

#[cfg(test)]
mod tests {
    use chatroom_proto::{Body, GroupName, PostId};

    use super::*;

    fn ask(tag: u32, request: Request, door: Door) -> Ask {
        Ask { tag: Tag(tag), request, door }
    }

    fn group(name: &str) -> GroupName {
        GroupName::parse(name).unwrap()
    }

    fn tags(unanswered: &Unanswered) -> Vec<u32> {
        unanswered.frames().map(|frame| frame.tag.0).collect()
    }

    #[test]
    fn an_answer_finds_its_ask_once() {
        let mut unanswered = Unanswered::default();
        unanswered.push(ask(4, Request::Ping, Door::Events));
        unanswered.push(ask(5, Request::Exit, Door::Events));
        assert_eq!(unanswered.take(Tag(5)).unwrap().request, Request::Exit);
        assert!(unanswered.take(Tag(5)).is_none());
        assert_eq!(tags(&unanswered), [4]);
    }

    #[test]
    fn rejoins_go_first_and_replace_those_of_an_earlier_connection() {
        let mut unanswered = Unanswered::default();
        unanswered.push(ask(1, Request::Exit, Door::Events));
        unanswered.push(ask(2, Request::Ping, Door::Alive));
        let rejoin = |tag| ask(tag, Request::Join { group: group("tea") }, Door::Rejoin);
        unanswered.replace_rejoins([rejoin(3), rejoin(4)]);
        assert_eq!(tags(&unanswered), [3, 4, 1]);
        unanswered.replace_rejoins([rejoin(5)]);
        assert_eq!(tags(&unanswered), [5, 1]);
    }

    #[test]
    fn what_was_put_off_is_asked_again_in_its_place() {
        let mut unanswered = Unanswered::default();
        (1..=4).for_each(|tag| unanswered.push(ask(tag, Request::Exit, Door::Events)));
        for tag in [1, 2] {
            let answered = unanswered.take(Tag(tag)).unwrap();
            unanswered.put_off(answered);
        }
        assert_eq!((unanswered.due(), unanswered.len()), (2, 4));
        unanswered.replace_rejoins([]);
        assert_eq!(tags(&unanswered), [1, 2, 3, 4]);
        assert_eq!((unanswered.due(), unanswered.len()), (4, 4));
    }

    #[test]
    fn it_knows_where_a_post_of_ours_may_be() {
        let mut unanswered = Unanswered::default();
        let body = Body::parse("hi").unwrap();
        let post = Request::Public { group: group("Tea"), id: PostId([0; 16]), body };
        unanswered.push(ask(1, post, Door::Events));
        assert!(unanswered.has_post_to(&Conversation::Group(group("tea"))));
        assert!(!unanswered.has_post_to(&Conversation::Group(group("coffee"))));
    }
}
