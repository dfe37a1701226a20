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
    pub(crate) fn push(&mut self, told: QueuedEvent) {
        self.bytes += weight(&told.event);
        self.events.push_back(told);
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
        while let Some(told) = self.events.pop_front() {
            let bytes = weight(&told.event);
            if let Err(TrySendError::Full(told)) = program.try_send(told) {
                self.events.push_front(told);
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
        let mut told = HashSet::new();
        self.bytes = 0;
        for QueuedEvent { event, place } in std::mem::take(&mut self.events) {
            match without_message(event) {
                Some(Event::Missed(conversation)) if !told.insert(conversation.clone()) => {}
                Some(event) => self.push(QueuedEvent { event, place }),
                None => {}
            }
        }
    }
}

/// What was done to keep order takes as much as so many names: two of them, and a reason.
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
        Event::Notification(_) | Event::Replayed(_) => None,
        event => Some(event),
    }
}

/// What an event takes, in bytes: not less, and for short ones more.
fn weight(event: &Event) -> usize {
    EVENT_BYTES
        + match event {
            Event::Notification(said) | Event::Replayed(said) => match said {
                Notification::GroupPost { post, .. } | Notification::PrivatePost { post, .. } => {
                    post.body.as_str().len()
                }
                _ => 0,
            },
            Event::Answer { request, result, .. } => {
                let asked = match request {
                    Request::Public { body, .. } | Request::Private { body, .. } => {
                        body.as_str().len()
                    }
                    _ => 0,
                };
                let names = match result {
                    Ok(Response::Groups { groups, .. }) => groups.as_slice().len(),
                    Ok(Response::Users { users, .. }) => users.as_slice().len(),
                    Ok(Response::Clients { clients, .. }) => clients
                        .as_slice()
                        .iter()
                        .map(|visitor| 2 + visitor.groups.as_slice().len())
                        .sum(),
                    Ok(Response::ServerBans { bans, .. }) => bans.as_slice().len() * NAMES_AN_ACT,
                    Ok(Response::Acts { acts, .. }) => acts.as_slice().len() * NAMES_AN_ACT,
                    _ => 0,
                };
                let said = match result {
                    Ok(Response::Past { posts, .. }) => posts
                        .as_slice()
                        .iter()
                        .map(|said| EVENT_BYTES + said.post.body.as_str().len())
                        .sum(),
                    _ => 0,
                };
                asked + names * NAME_BYTES + said
            }
            Event::Back { groups, missed, .. } => (groups.len() + missed.len()) * NAME_BYTES,
            _ => 0,
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

    fn told(event: Event) -> QueuedEvent {
        QueuedEvent { event, place: Cursor::default() }
    }

    fn post(name: &str, seq: u64) -> QueuedEvent {
        told(Event::Notification(group_post(name, seq, seq - 1)))
    }

    fn answer(tag: u32) -> QueuedEvent {
        told(Event::Answer { tag: Tag(tag), request: Request::Ping, result: Ok(Response::Pong) })
    }

    #[tokio::test]
    async fn it_gives_in_order_and_as_much_as_there_is_room_for() {
        let (program, mut events) = mpsc::channel(2);
        let mut outbox = EventQueue::default();
        (0..3).for_each(|tag| outbox.push(answer(tag)));
        outbox.deliver(&program);
        assert!(!outbox.is_empty());
        assert_eq!(events.recv().await, Some(answer(0)));
        outbox.deliver_when_it_may(&program).await;
        assert!(outbox.is_empty());
        assert_eq!((events.recv().await, events.recv().await), (Some(answer(1)), Some(answer(2))));
        assert_eq!(outbox.bytes, 0);
    }

    #[test]
    fn one_who_wants_no_events_leaves_none_behind() {
        let (program, events) = mpsc::channel(EVENTS_MAX);
        drop(events);
        let mut outbox = EventQueue::default();
        outbox.push(answer(0));
        outbox.deliver(&program);
        assert!(outbox.is_empty());
    }

    #[test]
    fn it_is_overrun_by_bytes_and_sheds_all_but_what_must_be_told() {
        let mut outbox = EventQueue::default();
        outbox.push(answer(1));
        outbox.push(told(Event::Notification(private_post(7, 0))));
        let mut seq = 10;
        while !outbox.is_overrun() {
            seq += 1;
            outbox.push(post(if seq % 2 == 0 { "tea" } else { "General" }, seq));
        }
        assert!(outbox.events.len() > 10 * EVENTS_MAX, "short messages are many");
        let departed = Notification::Departed { seq: Seq(seq), user: user("Ann") };
        outbox.push(told(Event::Notification(departed)));
        outbox.push(answer(2));
        outbox.push(told(Event::Lost(Lost::Overrun)));
        outbox.shed();
        let in_group = |name| told(Event::Missed(Conversation::Group(group(name))));
        let expected = [
            answer(1),
            told(Event::Missed(Conversation::User(user("Ann")))),
            in_group("General"),
            in_group("tea"),
            answer(2),
            told(Event::Lost(Lost::Overrun)),
        ];
        assert_eq!(outbox.events, expected);
        assert_eq!(outbox.bytes, expected.iter().map(|told| weight(&told.event)).sum());
        outbox.shed();
        assert_eq!(outbox.events, expected, "shedding again changes nothing");
    }
}
