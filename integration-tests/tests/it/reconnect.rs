//! The client library over connections that are cut: what was sent arrives once and in order, and nobody is told of a
//! short absence.

use chatroom_client::{Client, Event, Events, Options};
use chatroom_proto::{Notification, Request, Response, Seq};
use integration_tests::guest::{DEADLINE, Guest, body, group, post_id, user};
use integration_tests::host::Host;
use integration_tests::proxy::Proxy;
use tokio::time;

async fn come(proxy: &Proxy, name: &str) -> (Client, Events) {
    let options = Options::new(proxy.address.ip().to_string(), proxy.address.port(), user(name));
    time::timeout(DEADLINE, Client::connect(options)).await.expect("in time").expect("welcome")
}

async fn next(events: &mut Events) -> Event {
    time::timeout(DEADLINE, events.next()).await.expect("an event in time").expect("a link that lives")
}

/// What a guest hears people say in groups, up to this text.
async fn hear_until(guest: &mut Guest, last: &str) -> Vec<String> {
    let mut heard = Vec::new();
    loop {
        match guest.hear().await {
            Notification::GroupPost { post, .. } => heard.push(post.body.as_str().to_owned()),
            other => heard.push(format!("{other:?}")),
        }
        if heard.last().is_some_and(|text| text == last) {
            return heard;
        }
    }
}

#[tokio::test]
async fn what_is_said_over_a_line_that_breaks_arrives_once_and_in_order() {
    let host = Host::start();
    let mut bob = host.guest("bob").await;
    let proxy = Proxy::to(host.address, usize::MAX).await;
    let (ann, mut events) = come(&proxy, "ann").await;
    assert!(matches!(bob.hear().await, Notification::Arrived { .. }));
    bob.do_(Request::Create { group: group("tea") }).await;
    bob.do_(Request::Join { group: group("tea") }).await;
    ann.join(group("tea")).await.expect("joined");
    assert!(matches!(bob.hear().await, Notification::Joined { .. }));

    for number in 1..=300 {
        if number == 20 {
            // From now on a connection lives for a handshake and a few messages, and breaks inside a frame.
            proxy.cut_after(3_001);
            proxy.cut_now();
        }
        let said = body(&format!("message {number}"));
        let request = Request::Public { group: group("tea"), id: post_id(number as u64), body: said };
        ann.submit(request).await.expect("a link that lives");
    }

    let mut heard = hear_until(&mut bob, "message 150").await;
    proxy.cut_after(usize::MAX);
    heard.extend(hear_until(&mut bob, "message 300").await);
    let expected: Vec<String> = (1..=300).map(|number| format!("message {number}")).collect();
    assert_eq!(heard, expected, "once each, in order, and nothing about an absence");
    assert!(proxy.cuts() >= 3, "the line did break: {}", proxy.cuts());

    let mut seqs: Vec<Seq> = Vec::new();
    while seqs.len() < 300 {
        match next(&mut events).await {
            Event::Answer { result: Ok(Response::Posted { seq, .. }), .. } => seqs.push(seq),
            Event::Answer { result, .. } => panic!("not posted: {result:?}"),
            Event::Lost(_) | Event::Notification(_) => {}
            Event::Back { resumed, .. } => assert!(resumed, "within the grace time the session goes on"),
            other => panic!("unexpected: {other:?}"),
        }
    }
    assert!(seqs.is_sorted_by(|a, b| a < b), "answered once each, in order");
}

#[tokio::test]
async fn a_server_that_was_restarted_empty_is_joined_anew() {
    let host = Host::start();
    let proxy = Proxy::to(host.address, usize::MAX).await;
    let (ann, mut events) = come(&proxy, "ann").await;
    ann.create(group("tea")).await.expect("created");
    ann.join(group("tea")).await.expect("joined");

    let restarted = Host::start();
    proxy.go_to(restarted.address);
    host.stop().await.expect("stopped because it was told to");
    assert!(matches!(next(&mut events).await, Event::Lost(_)));
    let Event::Back { resumed, groups, .. } = next(&mut events).await else { panic!("not back") };
    assert!(!resumed, "an empty server knows no sessions");
    assert_eq!(groups, [group("General")]);
    let Event::NotRejoined { group: gone, .. } = next(&mut events).await else { panic!("tea is gone") };
    assert_eq!(gone, group("tea"));
    assert_eq!(ann.users().await.expect("an answer"), [user("ann")]);
}
