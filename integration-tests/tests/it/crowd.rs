//! Many at once: bursts, churn, and the sum of many small debts. Nobody pays for what others do.

use chatroom_proto::{
    ASKS_UNANSWERED_MAX, CloseReason, Conversation, Hello, Notification, Proof, Request, Response,
    Seq, ServerFrame,
};
use chatroom_server::Config;
use chatroom_server::chat::Limits;
use integration_tests::test_client::{DEADLINE, TestClient, group, hello, public};
use integration_tests::test_server::TestServer;
use tokio::time;

/// Sends as many posts as may be unanswered in one go, and then waits for all answers.
async fn pipeline(mut guest: TestClient, first: u64) {
    let text = "x".repeat(8_000);
    for number in 0..u64::from(ASKS_UNANSWERED_MAX) {
        guest.say(public("General", first + number, &text)).await;
    }
    let mut answers = 0;
    while answers < ASKS_UNANSWERED_MAX {
        match guest.frame().await.expect("not hung up on") {
            ServerFrame::Response { result, .. } => {
                assert!(matches!(result, Ok(Response::Posted { .. })), "{result:?}");
                answers += 1;
            }
            ServerFrame::Notification(Notification::Closing(reason)) => {
                panic!("hung up on: {reason:?}")
            }
            ServerFrame::Notification(_) => {}
        }
    }
}

async fn read(mut guest: TestClient, posts: u32) {
    let mut heard = 0;
    while heard < posts {
        match guest.hear().await {
            Notification::GroupPost { .. } => heard += 1,
            Notification::Closing(reason) => panic!("hung up on after {heard}: {reason:?}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_burst_of_ordinary_senders_closes_nobody_who_reads() {
    const SENDERS: u32 = 4;
    let host = TestServer::start();
    let mut tasks = Vec::new();
    for number in 0..3 {
        let reader = host.guest(&format!("reader{number}")).await;
        tasks.push(tokio::spawn(read(reader, SENDERS * ASKS_UNANSWERED_MAX)));
    }
    let mut senders = Vec::new();
    for number in 0..SENDERS {
        senders.push(host.guest(&format!("sender{number}")).await);
    }
    for (number, sender) in (0..).zip(senders) {
        tasks.push(tokio::spawn(pipeline(sender, number * 1_000)));
    }
    for task in tasks {
        task.await.expect("nobody is hung up on, and everything arrives");
    }
}

#[tokio::test]
async fn posts_sent_again_in_a_new_session_are_kept_once_whatever_is_joined_first() {
    let limits = Limits { grace_ms: 0, ..Limits::default() };
    let host = TestServer::start_with(Config { limits, ..Config::default() });
    let mut bob = host.guest("bob").await;
    let (mut ann, welcome) = TestClient::come_with(host.address, hello("ann")).await;
    assert!(matches!(bob.hear().await, Notification::Arrived { .. }));
    for name in ["tea", "milk", "war"] {
        ann.do_(Request::Create { group: group(name) }).await;
    }
    let posts = u64::from(ASKS_UNANSWERED_MAX);
    for number in 0..posts {
        ann.do_(public("General", number, "once")).await;
        assert!(matches!(bob.hear().await, Notification::GroupPost { .. }));
    }
    drop(ann);
    assert!(matches!(bob.hear().await, Notification::Departed { .. }));

    let back = Hello { proof: Proof::Resume(welcome.token), ..hello("ann") };
    let (mut ann, _) = TestClient::come_with(host.address, back).await;
    assert!(matches!(bob.hear().await, Notification::Arrived { .. }));
    for name in ["tea", "milk", "war"] {
        ann.do_(Request::Join { group: group(name) }).await;
    }
    for number in 0..posts {
        ann.do_(public("General", number, "once")).await;
    }
    ann.do_(public("General", posts, "new")).await;
    match bob.hear().await {
        Notification::GroupPost { post, .. } => assert_eq!(post.body.as_str(), "new"),
        other => panic!("not the new post: {other:?}"),
    }
}

#[tokio::test]
async fn of_too_many_who_vanish_the_one_away_for_longest_is_given_up() {
    let limits = Limits { held_max: 2, ..Limits::default() };
    let host = TestServer::start_with(Config { limits, ..Config::default() });
    let mut jim = host.guest("jim").await;
    for name in ["ann", "bob", "eve"] {
        let guest = host.guest(name).await;
        assert!(matches!(jim.hear().await, Notification::Arrived { .. }));
        drop(guest);
        // The next one comes only when the server knows that this one has gone.
        let came = async {
            while !held(&host, name).await {
                jim.do_(Request::Ping).await;
            }
        };
        time::timeout(DEADLINE, came).await.expect("the server sees who vanishes");
    }
    match jim.hear().await {
        Notification::Departed { user, .. } => assert_eq!(user.as_str(), "ann"),
        other => panic!("nobody is given up: {other:?}"),
    }
}

/// Whether the server knows that somebody's connection is gone: another one with the token of
/// nobody is refused either way, so it is the monitor that tells.
async fn held(host: &TestServer, name: &str) -> bool {
    host.monitor
        .clients()
        .await
        .iter()
        .any(|client| client.name.as_str() == name && !client.is_connected)
}

#[tokio::test]
async fn many_who_do_not_read_cost_no_more_than_the_common_budget() {
    const SLOW: usize = 20;
    /// 5.6 MB for each: the kernel holds some of it, and the outboxes would hold the rest, which
    /// they share: more than the budget all the same.
    const POSTS: u64 = 700;
    let config = Config {
        // Its own bound closes nobody here.
        outbox_bytes_max: 64 * 1024 * 1024,
        outboxes_bytes_max: 1024 * 1024,
        flush_deadline: DEADLINE,
        write_deadline: DEADLINE * 100,
        ..Config::default()
    };
    let host = TestServer::start_with(config);
    let mut slow = Vec::new();
    for number in 0..SLOW {
        slow.push(TestClient::come_with_small_ears(host.address, &format!("slow{number}")).await);
    }
    let mut speaker = host.guest("speaker").await;
    let text = "x".repeat(8_000);
    for number in 1..=POSTS {
        speaker.do_(public("General", number, &text)).await;
    }
    let mut closed = 0;
    for guest in &mut slow {
        let last = time::timeout(DEADLINE, async {
            loop {
                match guest.frame().await {
                    Some(ServerFrame::Notification(Notification::Closing(reason))) => {
                        return Some(reason);
                    }
                    Some(ServerFrame::Notification(Notification::GroupPost { post, .. })) => {
                        if post.id == integration_tests::test_client::post_id(POSTS) {
                            return None;
                        }
                    }
                    Some(_) => {}
                    None => panic!("closed without a word"),
                }
            }
        });
        closed += usize::from(last.await.expect("an end in time") == Some(CloseReason::TooSlow));
    }
    assert!(closed > 0, "somebody had to go");
    speaker.do_(Request::Ping).await;
}

#[tokio::test]
async fn one_who_logs_in_while_the_server_goes_down_is_told() {
    let host = TestServer::start();
    let jim = host.guest("jim").await;
    let mut late = TestClient::connect(host.address).await;
    // Once eve is in, the late one has been accepted.
    let _eve = host.guest("eve").await;
    host.shut_down();
    let _ = late.try_say(Request::Hello(hello("late"))).await;
    assert_eq!(late.hear_why_closed().await, Some(CloseReason::Shutdown));
    drop(jim);
    host.stop().await.expect("stopped because it was told to");
}

#[tokio::test]
async fn questions_about_the_past_that_others_pile_up_stop_nobody() {
    let host = TestServer::keeping(Config::default()).await;
    let mut crowd = Vec::new();
    for number in 0..12_u64 {
        let mut guest = host.guest(&format!("eve{number}")).await;
        guest.say_unflushed(public("General", number, "something to look up")).await;
        let of = Conversation::Group(group("General"));
        guest.say_unflushed(Request::History { of, before: Seq::ZERO, count: 400 }).await;
        for _ in 0..253 {
            guest.say_unflushed(Request::Ping).await;
        }
        crowd.push(guest);
    }
    // All at once: nothing is found before everything is asked.
    for guest in &mut crowd {
        guest.flush().await;
    }
    host.guest("jim").await.do_(Request::Ping).await;
    for guest in &mut crowd {
        let mut answers = 0;
        while answers < 255 {
            match guest.frame().await.expect("not hung up on") {
                ServerFrame::Response { result, .. } => {
                    result.expect("granted");
                    answers += 1;
                }
                ServerFrame::Notification(_) => {}
            }
        }
    }
}
