//! What was said while one was away, and what is read back: against a server that says what the
//! scene says.

use chatroom_proto::codec::{FRAME_BYTES_MAX, FrameReader, FrameWriter};
use chatroom_proto::{
    ArchivedPost, ClientFrame, Conversation, Membership, Notification, Page, Post, Refusal,
    Request, Response, Retention, Seq, ServerFrame, Token, UnixMillis, Welcome,
};
use integration_tests::piped::Piped;
use integration_tests::program::Home;
use integration_tests::terminal::{Key, Terminal};
use integration_tests::test_client::{body, group, post_id, user};
use tokio::net::TcpListener;
use tokio::net::tcp::OwnedWriteHalf;

/// 2001-09-09T01:46:40Z
const LONG_AGO: UnixMillis = UnixMillis(1_000_000_000_000);

fn post(seq: u64, prev: u64, text: &str) -> Post {
    let (id, seq, prev) = (post_id(seq), Seq(seq), Seq(prev));
    Post { seq, prev, at: LONG_AGO, id, from: user("Ann"), body: body(text) }
}

fn in_general(seq: u64, prev: u64, text: &str) -> ServerFrame {
    let said = Notification::GroupPost { post: post(seq, prev, text), group: group("General") };
    ServerFrame::Notification(said)
}

fn welcome(resumed: bool) -> Welcome {
    let membership = |name, head| Membership { group: group(name), head: Seq(head) };
    Welcome {
        version: 1,
        name: user("Jim"),
        token: Token([7; 32]),
        resumed,
        grace_ms: 30_000,
        seq: Seq(if resumed { 100 } else { 10 }),
        groups: Page::fill([membership("General", if resumed { 60 } else { 10 })]),
        retention: Retention::Days(30),
    }
}

/// A server of one client at a time, which was away for sixty messages when it comes with a token.
async fn keeping_server() -> u16 {
    let socket = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let port = socket.local_addr().expect("it has an address").port();
    tokio::spawn(async move {
        loop {
            let (read, write) = socket.accept().await.expect("somebody comes").0.into_split();
            let mut frames = FrameReader::<_, ClientFrame>::new(read, FRAME_BYTES_MAX);
            let mut writer = FrameWriter::new(write);
            while let Some(Ok(frame)) = frames.next().await {
                answer(frame, &mut writer).await;
            }
        }
    });
    port
}

async fn answer(
    ClientFrame { tag, request }: ClientFrame,
    writer: &mut FrameWriter<OwnedWriteHalf, ServerFrame>,
) {
    let mut again = Vec::new();
    let result = match request {
        Request::Hello(hello) => {
            let resumed = hello.seen > Seq::FIRST;
            if resumed {
                assert_eq!(hello.seen, Seq(10));
                again.extend(
                    (11..=60).map(|seq| in_general(seq, seq - 1, &format!("number {seq}"))),
                );
                again.extend((61..=62).map(|seq| {
                    let said = post(seq, if seq == 61 { 0 } else { 61 }, "psst");
                    ServerFrame::Notification(Notification::PrivatePost {
                        post: said,
                        to: user("Jim"),
                    })
                }));
                again.push(ServerFrame::Notification(Notification::CaughtUp { seq: Seq(100) }));
            }
            Ok(Response::Welcome(welcome(resumed)))
        }
        Request::Join { group } => {
            Ok(Response::Joined { seq: Seq(101), membership: Membership { group, head: Seq(9) } })
        }
        Request::History { of, before, count } => {
            // Three a page, of ten.
            let newest = if before == Seq::ZERO { 10 } else { before.0 - 1 };
            let oldest = newest.saturating_sub(u64::from(count).min(3) - 1).max(1);
            let said = |seq: u64| ArchivedPost {
                place: of.clone(),
                post: post(seq, seq - 1, &format!("page {seq}")),
            };
            let posts = Page::fill((oldest..=newest).rev().map(said));
            Ok(Response::Past { posts, next: (oldest > 1).then_some(Seq(oldest)) })
        }
        Request::Search { words, within, .. } => {
            assert_eq!((words.as_str(), within), ("green tea", Some(group("General"))));
            let place = Conversation::User(user("Ann"));
            let mut own = post(3, 2, "I like green tea");
            own.from = user("Jim");
            let posts = Page::fill([ArchivedPost { place, post: own }]);
            Ok(Response::Past { posts, next: None })
        }
        Request::Private { to, .. } => Ok(Response::Kept { seq: Seq(102), at: LONG_AGO, to }),
        Request::Exit => Ok(Response::Goodbye),
        Request::Ping => Ok(Response::Pong),
        _ => Err(Refusal::TookTooLong),
    };
    let frames = [ServerFrame::Response { tag, result }].into_iter().chain(again);
    for frame in frames {
        // One who was killed hears nothing.
        let _ = writer.feed(frame).await;
    }
    let _ = writer.flush().await;
}

// With a thread for the server: this one waits for the screen.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_who_comes_back_is_shown_what_was_missed_and_how_to_get_the_rest() {
    let (port, home) = (keeping_server().await.to_string(), Home::new());
    let arguments = ["127.0.0.1", &port, "Jim"];
    let mut first = Terminal::chatroom(&arguments, &home);
    first.wait_for_line("Earlier messages: history General (kept for 30 days)");
    first.wait_for("a line to type in", |screen| {
        screen.is_typing() && screen.before_cursor.is_empty()
    });
    first.press(Key::Control('d'));
    assert_eq!(first.wait_exit().code, 0);

    let again = Terminal::chatroom(&arguments, &home);
    let screen = again.wait_for("what was missed", |screen| {
        screen.lines.iter().any(|line| line.ends_with("] Private message from Ann: psst"))
    });
    let new: Vec<_> =
        screen.lines_beginning("--- ").iter().map(|line| (*line).to_owned()).collect();
    assert!(new.len() == 1 && new[0].starts_with("--- 52 new since "), "{screen}");
    assert!(
        screen.has("These are the newest 50. For more: history [group-name|@username] [count]"),
        "{screen}"
    );
    let missed: Vec<_> =
        screen.lines_beginning("[2001-09-0").iter().map(|line| (*line).to_owned()).collect();
    assert_eq!(missed.len(), 50, "{screen}");
    assert!(missed[0].ends_with("] In group General, Ann: number 13"), "{screen}");
    assert!(
        screen.lines_beginning("Earlier messages").is_empty(),
        "one who was here knows: {screen}"
    );
    assert!(!again.raw().contains(&7), "no bell");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_read_back_comes_in_as_many_pages_as_it_takes() {
    let port = keeping_server().await.to_string();
    let mut jim = Terminal::chatroom(&["127.0.0.1", &port, "Jim"], &Home::new());
    jim.wait_for_line("You joined the room 'General'");
    jim.type_line("history @Ann 8");
    let screen = jim.wait_for("the history", |screen| {
        screen.lines.iter().any(|line| line.ends_with("Private message from Ann: page 10"))
    });
    let read: Vec<_> =
        screen.lines_beginning("[2001-09-0").iter().map(|line| (*line).to_owned()).collect();
    assert_eq!(read.len(), 8, "{screen}");
    assert!(read[0].ends_with("] #3 Private message from Ann: page 3"), "{screen}");
    jim.type_line("search green tea in General");
    jim.wait_for("what was found", |screen| {
        screen.lines.iter().any(|line| line.ends_with("Private message to Ann: I like green tea"))
    });
    jim.type_line("join tea");
    jim.wait_for_line("Earlier messages: history tea (kept for 30 days)");
    jim.type_line("private Ann are you there?");
    jim.wait_for_line("Ann is away. Your message is kept, and shown when Ann is back.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_program_gets_what_it_missed_one_event_a_line_with_the_whole_time() {
    let (port, home) = (keeping_server().await.to_string(), Home::new());
    let welcome = "Connected to the server!\nYou joined the room 'General'\n";
    let first = Piped::run_at(&home, &["127.0.0.1", &port, "Jim"]).finish();
    assert_eq!((first.output.as_str(), first.diagnostics.as_str()), (welcome, ""));
    let mut again = Piped::run_at(&home, &["127.0.0.1", &port, "Jim"]);
    again.say("history General 1");
    again.say("join tea");
    let finished = again.finish();
    let lines: Vec<_> = finished.output.lines().skip(2).collect();
    assert_eq!(lines.len(), 52 + 2, "{}", finished.output);
    assert_eq!(lines[0], "[2001-09-09T01:46:40.000Z] In group General, Ann: number 11");
    assert_eq!(lines[51], "[2001-09-09T01:46:40.000Z] Private message from Ann: psst");
    assert_eq!(lines[52], "[2001-09-09T01:46:40.000Z] In group General, Ann: page 10");
    assert_eq!(lines[53], "You have joined in group chat 'tea' successfully!");
    assert_eq!(finished.diagnostics, "");
}
