//! A client with a file, that is killed and runs again.

use std::path::PathBuf;
use std::time::Duration;

use chatroom_proto::{Conversation, Notification, PostId, Proof, Request, Response, Seq};
use tempfile::TempDir;
use tokio::time::timeout;

use super::fake::{
    self, FakeServer, body, connected_and_kept, group, group_post, joined, posted, public, user,
};
use crate::error::{Ended, KeepError};
use crate::event::{Event, Events};
use crate::limits::ASKS_WAITING_MAX;
use crate::options::Reconnect;

fn home() -> (TempDir, PathBuf) {
    let home = TempDir::new().unwrap();
    let file = home.path().join("state/clients/jim");
    (home, file)
}

fn seq(notification: &Notification) -> u64 {
    match notification {
        Notification::GroupPost { post, .. } => post.seq.0,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn posts_without_an_answer_are_sent_again_before_anything_new() {
    let (_home, file) = home();
    let (client, events, mut connection, _server) =
        connected_and_kept(Reconnect::Forever, Some(&file)).await;
    let first = client.submit(public("General", "one")).await.unwrap();
    let private = Request::Private { to: user("Ann"), id: PostId([9; 16]), body: body("two") };
    client.submit(private).await.unwrap();
    client.submit(Request::Users { after: Seq::ZERO }).await.unwrap();
    let asked = [connection.asked().await.1, connection.asked().await.1];
    connection.asked().await;
    drop((client, events, connection));

    let mut server = FakeServer::start_with(Reconnect::Forever, Some(&file));
    let (mut connection, hello) = server.recognize(20, &[("General", 15)]).await;
    assert_eq!((hello.proof, hello.seen), (Proof::Resume(fake::TOKEN), Seq(10)));
    let (client, mut events, _) = server.outcome().await.unwrap();
    assert_eq!(client.kept().sent_again, 2);
    let new = client.submit(public("General", "new")).await.unwrap();
    // The newest of General may be that post: nothing is known to be missing.
    connection.caught_up(20).await;
    let mut sent = Vec::new();
    for _ in 0..3 {
        sent.push(connection.asked().await);
    }
    assert_eq!([sent[0].1.clone(), sent[1].1.clone()], asked);
    assert!(sent[2].0 == new && sent.iter().all(|(tag, _)| *tag != first));
    for (tag, _) in &sent {
        connection.answer(*tag, posted(15)).await;
    }
    assert_eq!(events.next().await, Some(Event::CaughtUp));
    for (tag, request) in sent {
        assert_eq!(
            events.next().await,
            Some(Event::Answer { tag, request, result: Ok(posted(15)) })
        );
    }
    drop((client, events));
    let server = FakeServer::start_with(Reconnect::Forever, Some(&file));
    assert!(again(server).await.is_empty(), "all is answered");
}

/// The client runs once more. Gives what it sends again.
async fn again(mut server: FakeServer) -> Vec<Request> {
    let (mut connection, _) = server.recognize(1_000, &[]).await;
    let (client, _events, _) = server.outcome().await.unwrap();
    let mut sent = Vec::new();
    for _ in 0..client.kept().sent_again {
        sent.push(connection.asked().await.1);
    }
    sent
}

#[tokio::test(start_paused = true)]
async fn what_was_typed_while_the_connection_was_lost_is_kept_too() {
    let (_home, file) = home();
    let (client, mut events, connection, _server) =
        connected_and_kept(Reconnect::Forever, Some(&file)).await;
    drop(connection);
    assert!(matches!(events.next().await, Some(Event::Lost(_))));
    let posts: Vec<_> =
        (0..ASKS_WAITING_MAX).map(|number| public("General", &number.to_string())).collect();
    for post in &posts {
        client.submit(post.clone()).await.unwrap();
    }
    drop((client, events));
    assert_eq!(again(FakeServer::start_with(Reconnect::Forever, Some(&file))).await, posts);
}

#[tokio::test(start_paused = true)]
async fn many_posts_without_an_answer_are_sent_as_their_answers_come() {
    let (_home, file) = home();
    let (client, events, _connection, _server) =
        connected_and_kept(Reconnect::Forever, Some(&file)).await;
    let count = ASKS_WAITING_MAX + 100;
    for number in 0..count {
        client.submit(public("General", &number.to_string())).await.unwrap();
    }
    drop((client, events));
    let mut server = FakeServer::start_with(Reconnect::Forever, Some(&file));
    let (mut connection, _) = server.recognize(20, &[]).await;
    let (client, mut events, _) = server.outcome().await.unwrap();
    let mut tags = Vec::new();
    for _ in 0..ASKS_WAITING_MAX {
        tags.push(connection.asked().await.0);
    }
    connection.is_quiet().await;
    for answered in 0..count {
        connection.answer(tags[answered], posted(30)).await;
        assert!(matches!(events.next().await, Some(Event::Answer { .. })));
        if tags.len() < count {
            tags.push(connection.asked().await.0);
        }
    }
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_it_was_put_out_of_while_it_was_away_and_is_in_again_lacks_nothing() {
    let (_home, file) = home();
    let mut server = FakeServer::start_with(Reconnect::Forever, Some(&file));
    let (connection, _) = server.recognize(10, &[("General", 10), ("tea", 9)]).await;
    let (client, mut events, _) = server.outcome().await.unwrap();
    drop(connection);
    let (connection, _) = server.recognize(30, &[("General", 10)]).await;
    assert!(matches!(events.next().await, Some(Event::Lost(_))));
    assert!(matches!(events.next().await, Some(Event::Back { .. })));
    drop((client, events, connection));

    let mut server = FakeServer::start_with(Reconnect::Forever, Some(&file));
    let (mut connection, _) = server.recognize(60, &[("General", 10), ("tea", 60)]).await;
    let (_client, mut events, _) = server.outcome().await.unwrap();
    connection.notify(group_post("tea", 60, 20)).await;
    connection.caught_up(60).await;
    assert_eq!(events.next().await, Some(Event::Replayed(group_post("tea", 60, 20))));
    assert_eq!(events.next().await, Some(Event::CaughtUp));
}

#[tokio::test(start_paused = true)]
async fn a_group_that_another_device_left_and_that_it_is_in_again_lacks_nothing() {
    let (_home, file) = home();
    let mut server = FakeServer::start_with(Reconnect::Forever, Some(&file));
    let (mut connection, _) = server.recognize(10, &[("General", 10), ("tea", 9)]).await;
    let (client, mut events, _) = server.outcome().await.unwrap();
    let left = Notification::Left { seq: Seq(11), user: user("Jim"), group: group("tea") };
    connection.caught_up(10).await;
    connection.notify(left.clone()).await;
    assert_eq!(events.next().await, Some(Event::CaughtUp));
    assert_eq!(events.next().await, Some(Event::Notification(left)));
    drop((client, events, connection));

    let mut server = FakeServer::start_with(Reconnect::Forever, Some(&file));
    let (mut connection, _) = server.recognize(60, &[("General", 10), ("tea", 60)]).await;
    let (_client, mut events, _) = server.outcome().await.unwrap();
    connection.notify(group_post("tea", 60, 20)).await;
    connection.caught_up(60).await;
    assert_eq!(events.next().await, Some(Event::Replayed(group_post("tea", 60, 20))));
    assert_eq!(events.next().await, Some(Event::CaughtUp));
}

/// That tells that the one before was dealt with; with this one nothing is done any more.
async fn ask_for_one_more(events: &mut Events) {
    let _ = timeout(Duration::ZERO, events.next()).await;
}

#[tokio::test(start_paused = true)]
async fn a_program_that_is_aborted_where_it_waits_sees_everything_once() {
    let (_home, file) = home();
    let (client, mut events, mut connection, _server) =
        connected_and_kept(Reconnect::Forever, Some(&file)).await;
    for seq in 11..=30 {
        connection.notify(group_post("General", seq, seq - 1)).await;
    }
    let mut seen = Vec::new();
    for _ in 0..5 {
        if let Some(Event::Notification(said)) = events.next().await {
            seen.push(seq(&said));
        }
    }
    ask_for_one_more(&mut events).await;
    drop((client, events, connection));
    let mut rounds = 0;
    while seen.last() != Some(&30) {
        rounds += 1;
        let mut server = FakeServer::start_with(Reconnect::Forever, Some(&file));
        let (mut connection, hello) = server.recognize(30, &[("General", 30)]).await;
        let (client, mut events, _) = server.outcome().await.unwrap();
        for seq in hello.seen.0 + 1..=30 {
            connection.notify(group_post("General", seq, seq - 1)).await;
        }
        let (record, mut records) = tokio::sync::mpsc::channel(4);
        let program = tokio::spawn(async move {
            while let Some(Event::Replayed(said)) = events.next().await {
                record.try_send(seq(&said)).unwrap();
                if record.capacity() == 0 {
                    ask_for_one_more(&mut events).await;
                    return;
                }
            }
        });
        while let Some(seq) = records.recv().await {
            seen.push(seq);
        }
        program.await.unwrap();
        drop(client);
    }
    assert!(rounds > 3);
    assert_eq!(seen, (11..=30).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn own_posts_and_joined_groups_are_no_gap_after_a_new_start() {
    let (_home, file) = home();
    let (client, events, mut connection, _server) =
        connected_and_kept(Reconnect::Forever, Some(&file)).await;
    let asking = tokio::spawn(async move {
        client.join(group("tea")).await.unwrap();
        client.public(group("General"), body("hi")).await.unwrap();
        client.private(user("Ann"), body("hi")).await.unwrap();
    });
    for answer in [fake::joined_at("tea", 15, 14), posted(16), posted(17)] {
        let (tag, _) = connection.asked().await;
        connection.answer(tag, answer).await;
    }
    asking.await.unwrap();
    drop((events, connection));

    let mut server = FakeServer::start_with(Reconnect::Forever, Some(&file));
    let (mut connection, hello) = server.recognize(30, &[("General", 20), ("tea", 21)]).await;
    assert_eq!(hello.seen, Seq(10), "no event was taken");
    let (_client, mut events, _) = server.outcome().await.unwrap();
    let said =
        [group_post("General", 20, 16), group_post("tea", 21, 14), fake::private_post(22, 17)];
    for said in &said {
        connection.notify(said.clone()).await;
    }
    connection.caught_up(30).await;
    for said in said {
        assert_eq!(events.next().await, Some(Event::Replayed(said)));
    }
    assert_eq!(events.next().await, Some(Event::CaughtUp));
}

#[tokio::test(start_paused = true)]
async fn one_who_left_is_known_when_coming_again() {
    let (_home, file) = home();
    let (client, mut events, mut connection, _server) =
        connected_and_kept(Reconnect::Forever, Some(&file)).await;
    connection.notify(group_post("General", 11, 10)).await;
    let leaving = tokio::spawn(async move { client.exit().await });
    let (tag, _) = connection.asked().await;
    connection.answer(tag, Response::Goodbye).await;
    leaving.await.unwrap().unwrap();
    assert!(matches!(events.next().await, Some(Event::Notification(_))));
    assert_eq!(events.next().await, Some(Event::Ended(Ended::Left)));
    drop(events);
    let mut server = FakeServer::start_with(Reconnect::Forever, Some(&file));
    let (_connection, hello) = server.recognize(30, &[]).await;
    assert_eq!((hello.proof, hello.seen), (Proof::Resume(fake::TOKEN), Seq(11)));
}

#[tokio::test(start_paused = true)]
async fn one_who_is_not_recognized_begins_anew_and_sends_its_posts_all_the_same() {
    let (_home, file) = home();
    let (client, events, connection, _server) =
        connected_and_kept(Reconnect::Forever, Some(&file)).await;
    client.submit(public("General", "one")).await.unwrap();
    drop((client, events, connection));
    let mut server = FakeServer::start_with(Reconnect::Forever, Some(&file));
    let mut connection = server.accept_and_welcome(false, 5, &[("General", 4)]).await;
    let (client, mut events, _) = server.outcome().await.unwrap();
    assert!(matches!(connection.asked().await.1, Request::Public { .. }));
    connection.notify(group_post("General", 6, 4)).await;
    assert_eq!(events.next().await, Some(Event::Notification(group_post("General", 6, 4))));
    ask_for_one_more(&mut events).await;
    drop((client, events, connection));
    let mut server = FakeServer::start_with(Reconnect::Forever, Some(&file));
    assert_eq!(server.recognize(30, &[]).await.1.seen, Seq(6));
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_kept_it_is_told_what_is_missing() {
    let (_home, file) = home();
    let (client, mut events, mut connection, _server) =
        connected_and_kept(Reconnect::Forever, Some(&file)).await;
    let tag = client.submit(Request::Join { group: group("tea") }).await.unwrap();
    connection.asked().await;
    connection.answer(tag, joined("tea", 11)).await;
    events.next().await;
    drop((client, events, connection));
    let mut server = FakeServer::start_with(Reconnect::Forever, Some(&file));
    server.accept_and_welcome(true, 30, &[("General", 10), ("tea", 25)]).await;
    let (_client, mut events, welcome) = server.outcome().await.unwrap();
    assert!(welcome.resumed);
    assert_eq!(events.next().await, Some(Event::Missed(Conversation::Group(group("tea")))));
}

#[tokio::test(start_paused = true)]
async fn a_second_client_with_the_same_file_is_a_stranger() {
    let (_home, file) = home();
    let (_client, _events, _connection, _server) =
        connected_and_kept(Reconnect::Forever, Some(&file)).await;
    let mut server = FakeServer::start_with(Reconnect::Forever, Some(&file));
    let mut connection = server.accept().await;
    let (tag, hello) = connection.hello().await;
    let is_new = matches!(&hello.proof, Proof::Resume(token) if *token != fake::TOKEN);
    assert!(is_new && hello.seen == Seq::FIRST, "{hello:?}");
    connection.welcome(tag, false, 10, &[]).await;
    let (client, _events, _) = server.outcome().await.unwrap();
    assert!(matches!(client.kept().fault, Some(KeepError::InUse)));
}
