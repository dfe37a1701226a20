//! Each request gets its answer, whatever is lost on the way: what the specification says of
//! recovery, frame by frame.

use chatroom_proto::codec::encode;
use chatroom_proto::{
    ClientFrame, Hello, LIVES_TOLD_MAX, Life, Lives, Moderation, Notification, Proof, Refusal,
    Request, Response, Seq, ServerFrame, Tag, Token, VersionRange,
};
use chatroom_server::Config;
use integration_tests::test_client::{TestClient, group, hello, password, private, public, user};
use integration_tests::test_server::TestServer;
use tokio::io::AsyncWriteExt;

const TOKEN: Token = Token([7; 32]);

/// What somebody says who comes with a token.
fn with(name: &str, token: &Token, seen: Seq) -> Hello {
    Hello { proof: Proof::Resume(token.clone()), seen, ..hello(name) }
}

/// These requests, with tags from 1 on, in the bytes of one write.
fn bytes(requests: &[Request]) -> Vec<u8> {
    let frame = |(tag, request): (u32, &Request)| {
        encode(&ClientFrame { tag: Tag(tag), request: request.clone() }).expect("a frame").to_vec()
    };
    (1..).zip(requests).flat_map(frame).collect()
}

/// Frames in few words.
fn shown(frame: ServerFrame) -> String {
    match frame {
        ServerFrame::Response { result: Ok(Response::WelcomeInLife { welcome, .. }), .. } => {
            if welcome.resumed { "welcome back" } else { "welcome" }.to_owned()
        }
        ServerFrame::Response { result: Ok(Response::Posted { .. }), .. } => "posted".to_owned(),
        ServerFrame::Response { result: Ok(Response::Kept { .. }), .. } => "kept".to_owned(),
        ServerFrame::Response { result, .. } => format!("{result:?}"),
        ServerFrame::Notification(
            Notification::GroupPost { post, .. } | Notification::PrivatePost { post, .. },
        ) => post.body.as_str().to_owned(),
        ServerFrame::Notification(Notification::CaughtUp { .. }) => "caught up".to_owned(),
        ServerFrame::Notification(Notification::Moderated { act, .. }) => {
            format!(
                "{} {}",
                act.user().map_or("nobody", |user| user.as_str()),
                match act {
                    Moderation::Kick { .. } => "kicked",
                    _ => "moderated",
                }
            )
        }
        ServerFrame::Notification(other) => format!("{other:?}"),
    }
}

/// One who was cut off, and five messages that were said since.
async fn five_missed(host: &TestServer) -> (TestClient, Seq) {
    let mut ann = host.guest("ann").await;
    let (jim, welcome) = TestClient::come_with(host.address, with("jim", &TOKEN, Seq::FIRST)).await;
    drop(jim);
    for number in 0..5 {
        ann.do_(public("General", number, &format!("m{number}"))).await;
    }
    (ann, welcome.seq)
}

#[tokio::test]
async fn whoever_comes_back_and_leaves_at_once_gets_what_was_missed_and_every_answer() {
    for round in 0..20 {
        let host = TestServer::keeping(Config::default()).await;
        let (_ann, seen) = five_missed(&host).await;
        let (mut ears, mut line) = TestClient::connect_raw(host.address).await;
        let post = public("General", 100 + round, "I am off");
        let requests =
            [Request::Hello(with("jim", &TOKEN, seen)), Request::Ping, post, Request::Exit];
        line.write_all(&bytes(&requests)).await.expect("written");
        let mut heard = Vec::new();
        while let Some(frame) = ears.frame().await {
            heard.push(shown(frame));
        }
        assert_eq!(
            heard,
            [
                "welcome back",
                "m0",
                "m1",
                "m2",
                "m3",
                "m4",
                "caught up",
                "Ok(Pong)",
                "posted",
                "Ok(Goodbye)"
            ],
            "round {round}"
        );
    }
}

#[tokio::test]
async fn a_half_closed_connection_gets_what_was_missed_and_every_answer() {
    let host = TestServer::keeping(Config::default()).await;
    let (_ann, seen) = five_missed(&host).await;
    let (mut ears, mut line) = TestClient::connect_raw(host.address).await;
    let requests = [Request::Hello(with("jim", &TOKEN, seen)), Request::Ping];
    line.write_all(&bytes(&requests)).await.expect("written");
    line.shutdown().await.expect("half closed");
    let mut heard = Vec::new();
    while let Some(frame) = ears.frame().await {
        heard.push(shown(frame));
    }
    assert_eq!(heard, ["welcome back", "m0", "m1", "m2", "m3", "m4", "caught up", "Ok(Pong)"]);
}

#[tokio::test]
async fn the_answer_to_a_private_message_that_comes_again_is_the_first_one() {
    let host = TestServer::keeping(Config::default()).await;
    let mut ann = host.guest("ann").await;
    let (mut jim, welcome) =
        TestClient::come_with(host.address, with("jim", &TOKEN, Seq::FIRST)).await;
    let here = ann.do_(private("jim", 1, "are you there?")).await;
    assert!(matches!(here, Response::Posted { .. }), "{here:?}");
    jim.do_(Request::Exit).await;
    assert_eq!(ann.do_(private("jim", 1, "are you there?")).await, here, "he was");

    let away = ann.do_(private("jim", 2, "for later")).await;
    assert!(matches!(away, Response::Kept { .. }), "{away:?}");
    TestClient::come_with(host.address, with("jim", &TOKEN, welcome.seq)).await;
    assert_eq!(ann.do_(private("jim", 2, "for later")).await, away, "he was not");
}

#[tokio::test]
async fn a_join_that_comes_again_tells_the_newest_message_that_there_is_now() {
    let host = TestServer::keeping(Config::default()).await;
    let mut ann = host.guest("ann").await;
    ann.do_(Request::Create { group: group("tea") }).await;
    ann.do_(Request::Join { group: group("tea") }).await;
    let mut jim = host.guest("jim").await;
    let mut joined = Vec::new();
    for number in [1, 2] {
        jim.say_with(Tag(77), Request::Join { group: group("tea") }).await;
        joined.push(loop {
            if let Some(ServerFrame::Response { result, .. }) = jim.frame().await {
                break result;
            }
        });
        ann.do_(public("tea", number, "hello")).await;
    }
    let [
        Ok(Response::Joined { seq: first, membership: before }),
        Ok(Response::Joined { seq, membership }),
    ] = &joined[..]
    else {
        panic!("not joined: {joined:?}")
    };
    assert_eq!(seq, first, "it was one join");
    assert!(membership.head > before.head, "{joined:?}");
}

#[tokio::test]
async fn one_who_talks_to_oneself_hears_no_echo_and_the_other_device_does() {
    let host = TestServer::keeping(Config::default()).await;
    let mut ann = host.guest("ann").await;
    ann.do_(private("ann", 1, "buy milk")).await;
    ann.do_(Request::Ping).await;
    ann.do_(Request::Register { password: password("tea and milk") }).await;
    let proof = Proof::Password(password("tea and milk"));
    let (mut also_ann, _) =
        TestClient::come_with(host.address, Hello { proof, ..hello("ann") }).await;
    ann.do_(private("ann", 2, "and tea")).await;
    assert_eq!(shown(ServerFrame::Notification(also_ann.hear().await)), "and tea");
    ann.say(Request::Ping).await;
    assert_eq!(ann.frame().await.map(shown).as_deref(), Some("Ok(Pong)"), "no echo before");
}

#[tokio::test]
async fn what_was_said_between_a_loss_and_a_kick_is_told_and_then_the_kick() {
    let host = TestServer::keeping(Config::default()).await;
    let mut ann = host.guest("ann").await;
    ann.do_(Request::Create { group: group("tea") }).await;
    ann.do_(Request::Join { group: group("tea") }).await;
    let (mut jim, _) = TestClient::come_with(host.address, with("jim", &TOKEN, Seq::FIRST)).await;
    let joined = jim.do_(Request::Join { group: group("tea") }).await;
    drop(jim);
    ann.do_(public("tea", 1, "one")).await;
    ann.do_(public("tea", 2, "two")).await;
    let act = Moderation::Kick { user: user("jim"), reason: None };
    ann.do_(Request::Moderate { group: group("tea"), act }).await;
    ann.do_(public("tea", 3, "he is gone")).await;

    let seen = joined.seq().expect("a place");
    let (mut jim, welcome) = TestClient::come_with(host.address, with("jim", &TOKEN, seen)).await;
    assert!(welcome.groups.as_slice().iter().all(|member| member.group != group("tea")));
    let mut heard = Vec::new();
    while heard.last().is_none_or(|last| last != "caught up") {
        heard.push(shown(jim.frame().await.expect("it goes on")));
    }
    assert_eq!(heard, ["one", "two", "jim kicked", "caught up"]);
}

#[tokio::test]
async fn one_whose_first_welcome_was_lost_is_known_by_the_token_that_it_chose() {
    let host = TestServer::keeping(Config::default()).await;
    let mut ann = host.guest("ann").await;
    let (ears, mut line) = TestClient::connect_raw(host.address).await;
    let first = Request::Hello(with("jim", &TOKEN, Seq::FIRST));
    line.write_all(&bytes(&[first])).await.expect("written");
    assert!(matches!(ann.hear().await, Notification::Arrived { .. }), "jim is let in");
    drop((ears, line));
    ann.do_(public("General", 1, "hello jim")).await;

    let stranger = TestClient::connect(host.address).await.ask(Request::Hello(hello("jim"))).await;
    assert_eq!(stranger, Err(Refusal::NameTaken { name: user("jim") }));
    let other = Token([8; 32]);
    let mut guest = TestClient::connect(host.address).await;
    let other = guest.ask(Request::Hello(with("jim", &other, Seq::FIRST))).await;
    assert_eq!(other, Err(Refusal::NameTaken { name: user("jim") }));
    // In whatever case the name is written.
    let (mut jim, welcome) =
        TestClient::come_with(host.address, with("JIM", &TOKEN, Seq::FIRST)).await;
    assert!(welcome.resumed);
    assert_eq!(shown(ServerFrame::Notification(jim.hear().await)), "hello jim");
    // Under another name the same token says nothing.
    let (_, welcome) = TestClient::come_with(host.address, with("kim", &TOKEN, Seq::FIRST)).await;
    assert!(!welcome.resumed);
}

#[tokio::test]
async fn one_whose_new_password_was_taken_and_its_answer_lost_comes_by_the_token_that_it_chose() {
    let host = TestServer::keeping(Config::default()).await;
    let (old, new) = (password("tea and milk"), password("milk and tea"));
    let (mut ann, _) = TestClient::come_with(host.address, with("ann", &TOKEN, Seq::FIRST)).await;
    ann.do_(Request::Register { password: old.clone() }).await;
    let token = Token([8; 32]);
    ann.say(Request::ChangePasswordAndToken { old, new, token: token.clone() }).await;
    // The answer is on its way when the line breaks.
    assert!(matches!(ann.frame().await, Some(ServerFrame::Response { result: Ok(_), .. })));
    drop(ann);
    let mut guest = TestClient::connect(host.address).await;
    let before = guest.ask(Request::Hello(with("ann", &TOKEN, Seq::FIRST))).await;
    assert_eq!(before, Err(Refusal::PasswordNeeded { name: user("ann") }));
    let (_, welcome) = TestClient::come_with(host.address, with("ann", &token, Seq::FIRST)).await;
    assert!(welcome.resumed);
}

#[tokio::test]
async fn a_name_that_breaks_a_rule_costs_a_refusal_and_not_the_connection() {
    let host = TestServer::start();
    let mut ann = host.guest("ann").await;
    // "Join", and a name with a space in it; then a request that no version knows.
    for (tag, rest) in [
        (5_u32, [&2_u32.to_le_bytes()[..], &3_u64.to_le_bytes(), b"a b"].concat()),
        (6, 999_u32.to_le_bytes().to_vec()),
    ] {
        let frame = [&tag.to_le_bytes()[..], &rest].concat();
        let length = u32::try_from(frame.len()).expect("a short frame").to_be_bytes();
        ann.say_bytes(&[&length[..], &frame].concat()).await;
        match ann.frame().await {
            Some(ServerFrame::Response { tag: answered, result: Err(Refusal::Invalid { .. }) }) => {
                assert_eq!(answered, Tag(tag));
            }
            other => panic!("not refused: {other:?}"),
        }
    }
    ann.do_(Request::Ping).await;
}

#[tokio::test]
async fn a_client_of_version_1_is_spoken_to_in_words_of_version_1() {
    let host = TestServer::keeping(Config::default()).await;
    let versions = VersionRange::try_from((1, 1)).expect("a range");
    let mut ann = TestClient::connect(host.address).await;
    match ann.ask(Request::Hello(Hello { versions, ..hello("ann") })).await {
        Ok(Response::Welcome(welcome)) => assert_eq!(welcome.version, 1),
        other => panic!("not a welcome of version 1: {other:?}"),
    }
    let (old, new) = (password("tea and milk"), password("milk and tea"));
    ann.do_(Request::Register { password: old.clone() }).await;
    let Response::PasswordChanged { token, .. } =
        ann.do_(Request::ChangePassword { old, new }).await
    else {
        panic!("not changed")
    };
    drop(ann);
    let mut ann = TestClient::connect(host.address).await;
    let back = ann.ask(Request::Hello(Hello { versions, ..with("ann", &token, Seq::ZERO) })).await;
    assert!(matches!(back, Ok(Response::Welcome(welcome)) if welcome.resumed));
}

/// Comes with what it knows of lives, and gives its life and what was put back.
async fn come_back(
    host: &TestServer,
    (hello, lives): (Hello, &mut Lives),
) -> (TestClient, bool, Option<Seq>) {
    let mut guest = TestClient::connect(host.address).await;
    match guest.ask(Request::ComeBack { hello, lives: lives.clone() }).await {
        Ok(Response::WelcomeInLife { welcome, lives: told, put_back }) => {
            *lives = told;
            (guest, welcome.resumed, put_back)
        }
        other => panic!("not welcome: {other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_was_put_back_says_so_and_tells_what_was_said_since() {
    let files = |from: &std::path::Path, to: &std::path::Path| {
        for file in std::fs::read_dir(from).expect("a directory") {
            let file = file.expect("a file");
            std::fs::copy(file.path(), to.join(file.file_name())).expect("copied");
        }
    };
    let [directory, copy] = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let host = TestServer::keeping_in(directory.path(), Config::default()).await;
    let (mut ann_lives, mut bob_lives) = (Lives::default(), Lives::default());
    let (bob_token, ann_token) = (Token([1; 32]), Token([2; 32]));
    let (ann, ..) = come_back(&host, (with("ann", &ann_token, Seq::FIRST), &mut ann_lives)).await;
    let (bob, ..) = come_back(&host, (with("bob", &bob_token, Seq::FIRST), &mut bob_lives)).await;
    drop((ann, bob));
    host.stop().await.expect("stopped");
    files(directory.path(), copy.path());

    let host = TestServer::keeping_in(directory.path(), Config::default()).await;
    let (mut ann, ..) =
        come_back(&host, (with("ann", &ann_token, Seq::FIRST), &mut ann_lives)).await;
    let (mut bob, ..) =
        come_back(&host, (with("bob", &bob_token, Seq::FIRST), &mut bob_lives)).await;
    for number in 0..40 {
        ann.do_(public("General", number, "soon forgotten")).await;
    }
    let mut seen = Seq::FIRST;
    while !matches!(bob.hear().await, Notification::GroupPost { post, .. }
        if { seen = post.seq; post.id == integration_tests::test_client::post_id(39) })
    {}
    drop((ann, bob));
    host.stop().await.expect("stopped");

    // Ann says less than was said before, so that Bob has seen places that do not exist yet.
    let host = TestServer::keeping_in(copy.path(), Config::default()).await;
    let (mut ann, resumed, put_back) =
        come_back(&host, (with("ann", &ann_token, seen), &mut ann_lives)).await;
    assert!(resumed && put_back.is_some_and(|to| to < seen), "{put_back:?}");
    while !matches!(ann.hear().await, Notification::CaughtUp { .. }) {}
    for number in 100..105 {
        ann.do_(public("General", number, &format!("new {number}"))).await;
    }
    ann.do_(private("bob", 105, "psst")).await;
    let (mut bob, resumed, put_back) =
        come_back(&host, (with("bob", &bob_token, seen), &mut bob_lives)).await;
    assert!(resumed && put_back.is_some_and(|to| to < seen), "{put_back:?}");
    let mut heard = Vec::new();
    while heard.last().is_none_or(|last| last != "caught up") {
        heard.push(shown(bob.frame().await.expect("it goes on")));
    }
    heard.retain(|heard| !heard.starts_with("Arrived"));
    assert_eq!(heard, ["new 100", "new 101", "new 102", "new 103", "new 104", "psst", "caught up"]);
    // Said once: it is the same life from now on.
    drop(bob);
    let (_, _, put_back) = come_back(
        &host,
        (with("bob", &bob_token, ann.welcome().map_or(Seq::FIRST, |w| w.seq)), &mut bob_lives),
    )
    .await;
    assert_eq!(put_back, None);
}

#[tokio::test]
async fn more_lives_than_a_client_may_tell_of_are_invalid() {
    let lives = (0..=LIVES_TOLD_MAX as u64).map(|id| Life { id, began: Seq(id) });
    assert!(Lives::try_from(lives.collect::<Vec<_>>()).is_err());
}
