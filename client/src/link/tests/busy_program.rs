//! A program that does not take its events: because it waits for an answer, because it is busy, or
//! for ever.

use std::time::Duration;

use chatroom_proto::{PAGE_ITEMS_MAX, Page, Request, Response, Seq};

use super::fake::{body, connected, group, group_post, posted, public};
use crate::error::{AskError, Ended, Lost};
use crate::event::Event;
use crate::limits::{EVENTS_MAX, QUEUED_EVENTS_BYTES_MAX, SILENCE_MAX, SUBMITTED_MAX};
use crate::options::Reconnect;
use chatroom_proto::Conversation;

/// Many times what the program's own queue holds.
const MANY: u64 = 4 * EVENTS_MAX as u64;

/// More than is ever held: each counts for more than this.
const TOO_MANY: u64 = (QUEUED_EVENTS_BYTES_MAX / 512 + EVENTS_MAX) as u64;

#[tokio::test(start_paused = true)]
async fn one_who_waits_for_an_answer_in_the_loop_that_reads_gets_it_however_much_comes_before() {
    let (client, mut events, mut connection, _server) = connected(Reconnect::Never).await;
    let rounds = 5;
    let serving = tokio::spawn(async move {
        let mut seq = 10;
        for _ in 0..rounds {
            connection.flood(seq, 1).await;
            let (tag, _) = connection.asked().await;
            connection.flood(seq + 1, MANY).await;
            seq += MANY + 2;
            connection.answer(tag, posted(seq)).await;
        }
        connection
    });
    for round in 0..rounds {
        let first = 10 + round * (MANY + 2);
        assert_eq!(
            events.next().await,
            Some(Event::Notification(group_post("General", first + 1, first)))
        );
        let answer = client.public(group("General"), body("echo")).await;
        assert_eq!(answer.unwrap().seq, Seq(first + MANY + 2));
        for seq in first + 1..=first + MANY {
            assert_eq!(
                events.next().await,
                Some(Event::Notification(group_post("General", seq + 1, seq)))
            );
        }
    }
    serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn more_than_can_be_held_before_an_answer_costs_messages_and_not_the_answer() {
    let (client, mut events, mut connection, mut server) = connected(Reconnect::Forever).await;
    let asking = tokio::spawn(async move { client.public(group("General"), body("echo")).await });
    let asked = connection.asked().await;
    assert!(connection.flood(10, TOO_MANY).await < TOO_MANY, "the connection is given up");
    let head = 10 + TOO_MANY;
    let mut connection = server.accept_and_welcome(true, head, &[("General", head)]).await;
    assert_eq!(connection.asked().await, asked, "what was asked is asked again");
    connection.flood(head, MANY).await;
    connection.answer(asked.0, posted(head + MANY + 1)).await;
    assert_eq!(asking.await.unwrap().unwrap().seq, Seq(head + MANY + 1));

    for seq in 10..10 + EVENTS_MAX as u64 {
        assert_eq!(
            events.next().await,
            Some(Event::Notification(group_post("General", seq + 1, seq)))
        );
    }
    assert_eq!(events.next().await, Some(Event::Missed(Conversation::Group(group("General")))));
    assert_eq!(events.next().await, Some(Event::Lost(Lost::Overrun)));
    // What else was missed may be the post of its own that has no answer yet: nothing certain can
    // be said.
    assert!(matches!(events.next().await, Some(Event::Back { resumed: true, .. })));
    for seq in head..head + MANY {
        assert_eq!(
            events.next().await,
            Some(Event::Notification(group_post("General", seq + 1, seq)))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_up_while_the_program_takes_nothing_is_noticed() {
    let (client, mut events, mut connection, mut server) = connected(Reconnect::Forever).await;
    connection.flood(10, MANY).await;
    drop(connection);
    let mut connection = server.accept_and_welcome(true, 10 + MANY, &[]).await;
    let asking = tokio::spawn(async move { client.ping().await });
    let (tag, _) = connection.asked().await;
    connection.answer(tag, Response::Pong).await;
    assert_eq!(asking.await.unwrap(), Ok(()));
    for _ in 0..MANY {
        assert!(matches!(events.next().await, Some(Event::Notification(_))));
    }
    assert_eq!(events.next().await, Some(Event::Lost(Lost::HungUp)));
    assert!(matches!(events.next().await, Some(Event::Back { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_falls_silent_while_the_program_takes_nothing_is_noticed() {
    let (_client, _events, mut connection, mut server) = connected(Reconnect::Forever).await;
    connection.flood(10, MANY).await;
    tokio::time::sleep(SILENCE_MAX).await;
    assert_eq!(connection.asked().await.1, Request::Ping);
    server.accept().await;
}

#[tokio::test(start_paused = true)]
async fn a_program_that_never_takes_anything_costs_no_more_than_the_bound() {
    let (_client, mut events, mut connection, mut server) = connected(Reconnect::Forever).await;
    let mut head = 10;
    for _ in 0..3 {
        assert!(connection.flood(head, TOO_MANY).await < TOO_MANY);
        head += TOO_MANY;
        connection = server.accept_and_welcome(true, head, &[("General", head)]).await;
    }
    // All the same it lives, and tells once in what it missed messages.
    let mut told = Vec::new();
    connection.flood(head, 1).await;
    while told.len() < 3 {
        match events.next().await.unwrap() {
            Event::Notification(_) => {}
            event => told.push(event),
        }
    }
    assert!(matches!(told[..], [Event::Missed(_), Event::Lost(Lost::Overrun), Event::Back { .. }]));
}

#[tokio::test(start_paused = true)]
async fn one_who_submits_and_takes_no_answers_waits_and_one_who_asks_does_not() {
    let (client, mut events, mut connection, _server) = connected(Reconnect::Never).await;
    let serving = tokio::spawn(async move {
        loop {
            let (tag, _) = connection.asked().await;
            connection.answer(tag, posted(11)).await;
        }
    });
    for _ in 0..SUBMITTED_MAX {
        client.submit(public("General", "hi")).await.unwrap();
    }
    let mut submitting = tokio::spawn({
        let client = client.clone();
        async move { client.submit(public("General", "one more")).await }
    });
    let waits = tokio::time::timeout(Duration::from_secs(1), &mut submitting);
    assert!(waits.await.is_err());
    assert_eq!(client.public(group("General"), body("hi")).await.unwrap().seq, Seq(11));
    assert!(matches!(events.next().await, Some(Event::Answer { .. })));
    submitting.await.unwrap().unwrap();
    drop(events);
    for _ in 0..2 * SUBMITTED_MAX {
        client.submit(public("General", "nobody wants the answer")).await.unwrap();
    }
    serving.abort();
}

#[tokio::test(start_paused = true)]
async fn one_who_waits_to_submit_learns_that_the_link_has_ended() {
    let (client, events, mut connection, _server) = connected(Reconnect::Never).await;
    for _ in 0..SUBMITTED_MAX {
        let asking = client.submit(Request::Ping);
        asking.await.unwrap();
        let (tag, _) = connection.asked().await;
        connection.answer(tag, Response::Pong).await;
    }
    let submitting = tokio::spawn(async move { client.submit(Request::Ping).await });
    drop(connection);
    let ended = Ended::GaveUp(Lost::HungUp);
    assert_eq!(submitting.await.unwrap(), Err(AskError::Closed(ended)));
    drop(events);
}

#[tokio::test(start_paused = true)]
async fn a_link_ends_when_even_the_answers_that_nobody_takes_are_too_much() {
    let (client, mut events, mut connection, server) = connected(Reconnect::Forever).await;
    let page = Page::fill((0..PAGE_ITEMS_MAX).map(|number| group(&format!("group{number}"))));
    let answer = Response::Groups { groups: page, next: None };
    let serving = tokio::spawn(async move {
        loop {
            let (tag, _) = connection.asked().await;
            connection.answer(tag, answer.clone()).await;
        }
    });
    let ended = Ended::GaveUp(Lost::Overrun);
    let mut asked = 0;
    let refused = loop {
        match client.submit(Request::Groups { after: Seq::ZERO }).await {
            Ok(_) => asked += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, AskError::Closed(ended.clone()));
    assert!(asked < SUBMITTED_MAX);
    while let Some(Event::Answer { .. }) = events.next().await {
        asked -= 1;
    }
    assert!(asked > 0, "some have no answer");
    drop((serving, server));
}
