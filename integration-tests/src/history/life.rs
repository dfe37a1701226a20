//! What of a history is left when the server was put back to an earlier copy of its log: what was
//! before that, and what came since. What was in between is in no log any more.

use std::collections::BTreeSet;

use chatroom_proto::{PostId, Seq};

use super::record::{Event, History};

/// The history without what was seen in lives of the log that are no more.
pub(super) fn in_the_last_life(history: &History) -> History {
    let mut events: Vec<Event> = Vec::new();
    for event in &history.events {
        if let Event::PutBack(to) = event {
            let mut session = Session::BegunSomewhere;
            events =
                events.into_iter().flat_map(|event| put_back(event, *to, &mut session)).collect();
        }
        events.push(event.clone());
    }
    History { name: history.name.clone(), events }
}

/// The posts that two people may have said, as the log has it: one had no answer when the log was
/// put back, and who had said it came to the copy as a stranger, and said it again. What binds the
/// two, a token or a registration, is newer than the copy.
pub(super) fn said_by_two(history: &History) -> BTreeSet<PostId> {
    let (mut open, mut put_back, mut said) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for event in &history.events {
        match event {
            Event::Sent(id, _) => drop(open.insert(*id)),
            Event::Acknowledged(id, _) | Event::Refused(id) => drop(open.remove(id)),
            Event::PutBack(_) => put_back.extend(open.iter().copied()),
            Event::Welcomed { resumed: false, .. } => {
                said.extend(put_back.intersection(&open).copied());
            }
            _ => {}
        }
    }
    said
}

/// Whether the copy knows the session that an event is of.
#[derive(Clone, Copy)]
enum Session {
    /// The welcome that began it was lost: nobody knows where that was.
    BegunSomewhere,
    InTheCopy,
    BegunLater,
}

/// What is left of an event. What was acknowledged and is no more need not come.
fn put_back(event: Event, to: Seq, session: &mut Session) -> Vec<Event> {
    if let Event::Welcomed { seq, resumed: false, .. } = event {
        *session = if seq > to { Session::BegunLater } else { Session::InTheCopy };
    }
    match (event, *session) {
        (Event::Acknowledged(id, seq), _) if seq > to => vec![Event::Refused(id)],
        // Whoever comes back is a new device to a server that has never seen it.
        (Event::Welcomed { resumed: false, .. }, Session::BegunLater) => vec![Event::NewDevice],
        (Event::Welcomed { .. }, Session::BegunLater) => Vec::new(),
        // What was told behind this welcome is in part of before the copy.
        (Event::Welcomed { seq, resumed: true, groups }, in_the_copy) if seq > to => {
            let welcomed = Event::Welcomed { seq: to, resumed: true, groups };
            match in_the_copy {
                Session::BegunSomewhere => vec![welcomed, Event::NewDevice],
                _ => vec![welcomed],
            }
        }
        (
            Event::Joined(_, seq)
            | Event::Left(_, seq)
            | Event::Expelled(_, seq)
            | Event::Deleted(_, seq)
            | Event::Deleting(seq)
            | Event::ReadBack(seq)
            | Event::Rested(seq),
            _,
        ) if seq > to => Vec::new(),
        (Event::Showed(shown), _) if shown.seq > to => Vec::new(),
        (event, _) => vec![event],
    }
}

#[cfg(test)]
mod tests {
    use chatroom_proto::{Conversation, GroupName};

    use super::*;
    use crate::test_client::{post_id, user};

    #[test]
    fn what_was_seen_after_the_copy_is_gone_and_what_came_since_is_not() {
        let seen = |seq| Event::Acknowledged(post_id(seq), Seq(seq));
        let events = vec![seen(4), seen(6), Event::PutBack(Seq(5)), seen(6)];
        let history = History { name: user("jim"), events };
        let left = [seen(4), Event::Refused(post_id(6)), Event::PutBack(Seq(5)), seen(6)];
        assert_eq!(in_the_last_life(&history).events, left);
    }

    #[test]
    fn whose_session_is_not_in_the_copy_comes_as_a_new_device() {
        let welcomed =
            |seq, resumed| Event::Welcomed { seq: Seq(seq), resumed, groups: Vec::new() };
        let events = vec![welcomed(6, false), welcomed(7, true), Event::PutBack(Seq(5))];
        let history = History { name: user("jim"), events };
        let left = [Event::NewDevice, Event::PutBack(Seq(5))];
        assert_eq!(in_the_last_life(&history).events, left);
    }

    #[test]
    fn what_a_stranger_to_the_copy_says_again_may_be_there_twice() {
        let sent = |number| Event::Sent(post_id(number), Conversation::Group(GroupName::general()));
        let welcomed =
            |seq, resumed| Event::Welcomed { seq: Seq(seq), resumed, groups: Vec::new() };
        let events = |resumed| {
            let answered = Event::Acknowledged(post_id(1), Seq(3));
            vec![sent(1), answered, sent(2), Event::PutBack(Seq(5)), welcomed(9, resumed), sent(4)]
        };
        let name = user("jim");
        let of = |events| said_by_two(&History { name: name.clone(), events });
        assert_eq!(of(events(false)).into_iter().collect::<Vec<_>>(), [post_id(2)]);
        assert!(of(events(true)).is_empty(), "the copy knows it");
    }
}
