//! What somebody is told who was away, frame by frame: all that was said to them, and nothing else.

use std::num::NonZeroU32;

use chatroom_proto::{
    Hello, Moderation, Notification, Proof, Request, Response, Seq, Tag, Token, VersionRange,
};
use chatroom_server::Config;
use integration_tests::test_client::{TestClient, group, hello, password, private, public, user};
use integration_tests::test_server::TestServer;

const TOKEN: Token = Token([7; 32]);

/// What Jim says who comes with his token, and has seen everything up to there.
fn jim(seen: Seq) -> Hello {
    Hello { proof: Proof::Resume(TOKEN), seen, ..hello("jim") }
}

/// Ann owns the group tea, and Jim is in it. With the place of his joining.
async fn tea(host: &TestServer) -> (TestClient, TestClient, Seq) {
    let mut ann = host.guest("ann").await;
    ann.do_(Request::Create { group: group("tea") }).await;
    ann.do_(Request::Join { group: group("tea") }).await;
    let (mut jim, _) = TestClient::come_with(host.address, jim(Seq::FIRST)).await;
    let joined = jim.do_(Request::Join { group: group("tea") }).await;
    (ann, jim, joined.seq().expect("a place"))
}

async fn moderate(by: &mut TestClient, act: Moderation) {
    by.do_(Request::Moderate { group: group("tea"), act }).await;
}

/// What is told before all else, in few words.
async fn missed(guest: &mut TestClient) -> Vec<String> {
    let mut heard = Vec::new();
    loop {
        match guest.hear().await {
            Notification::CaughtUp { .. } => return heard,
            Notification::GroupPost { post, .. } | Notification::PrivatePost { post, .. } => {
                heard.push(post.body.as_str().to_owned());
            }
            Notification::Moderated { act: Moderation::Ban { user, .. }, .. } => {
                heard.push(format!("{user} is banned"));
            }
            other => heard.push(format!("{other:?}")),
        }
    }
}

#[tokio::test]
async fn what_was_said_before_one_left_is_told_when_the_answer_was_lost() {
    let host = TestServer::keeping(Config::default()).await;
    let (mut ann, mut first, seen) = tea(&host).await;
    ann.do_(public("tea", 1, "one")).await;
    first.say_with(Tag(9), Request::Leave { group: group("tea") }).await;
    while !matches!(ann.hear().await, Notification::Left { .. }) {}
    // Nothing of all that has come to him when the line breaks.
    drop(first);
    ann.do_(public("tea", 2, "after he has left")).await;
    let (mut again, _) = TestClient::come_with(host.address, jim(seen)).await;
    assert_eq!(missed(&mut again).await, ["one"]);
    again.say_with(Tag(9), Request::Leave { group: group("tea") }).await;
    let left = again.frame().await.expect("an answer");
    assert!(format!("{left:?}").contains("Left"), "{left:?}");
}

#[tokio::test]
async fn one_whose_name_was_banned_while_another_had_it_is_told_until_then_and_why() {
    let host = TestServer::keeping(Config::default()).await;
    let (mut ann, mut away, seen) = tea(&host).await;
    away.do_(Request::Exit).await;
    drop(away);
    ann.do_(public("tea", 1, "one")).await;
    let mut other = host.guest("jim").await;
    moderate(&mut ann, Moderation::Ban { user: user("jim"), seconds: None, reason: None }).await;
    ann.do_(public("tea", 2, "without him")).await;
    let seconds = NonZeroU32::new(3_600);
    moderate(&mut ann, Moderation::Ban { user: user("jim"), seconds, reason: None }).await;
    other.do_(Request::Exit).await;
    let (mut again, welcome) = TestClient::come_with(host.address, jim(seen)).await;
    assert!(welcome.resumed);
    assert!(welcome.groups.as_slice().iter().all(|member| member.group != group("tea")));
    assert_eq!(missed(&mut again).await, ["one", "jim is banned"]);
}

#[tokio::test]
async fn a_client_of_version_1_does_not_take_an_old_kick_for_news() {
    let host = TestServer::keeping(Config::default()).await;
    let (mut ann, away, seen) = tea(&host).await;
    drop(away);
    ann.do_(public("tea", 1, "one")).await;
    moderate(&mut ann, Moderation::Kick { user: user("jim"), reason: None }).await;
    let versions = VersionRange::try_from((1, 1)).expect("a range");
    let mut again = TestClient::connect(host.address).await;
    let welcome = again.ask(Request::Hello(Hello { versions, ..jim(seen) })).await;
    assert!(matches!(welcome, Ok(Response::Welcome(welcome)) if welcome.resumed));
    assert_eq!(missed(&mut again).await, ["one"]);
}

#[tokio::test]
async fn a_device_is_not_told_what_was_said_before_it_was_there() {
    let host = TestServer::keeping(Config::default()).await;
    let (mut ann, mut phone, _) = tea(&host).await;
    phone.do_(Request::Register { password: password("tea and milk") }).await;
    ann.do_(private("jim", 1, "long ago")).await;
    let proof = Proof::Password(password("tea and milk"));
    let (desk, welcome) =
        TestClient::come_with(host.address, Hello { proof, ..hello("jim") }).await;
    drop(desk);
    ann.do_(private("jim", 2, "today")).await;
    let again = Hello { proof: Proof::Resume(welcome.token), ..jim(Seq::FIRST) };
    let (mut desk, _) = TestClient::come_with(host.address, again).await;
    assert_eq!(missed(&mut desk).await, ["today"]);
}

#[tokio::test]
async fn one_who_keeps_no_lives_and_has_seen_more_than_there_is_learns_that() {
    let host = TestServer::keeping(Config::default()).await;
    let (_ann, away, seen) = tea(&host).await;
    drop(away);
    for (says, is_put_back) in [(seen, false), (Seq(1_000_000), true)] {
        let mut again = TestClient::connect(host.address).await;
        let welcome = again.ask(Request::Hello(jim(says))).await;
        let Ok(Response::WelcomeInLife { put_back, .. }) = welcome else {
            panic!("not welcome: {welcome:?}")
        };
        assert_eq!(put_back.is_some(), is_put_back, "{put_back:?}");
    }
}
