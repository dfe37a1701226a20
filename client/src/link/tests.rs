//! The link against a scripted server, over pipes in memory and with a clock that only moves when
//! everybody waits.

mod busy_program;
mod coming_back;
pub(crate) mod fake;
mod killed;
mod passwords;
mod slower;
mod told_again;

use std::io;
use std::time::Duration;

use chatroom_proto::{
    CloseReason, Notification, Page, Proof, Refusal, Request, Response, Seq, Tag,
};
use tokio::time::Instant;

use crate::error::{AskError, ConnectError, Ended, Lost};
use crate::event::Event;
use crate::limits::{ANSWER_DEADLINE, ASKS_QUEUED_MAX, ASKS_WAITING_MAX, SILENCE_MAX};
use crate::options::Reconnect;
use fake::{FakeServer, body, connected, group, group_post, joined, posted, public, user};

#[tokio::test(start_paused = true)]
async fn answers_and_notifications_come_in_the_order_of_the_wire() {
    let (client, mut events, mut connection, _server) = connected(Reconnect::Never).await;
    let tag = client.submit(Request::Join { group: group("G1") }).await.unwrap();
    let (asked, request) = connection.asked().await;
    assert_eq!((asked, &request), (tag, &Request::Join { group: group("G1") }));
    connection.notify(group_post("General", 11, 0)).await;
    connection.answer(tag, joined("G1", 12)).await;
    connection.notify(group_post("G1", 13, 0)).await;
    assert_eq!(events.next().await, Some(Event::Notification(group_post("General", 11, 0))));
    assert_eq!(
        events.next().await,
        Some(Event::Answer { tag, request, result: Ok(joined("G1", 12)) })
    );
    assert_eq!(events.next().await, Some(Event::Notification(group_post("G1", 13, 0))));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_for_a_sign_of_life_gets_it_and_the_program_hears_nothing() {
    let (client, mut events, mut connection, _server) = connected(Reconnect::Never).await;
    let start = Instant::now();
    for _ in 0..3 {
        connection.notify(Notification::Ping).await;
    }
    let (tag, request) = connection.asked().await;
    assert_eq!((request, start.elapsed()), (Request::Ping, Duration::ZERO));
    connection.is_quiet().await;
    connection.answer(tag, Response::Pong).await;
    connection.notify(group_post("General", 11, 0)).await;
    assert!(matches!(
        events.next().await,
        Some(Event::Notification(Notification::GroupPost { .. }))
    ));
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_asked_and_one_that_stays_silent_is_lost() {
    let (_client, mut events, mut connection, mut server) = connected(Reconnect::Forever).await;
    let start = Instant::now();
    let (tag, request) = connection.asked().await;
    assert_eq!((request, start.elapsed().as_secs()), (Request::Ping, SILENCE_MAX.as_secs()));
    connection.answer(tag, Response::Pong).await;
    let start = Instant::now();
    assert_eq!(events.next().await, Some(Event::Lost(Lost::Silent)));
    assert_eq!(start.elapsed().as_secs(), (SILENCE_MAX + ANSWER_DEADLINE).as_secs());
    server.accept_and_welcome(true, 10, &[]).await;
    assert!(matches!(events.next().await, Some(Event::Back { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_ends_the_connection_and_is_sent_again() {
    let (client, mut events, mut connection, mut server) = connected(Reconnect::Forever).await;
    let start = Instant::now();
    let tag = client.submit(public("General", "one")).await.unwrap();
    let asked = connection.asked().await;
    assert_eq!(events.next().await, Some(Event::Lost(Lost::Silent)));
    assert_eq!(start.elapsed().as_secs(), ANSWER_DEADLINE.as_secs());
    let mut connection = server.accept_and_welcome(true, 10, &[]).await;
    assert_eq!(connection.asked().await, asked);
    connection.answer(tag, posted(11)).await;
    events.next().await;
    assert!(matches!(events.next().await, Some(Event::Answer { result: Ok(_), .. })));
}

#[tokio::test(start_paused = true)]
async fn many_slow_answers_are_no_dead_connection() {
    let (client, mut events, mut connection, _server) = connected(Reconnect::Never).await;
    for _ in 0..10 {
        client.submit(Request::Ping).await.unwrap();
    }
    for _ in 0..10 {
        let (tag, _) = connection.asked().await;
        tokio::time::sleep(ANSWER_DEADLINE * 3 / 4).await;
        connection.answer(tag, Response::Pong).await;
        assert!(matches!(events.next().await, Some(Event::Answer { .. })));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_talks_and_never_answers_is_lost() {
    let (client, mut events, mut connection, _server) = connected(Reconnect::Never).await;
    client.submit(Request::Ping).await.unwrap();
    for seq in 0..4 {
        tokio::time::sleep(ANSWER_DEADLINE / 5).await;
        connection.notify(group_post("General", 11 + seq, 10 + seq)).await;
        assert!(matches!(events.next().await, Some(Event::Notification(_))));
    }
    let start = Instant::now();
    assert_eq!(events.next().await, Some(Event::Lost(Lost::Silent)));
    assert!(start.elapsed() < ANSWER_DEADLINE / 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_can_be_read_when_the_program_runs_again_is_in_time() {
    let (client, mut events, mut connection, _server) = connected(Reconnect::Never).await;
    let tag = client.submit(Request::Ping).await.unwrap();
    connection.asked().await;
    // So many are in front of the link that the clock is looked at before it runs.
    for _ in 0..1_000 {
        tokio::spawn(async {});
    }
    connection.answer(tag, Response::Pong).await;
    tokio::time::advance(ANSWER_DEADLINE * 2).await;
    assert!(matches!(events.next().await, Some(Event::Answer { result: Ok(_), .. })));
    let start = Instant::now();
    client.submit(Request::Ping).await.unwrap();
    connection.asked().await;
    assert_eq!(events.next().await, Some(Event::Lost(Lost::Silent)));
    assert_eq!(start.elapsed().as_secs(), ANSWER_DEADLINE.as_secs());
}

#[tokio::test(start_paused = true)]
async fn no_more_is_unanswered_than_may_be_and_the_rest_waits() {
    let (client, mut events, mut connection, _server) = connected(Reconnect::Never).await;
    let count = ASKS_WAITING_MAX + ASKS_QUEUED_MAX + 10;
    let asking = tokio::spawn(async move {
        for _ in 0..count {
            client.submit(Request::Ping).await.unwrap();
        }
        client
    });
    let mut tags = vec![connection.asked().await.0];
    // What is taken in at once has the same bound: with one less unanswered, a full queue is one
    // too many.
    connection.answer(tags[0], Response::Pong).await;
    for _ in 0..ASKS_WAITING_MAX {
        tags.push(connection.asked().await.0);
    }
    connection.is_quiet().await;
    assert!(!asking.is_finished(), "asking waits");
    for answered in 0..count {
        if answered > 0 {
            connection.answer(tags[answered], Response::Pong).await;
        }
        assert!(matches!(events.next().await, Some(Event::Answer { .. })));
        if answered > 0 && tags.len() < count {
            tags.push(connection.asked().await.0);
        }
    }
    assert!(
        tags.windows(2).all(|pair| pair[1].0 == pair[0].0.wrapping_add(1)),
        "in the order of asking"
    );
    asking.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn two_sides_that_are_both_full_drain_each_other() {
    let (client, mut events, connection, _server) = connected(Reconnect::Never).await;
    let (mut saying, mut hearing) = connection.split();
    let long = "x".repeat(8_000);
    let asks = ASKS_WAITING_MAX;
    for _ in 0..asks {
        client.submit(public("General", &long)).await.unwrap();
    }
    // The server says all it has to say before it reads anything.
    for seq in 0..500 {
        let said = saying.notify(group_post("General", 11 + seq, 10 + seq));
        tokio::select! {
            () = said => {}
            () = async { while events.next().await.is_some() {} } => unreachable!("the link lives"),
        }
    }
    for _ in 0..asks {
        hearing.asked().await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_who_drops_the_events_can_still_ask_and_one_who_drops_both_is_gone() {
    let (client, events, mut connection, _server) = connected(Reconnect::Forever).await;
    drop(events);
    connection.notify(group_post("General", 11, 0)).await;
    let asking = tokio::spawn(async move {
        let posted = client.public(group("General"), body("hi")).await;
        (client, posted)
    });
    let (tag, _) = connection.asked().await;
    connection.answer(tag, posted(12)).await;
    let (client, said) = asking.await.unwrap();
    assert_eq!(said.unwrap().seq, Seq(12));
    drop(client);
    connection.is_hung_up().await;
}

#[tokio::test(start_paused = true)]
async fn one_who_drops_the_client_still_hears() {
    let (client, mut events, mut connection, _server) = connected(Reconnect::Forever).await;
    drop(client);
    connection.notify(group_post("General", 11, 0)).await;
    assert!(matches!(events.next().await, Some(Event::Notification(_))));
    drop(events);
    connection.is_hung_up().await;
}

#[tokio::test(start_paused = true)]
async fn lists_are_gathered_from_all_their_pages() {
    let (client, _events, mut connection, _server) = connected(Reconnect::Never).await;
    let asking = tokio::spawn(async move { client.users().await });
    for (after, names, next) in [(0, ["a", "b"], Some(Seq(7))), (7, ["c", "d"], None)] {
        let (tag, request) = connection.asked().await;
        assert_eq!(request, Request::Users { after: Seq(after) });
        connection.answer(tag, Response::Users { users: Page::fill(names.map(user)), next }).await;
    }
    assert_eq!(asking.await.unwrap(), Ok(["a", "b", "c", "d"].map(user).to_vec()));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_runs_in_a_circle_ends() {
    let (client, _events, mut connection, _server) = connected(Reconnect::Never).await;
    let asking = tokio::spawn(async move { client.groups().await });
    for _ in 0..2 {
        let (tag, _) = connection.asked().await;
        let groups = Page::fill([group("tea")]);
        connection.answer(tag, Response::Groups { groups, next: Some(Seq(5)) }).await;
    }
    assert_eq!(asking.await.unwrap().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn answers_that_make_no_sense_are_told_apart() {
    let (client, mut events, mut connection, _server) = connected(Reconnect::Forever).await;
    let asking = tokio::spawn(async move { client.create(group("tea")).await });
    let (tag, _) = connection.asked().await;
    connection.answer(tag, Response::Pong).await;
    assert_eq!(asking.await.unwrap(), Err(AskError::Unexpected));
    connection.answer(Tag(999), Response::Pong).await;
    assert!(matches!(events.next().await, Some(Event::Ended(Ended::Garbled(_)))));
}

#[tokio::test(start_paused = true)]
async fn garbage_from_the_server_ends_the_link() {
    let (_client, mut events, connection, _server) = connected(Reconnect::Forever).await;
    connection.say_bytes(b"\0\0\0\x02hi").await;
    assert!(matches!(events.next().await, Some(Event::Ended(Ended::Garbled(_)))));
}

#[tokio::test(start_paused = true)]
async fn a_first_connection_fails_for_the_reason_that_there_is() {
    let taken = Refusal::NameTaken { name: user("Jim") };

    let mut server = FakeServer::start(Reconnect::Forever);
    server.cannot_be_reached(io::ErrorKind::ConnectionRefused).await;
    assert!(matches!(server.outcome().await, Err(ConnectError::Unreachable(_))));

    let mut server = FakeServer::start(Reconnect::Forever);
    let mut connection = server.accept().await;
    let (tag, hello) = connection.hello().await;
    // With a token of its own choice, by which it is known when the welcome is lost.
    assert!(matches!(hello.proof, Proof::Resume(_)) && hello.seen == Seq::FIRST, "{hello:?}");
    connection.refuse(tag, taken.clone()).await;
    assert!(
        matches!(server.outcome().await, Err(ConnectError::Refused(refusal)) if refusal == taken)
    );

    let mut server = FakeServer::start(Reconnect::Forever);
    let mut connection = server.accept().await;
    connection.notify(Notification::Closing(CloseReason::ServerFull)).await;
    drop(connection);
    assert!(matches!(server.outcome().await, Err(ConnectError::Closed(CloseReason::ServerFull))));

    let mut server = FakeServer::start(Reconnect::Forever);
    drop(server.accept().await);
    assert!(matches!(server.outcome().await, Err(ConnectError::Cut)));

    let mut server = FakeServer::start(Reconnect::Forever);
    server.accept().await.say_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    assert!(matches!(server.outcome().await, Err(ConnectError::Garbled(_))));

    let mut server = FakeServer::start(Reconnect::Forever);
    let silent = server.accept().await;
    assert!(matches!(server.outcome().await, Err(ConnectError::Silent)));
    drop(silent);
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_said_before_the_message_that_shows_it() {
    let (_client, mut events, mut connection, _server) = connected(Reconnect::Never).await;
    connection.notify(group_post("General", 20, 15)).await;
    assert!(matches!(events.next().await, Some(Event::Missed(_))));
    assert!(matches!(events.next().await, Some(Event::Notification(_))));
}
