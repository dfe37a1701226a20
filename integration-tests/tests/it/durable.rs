//! Accepted means kept: servers that are killed, and started again on what they have kept.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use chatroom_proto::{
    CloseReason, Conversation, Hello, Notification, PostId, Proof, Request, Response, SearchQuery,
    Seq, ServerFrame, Tag, Welcome,
};
use chatroom_server::chat::entry::{Command, Entry};
use chatroom_server::storage::log::{Durability, Log, LogError, SqliteLog};
use chatroom_server::{Config, Server};
use futures_util::StreamExt;
use integration_tests::process::Exit;
use integration_tests::program::{BUSY, Home, ServerProgram};
use integration_tests::test_client::{DEADLINE, TestClient, group, hello, post_id, public, user};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::time;
use tokio_util::sync::CancellationToken;

/// A place to keep things, gone with the test.
fn data() -> TempDir {
    TempDir::with_prefix("chatroom-data-").expect("a temporary directory can be made")
}

fn start(data: &TempDir) -> ServerProgram {
    let path = data.path().to_str().expect("a path that is text");
    ServerProgram::start_with(&[&BUSY[..], &["--data", path]].concat())
}

/// Everything that a log has kept, read as a server would.
async fn kept(directory: &Path) -> Result<Vec<Entry>, LogError> {
    // A program that another scene starts just now has our lock, too, until it is itself.
    let open = async {
        loop {
            match SqliteLog::open(directory, Durability::Full) {
                Err(LogError::Storage { doing, .. }) if doing.starts_with("can't lock") => {
                    tokio::task::yield_now().await;
                }
                opened => return opened,
            }
        }
    };
    let log = time::timeout(DEADLINE, open).await.expect("nobody uses it")?;
    let head = log.head();
    let mut entries: Vec<Entry> = Vec::new();
    let mut batches = log.follow(Seq::ZERO);
    while entries.last().map_or(Seq::ZERO, |entry| entry.seq) < head {
        let batch = batches.next().await.expect("a log never ends")?;
        entries.extend(batch.iter().map(|entry| Entry::clone(entry)));
    }
    Ok(entries)
}

/// The posts among these, with their places.
fn posts(entries: &[Entry]) -> Vec<(PostId, Seq)> {
    let post = |entry: &Entry| match &entry.proposal.command {
        Command::Post { id, .. } => Some((*id, entry.seq)),
        _ => None,
    };
    entries.iter().filter_map(post).collect()
}

#[tokio::test]
async fn a_server_that_was_killed_knows_everything_and_nobody_notices() {
    let data = data();
    let server = start(&data);
    let (mut jim, welcome) = TestClient::come_with(server.address(), hello("jim")).await;
    let (mut ann, ann_welcome) = TestClient::come_with(server.address(), hello("ann")).await;
    assert!(matches!(jim.hear().await, Notification::Arrived { .. }));
    jim.do_(Request::Create { group: group("tea") }).await;
    jim.do_(Request::Join { group: group("tea") }).await;
    ann.do_(Request::Join { group: group("tea") }).await;
    assert!(matches!(jim.hear().await, Notification::Joined { .. }));
    let Response::Posted { seq, .. } = jim.do_(public("tea", 1, "kept")).await else {
        panic!("not posted")
    };
    tokio::task::spawn_blocking(move || server.kill()).await.expect("killed");

    let server = start(&data);
    // Both have seen what came before the post, and not the post.
    let back = |name: &str, welcome: Welcome| Hello {
        proof: Proof::Resume(welcome.token),
        seen: Seq(seq.0 - 1),
        ..hello(name)
    };
    let (mut jim, jim_back) = TestClient::come_with(server.address(), back("jim", welcome)).await;
    let (mut ann, ann_back) =
        TestClient::come_with(server.address(), back("ann", ann_welcome)).await;
    for welcome in [&jim_back, &ann_back] {
        assert!(welcome.resumed);
        let groups: Vec<&str> =
            welcome.groups.as_slice().iter().map(|member| member.group.as_str()).collect();
        assert_eq!(groups, ["General", "tea"]);
        assert_eq!(welcome.groups.as_slice()[1].head, seq);
    }
    let again = jim.do_(public("tea", 1, "kept")).await;
    assert!(
        matches!(again, Response::Posted { seq: first, .. } if first == seq),
        "once: {again:?}"
    );
    jim.do_(public("tea", 2, "new")).await;
    assert!(
        matches!(ann.hear().await, Notification::GroupPost { post, .. } if post.seq == seq),
        "not heard before"
    );
    assert!(matches!(ann.hear().await, Notification::CaughtUp { .. }));
    match ann.hear().await {
        Notification::GroupPost { post, .. } => {
            assert_eq!(
                (post.body.as_str(), post.prev),
                ("new", seq),
                "nothing about an absence, and no post twice"
            );
        }
        other => panic!("not the new post: {other:?}"),
    }
    let Response::Users { users, .. } = ann.do_(Request::Users { after: Seq::ZERO }).await else {
        panic!("no list")
    };
    assert_eq!(users.as_slice(), [user("jim"), user("ann")]);
}

/// Posts under way at a time, so that the server is killed in the middle of some.
const UNDER_WAY: u32 = 16;

/// Says things from this number on, as fast as they are answered, and kills the server after so
/// many answers. Returns where each acknowledged post was put, by its number.
async fn speak_until_killed(
    server: ServerProgram,
    name: &str,
    first: u32,
    answers: usize,
) -> BTreeMap<u32, Seq> {
    let mut speaker = TestClient::come(server.address(), name).await;
    let mut acknowledged = BTreeMap::new();
    let mut said = first;
    while said < first + UNDER_WAY {
        speaker.try_say_with(Tag(said), public("General", said.into(), "kept")).await;
        said += 1;
    }
    let mut server = Some(server);
    while let Some(frame) = speaker.try_frame().await {
        let ServerFrame::Response { tag, result } = frame else { continue };
        let Ok(Response::Posted { seq, .. }) = result else { panic!("not posted: {result:?}") };
        acknowledged.insert(tag.0, seq);
        speaker.try_say_with(Tag(said), public("General", said.into(), "kept")).await;
        said += 1;
        if acknowledged.len() == answers
            && let Some(server) = server.take()
        {
            tokio::task::spawn_blocking(move || server.kill()).await.expect("killed");
        }
    }
    acknowledged
}

#[tokio::test]
async fn every_post_that_was_acknowledged_is_kept_once_at_its_place_whenever_the_server_is_killed()
{
    let data = data();
    let mut acknowledged = BTreeMap::new();
    for round in 1..=6_u32 {
        let server = start(&data);
        // The names of the rounds before are still held.
        let name = format!("speaker{round}");
        acknowledged
            .extend(speak_until_killed(server, &name, round * 10_000, 37 * round as usize).await);
    }
    let kept = posts(&kept(data.path()).await.expect("a log that can be read"));
    for (number, seq) in &acknowledged {
        let places: Vec<Seq> = kept
            .iter()
            .filter(|(id, _)| *id == post_id((*number).into()))
            .map(|(_, seq)| *seq)
            .collect();
        assert_eq!(places, [*seq], "post {number}");
    }
    assert!(acknowledged.len() >= 37 * 21, "it was a test: {}", acknowledged.len());
}

#[tokio::test]
async fn one_directory_serves_one_server() {
    let data = data();
    let server = start(&data);
    let said = ServerProgram::fail_with(&["--data", data.path().to_str().expect("text")]);
    assert_eq!(said.exit, Exit::Code(1));
    assert!(said.diagnostics.contains("another server is using it"), "{}", said.diagnostics);
    TestClient::come(server.address(), "jim").await.do_(Request::Ping).await;
}

#[tokio::test]
async fn files_that_are_not_ours_or_damaged_are_refused_and_left_alone() {
    let foreign = data();
    fs::write(
        foreign.path().join("log.sqlite"),
        "certainly no database, but quite long enough to be looked at as one",
    )
    .expect("a file");
    let said = ServerProgram::fail_with(&["--data", foreign.path().to_str().expect("text")]);
    assert_eq!(said.exit, Exit::Code(1));
    assert!(said.diagnostics.contains("can't open the log"), "{}", said.diagnostics);

    let damaged = data();
    let server = start(&damaged);
    let mut jim = TestClient::come(server.address(), "jim").await;
    for number in 0..50 {
        jim.do_(public("General", number, "find-me-in-the-file")).await;
    }
    drop(jim);
    let stopped = tokio::task::spawn_blocking(move || server.stop()).await.expect("stopped");
    assert_eq!(stopped.exit, Exit::Code(0), "{}", stopped.diagnostics);
    let path = damaged.path().join("log.sqlite");
    let bytes = fs::read(&path).expect("a log");
    let text = b"find-me-in-the-file";
    let file = OpenOptions::new().write(true).open(&path).expect("a file");
    // Everywhere: some of these places are only remains of pages that were rearranged.
    for (place, _) in bytes.windows(text.len()).enumerate().filter(|(_, window)| *window == text) {
        file.write_all_at(b"X", place as u64).expect("written");
    }
    let arguments = ["--data", damaged.path().to_str().expect("text")];
    let said = ServerProgram::run(&Home::new(), &["verify", arguments[0], arguments[1]]);
    assert_eq!(said.exit, Exit::Code(1));
    assert!(said.diagnostics.contains("the log is damaged"), "{}", said.diagnostics);
    // A restart reads only what came after the newest snapshot; without the archive, it has to read
    // everything.
    for name in ["archive.sqlite", "archive.sqlite-wal", "archive.sqlite-shm"] {
        let _ = fs::remove_file(damaged.path().join(name));
    }
    let said = ServerProgram::fail_with(&arguments);
    assert_eq!(said.exit, Exit::Code(1));
    assert!(said.diagnostics.contains("the log is damaged"), "{}", said.diagnostics);
}

#[tokio::test]
async fn a_log_that_has_lost_its_end_is_refused() {
    let data = data();
    let server = start(&data);
    let mut jim = TestClient::come(server.address(), "jim").await;
    for number in 0..200 {
        jim.do_(public("General", number, "some text that makes the file longer")).await;
    }
    // The answer comes from the archive, which has seen everything then.
    let of = Conversation::Group(group("General"));
    jim.do_(Request::History { of, before: Seq::ZERO, count: 1 }).await;
    tokio::task::spawn_blocking(move || server.kill()).await.expect("killed");
    let wal = data.path().join("log.sqlite-wal");
    let bytes = fs::metadata(&wal).expect("a write-ahead log").len();
    OpenOptions::new().write(true).open(&wal).expect("a file").set_len(bytes * 2 / 3).expect("cut");

    let arguments = ["--data", data.path().to_str().expect("text")];
    let said = ServerProgram::fail_with(&arguments);
    assert_eq!(said.exit, Exit::Code(1));
    assert!(said.diagnostics.contains("the log has lost its end"), "{}", said.diagnostics);
    // Where that may happen, it is what was asked for.
    let server = ServerProgram::start_with(&[arguments[0], arguments[1], "--durability", "normal"]);
    TestClient::come(server.address(), "ann").await.do_(Request::Ping).await;
}

#[tokio::test]
async fn a_torn_end_is_recovered_to_a_whole_beginning() {
    let data = data();
    let server = start(&data);
    let mut jim = TestClient::come(server.address(), "jim").await;
    for number in 0..200 {
        jim.do_(public("General", number, "some text that makes the file longer")).await;
    }
    tokio::task::spawn_blocking(move || server.kill()).await.expect("killed");
    let whole = kept_of_copy(data.path(), None).await.expect("whole");
    assert_eq!(posts(&whole).len(), 200);

    let wal = fs::read(data.path().join("log.sqlite-wal")).expect("a write-ahead log");
    for cut in (0..wal.len()).step_by(wal.len() / 23) {
        match kept_of_copy(data.path(), Some(&wal[..cut])).await {
            Ok(entries) => {
                assert_eq!(
                    entries,
                    whole[..entries.len()],
                    "cut at {cut}: a beginning, and nothing else"
                );
            }
            Err(error) => assert!(cut < 8_192, "cut at {cut}: {error}"),
        }
    }
}

/// What is kept in a copy of a directory, with another write-ahead log.
async fn kept_of_copy(directory: &Path, wal: Option<&[u8]>) -> Result<Vec<Entry>, LogError> {
    let copy = data();
    for name in ["log.sqlite", "log.sqlite-wal"] {
        fs::copy(directory.join(name), copy.path().join(name)).expect("copied");
    }
    if let Some(wal) = wal {
        fs::write(copy.path().join("log.sqlite-wal"), wal).expect("written");
    }
    kept(copy.path()).await
}

#[tokio::test]
async fn a_full_disk_ends_the_server_with_a_clear_error_and_everything_acknowledged_is_kept() {
    let data = data();
    let arguments = [&BUSY[..], &["--data", data.path().to_str().expect("text")]].concat();
    let server =
        ServerProgram::start_with_room_for(2_048, &arguments).expect("there is room to begin");
    let mut jim = TestClient::come(server.address(), "jim").await;
    let text = "x".repeat(7_000);
    let mut acknowledged = Vec::new();
    for number in 0.. {
        jim.try_say_with(Tag(number), public("General", number.into(), &text)).await;
        let Some(frame) = jim.try_frame().await else { break };
        match frame {
            ServerFrame::Response { result: Ok(Response::Posted { seq, .. }), .. } => {
                acknowledged.push((post_id(number.into()), seq));
            }
            ServerFrame::Notification(Notification::Closing(CloseReason::Failed)) => break,
            other => panic!("not posted: {other:?}"),
        }
    }
    let ended = tokio::task::spawn_blocking(move || server.wait()).await.expect("ended");
    assert_eq!(ended.exit, Exit::Code(1));
    assert!(ended.diagnostics.contains("can't write the log"), "{}", ended.diagnostics);
    assert!(acknowledged.len() > 20, "there was room for some: {}", acknowledged.len());

    let full = ServerProgram::start_with_room_for(0, &arguments);
    let said = full.expect_err("nothing can be written");
    assert!(said.contains("is the disk full"), "{said}");

    let kept = posts(&kept(data.path()).await.expect("a log that can be read"));
    assert!(kept.starts_with(&acknowledged), "{} of {}", kept.len(), acknowledged.len());
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_while_it_restores_begins_nothing() {
    let data = data();
    let server = start(&data);
    TestClient::come(server.address(), "jim").await.do_(public("General", 1, "kept")).await;
    tokio::task::spawn_blocking(move || server.kill()).await.expect("killed");
    let log = Arc::new(SqliteLog::open(data.path(), Durability::Full).expect("a log"));
    let before = log.head();
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    let server = Server::open(Arc::<SqliteLog>::clone(&log), None, Config::default(), shutdown);
    let server = server.await.expect("nothing is wrong with that");
    let socket = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    server.run(vec![socket]).await.expect("it ends");
    drop(log);
    let entries = kept(data.path()).await.expect("a log that can be read");
    assert_eq!(entries.last().map(|entry| entry.seq), Some(before), "nothing has begun");
}

#[tokio::test]
async fn a_server_whose_archive_can_not_go_on_ends_with_a_clear_error() {
    let data = data();
    let server = start(&data);
    let mut jim = TestClient::come(server.address(), "jim").await;
    let of = || Conversation::Group(group("General"));
    jim.do_(public("General", 1, "kept")).await;
    // Its rows are read, and then its index, which is made of them afterwards: the archive has
    // nothing to do.
    jim.do_(Request::History { of: of(), before: Seq::ZERO, count: 1 }).await;
    let words = SearchQuery::parse("kept").expect("a word");
    jim.do_(Request::Search { words, within: None, before: Seq::ZERO, count: 1 }).await;
    // The log is well; the archive loses the table that it writes.
    let archive =
        rusqlite::Connection::open(data.path().join("archive.sqlite")).expect("a database");
    archive.execute_batch("DROP TABLE posts").expect("dropped");
    drop(archive);
    jim.do_(public("General", 2, "kept, too")).await;
    let ended = tokio::task::spawn_blocking(move || server.wait()).await.expect("ended");
    assert_eq!(ended.exit, Exit::Code(1));
    assert!(ended.diagnostics.contains("the archive has stopped"), "{}", ended.diagnostics);
    assert_eq!(posts(&kept(data.path()).await.expect("a log that can be read")).len(), 2);
}
