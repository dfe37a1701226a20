//! A server that asks to go slower gets it, and the program notices nothing but the time that it
//! takes.

use std::time::Duration;

use chatroom_proto::{
    CloseReason, Notification, RETRY_AFTER_MS_MAX, Refusal, Request, Response, Tag,
};
use tokio::time::Instant;

use super::fake::{FakeServer, WelcomedConnection, connected, posted, public};
use crate::client::Client;
use crate::error::{ConnectError, Lost};
use crate::event::{Event, Events};
use crate::limits::{ANSWER_DEADLINE, ASKS_WAITING_MAX, SLOW_AFTER};
use crate::link::login::LOGIN_TRIES_MAX;
use crate::options::Reconnect;

fn slower(wait: Duration) -> Refusal {
    Refusal::RateLimited { retry_after_ms: wait.as_millis().try_into().expect("a short time") }
}

async fn say(client: &Client, count: usize) -> Vec<Tag> {
    let mut tags = Vec::new();
    for number in 0..count {
        tags.push(client.submit(public("General", &format!("number {number}"))).await.unwrap());
    }
    tags
}

/// The server refuses all of these, in their order, as it is asked them.
async fn refuse_all(connection: &mut WelcomedConnection, tags: &[Tag], wait: Duration) {
    for tag in tags {
        assert_eq!(connection.asked().await.0, *tag);
        connection.refuse(*tag, slower(wait)).await;
    }
}

async fn is_posted(events: &mut Events, expected: Tag) {
    match events.next().await {
        Some(Event::Answer { tag, result: Ok(Response::Posted { .. }), .. }) => {
            assert_eq!(tag, expected);
        }
        other => panic!("not an answer: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_is_sent_again_in_its_order_and_what_is_asked_meanwhile_comes_after_it() {
    let (client, mut events, mut connection, _server) = connected(Reconnect::Never).await;
    let wait = SLOW_AFTER;
    let mut tags = say(&client, 3).await;
    let start = Instant::now();
    refuse_all(&mut connection, &tags, wait).await;
    assert!(
        matches!(events.next().await, Some(Event::Slowed { .. })),
        "it knows that it has to wait"
    );
    tags.extend(say(&client, 2).await);
    for tag in tags {
        assert_eq!(connection.asked().await.0, tag);
        connection.answer(tag, posted(11)).await;
        is_posted(&mut events, tag).await;
    }
    assert_eq!(start.elapsed().as_millis(), wait.as_millis(), "one wait for all of them");
}

#[tokio::test(start_paused = true)]
async fn one_is_tried_and_then_more_and_more() {
    let (client, mut events, mut connection, _server) = connected(Reconnect::Never).await;
    let wait = Duration::from_millis(100);
    let tags = say(&client, 7).await;
    refuse_all(&mut connection, &tags, wait).await;
    assert_eq!(connection.asked().await.0, tags[0]);
    connection.refuse(tags[0], slower(wait)).await;
    assert_eq!(connection.asked().await.0, tags[0], "the others would only be refused as well");
    connection.answer(tags[0], posted(11)).await;
    for tag in &tags[1..3] {
        assert_eq!(connection.asked().await.0, *tag);
    }
    connection.is_quiet().await;
    for tag in &tags[1..3] {
        connection.answer(*tag, posted(12)).await;
    }
    for tag in &tags[3..] {
        assert_eq!(connection.asked().await.0, *tag);
        connection.answer(*tag, posted(13)).await;
    }
    for tag in tags {
        is_posted(&mut events, tag).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_is_told_once_and_is_no_dead_connection() {
    let (client, mut events, mut connection, _server) = connected(Reconnect::Never).await;
    let wait = 2 * ANSWER_DEADLINE;
    let tags = say(&client, 2).await;
    refuse_all(&mut connection, &tags, wait).await;
    for _ in 0..3 {
        refuse_all(&mut connection, &tags[..1], wait).await;
    }
    assert_eq!(events.next().await, Some(Event::Slowed { wait, waiting: 2 }));
    for tag in tags {
        assert_eq!(connection.asked().await.0, tag);
        connection.answer(tag, posted(11)).await;
        is_posted(&mut events, tag).await;
    }
    client.submit(Request::Ping).await.unwrap();
    let (tag, _) = connection.asked().await;
    connection.refuse(tag, slower(SLOW_AFTER)).await;
    assert_eq!(
        events.next().await,
        Some(Event::Slowed { wait: SLOW_AFTER, waiting: 1 }),
        "another time"
    );
}

#[tokio::test(start_paused = true)]
async fn many_short_waits_are_a_long_one() {
    let (client, mut events, mut connection, _server) = connected(Reconnect::Never).await;
    let tag = client.submit(Request::Ping).await.unwrap();
    let wait = SLOW_AFTER / 4;
    for _ in 0..=4 {
        assert_eq!(connection.asked().await.0, tag);
        connection.refuse(tag, slower(wait)).await;
    }
    assert_eq!(events.next().await, Some(Event::Slowed { wait, waiting: 1 }));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_for_a_sign_of_life_meanwhile_gets_it() {
    let (client, mut events, mut connection, _server) = connected(Reconnect::Never).await;
    let wait = Duration::from_secs(1);
    let tags = say(&client, 1).await;
    refuse_all(&mut connection, &tags, wait).await;
    connection.notify(Notification::Ping).await;
    let (ping, request) = connection.asked().await;
    assert_eq!(request, Request::Ping);
    connection.refuse(ping, slower(wait)).await;
    for tag in [tags[0], ping] {
        assert_eq!(connection.asked().await.0, tag);
        connection.answer(tag, posted(11)).await;
    }
    is_posted(&mut events, tags[0]).await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_sent_over_the_next_connection_when_this_one_is_lost() {
    let (client, mut events, mut connection, mut server) = connected(Reconnect::Forever).await;
    let tags = say(&client, 4).await;
    let wait = SLOW_AFTER / 2;
    refuse_all(&mut connection, &tags, wait).await;
    drop(connection);
    assert!(matches!(events.next().await, Some(Event::Lost(Lost::HungUp))));
    let mut connection = server.accept_and_welcome(true, 10, &[("General", 10)]).await;
    assert!(matches!(events.next().await, Some(Event::Back { resumed: true, .. })));
    for tag in tags {
        assert_eq!(connection.asked().await.0, tag);
        connection.answer(tag, posted(11)).await;
        is_posted(&mut events, tag).await;
    }
}

#[tokio::test(start_paused = true)]
async fn leaving_waits_for_what_was_said_before() {
    let (client, mut events, mut connection, mut server) = connected(Reconnect::Forever).await;
    let mut tags = say(&client, 1).await;
    tags.push(client.submit(Request::Exit).await.unwrap());
    refuse_all(&mut connection, &tags, Duration::from_millis(100)).await;
    drop(connection);
    // It has not left: what was said before that would be lost.
    assert!(matches!(events.next().await, Some(Event::Lost(_))));
    let mut connection = server.accept_and_welcome(true, 10, &[("General", 10)]).await;
    for (tag, response) in tags.into_iter().zip([posted(11), Response::Goodbye]) {
        assert_eq!(connection.asked().await.0, tag);
        connection.answer(tag, response).await;
    }
    connection.is_hung_up().await;
}

#[tokio::test(start_paused = true)]
async fn no_more_is_asked_than_may_be_unanswered_while_some_wait() {
    let (client, _events, mut connection, _server) = connected(Reconnect::Never).await;
    let asking = {
        let client = client.clone();
        tokio::spawn(async move { say(&client, 3 * ASKS_WAITING_MAX).await })
    };
    let mut tags = Vec::new();
    while tags.len() < ASKS_WAITING_MAX {
        tags.push(connection.asked().await.0);
    }
    for tag in &tags {
        connection.refuse(*tag, slower(SLOW_AFTER / 2)).await;
    }
    assert_eq!(connection.asked().await.0, tags[0]);
    connection.is_quiet().await;
    assert!(!asking.is_finished(), "asking waits");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_lets_in_so_many_at_a_time_is_asked_again_when_it_says() {
    let mut server = FakeServer::start(Reconnect::Never);
    let wait = Duration::from_secs(7);
    let start = Instant::now();
    let mut connection = server.accept().await;
    let (tag, _) = connection.hello().await;
    connection.refuse(tag, slower(wait)).await;
    let _connection = server.accept_and_welcome(false, 10, &[]).await;
    server.outcome().await.expect("welcome");
    assert_eq!(start.elapsed().as_secs(), wait.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_lets_one_in_is_not_asked_for_ever() {
    let mut server = FakeServer::start(Reconnect::Forever);
    for _ in 0..LOGIN_TRIES_MAX {
        let mut connection = server.accept().await;
        let (tag, _) = connection.hello().await;
        connection.refuse(tag, slower(Duration::from_millis(RETRY_AFTER_MS_MAX.into()))).await;
    }
    let refused = server.outcome().await;
    assert!(matches!(refused, Err(ConnectError::Refused(Refusal::RateLimited { .. }))));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_waits_as_it_is_told_and_tries_again() {
    let (_client, mut events, connection, mut server) = connected(Reconnect::Forever).await;
    drop(connection);
    assert!(matches!(events.next().await, Some(Event::Lost(_))));
    let wait = Duration::from_secs(30);
    let mut connection = server.accept().await;
    let (tag, _) = connection.hello().await;
    connection.refuse(tag, slower(wait)).await;
    let start = Instant::now();
    let mut connection = server.accept().await;
    connection.hello().await;
    assert!(start.elapsed() >= wait);
    let limit = 256;
    connection.notify(Notification::Closing(CloseReason::TooManyConnections { limit })).await;
    drop(connection);
    let _connection = server.accept_and_welcome(true, 10, &[]).await;
    assert!(matches!(events.next().await, Some(Event::Back { .. })));
}
