//! The client library over connections that are cut: what was sent arrives once and in order, and
//! nobody is told of a short absence.

use chatroom_client::{Client, Ended, Event, Events, Options};
use chatroom_proto::codec::encode;
use chatroom_proto::{
    ClientFrame, Hello, Life, Lives, Notification, Proof, Request, Response, Seq, ServerFrame, Tag,
    Token,
};
use integration_tests::proxy::{Fate, Proxy, Way};
use integration_tests::test_client::{
    DEADLINE, TestClient, body, group, hello, password, post_id, user,
};
use integration_tests::test_server::TestServer;
use tokio::time;

async fn come(proxy: &Proxy, name: &str) -> (Client, Events) {
    let options = Options::new(proxy.address.ip().to_string(), proxy.address.port(), user(name));
    time::timeout(DEADLINE, Client::connect(options)).await.expect("in time").expect("welcome")
}

async fn next(events: &mut Events) -> Event {
    time::timeout(DEADLINE, events.next())
        .await
        .expect("an event in time")
        .expect("a link that lives")
}

/// What a guest hears people say in groups, up to this text.
async fn hear_until(guest: &mut TestClient, last: &str) -> Vec<String> {
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
    let host = TestServer::start();
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
            // From now on a connection lives for a handshake and a few messages, and breaks inside
            // a frame.
            proxy.cut_after(3_001);
            proxy.cut_now();
        }
        let said = body(&format!("message {number}"));
        let request =
            Request::Public { group: group("tea"), id: post_id(number as u64), body: said };
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
            Event::Back { resumed, .. } => {
                assert!(resumed, "within the grace time the session goes on");
            }
            other => panic!("unexpected: {other:?}"),
        }
    }
    assert!(seqs.is_sorted_by(|a, b| a < b), "answered once each, in order");
}

#[tokio::test]
async fn a_server_that_was_restarted_empty_is_joined_anew() {
    let host = TestServer::start();
    let proxy = Proxy::to(host.address, usize::MAX).await;
    let (ann, mut events) = come(&proxy, "ann").await;
    ann.create(group("tea")).await.expect("created");
    ann.join(group("tea")).await.expect("joined");

    let restarted = TestServer::start();
    proxy.go_to(restarted.address);
    host.stop().await.expect("stopped because it was told to");
    assert!(matches!(next(&mut events).await, Event::Lost(_)));
    let Event::Back { resumed, groups, .. } = next(&mut events).await else { panic!("not back") };
    assert!(!resumed, "an empty server knows no sessions");
    assert_eq!(groups, [group("General")]);
    let Event::NotRejoined { group: gone, .. } = next(&mut events).await else {
        panic!("tea is gone")
    };
    assert_eq!(gone, group("tea"));
    assert_eq!(ann.users().await.expect("an answer"), [user("ann")]);
}

/// How many bytes these requests and answers take.
fn bytes(asked: Vec<Request>, answered: Vec<Response>) -> usize {
    let tag = Tag(0);
    let asked =
        asked.into_iter().map(|request| encode(&ClientFrame { tag, request }).expect("a frame"));
    let answered = answered
        .into_iter()
        .map(|response| encode(&ServerFrame::Response { tag, result: Ok(response) }));
    asked.map(|frame| frame.len()).chain(answered.map(|frame| frame.expect("a frame").len())).sum()
}

#[tokio::test]
async fn one_whose_line_breaks_while_the_password_is_changed_comes_back_with_the_new_one() {
    let host = TestServer::start();
    let (old, new) = (password("old"), password("new"));
    let register = Request::Register { password: old.clone() };
    let token = Token([7; 32]);
    let proof = Proof::Resume(token.clone());
    let change = Request::ChangePasswordAndToken { old: old.clone(), new: new.clone(), token };
    // The line stalls behind the last byte of the change: the server does it, and its answer does
    // not arrive.
    let (_, welcome) = TestClient::come_with(host.address, hello("ann")).await;
    let first = Request::Hello(Hello { proof, ..hello("jim") });
    let asked = vec![first, register.clone(), change.clone()];
    let lives = Lives::try_from(vec![Life { id: 1, began: Seq(1) }]).expect("one");
    let welcome = Response::WelcomeInLife { welcome: Box::new(welcome), lives, put_back: None };
    let answered = vec![welcome, Response::Registered { seq: Seq::ZERO }];
    let mut fates = vec![Fate::Stalls { after: bytes(asked, answered), way: Way::Down }];
    let proxy = Proxy::to(host.address, usize::MAX).await;
    proxy.decide(move || fates.pop().unwrap_or(Fate::Lives));
    let (jim, mut events) = come(&proxy, "jim").await;
    jim.ask(register).await.expect("registered");
    let mut elsewhere =
        Options::new(host.address.ip().to_string(), host.address.port(), user("jim"));
    elsewhere.password = Some(old.clone());
    let (_elsewhere, mut also_jim) = Client::connect(elsewhere).await.expect("welcome");

    let tag = jim.submit(change).await.expect("a link that lives");
    assert_eq!(
        next(&mut also_jim).await,
        Event::Ended(Ended::PasswordChanged),
        "the server has done it"
    );
    proxy.cut_now();
    loop {
        match next(&mut events).await {
            Event::Ended(ended) => panic!("locked out: {ended}"),
            Event::Answer { tag: answered, result, .. } => {
                assert_eq!(answered, tag);
                assert!(matches!(result, Ok(Response::PasswordChanged { .. })), "{result:?}");
                break;
            }
            _ => {}
        }
    }
    jim.change_password(new, old).await.expect("the new one holds");
}
