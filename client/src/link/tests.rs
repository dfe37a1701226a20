//! The link against a scripted server, over pipes in memory and with a clock that only moves when everybody waits.

mod fake;

use std::io;
use std::time::Duration;

use chatroom_proto::{
    CloseReason, Misbehaviour, Notification, Page, PostId, Proof, Refusal, Request, Response, Seq, Tag,
    VersionRange,
};
use tokio::time::Instant;

use super::{ANSWER_DEADLINE, ASKS_QUEUED_MAX, ASKS_WAITING_MAX, EVENTS_MAX, SILENCE_MAX};
use crate::client::{AskError, ConnectError, Reconnect};
use crate::event::{Ended, Event, Lost};
use fake::{FakeServer, body, connected, group, group_post, joined, posted, private_post, public, user};

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
    assert_eq!(events.next().await, Some(Event::Answer { tag, request, result: Ok(joined("G1", 12)) }));
    assert_eq!(events.next().await, Some(Event::Notification(group_post("G1", 13, 0))));
}

#[tokio::test(start_paused = true)]
async fn what_is_unanswered_is_sent_again_with_the_same_tag_when_the_session_is_resumed() {
    let (client, mut events, mut connection, mut server) = connected(Reconnect::Forever).await;
    connection.notify(group_post("General", 15, 0)).await;
    let first = client.submit(public("General", "one")).await.unwrap();
    let second = client.submit(public("General", "two")).await.unwrap();
    let before = [connection.asked().await, connection.asked().await];
    connection.answer(first, posted(16)).await;
    drop(connection);

    let mut connection = server.accept().await;
    let (hello_tag, hello) = connection.hello().await;
    assert_eq!((hello.proof, hello.seen), (Proof::Resume(fake::TOKEN), Seq(16)));
    assert!(hello_tag > second, "a tag names one request in a session");
    connection.welcome(hello_tag, true, 20, &[("General", 16)]).await;
    assert_eq!(connection.asked().await, before[1]);
    connection.answer(second, posted(21)).await;

    assert!(matches!(events.next().await, Some(Event::Notification(_))));
    assert!(matches!(events.next().await, Some(Event::Answer { tag, .. }) if tag == first));
    assert_eq!(events.next().await, Some(Event::Lost(Lost::HungUp)));
    let back = Event::Back { resumed: true, groups: vec![group("General")], missed: vec![] };
    assert_eq!(events.next().await, Some(back));
    assert!(matches!(events.next().await, Some(Event::Answer { tag, .. }) if tag == second));
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_while_the_connection_is_lost_is_sent_when_it_is_back_in_order() {
    let (client, mut events, connection, mut server) = connected(Reconnect::Forever).await;
    drop(connection);
    assert_eq!(events.next().await, Some(Event::Lost(Lost::HungUp)));
    let mut tags = Vec::new();
    for text in ["one", "two", "three"] {
        tags.push(client.submit(public("General", text)).await.unwrap());
    }
    let mut connection = server.accept_and_welcome(true, 20, &[("General", 0)]).await;
    for tag in tags {
        assert_eq!(connection.asked().await.0, tag);
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_new_session_the_groups_are_joined_again_before_all_else() {
    let (client, mut events, mut connection, mut server) = connected(Reconnect::Forever).await;
    for (name, seq) in [("tea", 11), ("milk", 12), ("gone", 13)] {
        let tag = client.submit(Request::Join { group: group(name) }).await.unwrap();
        connection.asked().await;
        connection.answer(tag, joined(name, seq)).await;
        events.next().await;
    }
    let unanswered = client.submit(Request::Users { after: Seq::ZERO }).await.unwrap();
    connection.asked().await;
    drop(connection);

    let mut connection = server.accept_and_welcome(false, 30, &[("General", 0)]).await;
    let mut rejoins = Vec::new();
    for _ in 0..3 {
        rejoins.push(connection.asked().await);
    }
    let names: Vec<_> = rejoins.iter().map(|(_, request)| request.clone()).collect();
    assert_eq!(names, ["gone", "milk", "tea"].map(|name| Request::Join { group: group(name) }));
    assert_eq!(connection.asked().await.0, unanswered);
    let gone = Refusal::NoSuchGroup { group: group("gone") };
    connection.refuse(rejoins[0].0, gone.clone()).await;
    connection.answer(rejoins[1].0, fake::joined_at("milk", 31, 0)).await;
    connection.answer(rejoins[2].0, fake::joined_at("tea", 32, 29)).await;

    assert!(matches!(events.next().await, Some(Event::Lost(_))));
    assert!(matches!(events.next().await, Some(Event::Back { resumed: false, .. })));
    assert_eq!(events.next().await, Some(Event::NotRejoined { group: group("gone"), refusal: gone }));
    assert_eq!(events.next().await, Some(Event::Rejoined { group: group("milk"), missed: false }));
    assert_eq!(events.next().await, Some(Event::Rejoined { group: group("tea"), missed: true }));
}

#[tokio::test(start_paused = true)]
async fn rejoining_that_is_cut_short_is_begun_anew() {
    let (client, mut events, mut connection, mut server) = connected(Reconnect::Forever).await;
    let tag = client.submit(Request::Join { group: group("tea") }).await.unwrap();
    connection.asked().await;
    connection.answer(tag, joined("tea", 11)).await;
    events.next().await;
    drop(connection);
    let mut connection = server.accept_and_welcome(false, 30, &[("General", 0)]).await;
    let (first, _) = connection.asked().await;
    drop(connection);
    let mut connection = server.accept_and_welcome(false, 40, &[("General", 0)]).await;
    let (second, request) = connection.asked().await;
    assert_eq!(request, Request::Join { group: group("tea") });
    assert_ne!(first, second);
    connection.answer(second, fake::joined_at("tea", 41, 0)).await;
    connection.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn after_a_resume_the_groups_in_which_something_was_missed_are_named() {
    let (client, mut events, mut connection, mut server) = connected(Reconnect::Forever).await;
    let tag = client.submit(Request::Join { group: group("tea") }).await.unwrap();
    connection.asked().await;
    connection.answer(tag, joined("tea", 11)).await;
    // This one may be the newest post of General: nothing certain can be said there.
    client.submit(public("General", "one")).await.unwrap();
    connection.asked().await;
    drop(connection);
    server.accept_and_welcome(true, 30, &[("General", 29), ("tea", 28)]).await;
    assert!(matches!(events.next().await, Some(Event::Answer { .. })));
    assert!(matches!(events.next().await, Some(Event::Lost(_))));
    let Some(Event::Back { missed, .. }) = events.next().await else { panic!("back") };
    assert_eq!(missed, [group("tea")]);
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
    assert!(matches!(events.next().await, Some(Event::Notification(Notification::GroupPost { .. }))));
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
async fn the_reason_of_the_hang_up_decides_whether_to_come_back() {
    use CloseReason::{Failed, Idle, Misbehaved, Replaced, ServerFull, Shutdown, TooSlow};
    for reason in [Shutdown, TooSlow, Idle, Failed, ServerFull] {
        let (_client, mut events, mut connection, mut server) = connected(Reconnect::Forever).await;
        connection.notify(Notification::Closing(reason)).await;
        drop(connection);
        assert_eq!(events.next().await, Some(Event::Lost(Lost::Closed(reason))));
        server.accept_and_welcome(true, 10, &[]).await;
        assert!(matches!(events.next().await, Some(Event::Back { .. })), "{reason:?}");
    }
    let bug = Misbehaviour::Malformed;
    for (reason, ended) in [(Misbehaved(bug), Ended::Misbehaved(bug)), (Replaced, Ended::Replaced)] {
        let (client, mut events, mut connection, _server) = connected(Reconnect::Forever).await;
        connection.notify(Notification::Closing(reason)).await;
        drop(connection);
        assert_eq!(events.next().await, Some(Event::Ended(ended.clone())));
        assert_eq!(events.next().await, None);
        assert_eq!(client.ping().await, Err(AskError::Closed(ended)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_is_tried_until_it_is_back() {
    let (client, mut events, connection, mut server) = connected(Reconnect::Forever).await;
    drop(connection);
    for _ in 0..20 {
        server.cannot_be_reached(io::ErrorKind::ConnectionRefused).await;
    }
    let mut connection = server.accept_and_welcome(true, 10, &[]).await;
    assert!(matches!(events.next().await, Some(Event::Lost(_))));
    assert!(matches!(events.next().await, Some(Event::Back { .. })));
    let asking = tokio::spawn(async move { client.ping().await });
    let (tag, _) = connection.asked().await;
    connection.answer(tag, Response::Pong).await;
    assert_eq!(asking.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn patience_has_an_end_when_the_options_say_so() {
    let (client, mut events, connection, mut server) = connected(Reconnect::Never).await;
    drop(connection);
    assert!(matches!(events.next().await, Some(Event::Lost(_))));
    assert_eq!(events.next().await, Some(Event::Ended(Ended::GaveUp(Lost::HungUp))));
    assert_eq!(client.ping().await, Err(AskError::Closed(Ended::GaveUp(Lost::HungUp))));
    server.is_left_alone().await;

    let patience = Duration::from_secs(30);
    let (_client, mut events, connection, mut server) = connected(Reconnect::For(patience)).await;
    let start = Instant::now();
    drop(connection);
    assert!(matches!(events.next().await, Some(Event::Lost(_))));
    let refusing =
        tokio::spawn(
            async move { while server.cannot_be_reached(io::ErrorKind::ConnectionRefused).await {} },
        );
    assert_eq!(events.next().await, Some(Event::Ended(Ended::GaveUp(Lost::HungUp))));
    assert_eq!(start.elapsed().as_secs(), patience.as_secs());
    refusing.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_on_the_way_back_ends_the_link() {
    let taken = Refusal::NameTaken { name: user("Jim") };
    let old = Refusal::UnsupportedVersion { server: VersionRange::try_from((2, 3)).unwrap() };
    for refusal in [taken, old] {
        let (_client, mut events, connection, mut server) = connected(Reconnect::Forever).await;
        drop(connection);
        let mut connection = server.accept().await;
        let (tag, _) = connection.hello().await;
        connection.refuse(tag, refusal.clone()).await;
        assert!(matches!(events.next().await, Some(Event::Lost(_))));
        assert_eq!(events.next().await, Some(Event::Ended(Ended::Refused(refusal))));
    }
}

#[tokio::test(start_paused = true)]
async fn leaving_ends_the_link_even_when_the_goodbye_is_lost() {
    for says_goodbye in [true, false] {
        let (client, mut events, mut connection, mut server) = connected(Reconnect::Forever).await;
        let leaving = tokio::spawn(async move { client.exit().await });
        let (tag, request) = connection.asked().await;
        assert_eq!(request, Request::Exit);
        if says_goodbye {
            connection.answer(tag, Response::Goodbye).await;
        }
        drop(connection);
        assert_eq!(leaving.await.unwrap(), Ok(()));
        assert_eq!(events.next().await, Some(Event::Ended(Ended::Left)));
        server.is_left_alone().await;
    }
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
    // What is taken in at once has the same bound: with one less unanswered, a full queue is one too many.
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
    assert!(tags.is_sorted());
    asking.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_program_that_reads_no_events_stops_the_reading_and_not_the_writing() {
    let (client, mut events, connection, _server) = connected(Reconnect::Never).await;
    let count = EVENTS_MAX as u64 + 2_000;
    let (mut saying, mut hearing) = connection.split();
    let flood = tokio::spawn(async move {
        for seq in 0..count {
            saying.notify(group_post("General", 11 + seq, 10 + seq)).await;
        }
        saying
    });
    // The clock moves only when everybody waits: the flood is stuck now.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!flood.is_finished());
    for text in ["one", "two", "three"] {
        client.submit(public("General", text)).await.unwrap();
        assert!(matches!(hearing.asked().await.1, Request::Public { .. }));
    }
    // Silence for as long as the program does not listen is not the server's fault.
    tokio::time::sleep(SILENCE_MAX * 3).await;
    for seq in 0..count {
        assert_eq!(events.next().await, Some(Event::Notification(group_post("General", 11 + seq, 10 + seq))));
    }
    flood.await.unwrap();
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
    assert_eq!((hello.proof, hello.seen), (Proof::Open, Seq::ZERO));
    connection.refuse(tag, taken.clone()).await;
    assert!(matches!(server.outcome().await, Err(ConnectError::Refused(refusal)) if refusal == taken));

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

#[tokio::test(start_paused = true)]
async fn a_message_of_ours_whose_answer_is_missing_is_no_gap() {
    let (client, mut events, mut connection, mut server) = connected(Reconnect::Forever).await;
    let unanswered =
        client.submit(Request::Private { to: user("Ann"), id: PostId([1; 16]), body: body("hi") });
    let unanswered = unanswered.await.unwrap();
    connection.asked().await;
    drop(connection);
    let mut connection = server.accept_and_welcome(true, 20, &[]).await;
    connection.notify(private_post(21, 15)).await;
    connection.answer(unanswered, posted(15)).await;
    connection.notify(private_post(25, 23)).await;
    for _ in 0..2 {
        events.next().await;
    }
    assert_eq!(events.next().await, Some(Event::Notification(private_post(21, 15))));
    assert!(matches!(events.next().await, Some(Event::Answer { .. })));
    assert!(matches!(events.next().await, Some(Event::Missed(_))));
}
