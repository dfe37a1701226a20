//! One way back: whoever was away, for whatever reason, hears everything once and in order, and
//! then goes on.

use chatroom_proto::{
    CloseReason, Conversation, Hello, Notification, Proof, Request, Response, Seq, ServerFrame,
    Tag, Token, Welcome,
};
use chatroom_server::Config;
use integration_tests::test_client::{
    DEADLINE, TestClient, group, hello, post_id, private, public,
};
use integration_tests::test_server::TestServer;
use tokio::time;

/// What somebody presents who comes back.
fn back(name: &str, token: &Token, seen: Seq) -> Hello {
    Hello { proof: Proof::Resume(token.clone()), seen, ..hello(name) }
}

/// One who reads what is said in General, over as many connections as it takes.
struct Reader {
    name: String,
    token: Token,
    seen: Seq,
    /// What it has read: the numbers that the posts' ids were made from.
    read: Vec<u64>,
}

impl Reader {
    fn new(name: &str, welcome: &Welcome) -> Reader {
        Reader {
            name: name.to_owned(),
            token: welcome.token.clone(),
            seen: welcome.seq,
            read: Vec::new(),
        }
    }

    async fn come_back(&self, host: &TestServer) -> (TestClient, Welcome) {
        TestClient::come_with(host.address, back(&self.name, &self.token, self.seen)).await
    }

    /// Takes in one frame; the reason, when it was the last.
    fn take(&mut self, frame: Option<ServerFrame>) -> Option<Option<CloseReason>> {
        match frame {
            Some(ServerFrame::Notification(Notification::GroupPost { post, .. })) => {
                assert!(
                    post.seq > self.seen,
                    "{}: {} comes after {}",
                    self.name,
                    post.seq,
                    self.seen
                );
                self.seen = post.seq;
                self.read
                    .push(u64::from_be_bytes(post.id.0[8..].try_into().expect("half of an id")));
                None
            }
            Some(ServerFrame::Notification(Notification::Closing(reason))) => Some(Some(reason)),
            Some(_) => None,
            None => Some(None),
        }
    }

    async fn read_until(&mut self, guest: &mut TestClient, last: u64) {
        while self.read.last() != Some(&last) {
            let ended = self.take(guest.frame().await);
            assert_eq!(ended, None, "{} is hung up on after {:?}", self.name, self.read.last());
        }
    }
}

#[tokio::test]
async fn readers_who_are_cut_again_and_again_while_others_speak_hear_everything_once_and_in_order()
{
    const READERS: usize = 8;
    const POSTS: u64 = 400;
    let host = TestServer::keeping(Config::default()).await;
    let mut readers = Vec::new();
    for number in 0..READERS {
        let name = format!("reader{number}");
        let (guest, welcome) = TestClient::come_with(host.address, hello(&name)).await;
        readers.push((Reader::new(&name, &welcome), guest));
    }
    let mut speaker = host.guest("speaker").await;
    for number in 1..=POSTS {
        speaker.do_(public("General", number, "said")).await;
        let (reader, guest) = &mut readers[number as usize % READERS];
        // Whatever is on its way to this one is lost, but for a few frames.
        for _ in 0..number % 4 {
            let _ = reader.take(guest.frame().await);
        }
        *guest = reader.come_back(&host).await.0;
    }
    let everything: Vec<u64> = (1..=POSTS).collect();
    for (reader, guest) in &mut readers {
        reader.read_until(guest, POSTS).await;
        assert_eq!(reader.read, everything, "{}", reader.name);
    }
}

#[tokio::test]
async fn a_reader_who_is_too_slow_is_hung_up_on_and_loses_nothing() {
    /// 5.6 MB: more than the kernel and an outbox hold.
    const POSTS: u64 = 700;
    let config = Config { outbox_bytes_max: 256 * 1024, ..Config::default() };
    let host = TestServer::keeping(config).await;
    let mut slow = TestClient::come_with_small_ears(host.address, "slow").await;
    let welcome = slow.welcome().expect("it was let in").clone();
    let mut reader = Reader::new("slow", &welcome);
    let mut speaker = host.guest("speaker").await;
    let text = "x".repeat(8_000);
    for number in 1..=POSTS {
        speaker.do_(public("General", number, &text)).await;
    }
    let reason = loop {
        if let Some(reason) = reader.take(slow.try_frame().await) {
            break reason;
        }
    };
    assert_eq!(reason, Some(CloseReason::TooSlow));
    assert!(reader.read.len() < POSTS as usize, "it was too slow");
    let (mut again, welcome) = reader.come_back(&host).await;
    assert!(welcome.resumed);
    reader.read_until(&mut again, POSTS).await;
    assert_eq!(reader.read, (1..=POSTS).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_happens_while_one_catches_up_comes_behind_it() {
    const MISSED: u64 = 1_500;
    const LIVE: u64 = 300;
    let host = TestServer::keeping(Config::default()).await;
    let (gone, welcome) = TestClient::come_with(host.address, hello("ann")).await;
    let mut reader = Reader::new("ann", &welcome);
    drop(gone);
    let mut speaker = host.guest("speaker").await;
    for number in 1..=MISSED {
        speaker.do_(public("General", number, "missed")).await;
    }
    let (mut ann, welcome) = reader.come_back(&host).await;
    for number in MISSED + 1..=MISSED + LIVE {
        speaker.do_(public("General", number, "live")).await;
    }
    let mut caught_up = None;
    while reader.read.last() != Some(&(MISSED + LIVE)) {
        let frame = ann.frame().await;
        if let Some(ServerFrame::Notification(Notification::CaughtUp { seq })) = &frame {
            assert_eq!(caught_up.replace(*seq), None, "once");
            assert_eq!(
                reader.read.len(),
                MISSED as usize,
                "behind all that was missed, before all that is live"
            );
        }
        assert_eq!(reader.take(frame), None);
    }
    assert_eq!(caught_up, Some(welcome.seq));
    assert_eq!(reader.read, (1..=MISSED + LIVE).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_who_does_not_know_what_it_has_seen_hears_what_was_said_since_it_was_lost() {
    let host = TestServer::keeping(Config::default()).await;
    let mut speaker = host.guest("speaker").await;
    let (mut ann, welcome) = TestClient::come_with(host.address, hello("ann")).await;
    speaker.do_(public("General", 1, "heard")).await;
    ann.do_(Request::Exit).await;
    drop(ann);
    speaker.do_(private("ann", 2, "for you")).await;
    let (mut ann, _) =
        TestClient::come_with(host.address, back("ann", &welcome.token, Seq::ZERO)).await;
    match ann.hear().await {
        Notification::PrivatePost { post, .. } => assert_eq!(post.id, post_id(2)),
        other => panic!("not what was kept: {other:?}"),
    }
    assert!(matches!(ann.hear().await, Notification::CaughtUp { .. }));
}

#[tokio::test]
async fn a_history_of_the_longest_messages_is_read_page_by_page() {
    const POSTS: u64 = 20;
    let host = TestServer::keeping(Config::default()).await;
    let mut ann = host.guest("ann").await;
    for number in 1..=POSTS {
        ann.do_(public("General", number, &"\u{1F980}".repeat(2_000))).await;
    }
    let mut read = Vec::new();
    let mut before = Seq::ZERO;
    let mut pages = 0;
    loop {
        let of = Conversation::Group(group("General"));
        let Response::Past { posts, next } =
            ann.do_(Request::History { of, before, count: 400 }).await
        else {
            panic!("no page")
        };
        pages += 1;
        read.extend(posts.into_vec().into_iter().map(|said| said.post.id));
        match next {
            Some(next) => before = next,
            None => break,
        }
    }
    assert_eq!(read, (1..=POSTS).rev().map(post_id).collect::<Vec<_>>());
    assert!(pages > 2, "they don't fit into one frame");
}

#[tokio::test]
async fn what_is_kept_for_somebody_outlives_the_server() {
    let directory = tempfile::tempdir().expect("a directory");
    let host = TestServer::keeping_in(directory.path(), Config::default()).await;
    let (mut ann, welcome) = TestClient::come_with(host.address, hello("ann")).await;
    ann.do_(Request::Create { group: group("tea") }).await;
    ann.do_(Request::Join { group: group("tea") }).await;
    ann.do_(Request::Exit).await;
    let mut jim = host.guest("jim").await;
    jim.do_(Request::Join { group: group("tea") }).await;
    jim.do_(public("tea", 1, "anybody?")).await;
    let kept = jim.do_(private("ann", 2, "for you")).await;
    assert!(matches!(kept, Response::Kept { .. }), "{kept:?}");
    time::timeout(DEADLINE, host.stop()).await.expect("in time").expect("stopped");

    let host = TestServer::keeping_in(directory.path(), Config::default()).await;
    let (mut ann, again) =
        TestClient::come_with(host.address, back("ann", &welcome.token, welcome.seq)).await;
    assert!(again.resumed);
    let groups: Vec<&str> =
        again.groups.as_slice().iter().map(|member| member.group.as_str()).collect();
    assert_eq!(groups, ["General", "tea"]);
    for number in [1, 2] {
        match ann.hear().await {
            Notification::GroupPost { post, .. } | Notification::PrivatePost { post, .. } => {
                assert_eq!(post.id, post_id(number));
            }
            other => panic!("not a post: {other:?}"),
        }
    }
    assert!(matches!(ann.hear().await, Notification::CaughtUp { .. }));
}

#[tokio::test]
async fn requests_without_answers_come_to_the_same_when_they_are_sent_again() {
    let host = TestServer::keeping(Config::default()).await;
    let (mut ann, welcome) = TestClient::come_with(host.address, hello("ann")).await;
    ann.do_(Request::Create { group: group("tea") }).await;
    let (join, leave) =
        (Request::Join { group: group("tea") }, Request::Leave { group: group("tea") });
    // What is refused the first time would be granted the second time, if only the others were
    // recognized.
    let requests = [&join, &join, &leave, &leave, &join];
    let mut answers = Vec::new();
    for _ in 0..2 {
        for (tag, request) in (100..).map(Tag).zip(requests) {
            ann.say_with(tag, request.clone()).await;
        }
        let mut now = Vec::new();
        while now.len() < requests.len() {
            match ann.frame().await {
                Some(ServerFrame::Response { tag: Tag(100..), result }) => now.push(result),
                Some(_) => {}
                None => panic!("hung up on"),
            }
        }
        answers.push(now);
        ann = TestClient::come_with(host.address, back("ann", &welcome.token, welcome.seq)).await.0;
    }
    assert_eq!(answers[0], answers[1]);
    assert!(answers[0][1].is_err() && answers[0][3].is_err() && answers[0][4].is_ok());
    let again =
        TestClient::come_with(host.address, back("ann", &welcome.token, welcome.seq)).await.1;
    let groups: Vec<&str> =
        again.groups.as_slice().iter().map(|member| member.group.as_str()).collect();
    assert_eq!(groups, ["General", "tea"]);
}

#[tokio::test]
async fn a_message_kept_for_somebody_is_told_however_many_others_its_sender_writes_to() {
    /// More than one person's private conversations are followed.
    const OTHERS: u64 = 1_001;
    let host = TestServer::keeping(Config::default()).await;
    let (mut ann, welcome) = TestClient::come_with(host.address, hello("ann")).await;
    ann.do_(Request::Exit).await;
    let mut bot = host.guest("bot").await;
    bot.do_(private("ann", 0, "for you")).await;
    for number in 1..=OTHERS {
        let name = format!("u{number}");
        TestClient::come(host.address, &name).await.do_(Request::Exit).await;
        bot.do_(private(&name, number, "welcome")).await;
    }
    let (mut ann, _) =
        TestClient::come_with(host.address, back("ann", &welcome.token, welcome.seq)).await;
    match ann.hear().await {
        Notification::PrivatePost { post, .. } => assert_eq!(post.id, post_id(0)),
        other => panic!("not what was kept: {other:?}"),
    }
}
