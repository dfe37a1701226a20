//! Too much of everything: requests, connections, names, handshakes that never end. Who goes too
//! fast is asked to go slower, who does not care is hung up on, and everybody else chats on. A
//! person who pastes something is none of these.

use std::net::Ipv4Addr;
use std::time::Duration;

use chatroom_client::{Client, Event, Options};
use chatroom_proto::codec::encode;
use chatroom_proto::{
    ASKS_UNANSWERED_MAX, ClientFrame, CloseReason, Hello, Misbehaviour, Notification, Proof,
    RATE_LIMITED_IN_A_ROW_MAX, Refusal, Request, Response, ServerFrame, Tag,
};
use chatroom_server::Config;
use integration_tests::piped::Piped;
use integration_tests::process::Exit;
use integration_tests::program::ServerProgram;
use integration_tests::terminal::{Key, Terminal};
use integration_tests::test_client::{
    DEADLINE, TestClient, body, group, hello, post_id, public, user,
};
use integration_tests::test_server::TestServer;
use tokio::time;

/// What a server takes at once, by default, in short messages.
const BURST: u64 = 100;

/// Where the trouble comes from: an address that counts as any other.
const FAR: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 5);

/// Another one.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 6);

/// The next text that is said in a group.
async fn hear_text(guest: &mut TestClient) -> String {
    loop {
        if let Notification::GroupPost { post, .. } = guest.hear().await {
            return post.body.as_str().to_owned();
        }
    }
}

#[tokio::test]
async fn all_of_500_messages_at_once_arrive_once_and_in_order() {
    const MESSAGES: usize = 500;
    // 400 of them at once, and two seconds and a half for the others.
    let server = ServerProgram::start_with(&["--rate", "40"]);
    let mut bob = TestClient::come(server.address(), "bob").await;
    let options = Options::new("127.0.0.1", server.port(), user("ann"));
    let (ann, mut events) = Client::connect(options).await.expect("welcome");
    let said: Vec<String> = (0..MESSAGES).map(|number| format!("message {number}")).collect();
    let saying = {
        let said = said.clone();
        tokio::spawn(async move {
            for (number, text) in (0..).zip(said) {
                let post = Request::Public {
                    group: group("General"),
                    id: post_id(number),
                    body: body(&text),
                };
                ann.submit(post).await.expect("a link that lives");
            }
            ann
        })
    };
    let (mut answered, mut is_slowed) = (Vec::new(), false);
    while answered.len() < MESSAGES {
        match time::timeout(DEADLINE, events.next()).await.expect("an event in time") {
            Some(Event::Answer { request: Request::Public { body, .. }, result, .. }) => {
                result.expect("posted, sooner or later");
                answered.push(body.as_str().to_owned());
            }
            Some(Event::Slowed { .. }) => is_slowed = true,
            Some(Event::Notification(_)) => {}
            other => panic!("neither slower nor answered: {other:?}"),
        }
    }
    assert_eq!(answered, said);
    assert!(is_slowed, "it was too much");
    let mut heard = Vec::new();
    while heard.len() < MESSAGES {
        heard.push(hear_text(&mut bob).await);
    }
    assert_eq!(heard, said);
    drop(saying.await);
}

#[tokio::test]
async fn one_who_does_not_go_slower_is_refused_and_then_hung_up_on() {
    let server = ServerProgram::start();
    let mut ann = TestClient::come(server.address(), "ann").await;
    let mut eve = TestClient::come(server.address(), "eve").await;
    let (mut granted, mut refused) = (0, 0);
    // As many as may be unanswered, again and again, whatever the answers are.
    let reason = 'flood: loop {
        for ahead in 0..u64::from(ASKS_UNANSWERED_MAX) {
            eve.say_unflushed(public("General", granted + refused + ahead, "buy now")).await;
        }
        eve.flush().await;
        for _ in 0..ASKS_UNANSWERED_MAX {
            match eve.frame().await {
                Some(ServerFrame::Response { tag, result }) => {
                    assert_eq!(
                        u64::from(tag.0),
                        1 + granted + refused,
                        "answers in the order of the requests"
                    );
                    match result {
                        Ok(Response::Posted { .. }) => granted += 1,
                        Err(Refusal::RateLimited { .. }) => refused += 1,
                        other => panic!("neither granted nor too fast: {other:?}"),
                    }
                }
                Some(ServerFrame::Notification(Notification::Closing(reason))) => {
                    break 'flood reason;
                }
                other => panic!("something else: {other:?}"),
            }
        }
    };
    assert_eq!(reason, CloseReason::Misbehaved(Misbehaviour::Flooding));
    assert!((BURST..2 * BURST).contains(&granted), "{granted} were granted");
    assert_eq!(refused, u64::from(RATE_LIMITED_IN_A_ROW_MAX));
    // What was granted was said, and nobody else is asked to go slower.
    for _ in 0..granted {
        assert_eq!(hear_text(&mut ann).await, "buy now");
    }
    ann.do_(public("General", 1, "is she gone?")).await;
}

#[tokio::test]
async fn what_is_sent_behind_a_refused_message_does_not_overtake_it() {
    let server = ServerProgram::start();
    let mut ann = TestClient::come(server.address(), "ann").await;
    let mut eve = TestClient::come(server.address(), "eve").await;
    let long = "x".repeat(4_000);
    let (first, wait) = loop {
        let tag = eve.say(public("General", 1, &long)).await;
        // The same post again costs as much as another one, and nobody hears of it.
        if let Some(ServerFrame::Response { result: Err(refusal), .. }) = eve.frame().await {
            let Refusal::RateLimited { retry_after_ms } = refusal else {
                panic!("refused: {refusal:?}")
            };
            break (tag, Duration::from_millis(retry_after_ms.into()));
        }
    };
    assert_eq!(hear_text(&mut ann).await, long);
    let second = Tag(first.0 + 1);
    eve.say_with(second, public("General", 3, "second")).await;
    let Some(ServerFrame::Response { result: Err(Refusal::RateLimited { .. }), .. }) =
        eve.frame().await
    else {
        panic!("the second overtakes");
    };
    // There is no event to wait for but time itself.
    time::sleep(wait).await;
    eve.say_with(first, public("General", 2, "first")).await;
    eve.say_with(second, public("General", 3, "second")).await;
    for text in ["first", "second"] {
        let Some(ServerFrame::Response { result: Ok(_), .. }) = eve.frame().await else {
            panic!("{text} is refused after its time");
        };
        assert_eq!(hear_text(&mut ann).await, text);
    }
}

#[tokio::test]
async fn coming_back_does_not_fill_the_budget() {
    let server = ServerProgram::start();
    let (mut eve, welcome) = TestClient::come_with(server.address(), hello("eve")).await;
    let long = "x".repeat(8_000);
    let mut number = 0;
    while eve.ask(public("General", number, &long)).await.is_ok() {
        number += 1;
    }
    let again = Hello { proof: Proof::Resume(welcome.token), seen: welcome.seq, ..hello("eve") };
    let (mut eve, welcome) = TestClient::come_with(server.address(), again).await;
    assert!(welcome.resumed);
    let refused = eve.ask(public("General", number, &long)).await;
    assert!(matches!(refused, Err(Refusal::RateLimited { .. })), "{refused:?}");
}

#[tokio::test]
async fn pasting_twenty_lines_is_one_message_and_never_too_much() {
    const PASTES: usize = 20;
    let server = ServerProgram::start();
    let mut ann = TestClient::come(server.address(), "ann").await;
    let mut jim = Terminal::sit_down(&server, "Jim");
    let lines: Vec<String> = (1..=20).map(|line| format!("pasted line {line}")).collect();
    let pasted = lines.join("\n");
    for paste in 1..=PASTES {
        jim.type_text(&format!("public General paste {paste}: "));
        jim.paste(&pasted);
        jim.press(Key::Enter);
        assert_eq!(hear_text(&mut ann).await, format!("paste {paste}: {pasted}"));
    }
    jim.type_line("users");
    let screen = jim.wait_for_line("online users:");
    assert!(!screen.lines.iter().any(|line| line.contains("slower")), "{:#?}", screen.lines);
}

#[test]
fn a_script_that_asks_for_much_takes_longer_and_is_told_why() {
    // Four groups at once, and one in two seconds and a half.
    let server = ServerProgram::start_with(&["--rate", "4"]);
    let mut script = Piped::connect(server.port(), "Ann");
    script.say_all("create G1\ncreate G2\ncreate G3\ncreate G4\ncreate G5\nexit\n");
    let finished = script.finish();
    assert_eq!(finished.exit, Exit::Code(0), "{}", finished.diagnostics);
    assert_eq!(
        finished.output.matches("has created successfully!").count(),
        5,
        "{}",
        finished.output
    );
    let why = "The server asks to go slower: what you asked for is kept and sent in order, the \
        next in 3 seconds.\n";
    assert_eq!(finished.diagnostics, why);
}

#[tokio::test]
async fn ten_thousand_connections_from_one_address_leave_room_for_the_others() {
    const CONNECTIONS: u32 = 10_000;
    let limit = Config::default().connections_per_address_max;
    let server = ServerProgram::start();
    let address = server.address();
    let mut inside = Vec::new();
    for number in 0..limit {
        inside.push(TestClient::come_from(FAR, address, &format!("far{number}")).await);
    }
    for _ in limit..CONNECTIONS {
        let mut late = TestClient::connect_from(FAR, address).await;
        // It is told as it speaks.
        late.try_say(Request::Hello(hello("late"))).await;
        assert_eq!(late.hear_why_closed().await, Some(CloseReason::TooManyConnections { limit }));
    }
    TestClient::come_from(ELSEWHERE, address, "ann").await.do_(public("General", 1, "hi")).await;
    TestClient::come(address, "jim").await.do_(public("General", 2, "hi")).await;
    // When one goes, another may come.
    let mut gone = inside.pop().expect("many are inside");
    gone.do_(Request::Exit).await;
    assert_eq!(gone.hear_why_closed().await, None);
    drop(gone);
    let came = async {
        loop {
            let mut next = TestClient::connect_from(FAR, address).await;
            if next.try_say(Request::Hello(hello("next"))).await
                && let Some(ServerFrame::Response { result, .. }) = next.try_frame().await
            {
                return result;
            }
        }
    };
    let came = time::timeout(DEADLINE, came).await.expect("the server sees soon that one is gone");
    assert!(came.as_ref().is_ok_and(|came| came.welcome().is_some()), "{came:?}");
}

#[tokio::test]
async fn handshakes_that_never_end_hold_up_nobody_and_end() {
    let limit = 20;
    let host = TestServer::start_with(Config {
        handshake_deadline: Duration::from_secs(2),
        connections_per_address_max: limit,
        ..Config::default()
    });
    let whole = encode(&ClientFrame { tag: Tag(0), request: Request::Hello(hello("eve")) })
        .expect("a frame");
    let mut slow = Vec::new();
    for _ in 0..limit {
        let mut eve = TestClient::connect_from(FAR, host.address).await;
        eve.say_bytes(&whole[..whole.len() - 1]).await;
        slow.push(eve);
    }
    let mut late = TestClient::connect_from(FAR, host.address).await;
    assert_eq!(late.hear_why_closed().await, Some(CloseReason::TooManyConnections { limit }));
    let mut ann = TestClient::come_from(ELSEWHERE, host.address, "ann").await;
    ann.do_(Request::Ping).await;
    for eve in &mut slow {
        assert_eq!(eve.hear_why_closed().await, Some(CloseReason::HandshakeTimeout));
    }
}

#[tokio::test]
async fn names_that_come_and_go_from_one_address_are_asked_to_come_later() {
    let connections_per_address_max = 5;
    let host = TestServer::start_with(Config { connections_per_address_max, ..Config::default() });
    let mut came = 0;
    let refusal = loop {
        assert!(came < 100, "as many as want to come");
        let mut guest = TestClient::connect_from(FAR, host.address).await;
        match guest.ask(Request::Hello(hello(&format!("guest{came}")))).await {
            Ok(_) => came += 1,
            Err(refusal) => {
                assert_eq!(guest.hear_why_closed().await, None, "it knows why");
                break refusal;
            }
        }
        guest.do_(Request::Exit).await;
        guest.hear_why_closed().await;
    };
    assert!(
        matches!(refusal, Refusal::RateLimited { retry_after_ms } if retry_after_ms <= 6_000),
        "{refusal:?}"
    );
    assert!((10..15).contains(&came), "{came} came");
    TestClient::come_from(ELSEWHERE, host.address, "ann").await;
}
