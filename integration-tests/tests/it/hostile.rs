//! Peers that break the protocol, or never speak it. They are told why, where that is possible, and
//! all others chat on.

use std::time::Duration;

use chatroom_proto::codec::{self, FRAME_BYTES_MAX, HELLO_FRAME_BYTES_MAX};
use chatroom_proto::{
    ClientFrame, CloseReason, Misbehaviour, Notification, Request, Response, ServerFrame, Tag,
};
use chatroom_server::Config;
use integration_tests::chance::Chance;
use integration_tests::test_client::{DEADLINE, TestClient, hello, public};
use integration_tests::test_server::TestServer;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// A server with two who chat, for a third to disturb.
struct Table {
    host: TestServer,
    jim: TestClient,
    ann: TestClient,
    said: u64,
}

impl Table {
    async fn set(config: Config) -> Table {
        let host = TestServer::start_with(config);
        let mut jim = host.guest("jim").await;
        let ann = host.guest("ann").await;
        assert!(matches!(jim.hear().await, Notification::Arrived { .. }));
        Table { host, jim, ann, said: 0 }
    }

    /// The two still hear each other, and nothing else.
    async fn chats_on(&mut self) {
        self.said += 1;
        let text = format!("message {}", self.said);
        self.jim.do_(public("General", self.said, &text)).await;
        match self.ann.hear().await {
            Notification::GroupPost { post, .. } => assert_eq!(post.body.as_str(), text),
            other => panic!("something else was heard: {other:?}"),
        }
        self.ann.do_(Request::Ping).await;
    }

    /// Sends these bytes over a new connection, and returns the reason for which it is closed.
    async fn throw(&self, bytes: &[u8]) -> Option<CloseReason> {
        let (mut guest, mut write) = TestClient::connect_raw(self.host.address).await;
        // The server may hang up before it has read everything.
        let _ = write.write_all(bytes).await;
        guest.hear_why_closed().await
    }
}

fn misbehaved(how: Misbehaviour) -> Option<CloseReason> {
    Some(CloseReason::Misbehaved(how))
}

fn frame(request: Request) -> Vec<u8> {
    codec::encode(&ClientFrame { tag: Tag(0), request }).expect("a frame").to_vec()
}

fn quick() -> Config {
    Config { handshake_deadline: Duration::from_millis(200), ..Config::default() }
}

#[tokio::test]
async fn one_who_says_nothing_is_hung_up_on_in_time() {
    let mut table = Table::set(quick()).await;
    assert_eq!(table.throw(b"").await, Some(CloseReason::HandshakeTimeout));
    table.chats_on().await;
}

#[tokio::test]
async fn one_who_says_half_a_frame_is_hung_up_on_in_time() {
    let mut table = Table::set(quick()).await;
    let hello = frame(Request::Hello(hello("eve")));
    assert_eq!(table.throw(&hello[..hello.len() - 1]).await, Some(CloseReason::HandshakeTimeout));
    assert_eq!(table.throw(&hello[..3]).await, Some(CloseReason::HandshakeTimeout));
    table.chats_on().await;
}

#[tokio::test]
async fn a_length_beyond_the_limit_is_refused_at_once() {
    let mut table = Table::set(Config::default()).await;
    let too_long = |limit: usize| {
        misbehaved(Misbehaviour::FrameTooLong { limit: u32::try_from(limit).unwrap() })
    };
    assert_eq!(table.throw(&[0xff; 4]).await, too_long(HELLO_FRAME_BYTES_MAX));
    let just_above = u32::try_from(HELLO_FRAME_BYTES_MAX + 1).unwrap().to_be_bytes();
    assert_eq!(table.throw(&just_above).await, too_long(HELLO_FRAME_BYTES_MAX));

    let welcome_then_huge = [frame(Request::Hello(hello("eve"))), vec![0xff; 4]].concat();
    let (mut eve, mut write) = TestClient::connect_raw(table.host.address).await;
    write.write_all(&welcome_then_huge[..welcome_then_huge.len() - 4]).await.unwrap();
    eve.frame().await.expect("a welcome");
    write.write_all(&[0xff; 4]).await.unwrap();
    assert_eq!(eve.hear_why_closed().await, too_long(FRAME_BYTES_MAX));
    assert!(matches!(table.ann.hear().await, Notification::Arrived { .. }));
    table.chats_on().await;
}

#[tokio::test]
async fn what_is_not_a_hello_is_not_let_in() {
    let mut table = Table::set(Config::default()).await;
    assert_eq!(table.throw(&frame(Request::Ping)).await, misbehaved(Misbehaviour::HelloExpected));
    assert_eq!(
        table.throw(b"GET / HTTP/1.1\r\n\r\n").await,
        misbehaved(Misbehaviour::FrameTooLong { limit: 4096 })
    );
    assert_eq!(table.throw(&[0, 0, 0, 3, 1, 2, 3]).await, misbehaved(Misbehaviour::Malformed));
    let mut trailing = frame(Request::Hello(hello("eve")));
    trailing.push(0);
    let length = u32::try_from(trailing.len() - 4).unwrap().to_be_bytes();
    trailing[..4].copy_from_slice(&length);
    assert_eq!(table.throw(&trailing).await, misbehaved(Misbehaviour::Malformed));
    table.chats_on().await;
}

#[tokio::test]
async fn garbage_after_a_valid_hello_ends_that_connection() {
    let mut table = Table::set(Config::default()).await;
    let garbage =
        [frame(Request::Hello(hello("eve"))), vec![0, 0, 0, 2, 0xee, 0xee], vec![0xee; 100_000]]
            .concat();
    assert_eq!(table.throw(&garbage).await, misbehaved(Misbehaviour::Malformed));
    assert!(matches!(table.ann.hear().await, Notification::Arrived { .. }));
    table.chats_on().await;
}

#[tokio::test]
async fn random_bytes_hurt_nobody() {
    let mut table = Table::set(quick()).await;
    let mut chance = Chance::new(9);
    for round in 0..50 {
        let count = chance.between(1, 2_000);
        let mut bytes = chance.bytes(count);
        if round % 2 == 0 {
            // A length that is allowed, so that the rest is looked at.
            let rest = u32::try_from(bytes.len().max(5) - 4).unwrap();
            bytes.resize(bytes.len().max(5), 0);
            bytes[..4].copy_from_slice(&rest.to_be_bytes());
        }
        assert!(table.throw(&bytes).await.is_some(), "round {round}: told why");
    }
    table.chats_on().await;
}

#[tokio::test]
async fn two_thousand_silent_connections_keep_nobody_from_chatting() {
    let config = Config { connections_max: 3_000, ..Config::default() };
    let mut table = Table::set(config).await;
    let mut silent = Vec::new();
    for _ in 0..2_000 {
        silent.push(TcpStream::connect(table.host.address).await.expect("the server accepts"));
    }
    table.chats_on().await;
    let mut newcomer = table.host.guest("eve").await;
    newcomer.do_(Request::Ping).await;
    assert!(matches!(table.ann.hear().await, Notification::Arrived { .. }));
    table.chats_on().await;
    drop(silent);
    table.chats_on().await;
}

#[tokio::test]
async fn one_too_many_is_told_that_the_server_is_full() {
    let mut table = Table::set(Config { connections_max: 3, ..Config::default() }).await;
    let third = table.host.guest("eve").await;
    assert!(matches!(table.ann.hear().await, Notification::Arrived { .. }));
    let mut fourth = TestClient::connect(table.host.address).await;
    assert_eq!(fourth.hear_why_closed().await, Some(CloseReason::ServerFull));
    drop(third);
    // Her place is free as soon as the server has seen her go.
    let came = async {
        loop {
            let mut guest = TestClient::connect(table.host.address).await;
            if guest.try_say(Request::Hello(hello("zoe"))).await
                && guest.try_frame().await.as_ref().is_some_and(is_welcome)
            {
                return guest;
            }
        }
    };
    let _zoe = tokio::time::timeout(DEADLINE, came).await.expect("a place that becomes free");
    assert!(matches!(table.ann.hear().await, Notification::Arrived { .. }));
    table.chats_on().await;
}

fn is_welcome(frame: &ServerFrame) -> bool {
    matches!(frame, ServerFrame::Response { result: Ok(_), .. })
}

#[tokio::test]
async fn one_who_falls_silent_is_asked_and_then_hung_up_on() {
    let config = Config {
        idle_ping: Duration::from_millis(100),
        idle_deadline: Duration::from_millis(300),
        ..Config::default()
    };
    let host = TestServer::start_with(config);
    let mut jim = host.guest("jim").await;
    assert_eq!(jim.hear().await, Notification::Ping);
    jim.do_(Request::Ping).await;
    assert_eq!(
        jim.hear().await,
        Notification::Ping,
        "an answer counts, and the silence begins anew"
    );
    assert_eq!(jim.hear().await, Notification::Ping);
    assert_eq!(jim.hear_why_closed().await, Some(CloseReason::Idle));
}

#[tokio::test]
async fn one_who_asks_and_asks_without_reading_is_not_read_any_further() {
    let mut table = Table::set(Config::default()).await;
    for n in 0..300 {
        let name = format!("{n:0>32}");
        table
            .jim
            .do_(Request::Create { group: integration_tests::test_client::group(&name) })
            .await;
    }
    let mut eve = table.host.guest("eve").await;
    assert!(matches!(table.ann.hear().await, Notification::Arrived { .. }));
    let asks = 2_000;
    for _ in 0..asks {
        // 12 KB of answer to 20 bytes of question: 24 MB in all, many times what the outbox holds.
        if !eve
            .try_say_within(
                Request::Groups { after: chatroom_proto::Seq::ZERO },
                Duration::from_millis(300),
            )
            .await
        {
            break;
        }
    }
    table.chats_on().await;
    // She was not hung up on: when she reads, she gets every answer.
    let said = eve.say(Request::Ping).await;
    while let Some(frame) = eve.frame().await {
        match frame {
            ServerFrame::Response { tag, result: Ok(Response::Pong) } if tag == said => return,
            ServerFrame::Response { result: Ok(Response::Groups { .. }), .. }
            | ServerFrame::Notification(_) => {}
            other => panic!("not an answer: {other:?}"),
        }
    }
    panic!("hung up on");
}

#[tokio::test]
async fn one_who_closes_the_sending_side_still_gets_the_answers() {
    let mut table = Table::set(Config::default()).await;
    let (mut eve, mut write) = TestClient::connect_raw(table.host.address).await;
    let asks =
        [frame(Request::Hello(hello("eve"))), frame(Request::Ping), frame(Request::Ping)].concat();
    write.write_all(&asks).await.unwrap();
    write.shutdown().await.unwrap();
    for _ in 0..3 {
        assert!(eve.frame().await.as_ref().is_some_and(is_welcome), "an answer");
    }
    assert_eq!(eve.hear_why_closed().await, None);
    assert!(matches!(table.ann.hear().await, Notification::Arrived { .. }));
    table.chats_on().await;
}

#[tokio::test]
async fn a_server_that_goes_down_says_goodbye_to_everyone() {
    // At once, and not only when it has waited long enough.
    let config = Config { shutdown_deadline: DEADLINE * 10, ..Config::default() };
    let Table { host, mut jim, mut ann, .. } = Table::set(config).await;
    let (mut stranger, _write) = TestClient::connect_raw(host.address).await;
    // Connections are accepted in their order: once eve is in, the stranger is at the door.
    let _eve = host.guest("eve").await;
    let said = tokio::spawn(async move {
        (jim.hear_why_closed().await, ann.hear_why_closed().await, stranger.hear_why_closed().await)
    });
    host.stop().await.expect("stopped because it was told to");
    let shutdown = Some(CloseReason::Shutdown);
    assert_eq!(said.await.unwrap(), (shutdown, shutdown, shutdown));
}
