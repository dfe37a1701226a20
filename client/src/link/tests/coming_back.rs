//! What happens when a connection is lost.

use std::io;
use std::time::Duration;

use chatroom_proto::{
    CloseReason, Conversation, Misbehaviour, Moderation, Notification, PostId, Proof, Refusal,
    Request, Response, Seq, UnixMillis, VersionRange,
};
use tokio::time::Instant;

use super::fake::{
    self, body, connected, group, group_post, joined, posted, private_post, public, user,
};
use crate::error::{AskError, Ended, Lost};
use crate::event::Event;
use crate::options::Reconnect;

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
    assert!(hello_tag != first && hello_tag != second, "a tag names one request in a session");
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
    assert_eq!(
        events.next().await,
        Some(Event::NotRejoined { group: group("gone"), refusal: gone })
    );
    assert_eq!(events.next().await, Some(Event::Rejoined { group: group("milk"), missed: false }));
    assert_eq!(events.next().await, Some(Event::Rejoined { group: group("tea"), missed: true }));
}

#[tokio::test(start_paused = true)]
async fn a_group_that_one_was_put_out_of_is_not_joined_again() {
    let (client, _events, mut connection, mut server) = connected(Reconnect::Forever).await;
    for (name, seq) in [("tea", 11), ("milk", 12)] {
        let tag = client.submit(Request::Join { group: group(name) }).await.unwrap();
        connection.asked().await;
        connection.answer(tag, joined(name, seq)).await;
    }
    for (seq, name, who) in [(13, "tea", "JIM"), (14, "milk", "Eve")] {
        let act = Moderation::Kick { user: user(who), reason: None };
        let (at, by, group) = (UnixMillis(0), user("Ann"), group(name));
        connection.notify(Notification::Moderated { seq: Seq(seq), at, by, group, act }).await;
    }
    drop(connection);
    let mut connection = server.accept_and_welcome(false, 30, &[("General", 0)]).await;
    assert_eq!(connection.asked().await.1, Request::Join { group: group("milk") });
    connection.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn one_whose_stay_an_operator_has_ended_does_not_come_back() {
    let (_client, mut events, mut connection, mut server) = connected(Reconnect::Forever).await;
    connection.notify(Notification::Closing(CloseReason::Disconnected)).await;
    drop(connection);
    assert_eq!(events.next().await, Some(Event::Ended(Ended::Disconnected)));
    server.is_left_alone().await;
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
    for (reason, ended) in [(Misbehaved(bug), Ended::Misbehaved(bug)), (Replaced, Ended::Replaced)]
    {
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
    let refusing = tokio::spawn(async move {
        while server.cannot_be_reached(io::ErrorKind::ConnectionRefused).await {}
    });
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
async fn one_whose_welcome_was_lost_comes_again_with_the_same_token() {
    let (_client, mut events, connection, mut server) = connected(Reconnect::Forever).await;
    drop(connection);
    // The hello arrives, and the welcome does not.
    let mut connection = server.accept().await;
    let (_, lost) = connection.hello().await;
    drop(connection);
    let mut connection = server.accept().await;
    let (tag, again) = connection.hello().await;
    assert_eq!(again.proof, lost.proof);
    // A name that somebody else has is somebody else's.
    let taken = Refusal::NameTaken { name: user("Jim") };
    connection.refuse(tag, taken.clone()).await;
    assert!(matches!(events.next().await, Some(Event::Lost(_))));
    assert_eq!(events.next().await, Some(Event::Ended(Ended::Refused(taken))));
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

#[tokio::test(start_paused = true)]
async fn what_was_missed_beside_a_message_of_ones_own_without_an_answer_is_told_with_its_answer() {
    for (answered, is_missed) in [(20, true), (25, false), (31, true)] {
        let (client, mut events, mut connection, mut server) = connected(Reconnect::Forever).await;
        client.submit(public("General", "said")).await.unwrap();
        connection.asked().await;
        drop(connection);
        // The newest one there may be ours.
        let mut connection = server.accept_and_welcome(true, 30, &[("General", 25)]).await;
        let (tag, _) = connection.asked().await;
        connection.answer(tag, posted(answered)).await;
        assert_eq!(events.next().await, Some(Event::Lost(Lost::HungUp)));
        let back = Event::Back { resumed: true, groups: vec![group("General")], missed: vec![] };
        assert_eq!(events.next().await, Some(back));
        assert!(matches!(events.next().await, Some(Event::Answer { .. })));
        let missed = Event::Missed(Conversation::Group(group("General")));
        client.submit(Request::Ping).await.unwrap();
        let (tag, _) = connection.asked().await;
        connection.answer(tag, Response::Pong).await;
        let next = events.next().await.unwrap();
        assert_eq!(next == missed, is_missed, "answered at {answered}: {next:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_in_a_second_absence_is_told_though_the_first_one_is_explained() {
    let (client, mut events, mut connection, mut server) = connected(Reconnect::Forever).await;
    client.submit(public("General", "said")).await.unwrap();
    connection.asked().await;
    drop(connection);
    // Ours is at 25, as is to be known later, and others have said something after that.
    drop(server.accept_and_welcome(true, 30, &[("General", 25)]).await);
    let mut connection = server.accept_and_welcome(true, 50, &[("General", 40)]).await;
    let (tag, _) = connection.asked().await;
    connection.answer(tag, posted(25)).await;
    let missed = Event::Missed(Conversation::Group(group("General")));
    while events.next().await.unwrap() != missed {}
}

#[tokio::test(start_paused = true)]
async fn a_server_that_counts_anew_leaves_no_doubt() {
    let (client, mut events, mut connection, mut server) = connected(Reconnect::Forever).await;
    client.submit(public("General", "said")).await.unwrap();
    connection.asked().await;
    drop(connection);
    drop(server.accept_and_welcome(true, 30, &[("General", 25)]).await);
    let mut connection = server.accept_and_welcome(false, 3, &[("General", 0)]).await;
    let (tag, _) = connection.asked().await;
    connection.answer(tag, posted(4)).await;
    while !matches!(events.next().await, Some(Event::Answer { .. })) {}
    client.submit(Request::Ping).await.unwrap();
    let (tag, _) = connection.asked().await;
    connection.answer(tag, Response::Pong).await;
    assert!(
        matches!(events.next().await, Some(Event::Answer { .. })),
        "and not that it missed any"
    );
}
