//! What happened and was not taken by the program yet. Bounded in bytes: beyond that, it sheds.

use std::collections::{HashSet, VecDeque};

use chatroom_proto::{Conversation, Notification, Request, Response};
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::event::{Event, QueuedEvent};
use crate::limits::QUEUED_EVENTS_BYTES_MAX;

/// What any event counts for: itself and two of the longest names.
const EVENT_BYTES: usize = 512;

/// What a name on a page of a list counts for: 32 characters of 4 bytes, and what holds them.
const NAME_BYTES: usize = 160;

/// Events in order, on their way to the program. It outlives connections.
#[derive(Debug, Default)]
pub(crate) struct EventQueue {
    events: VecDeque<QueuedEvent>,
    bytes: usize,
}

impl EventQueue {
    pub(crate) fn push(&mut self, queued: QueuedEvent) {
        self.bytes += weight(&queued.event);
        self.events.push_back(queued);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Whether it holds more than it may.
    pub(crate) fn is_overrun(&self) -> bool {
        self.bytes > QUEUED_EVENTS_BYTES_MAX
    }

    /// Whether it is twice that although only answers came since: nobody will take them.
    pub(crate) fn is_overrun_by_answers(&self) -> bool {
        self.bytes > 2 * QUEUED_EVENTS_BYTES_MAX
    }

    /// Gives the program what it has room for. One that dropped its [`Events`](crate::Events) wants
    /// none.
    pub(crate) fn deliver(&mut self, program: &mpsc::Sender<QueuedEvent>) {
        while let Some(queued) = self.events.pop_front() {
            let bytes = weight(&queued.event);
            if let Err(TrySendError::Full(queued)) = program.try_send(queued) {
                self.events.push_front(queued);
                return;
            }
            self.bytes -= bytes;
        }
    }

    /// Waits until the program has room, and gives it what it has room for. Without anything to
    /// give, waits for ever. Dropping the future loses nothing.
    pub(crate) async fn deliver_when_it_may(&mut self, program: &mpsc::Sender<QueuedEvent>) {
        if self.is_empty() {
            std::future::pending::<()>().await;
        }
        drop(program.reserve().await);
        self.deliver(program);
    }

    /// Lets go of what the server said, and keeps what else happened: the answers above all, which
    /// nobody gives again. In place of messages the program is told in which conversations they are
    /// missing, once for each. (Only where the server keeps nothing: elsewhere nothing is let go
    /// that was heard.)
    pub(crate) fn shed(&mut self) {
        let mut shed_from = HashSet::new();
        self.bytes = 0;
        for QueuedEvent { event, place } in std::mem::take(&mut self.events) {
            match without_message(event) {
                Some(Event::Missed(conversation)) if !shed_from.insert(conversation.clone()) => {}
                Some(event) => self.push(QueuedEvent { event, place }),
                None => {}
            }
        }
    }
}

/// What a moderator or an operator did takes as much as so many names: two of them, and a reason.
const NAMES_AN_ACT: usize = 4;

/// What is left of an event without what the server said.
fn without_message(event: Event) -> Option<Event> {
    match event {
        Event::Notification(Notification::GroupPost { group, .. }) => {
            Some(Event::Missed(Conversation::Group(group)))
        }
        Event::Notification(Notification::PrivatePost { post, .. }) => {
            Some(Event::Missed(Conversation::User(post.from)))
        }
        // What is not shown any more must not stay on a screen.
        event @ Event::Notification(Notification::Deleted { .. }) => Some(event),
        Event::Notification(_) | Event::Replayed(_) => None,
        event => Some(event),
    }
}

/// What an event takes, in bytes: not less, and for short ones more.
fn weight(event: &Event) -> usize {
    let more = match event {
        Event::Notification(said) | Event::Replayed(said) => match said {
            Notification::GroupPost { post, .. } | Notification::PrivatePost { post, .. } => {
                post.body.as_str().len()
            }
            // Two names and a line of text are in what any event counts for.
            _ => 0,
        },
        Event::Answer { request, result, .. } => {
            let asked = match request {
                Request::Public { body, .. } | Request::Private { body, .. } => body.as_str().len(),
                _ => 0,
            };
            asked + result.as_ref().map_or(0, page_weight)
        }
        Event::Back { groups, missed, .. } => (groups.len() + missed.len()) * NAME_BYTES,
        Event::CaughtUp
        | Event::Lost(_)
        | Event::PutBack { .. }
        | Event::Rejoined { .. }
        | Event::NotRejoined { .. }
        | Event::Missed(_)
        | Event::Slowed { .. }
        | Event::Ended(_) => 0,
    };
    EVENT_BYTES + more
}

/// What the items of an answer take, in bytes, if it is a page of many.
fn page_weight(response: &Response) -> usize {
    match response {
        Response::Groups { .. } | Response::Users { .. } => response.items() * NAME_BYTES,
        Response::Clients { clients, .. } => {
            let names = clients.as_slice().iter().map(|client| 2 + client.groups.as_slice().len());
            names.sum::<usize>() * NAME_BYTES
        }
        Response::Past { posts, .. } | Response::PastWithDeleted { posts, .. } => {
            let bodies = posts.as_slice().iter().map(|said| said.post.body.as_str().len());
            bodies.map(|body| EVENT_BYTES + body).sum()
        }
        // What was done by somebody, and what is no page.
        other => other.items() * NAMES_AN_ACT * NAME_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use chatroom_proto::{Seq, Tag};

    use super::*;
    use crate::error::Lost;
    use crate::journal::Cursor;
    use crate::limits::EVENTS_MAX;
    use crate::link::tests::fake::{group, group_post, private_post, user};

    fn queued(event: Event) -> QueuedEvent {
        QueuedEvent { event, place: Cursor::default() }
    }

    fn post(name: &str, seq: u64) -> QueuedEvent {
        queued(Event::Notification(group_post(name, seq, seq - 1)))
    }

    fn answer(tag: u32) -> QueuedEvent {
        queued(Event::Answer { tag: Tag(tag), request: Request::Ping, result: Ok(Response::Pong) })
    }

    #[tokio::test]
    async fn it_gives_in_order_and_as_much_as_there_is_room_for() {
        let (program, mut events) = mpsc::channel(2);
        let mut event_queue = EventQueue::default();
        (0..3).for_each(|tag| event_queue.push(answer(tag)));
        event_queue.deliver(&program);
        assert!(!event_queue.is_empty());
        assert_eq!(events.recv().await, Some(answer(0)));
        event_queue.deliver_when_it_may(&program).await;
        assert!(event_queue.is_empty());
        assert_eq!((events.recv().await, events.recv().await), (Some(answer(1)), Some(answer(2))));
        assert_eq!(event_queue.bytes, 0);
    }

    #[test]
    fn one_who_wants_no_events_leaves_none_behind() {
        let (program, events) = mpsc::channel(EVENTS_MAX);
        drop(events);
        let mut event_queue = EventQueue::default();
        event_queue.push(answer(0));
        event_queue.deliver(&program);
        assert!(event_queue.is_empty());
    }

    #[test]
    fn it_is_overrun_by_bytes_and_sheds_all_but_what_must_be_told() {
        let mut event_queue = EventQueue::default();
        event_queue.push(answer(1));
        event_queue.push(queued(Event::Notification(private_post(7, 0))));
        let mut seq = 10;
        while !event_queue.is_overrun() {
            seq += 1;
            event_queue.push(post(if seq % 2 == 0 { "tea" } else { "General" }, seq));
        }
        assert!(event_queue.events.len() > 10 * EVENTS_MAX, "short messages are many");
        let departed = Notification::Departed { seq: Seq(seq), user: user("Ann") };
        event_queue.push(queued(Event::Notification(departed)));
        event_queue.push(answer(2));
        event_queue.push(queued(Event::Lost(Lost::Overrun)));
        event_queue.shed();
        let in_group = |name| queued(Event::Missed(Conversation::Group(group(name))));
        let expected = [
            answer(1),
            queued(Event::Missed(Conversation::User(user("Ann")))),
            in_group("General"),
            in_group("tea"),
            answer(2),
            queued(Event::Lost(Lost::Overrun)),
        ];
        assert_eq!(event_queue.events, expected);
        assert_eq!(
            event_queue.bytes,
            expected.iter().map(|queued| weight(&queued.event)).sum::<usize>()
        );
        event_queue.shed();
        assert_eq!(event_queue.events, expected, "shedding again changes nothing");
    }
}
