//! Every post names the one before it in its conversation, so that a reader can prove that it
//! missed nothing.

use chatroom_proto::{Membership, Notification, Post, Request, Response, Seq};
use integration_tests::test_client::{TestClient, group, private, public};
use integration_tests::test_server::TestServer;

/// The place of a post that was granted.
async fn post(guest: &mut TestClient, request: Request) -> Seq {
    match guest.do_(request).await {
        Response::Posted { seq, .. } => seq,
        other => panic!("not posted: {other:?}"),
    }
}

/// The next post that somebody hears.
async fn hear(guest: &mut TestClient) -> Post {
    loop {
        if let Notification::GroupPost { post, .. } | Notification::PrivatePost { post, .. } =
            guest.hear().await
        {
            return post;
        }
    }
}

async fn join(guest: &mut TestClient, name: &str) -> Membership {
    match guest.do_(Request::Join { group: group(name) }).await {
        Response::Joined { membership, .. } => membership,
        other => panic!("not joined: {other:?}"),
    }
}

#[tokio::test]
async fn posts_in_a_group_are_one_chain_whoever_made_them() {
    let host = TestServer::start();
    let (mut jim, mut ann) = (host.guest("jim").await, host.guest("ann").await);
    jim.do_(Request::Create { group: group("tea") }).await;
    assert_eq!(join(&mut jim, "tea").await.head, Seq::ZERO);
    join(&mut ann, "tea").await;

    let first = post(&mut jim, public("tea", 1, "one")).await;
    // What is said elsewhere does not come in between.
    post(&mut jim, public("General", 2, "elsewhere")).await;
    let second = post(&mut ann, public("tea", 3, "two")).await;
    let third = post(&mut jim, public("tea", 4, "three")).await;

    let heard = [hear(&mut ann).await, hear(&mut ann).await, hear(&mut ann).await];
    assert_eq!(heard.map(|post| (post.seq, post.prev))[0], (first, Seq::ZERO));
    let by_ann = hear(&mut jim).await;
    assert_eq!((by_ann.seq, by_ann.prev), (second, first));
    let mut bob = host.guest("bob").await;
    assert_eq!(
        join(&mut bob, "tea").await.head,
        third,
        "one who joins learns where the chain has come to"
    );
    let fourth = post(&mut ann, public("tea", 5, "four")).await;
    let last = hear(&mut bob).await;
    assert_eq!((last.seq, last.prev), (fourth, third));
}

#[tokio::test]
async fn private_posts_of_two_people_are_one_chain_in_both_directions() {
    let host = TestServer::start();
    let (mut jim, mut ann, mut bob) =
        (host.guest("jim").await, host.guest("ann").await, host.guest("bob").await);
    let first = post(&mut jim, private("ann", 1, "one")).await;
    post(&mut bob, private("ann", 2, "between others")).await;
    let second = post(&mut ann, private("jim", 3, "two")).await;
    let third = post(&mut jim, private("ann", 4, "three")).await;

    let answer = hear(&mut jim).await;
    assert_eq!((answer.seq, answer.prev), (second, first));
    let heard = [hear(&mut ann).await, hear(&mut ann).await, hear(&mut ann).await];
    assert_eq!((heard[0].seq, heard[0].prev), (first, Seq::ZERO));
    assert_eq!(heard[1].prev, Seq::ZERO, "another pair, another chain");
    assert_eq!((heard[2].seq, heard[2].prev), (third, second));
}
