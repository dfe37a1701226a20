//! A bot that keeps order, by the library's typed asks.

use std::num::NonZeroU32;

use chatroom_client::{AskError, Client, Ended, Event, Events, Options};
use chatroom_proto::{
    BanTarget, CloseReason, Moderation, Operation, Reason, Refusal, Request, Topic,
};
use chatroom_server::Config;
use integration_tests::test_client::{DEADLINE, TestClient, group, password, user};
use integration_tests::test_server::TestServer;
use tokio::time;

async fn come(host: &TestServer, name: &str) -> (Client, Events) {
    let options = Options::new(host.address.ip().to_string(), host.address.port(), user(name));
    time::timeout(DEADLINE, Client::connect(options)).await.expect("in time").expect("welcome")
}

/// How a bot's link ends.
async fn end(mut events: Events) -> Ended {
    loop {
        let event = time::timeout(DEADLINE, events.next()).await.expect("an event in time");
        if let Event::Ended(ended) = event.expect("an end") {
            return ended;
        }
    }
}

#[tokio::test]
async fn a_bot_keeps_order_in_its_group() {
    let host = TestServer::start();
    let (bot, _events) = come(&host, "Bot").await;
    let mut eve = TestClient::come(host.address, "Eve").await;
    bot.create(group("tea")).await.expect("created");
    bot.join(group("tea")).await.expect("joined");
    let topic = Topic::parse("green or black").expect("a topic");
    let written =
        bot.moderate(group("TEA"), Moderation::Topic { topic: Some(topic.clone()) }).await;
    assert_eq!(written, Ok(group("tea")), "as its creator wrote it");
    eve.do_(Request::Join { group: group("tea") }).await;
    let reason = Reason::parse("spilled it").ok();
    let ban = Moderation::Ban { user: user("Eve"), seconds: NonZeroU32::new(60), reason };
    bot.moderate(group("tea"), ban.clone()).await.expect("banned");
    let again = eve.ask(Request::Join { group: group("tea") }).await;
    assert!(matches!(again, Err(Refusal::Banned { .. })), "{again:?}");

    let acts = bot.why(group("tea"), Some(user("eve"))).await.expect("acts");
    assert_eq!(acts.into_iter().map(|acted| acted.act).collect::<Vec<_>>(), [ban]);
    let about = bot.about(group("tea")).await.expect("about it");
    assert_eq!((about.owner, about.topic.map(|it| it.topic)), (Some(user("Bot")), Some(topic)));
    let not_there = bot.moderate(group("tea"), Moderation::Unban { user: user("Ann") }).await;
    assert!(matches!(not_there, Err(AskError::Refused(_))), "{not_there:?}");
}

#[tokio::test]
async fn a_bot_with_a_registered_name_becomes_an_operator_and_looks_after_the_server() {
    let host = TestServer::start_with(Config::default());
    let (bot, events) = come(&host, "Bot").await;
    assert_eq!(bot.clients().await, Err(AskError::Refused(Refusal::NotOperator)));
    bot.register(password("old")).await.expect("registered");
    bot.change_password(password("old"), password("new")).await.expect("changed");
    bot.claim(host.code.clone().expect("a code")).await.expect("an operator");

    let mut eve = TestClient::come(host.address, "Eve").await;
    let names: Vec<_> =
        bot.clients().await.expect("clients").into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["Bot", "Eve"].map(user));
    let whom = BanTarget::User(user("Eve"));
    bot.operate(Operation::Ban { whom: whom.clone(), seconds: None, reason: None })
        .await
        .expect("banned");
    assert_eq!(eve.hear_why_closed().await, Some(CloseReason::Disconnected));
    let bans = bot.server_bans().await.expect("bans");
    assert_eq!(bans.into_iter().map(|ban| ban.whom).collect::<Vec<_>>(), [whom]);

    let wrong = bot.unregister(password("old")).await;
    assert!(matches!(wrong, Err(AskError::Refused(Refusal::WrongPassword { .. }))), "{wrong:?}");
    bot.unregister(password("new")).await.expect("given up");
    assert_eq!(end(events).await, Ended::Left);
}
