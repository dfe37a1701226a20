//! What was asked and not answered yet, in the order of asking.

use std::collections::VecDeque;

use chatroom_proto::{ClientFrame, Request, Tag};

use super::{Ask, Door};
use chatroom_proto::Conversation;

/// The requests that will be sent again over the next connection. Answers come in the order of the requests, so the
/// one that is looked for is the first.
#[derive(Debug, Default)]
pub(crate) struct Unanswered {
    asks: VecDeque<Ask>,
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

    pub(crate) fn len(&self) -> usize {
        self.asks.len()
    }

    /// All of them as frames, to be sent (again).
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
        self.asks.iter().any(|ask| match (&ask.request, conversation) {
            (Request::Public { group, .. }, Conversation::Group(other)) => group.key() == other.key(),
            (Request::Private { to, .. }, Conversation::User(other)) => to.key() == other.key(),
            _ => false,
        })
    }

    /// For a new connection: the groups to rejoin come before all else, and those of a connection before are
    /// forgotten, as are pings.
    pub(crate) fn replace_rejoins(&mut self, rejoins: impl IntoIterator<Item = Ask>) {
        self.asks.retain(|ask| !matches!(ask.door, Door::Rejoin | Door::Alive));
        let rest = std::mem::replace(&mut self.asks, rejoins.into_iter().collect());
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
    fn it_knows_where_a_post_of_ours_may_be() {
        let mut unanswered = Unanswered::default();
        let body = Body::parse("hi").unwrap();
        let post = Request::Public { group: group("Tea"), id: PostId([0; 16]), body };
        unanswered.push(ask(1, post, Door::Events));
        assert!(unanswered.has_post_to(&Conversation::Group(group("tea"))));
        assert!(!unanswered.has_post_to(&Conversation::Group(group("coffee"))));
    }
}
