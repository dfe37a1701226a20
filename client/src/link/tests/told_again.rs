//! A server that keeps what is said, and tells again what a client missed: the one way back.

use chatroom_proto::{Life, Proof, Request, Seq};

use super::fake::{
    self, body, connected_and_kept, group, group_post, posted, private_post, public,
};
use crate::error::{Ended, Lost};
use crate::event::{Event, Events};
use crate::limits::{ASKS_WAITING_MAX, EVENTS_MAX, QUEUED_EVENTS_BYTES_MAX};
use crate::options::Reconnect;
use chatroom_proto::Conversation;

/// More than is ever held: each counts for more than this.
const TOO_MANY: u64 = (QUEUED_EVENTS_BYTES_MAX / 512 + EVENTS_MAX) as u64;

fn live(seq: u64, prev: u64) -> Option<Event> {
    Some(Event::Notification(group_post("General", seq, prev)))
}

fn again(seq: u64, prev: u64) -> Option<Event> {
    Some(Event::Replayed(group_post("General", seq, prev)))
}

fn in_general() -> Event {
    Event::Missed(Conversation::Group(group("General")))
}

async fn is_back(events: &mut Events, lost: Lost) {
    assert_eq!(events.next().await, Some(Event::Lost(lost)));
    let back = Event::Back { resumed: true, groups: vec![group("General")], missed: vec![] };
    assert_eq!(events.next().await, Some(back));
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_is_told_again_and_then_what_comes_is_live() {
    let (_client, mut events, mut connection, mut server) =
        connected_and_kept(Reconnect::Forever, None).await;
    connection.notify(group_post("General", 12, 10)).await;
    assert_eq!(events.next().await, live(12, 10));
    drop(connection);
    let (mut connection, hello) = server.recognize(30, &[("General", 25)]).await;
    assert_eq!((hello.proof, hello.seen), (Proof::Resume(fake::TOKEN), Seq(12)));
    for (seq, prev) in [(20, 12), (25, 20)] {
        connection.notify(group_post("General", seq, prev)).await;
    }
    connection.notify(private_post(28, 0)).await;
    connection.caught_up(30).await;
    connection.notify(group_post("General", 31, 25)).await;
    is_back(&mut events, Lost::HungUp).await;
    assert_eq!((events.next().await, events.next().await), (again(20, 12), again(25, 20)));
    assert_eq!(events.next().await, Some(Event::Replayed(private_post(28, 0))));
    assert_eq!(events.next().await, Some(Event::CaughtUp));
    assert_eq!(events.next().await, live(31, 25));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_lost_again_before_it_has_caught_up_hears_the_rest_and_answers_do_not_hide_it()
{
    let (client, mut events, connection, mut server) =
        connected_and_kept(Reconnect::Forever, None).await;
    drop(connection);
    let (mut connection, _) = server.recognize(30, &[("General", 25)]).await;
    connection.notify(group_post("General", 20, 10)).await;
    let asking = tokio::spawn(async move { client.public(group("General"), body("hi")).await });
    let (tag, _) = connection.asked().await;
    connection.answer(tag, posted(40)).await;
    asking.await.unwrap().unwrap();
    drop(connection);
    let (mut connection, hello) = server.recognize(50, &[("General", 40)]).await;
    assert_eq!(hello.seen, Seq(20));
    connection.notify(group_post("General", 25, 20)).await;
    connection.caught_up(50).await;
    drop(connection);
    let (_, hello) = server.recognize(60, &[("General", 40)]).await;
    assert_eq!(hello.seen, Seq(50));
    is_back(&mut events, Lost::HungUp).await;
    assert_eq!(events.next().await, again(20, 10));
    is_back(&mut events, Lost::HungUp).await;
    assert_eq!(events.next().await, again(25, 20));
    assert_eq!(events.next().await, Some(Event::CaughtUp));
}

#[tokio::test(start_paused = true)]
async fn a_gap_sends_the_client_back_to_hear_what_is_missing() {
    let (_client, mut events, mut connection, mut server) =
        connected_and_kept(Reconnect::Forever, None).await;
    connection.notify(group_post("General", 12, 10)).await;
    connection.notify(group_post("General", 20, 15)).await;
    let (mut connection, hello) = server.recognize(30, &[("General", 20)]).await;
    assert_eq!(hello.seen, Seq(12));
    for (seq, prev) in [(15, 12), (20, 15)] {
        connection.notify(group_post("General", seq, prev)).await;
    }
    connection.caught_up(30).await;
    assert_eq!(events.next().await, live(12, 10));
    is_back(&mut events, Lost::Gap).await;
    assert_eq!((events.next().await, events.next().await), (again(15, 12), again(20, 15)));
    assert_eq!(events.next().await, Some(Event::CaughtUp));
}

#[tokio::test(start_paused = true)]
async fn a_gap_that_the_server_shows_again_is_told_and_lived_with() {
    let (_client, mut events, mut connection, mut server) =
        connected_and_kept(Reconnect::Forever, None).await;
    connection.notify(group_post("General", 20, 15)).await;
    let (mut connection, _) = server.recognize(30, &[("General", 20)]).await;
    connection.notify(group_post("General", 20, 15)).await;
    connection.caught_up(30).await;
    is_back(&mut events, Lost::Gap).await;
    assert_eq!((events.next().await, events.next().await), (Some(in_general()), again(20, 15)));
    assert_eq!(events.next().await, Some(Event::CaughtUp));
    // The next one is another matter.
    connection.notify(group_post("General", 40, 35)).await;
    assert_eq!(server.recognize(50, &[("General", 40)]).await.1.seen, Seq(30));
}

#[tokio::test(start_paused = true)]
async fn a_newest_post_that_was_not_told_again_is_a_gap_too() {
    let (_client, mut events, connection, mut server) =
        connected_and_kept(Reconnect::Forever, None).await;
    drop(connection);
    for _ in 0..2 {
        let (mut connection, hello) = server.recognize(30, &[("General", 25)]).await;
        assert_eq!(hello.seen, Seq(10));
        connection.caught_up(30).await;
    }
    is_back(&mut events, Lost::HungUp).await;
    is_back(&mut events, Lost::Gap).await;
    assert_eq!(events.next().await, Some(in_general()));
    assert_eq!(events.next().await, Some(Event::CaughtUp));
}

#[tokio::test(start_paused = true)]
async fn one_that_never_comes_back_lives_with_every_gap() {
    let (_client, mut events, mut connection, _server) =
        connected_and_kept(Reconnect::Never, None).await;
    connection.notify(group_post("General", 20, 15)).await;
    assert_eq!((events.next().await, events.next().await), (Some(in_general()), live(20, 15)));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_has_lost_its_memory_begins_anew() {
    let (_client, mut events, mut connection, mut server) =
        connected_and_kept(Reconnect::Forever, None).await;
    connection.notify(group_post("General", 1_000, 10)).await;
    assert_eq!(events.next().await, live(1_000, 10));
    drop(connection);
    let mut connection = server.accept().await;
    let (tag, _) = connection.hello().await;
    connection.welcome_and_keep(tag, false, 5, &[("General", 4)]).await;
    connection.notify(group_post("General", 6, 4)).await;
    assert!(matches!(events.next().await, Some(Event::Lost(_))));
    assert!(matches!(events.next().await, Some(Event::Back { resumed: false, .. })));
    assert_eq!(events.next().await, live(6, 4));
    drop(connection);
    assert_eq!(server.recognize(9, &[("General", 6)]).await.1.seen, Seq(6));
}

#[tokio::test(start_paused = true)]
async fn more_than_can_be_held_costs_no_message_where_messages_are_kept() {
    let (client, mut events, mut connection, mut server) =
        connected_and_kept(Reconnect::Forever, None).await;
    let submitted = client.submit(public("General", "one")).await.unwrap();
    let first = connection.asked().await;
    assert_eq!(
        connection.flood(10, TOO_MANY).await,
        TOO_MANY,
        "the connection is not given up at once"
    );
    // One who waits for an answer, and takes no events meanwhile, gets it.
    let asking = tokio::spawn({
        let client = client.clone();
        async move { client.public(group("General"), body("two")).await }
    });
    let (second, _) = connection.asked().await;
    let head = 10 + TOO_MANY;
    connection.answer(submitted, posted(head + 1)).await;
    connection.answer(second, posted(head + 2)).await;
    assert_eq!(asking.await.unwrap().unwrap().seq, Seq(head + 2));

    // What is held comes in order; then the connection is remade, and the rest comes from where
    // hearing stopped.
    let mut heard = 10;
    let mut event = events.next().await;
    while event != Some(Event::Lost(Lost::Overrun)) {
        assert_eq!(event, live(heard + 1, heard));
        heard += 1;
        event = events.next().await;
    }
    assert!(heard < head);
    let (mut connection, hello) = server.recognize(head + 2, &[("General", head + 2)]).await;
    assert_eq!(hello.seen, Seq(heard));
    assert!(matches!(events.next().await, Some(Event::Back { .. })));
    let telling = tokio::spawn(async move {
        connection.flood(heard, head - heard).await;
        connection.caught_up(head + 2).await;
        assert_eq!(connection.asked().await, first, "its answer came when nobody could take it");
        connection.answer(first.0, posted(head + 1)).await;
        connection
    });
    for seq in heard..head {
        assert_eq!(events.next().await, again(seq + 1, seq));
    }
    assert_eq!(events.next().await, Some(Event::CaughtUp));
    assert!(matches!(events.next().await, Some(Event::Answer { tag, .. }) if tag == submitted));
    telling.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_program_that_takes_nothing_does_not_make_its_link_come_and_go() {
    let (client, mut events, mut connection, mut server) =
        connected_and_kept(Reconnect::Forever, None).await;
    connection.flood(10, TOO_MANY).await;
    // As many as may be unanswered: after that, answers stand among the events earlier than they
    // might.
    for _ in 0..ASKS_WAITING_MAX + 10 {
        let tag = client.submit(Request::Ping).await.unwrap();
        assert_eq!(connection.asked().await.0, tag);
        connection.answer(tag, chatroom_proto::Response::Pong).await;
    }
    connection.is_quiet().await;
    // A connection that is lost meanwhile is remade, and not given up until there is room.
    drop(connection);
    let (mut connection, hello) = server.recognize(10 + TOO_MANY, &[("General", 10)]).await;
    connection.flood(hello.seen.0, 1_000).await;
    for _ in 0..ASKS_WAITING_MAX - 1 {
        connection.asked().await;
    }
    let mut heard = 10;
    loop {
        match events.next().await.unwrap() {
            Event::Notification(said) => {
                assert_eq!(said, group_post("General", heard + 1, heard));
                heard += 1;
            }
            Event::Lost(Lost::Overrun) => break,
            Event::Lost(_) | Event::Back { .. } | Event::Answer { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(Seq(heard), hello.seen);
    assert_eq!(server.recognize(10 + TOO_MANY, &[("General", 10)]).await.1.seen, hello.seen);
}

#[tokio::test(start_paused = true)]
async fn a_link_whose_answers_nobody_takes_ends_where_messages_are_kept_too() {
    let (client, events, mut connection, server) =
        connected_and_kept(Reconnect::Forever, None).await;
    let page = chatroom_proto::Page::fill(
        (0..chatroom_proto::PAGE_ITEMS_MAX).map(|number| group(&format!("group{number}"))),
    );
    let answer = chatroom_proto::Response::Groups { groups: page, next: None };
    let serving = tokio::spawn(async move {
        loop {
            let (tag, _) = connection.asked().await;
            connection.answer(tag, answer.clone()).await;
        }
    });
    let refused = loop {
        if let Err(error) = client.submit(Request::Groups { after: Seq::ZERO }).await {
            break error;
        }
    };
    assert_eq!(refused, crate::AskError::Closed(Ended::GaveUp(Lost::Overrun)));
    drop((serving, server, events));
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_in_a_life_that_had_ended_before_is_given_up() {
    let (client, mut events, mut connection, mut server) =
        connected_and_kept(Reconnect::Forever, None).await;
    connection.notify(group_post("General", 12, 10)).await;
    assert_eq!(events.next().await, live(12, 10));
    drop(connection);
    // While it is caught up, what it is answered is not what it has seen.
    let (mut connection, _) = server.recognize(14, &[("General", 12)]).await;
    client.submit(public("General", "said")).await.unwrap();
    let (tag, _) = connection.asked().await;
    connection.answer(tag, posted(20)).await;
    is_back(&mut events, Lost::HungUp).await;
    assert!(matches!(events.next().await, Some(Event::Answer { .. })));
    drop(connection);
    // In the copy that was put back the life ended before that.
    let mut connection = server.accept().await;
    let (tag, hello) = connection.hello().await;
    assert_eq!(hello.seen, Seq(12));
    connection.lives.push(Life { id: 2, began: Seq(16) });
    connection.welcome_and_keep(tag, true, 30, &[("General", 18)]).await;
    connection.notify(group_post("General", 18, 12)).await;
    connection.caught_up(30).await;
    assert_eq!(events.next().await, Some(Event::Lost(Lost::HungUp)));
    assert_eq!(events.next().await, Some(Event::PutBack { to: Seq(15) }));
    let back = Event::Back { resumed: true, groups: vec![group("General")], missed: vec![] };
    assert_eq!(events.next().await, Some(back));
    assert_eq!(events.next().await, again(18, 12));
    assert_eq!(events.next().await, Some(Event::CaughtUp));
}
