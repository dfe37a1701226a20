//! What was said is taken back: who may, who hears of it, and that the text is nowhere then.

use std::fs;
use std::path::Path;

use chatroom_proto::{
    Conversation, Hello, Notification, Proof, Refusal, Request, Response, Retention, Seq, Tag,
    VersionRange, Welcome,
};
use chatroom_server::Config;
use chatroom_server::chat::Limits;
use integration_tests::dialogue::play;
use integration_tests::process::{DEADLINE, Exit};
use integration_tests::program::{BUSY, Home, ServerProgram, run_tool};
use integration_tests::stage::{Real, play_in_memory};
use integration_tests::test_client::{TestClient, group, hello, private, public};
use integration_tests::test_server::TestServer;
use tokio::time::timeout;

/// Plays on a server that keeps what is said: in memory, and with a log and an archive on disk.
async fn check(dialogue: &str) {
    play_in_memory(Limits { retention: Retention::Everything, ..Limits::default() }, dialogue);
    play(Real::new(TestServer::keeping(Config::default()).await), dialogue).await;
}

#[tokio::test]
async fn whoever_said_it_takes_it_back_also_when_muted_or_gone_and_all_who_read_there_hear_of_it() {
    check(
        "
        ann comes
        ann> create tea
        ann< created tea
        ann> join tea
        ann< joined tea
        jim comes
        ann< jim arrived in General
        jim> join tea
        jim< joined tea
        ann< jim joined tea
        zoe comes
        ann< zoe arrived in General
        jim< zoe arrived in General
        jim> public tea hunter2
        jim< posted
        ann< jim in tea: hunter2
        jim> public tea and tea
        jim< posted
        ann< jim in tea: and tea
        jim> delete 1
        jim< deleted
        ann< jim deletes in tea: a post of jim
        # zoe is not in tea, and heard nothing.
        jim> history tea
        jim< past: jim in tea: and tea, jim said what jim deleted
        ann> search hunter2
        ann< past: nothing
        ann> search tea
        ann< past: jim in tea: and tea
        jim> delete 1
        jim< refused: jim has deleted it
        ann> mute tea jim
        ann< done in tea
        jim< ann does in tea: mute jim
        jim> leave tea
        jim< left tea
        ann< jim left tea
        jim> delete 2
        jim< deleted
        ann< jim deletes in tea: a post of jim
        ann> history tea
        ann< past: jim said what jim deleted, jim said what jim deleted
        ann> why tea
        ann< done in tea: jim: delete of jim, ann: mute jim, jim: delete of jim
        ",
    )
    .await;
}

#[tokio::test]
async fn who_keeps_order_takes_back_what_those_below_have_said_and_nobody_else_does() {
    check(
        "
        ann comes
        ann> create tea
        ann< created tea
        ann> join tea
        ann< joined tea
        jim comes
        ann< jim arrived in General
        bob comes
        ann< bob arrived in General
        jim< bob arrived in General
        eve comes
        ann< eve arrived in General
        jim< eve arrived in General
        bob< eve arrived in General
        jim> join tea
        jim< joined tea
        ann< jim joined tea
        bob> join tea
        bob< joined tea
        ann< bob joined tea
        jim< bob joined tea
        ann> op tea jim
        ann< done in tea
        jim< ann does in tea: op jim
        bob< ann does in tea: op jim
        ann> public tea of the owner
        ann< posted
        jim< ann in tea: of the owner
        bob< ann in tea: of the owner
        bob> public tea of a member
        bob< posted
        ann< bob in tea: of a member
        jim< bob in tea: of a member
        bob> delete 1
        bob< refused: not yours
        # Who is not in the group does not learn that there is anything.
        eve> delete 1
        eve< refused: no such post
        jim> delete 1
        jim< refused: ann is out of reach in tea
        jim> delete 2
        jim< deleted
        ann< jim deletes in tea: a post of bob
        bob< jim deletes in tea: a post of bob
        ann> delete 2
        ann< refused: jim has deleted it
        # An operator of the server stands above all, and need not be in the group.
        eve> register pw
        eve< registered
        eve> operator
        eve< done
        eve> delete 1
        eve< deleted
        ann< eve deletes in tea: a post of ann
        jim< eve deletes in tea: a post of ann
        bob< eve deletes in tea: a post of ann
        bob> why tea
        bob< done in tea: eve: delete of ann, jim: delete of bob, ann: op jim
        ",
    )
    .await;
}

#[tokio::test]
async fn what_was_said_in_private_is_taken_back_by_its_author_alone() {
    check(
        "
        ann comes
        jim comes
        ann< jim arrived in General
        eve comes
        ann< eve arrived in General
        jim< eve arrived in General
        eve> register pw
        eve< registered
        eve> operator
        eve< done
        jim> private ann between us
        jim< posted
        ann< jim to ann: between us
        ann> delete 1
        ann< refused: not yours
        eve> delete 1
        eve< refused: no such post
        jim> delete 1
        jim< deleted
        ann< jim deletes in @ann: a post of jim
        ann> history @jim
        ann< past: jim said what jim deleted
        jim> history @ann
        jim< past: jim said what jim deleted
        ",
    )
    .await;
}

#[tokio::test]
async fn one_who_was_away_is_told_that_it_is_gone_and_never_what_it_was() {
    check(
        "
        ann comes
        jim comes
        ann< jim arrived in General
        jim> public General heard
        jim< posted
        ann< jim in General: heard
        ann vanishes
        jim> public General not heard
        jim< posted
        jim> private ann nor this
        jim< posted
        jim> delete 2
        jim< deleted
        jim> delete 3
        jim< deleted
        jim> delete 1
        jim< deleted
        jim> public General heard again
        jim< posted
        ann returns
        ann< in General: jim said what jim deleted
        ann< in @ann: jim said what jim deleted
        ann< jim deletes in General: a post of jim
        ann< jim in General: heard again
        ann< caught up
        ann vanishes
        jim> private ann for you
        jim< posted
        ann returns
        ann< jim to ann: for you
        ann< caught up
        ann vanishes
        # Nothing was said since, and something that she has heard is gone.
        jim> delete 5
        jim< deleted
        jim> delete 4
        jim< deleted
        ann returns
        ann< jim deletes in @ann: a post of jim
        ann< jim deletes in General: a post of jim
        ann< caught up
        ",
    )
    .await;
}

#[test]
fn a_server_that_keeps_nothing_has_nothing_to_take_back() {
    play_in_memory(
        Limits::default(),
        "
        jim comes
        jim> public General gone
        jim< posted
        jim> delete 1
        jim< refused: nothing is kept
        ",
    );
}

#[test]
fn a_request_that_comes_again_gets_its_first_answer() {
    play_in_memory(
        Limits { retention: Retention::Everything, ..Limits::default() },
        "
        jim comes
        jim> public General one
        jim< posted
        jim> public General two
        jim< posted
        the log stops
        jim> delete 1
        jim> delete 2
        jim> ping
        the log goes on
        jim< deleted
        jim< deleted
        jim< pong
        ",
    );
}

#[tokio::test]
async fn a_client_that_has_lost_the_answer_gets_it_when_it_asks_again() {
    let server = TestServer::keeping(Config::default()).await;
    let mut jim = server.guest("jim").await;
    let post = said(jim.do_(public("General", 1, "secret")).await);
    jim.say_with(Tag(77), Request::Delete { post }).await;
    let first = jim.frame().await;
    jim.say_with(Tag(77), Request::Delete { post }).await;
    assert_eq!(jim.frame().await, first, "the same answer, and not that it was deleted before");
    let again = jim.ask(Request::Delete { post }).await;
    assert!(matches!(again, Err(Refusal::AlreadyDeleted { .. })), "{again:?}");
}

fn said(answer: Response) -> Seq {
    match answer {
        Response::Posted { seq, .. } | Response::Kept { seq, .. } => seq,
        other => panic!("not posted: {other:?}"),
    }
}

/// Whether any file in this directory has this in it.
fn files_have(directory: &Path, text: &str) -> bool {
    let files = fs::read_dir(directory).expect("a directory of data");
    let bytes = files.filter_map(|file| fs::read(file.ok()?.path()).ok());
    bytes.into_iter().any(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
}

/// Waits until no file of the directory has this text.
async fn wait_until_gone(directory: &Path, text: &str) {
    let gone = async {
        while files_have(directory, text) {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, gone).await.expect("it is still there");
}

fn start(directory: &Path) -> ServerProgram {
    let path = directory.to_str().expect("a path that is text");
    ServerProgram::start_with(&[&BUSY[..], &["--data", path]].concat())
}

#[tokio::test]
async fn a_password_that_was_pasted_is_in_no_file_of_the_server_any_more() {
    let data = tempfile::tempdir().expect("a directory");
    let server = start(data.path());
    let mut jim = TestClient::come(server.address(), "jim").await;
    let _ann = TestClient::come(server.address(), "ann").await;
    let mut secrets = Vec::new();
    for number in 0..40 {
        let length = [1, 200, 4_000][number % 3];
        let text = format!("hunter2-{number} {}", "z".repeat(length));
        let request = match number % 2 {
            0 => public("General", number as u64, &text),
            _ => private("ann", number as u64, &text),
        };
        secrets.push(said(jim.do_(request).await));
        jim.do_(public("General", 1_000 + number as u64, &format!("kept-{number}"))).await;
    }
    assert!(files_have(data.path(), "hunter2-"), "this scene can see what is there");
    for post in secrets {
        jim.do_(Request::Delete { post }).await;
    }
    wait_until_gone(data.path(), "hunter2-").await;
    for number in 0..40 {
        assert!(files_have(data.path(), &format!("kept-{number}")), "{number}");
    }
    let path = data.path().to_str().expect("a path that is text").to_owned();
    let verified = run_tool(&Home::new(), &["verify", "--data", &path]).await;
    assert_eq!(verified.exit, Exit::Code(0), "{}", verified.diagnostics);
    assert!(verified.output.contains("posts deleted by somebody: 40"), "{}", verified.output);
    drop(server);
}

#[tokio::test]
async fn what_a_kill_interrupts_is_erased_after_the_next_start_also_by_a_new_archive() {
    for loses_archive in [false, true] {
        let data = tempfile::tempdir().expect("a directory");
        let server = start(data.path());
        let (mut jim, _) = TestClient::come_with(server.address(), hello("jim")).await;
        let mut posts = Vec::new();
        for number in 0..30 {
            let text = format!("hunter2-{number}");
            posts.push(said(jim.do_(public("General", number, &text)).await));
        }
        for post in posts {
            jim.do_(Request::Delete { post }).await;
        }
        // At once: of the log, at most the first turn is done.
        tokio::task::spawn_blocking(move || server.kill()).await.expect("killed");
        let had_text = files_have(data.path(), "hunter2-");
        if loses_archive {
            for file in ["archive.sqlite", "archive.sqlite-wal", "archive.sqlite-shm"] {
                let _ = fs::remove_file(data.path().join(file));
            }
        }
        let path = data.path().to_str().expect("a path that is text").to_owned();
        let exported = run_tool(&Home::new(), &["export", "--data", &path, "General"]).await.output;
        assert!(!exported.contains("hunter2"), "whatever the log still has: {exported}");
        let is_deleted = |line: &&str| line.contains(r#""body":"""#);
        let lines = exported.lines().filter(is_deleted);
        assert_eq!(lines.clone().count(), 30);
        assert!(lines.into_iter().all(|line| line.contains(r#""deleted_by":"jim""#)));
        let verified = run_tool(&Home::new(), &["verify", "--data", &path]).await;
        assert_eq!(verified.exit, Exit::Code(0), "{}", verified.diagnostics);
        let server = start(data.path());
        wait_until_gone(data.path(), "hunter2-").await;
        drop(server);
        assert!(had_text, "it was a test");
    }
}

#[tokio::test]
async fn what_is_deleted_while_it_is_told_again_is_not_told() {
    let server = TestServer::keeping(Config::default()).await;
    let mut jim = server.guest("jim").await;
    let (ann, welcome) = TestClient::come_with(server.address, hello("ann")).await;
    drop(ann);
    let mut posts = Vec::new();
    for number in 0..500 {
        let text = format!("{number} {}", "y".repeat(2_000));
        posts.push(said(jim.do_(public("General", number, &text)).await));
    }
    let back = |Welcome { token, seq, .. }: &Welcome| Hello {
        proof: Proof::Resume(token.clone()),
        seen: *seq,
        ..hello("ann")
    };
    // She comes back and reads nothing: a part is in her outbox, and the rest in the archive.
    let (mut ann, again) = TestClient::come_with(server.address, back(&welcome)).await;
    assert!(again.resumed);
    let deleted = posts[480];
    jim.do_(Request::Delete { post: deleted }).await;
    let mut told = 0;
    loop {
        match ann.hear().await {
            Notification::GroupPost { post, .. } => {
                assert_ne!(post.seq, deleted, "it was told after its deletion");
                told += 1;
            }
            Notification::DeletedPost { post, .. } => {
                assert_eq!(post.seq, deleted);
                told += 1;
            }
            Notification::CaughtUp { .. } => break,
            _ => {}
        }
    }
    assert_eq!(told, 500);
}

#[tokio::test]
async fn a_client_of_version_1_misses_nothing_and_is_told_no_text() {
    let server = TestServer::keeping(Config::default()).await;
    let mut jim = server.guest("jim").await;
    let old =
        || Hello { versions: VersionRange::try_from((1, 1)).expect("a range"), ..hello("ann") };
    let (mut ann, welcome) = TestClient::come_with(server.address, old()).await;
    let post = said(jim.do_(public("General", 1, "secret")).await);
    assert!(matches!(ann.hear().await, Notification::GroupPost { .. }));
    drop(ann);
    jim.do_(Request::Delete { post }).await;
    let missed = said(jim.do_(public("General", 2, "secret")).await);
    jim.do_(Request::Delete { post: missed }).await;
    jim.do_(public("General", 3, "news")).await;
    let back = Hello { proof: Proof::Resume(welcome.token), seen: post, ..old() };
    let (mut ann, _) = TestClient::come_with(server.address, back).await;
    let mut heard = Vec::new();
    loop {
        match ann.hear().await {
            Notification::GroupPost { post, .. } => {
                heard.push((post.prev, post.body.as_str().to_owned()));
            }
            Notification::CaughtUp { .. } => break,
            other => panic!("it has no words for that: {other:?}"),
        }
    }
    let told = |prev, text: &str| (prev, text.to_owned());
    assert_eq!(heard, [told(post, "[deleted]"), told(missed, "news")]);
    let history = Request::History { of: of_general(), before: Seq::ZERO, count: 9 };
    let Response::Past { posts, .. } = ann.do_(history).await else { panic!("no history") };
    assert_eq!(posts.as_slice().len(), 1, "what it has no words for is left out");
}

fn of_general() -> Conversation {
    Conversation::Group(group("General"))
}

/// A deadline of a test is far below an hour, for the second turn as well.
#[tokio::test]
async fn the_log_is_rid_of_a_text_long_before_an_hour_has_passed() {
    let data = tempfile::tempdir().expect("a directory");
    let server = TestServer::keeping_in(data.path(), Config::default()).await;
    let mut jim = server.guest("jim").await;
    for round in 0..2 {
        let text = format!("hunter2-{round}");
        let post = said(jim.do_(public("General", round, &text)).await);
        jim.do_(Request::Delete { post }).await;
        wait_until_gone(data.path(), &text).await;
    }
    server.stop().await.expect("an orderly end");
}
