//! One who does not read, among a hundred who do: it costs its own bound, and hurts nobody else.

use std::time::Duration;

use chatroom_proto::{CloseReason, Notification, Request, ServerFrame};
use chatroom_server::Config;
use integration_tests::test_client::{DEADLINE, TestClient, hello, public};
use integration_tests::test_server::TestServer;
use tokio::time;

const QUICK: usize = 100;

/// 400 posts of 8,000 bytes: 3.2 MB, many times what the slow one's socket and outbox hold
/// together.
const POSTS: u64 = 400;

/// A hundred who read, one who has stopped to, and one who speaks.
struct Room {
    host: TestServer,
    quick: Vec<TestClient>,
    slow: TestClient,
    speaker: TestClient,
}

impl Room {
    async fn fill(flush_deadline: Duration) -> Room {
        let config = Config {
            // Full to the last place.
            connections_max: QUICK + 2,
            outbox_bytes_max: 256 * 1024,
            // Another deadline than the one that is looked at here.
            write_deadline: DEADLINE * 100,
            flush_deadline,
            ..Config::default()
        };
        let host = TestServer::start_with(config);
        let slow = TestClient::come_with_small_ears(host.address, "slow").await;
        let mut quick = Vec::new();
        for number in 0..QUICK {
            quick.push(host.guest(&format!("quick{number}")).await);
        }
        let speaker = host.guest("speaker").await;
        Room { host, quick, slow, speaker }
    }

    /// The speaker says everything; the quick ones have heard it all, in order.
    async fn speak(&mut self) {
        let quick = std::mem::take(&mut self.quick);
        let listening: Vec<_> =
            quick.into_iter().map(|guest| tokio::spawn(listen(guest))).collect();
        for number in 1..=POSTS {
            self.speaker.do_(public("General", number, &text(number))).await;
        }
        for listener in listening {
            self.quick.push(listener.await.expect("heard everything in order"));
        }
    }
}

fn text(number: u64) -> String {
    format!("{number:08000}")
}

async fn listen(mut guest: TestClient) -> TestClient {
    let mut expected = 1;
    while expected <= POSTS {
        if let Notification::GroupPost { post, .. } = guest.hear().await {
            assert_eq!(post.body.as_str(), text(expected));
            expected += 1;
        }
    }
    guest
}

#[tokio::test]
async fn a_slow_reader_loses_only_its_own_connection_and_is_told_why() {
    let mut room = Room::fill(DEADLINE).await;
    room.speak().await;
    // What it can still read is the beginning of what was said, in order, and then the reason.
    let mut expected = 1;
    let reason = loop {
        match room.slow.frame().await {
            Some(ServerFrame::Notification(Notification::GroupPost { post, .. })) => {
                assert_eq!(post.body.as_str(), text(expected));
                expected += 1;
            }
            Some(ServerFrame::Notification(Notification::Closing(reason))) => break Some(reason),
            Some(ServerFrame::Notification(_)) => {}
            other => panic!("not told why: {other:?}"),
        }
    };
    assert_eq!(reason, Some(CloseReason::TooSlow));
    assert!(expected < POSTS, "it was slow enough to be a test");
    assert!(room.slow.frame().await.is_none(), "and the connection is closed");
}

#[tokio::test]
async fn one_who_never_reads_again_gives_its_place_back() {
    let mut room = Room::fill(Duration::from_millis(200)).await;
    room.speak().await;
    // Every place was taken. The slow one's task ends, and with it goes its place.
    let newcomer = async {
        loop {
            let mut guest = TestClient::connect(room.host.address).await;
            if guest.try_say(Request::Hello(hello("newcomer"))).await
                && let Some(ServerFrame::Response { result: Ok(_), .. }) = guest.try_frame().await
            {
                return guest;
            }
        }
    };
    let mut newcomer =
        time::timeout(DEADLINE, newcomer).await.expect("the slow one's place becomes free");
    room.speaker.do_(public("General", POSTS + 1, "welcome")).await;
    assert!(matches!(newcomer.hear().await, Notification::GroupPost { .. }));
}
