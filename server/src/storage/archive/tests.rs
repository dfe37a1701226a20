//! What can be read, what is deleted, and who waits for what. `damage`: what becomes of files that
//! are not as this program left them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use chatroom_proto::{
    Body, Conversation, GroupName, PostId, Retention, SearchQuery, Tag, UserName,
};
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::chat::SNAPSHOT_LAYOUT;
use crate::chat::effect::ConversationId;
use crate::chat::entry::{
    Command, ConnAddr, ConnectionId, DeviceId, GroupId, NodeId, Origin, PersonId, Proposal,
    ProposalId, TokenDigest,
};
use crate::storage::log::{Batches, MemoryLog};

mod damage;
mod one_deletion;
mod search;

/// Who says everything here: the first entry of the log is their arrival.
const JIM: DeviceId = DeviceId(Seq(1));
const JIM_HIMSELF: PersonId = PersonId(Seq(1));

/// How often a search is tried that took too long: each takes a second then.
const SEARCHES_MAX: usize = 30;

/// Of nothing.
fn replay_for(reader: PersonId) -> Replay {
    Replay {
        reader,
        device: reader.first_device(),
        has_others: false,
        began: Seq::ZERO,
        after: Seq::ZERO,
        until: Seq::ZERO,
        groups: Vec::new(),
        ends: Vec::new(),
    }
}

/// Later than anything is said.
const FAR_AHEAD: UnixMillis = UnixMillis(u64::MAX);

/// A log in which somebody is in General, and a directory for its archive.
struct Scene {
    directory: TempDir,
    log: Arc<dyn Log>,
    /// Has read nothing: the log keeps all of it.
    _past: Batches,
}

impl Scene {
    fn new() -> Scene {
        let log: Arc<dyn Log> = Arc::new(MemoryLog::new());
        let past = log.follow(Seq::ZERO);
        let scene = Scene { directory: tempfile::tempdir().unwrap(), log, _past: past };
        let fresh = TokenDigest([1; 32]);
        let name = UserName::parse("jim").unwrap();
        let address = "192.0.2.1:1".parse().unwrap();
        scene.append(Command::Arrive { name, presented: None, fresh, address });
        scene
    }

    fn append(&self, command: Command) {
        let number = self.log.head().0 + 1;
        let place = ConnAddr { node: NodeId(1), connection: ConnectionId(1) };
        let tag = Tag(u32::try_from(number).unwrap());
        let id = ProposalId { node: NodeId(1), number };
        let at = UnixMillis(number * 1_000);
        self.log
            .append(vec![Proposal { id, origin: Some(Origin { place, tag }), at, command }])
            .unwrap();
    }

    fn say(&self, text: &str) {
        let to = Conversation::Group(GroupName::general());
        self.say_to(to, text);
    }

    fn say_to(&self, to: Conversation, text: &str) {
        let id = PostId(u128::from(self.log.head().0).to_be_bytes());
        self.append(Command::Post { by: JIM, to, id, body: Body::parse(text).unwrap() });
    }

    fn open(&self) -> Result<Restored, ArchiveError> {
        Archive::open(self.directory.path(), Arc::clone(&self.log))
    }

    fn archive(&self) -> Archive {
        self.open().unwrap().archive
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("archive.sqlite")
    }

    fn tamper(&self, sql: &str) {
        Connection::open(self.path()).unwrap().execute_batch(sql).unwrap();
    }

    /// Whether this is still the file in which a scene has made a table of that name.
    fn has_trace(&self) -> bool {
        let db = Connection::open(self.path()).unwrap();
        let select = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'trace')";
        db.query_row(select, [], |row| row.get(0)).unwrap()
    }

    /// The texts in General, the newest first.
    async fn texts(&self, archive: &Archive) -> Result<Vec<String>, ReadError> {
        self.find(archive, Query::History(ConversationId::Group(GroupId::GENERAL))).await
    }

    /// What is found, on a machine that may be too busy to find it at once.
    async fn search(&self, archive: &Archive, words: &str) -> Vec<String> {
        for _ in 0..SEARCHES_MAX {
            match self.try_search(archive, words).await {
                Err(ReadError::TookTooLong) => {}
                found => return found.unwrap(),
            }
        }
        panic!("nothing is found in time")
    }

    async fn try_search(&self, archive: &Archive, words: &str) -> Result<Vec<String>, ReadError> {
        let words = SearchQuery::parse(words).unwrap();
        let query = Query::Search { words, groups: vec![GroupId::GENERAL], in_private: true };
        self.find(archive, query).await
    }

    async fn find(&self, archive: &Archive, query: Query) -> Result<Vec<String>, ReadError> {
        let read = Read {
            reader: JIM_HIMSELF,
            query,
            before: Seq(u64::MAX),
            count: 100,
            head: self.log.head(),
        };
        let past = archive.read(read).await?;
        Ok(past.posts.iter().map(|said| said.post.body.as_str().to_owned()).collect())
    }

    /// Whether any file beside the log has this in it.
    fn files_have(&self, text: &str) -> bool {
        let files = fs::read_dir(self.directory.path()).unwrap();
        files.map(|file| fs::read(file.unwrap().path()).unwrap()).any(|bytes| has(&bytes, text))
    }
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn what_was_said_can_be_read_at_once() {
    let scene = Scene::new();
    let archive = scene.archive();
    let mut expected: Vec<String> = Vec::new();
    for number in 0..50 {
        scene.say(&number.to_string());
        expected.insert(0, number.to_string());
        assert_eq!(scene.texts(&archive).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn what_was_said_after_the_head_of_a_read_is_not_in_it() {
    let scene = Scene::new();
    let archive = scene.archive();
    scene.say("one");
    let head = scene.log.head();
    scene.say("one more");
    assert_eq!(scene.search(&archive, "one").await, ["one more", "one"]);
    let words = SearchQuery::parse("one").unwrap();
    let search = Query::Search { words, groups: vec![GroupId::GENERAL], in_private: false };
    for query in [Query::History(ConversationId::Group(GroupId::GENERAL)), search] {
        let read = Read { reader: JIM_HIMSELF, query, before: Seq(u64::MAX), count: 9, head };
        let past = archive.read(read).await.unwrap();
        assert_eq!((past.posts.len(), past.next), (1, None));
    }
}

#[tokio::test]
async fn the_file_is_for_nobody_elses_eyes() {
    let scene = Scene::new();
    scene.say("one");
    let archive = scene.archive();
    scene.texts(&archive).await.unwrap();
    let modes = fs::read_dir(scene.directory.path()).unwrap().map(|file| {
        let file = file.unwrap();
        (file.file_name(), file.metadata().unwrap().permissions().mode() & 0o777)
    });
    let modes: Vec<_> = modes.collect();
    assert_eq!(modes.len(), 3, "{modes:?}");
    assert!(modes.iter().all(|(_, mode)| *mode == 0o600), "{modes:?}");
}

#[tokio::test]
async fn what_is_deleted_is_in_no_file_and_the_rest_can_be_found() {
    let scene = Scene::new();
    for number in 0..1_500 {
        scene.say(&format!("secretword number{number}"));
    }
    let until = scene.log.head();
    for number in 0..700 {
        scene.say(&format!("publicword number{number}"));
    }
    let archive = scene.archive();
    assert_eq!(scene.search(&archive, "secretword").await.len(), 100);
    assert!(scene.files_have("secretword"), "this test can see what is there");
    archive.delete(until).await.unwrap();
    assert!(!scene.files_have("secretword"));
    assert!(!scene.files_have("number1234"), "nor in pieces of the index");
    assert!(scene.search(&archive, "secretword").await.is_empty());
    assert_eq!(scene.search(&archive, "number5").await, ["publicword number5"]);
    let aged = archive.older_than(UnixMillis(0), FAR_AHEAD, scene.log.head()).await.unwrap();
    assert_eq!((aged.until, aged.newest), (until, None));
    drop(archive);
    assert!(!scene.files_have("secretword"), "nor in what the end of the archive writes");
    check_integrity(&scene);
    let archive = scene.archive();
    assert!(scene.search(&archive, "secretword").await.is_empty());
    assert_eq!(scene.search(&archive, "publicword number699").await.len(), 1);
}

/// Rows and index are in order, and agree: the index has what was not deleted, and nothing else.
fn check_integrity(scene: &Scene) {
    let db = Connection::open(scene.path()).unwrap();
    let checked: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(checked, "ok");
    db.execute_batch("INSERT INTO words (words) VALUES ('integrity-check')").unwrap();
    let count = |query: &str| db.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(
        count("SELECT count(*) FROM words WHERE words MATCH '\"§g0\"'"),
        count("SELECT count(*) FROM posts")
    );
}

#[tokio::test]
async fn deletion_goes_on_after_a_restart_and_what_is_deleted_does_not_come_back() {
    let scene = Scene::new();
    for text in ["one", "two", "three"] {
        scene.say(text);
    }
    let archive = scene.archive();
    scene.search(&archive, "three").await;
    drop(archive);
    // As if it had been killed when nothing was deleted yet, and nothing was in the index yet.
    scene.tamper("INSERT INTO words (words) VALUES ('delete-all')");
    scene.tamper("UPDATE state SET forgotten = 3, indexed = 0");
    scene.say("four");
    let archive = scene.archive();
    // The same again is done when the first is.
    archive.delete(Seq(3)).await.unwrap();
    assert_eq!(scene.texts(&archive).await.unwrap(), ["four", "three"]);
    assert!(scene.search(&archive, "one").await.is_empty());
    assert_eq!(scene.search(&archive, "three").await, ["three"]);
    // What is yet to come can be deleted in advance: a view that is behind does not show it.
    archive.delete(Seq(6)).await.unwrap();
    scene.say("five");
    scene.say("six");
    assert_eq!(scene.texts(&archive).await.unwrap(), ["six"]);
    assert_eq!(scene.search(&archive, "six").await, ["six"]);
    drop(archive);
    check_integrity(&scene);
}

#[tokio::test]
async fn what_is_old_ends_before_the_first_post_that_is_not() {
    let scene = Scene::new();
    let archive = scene.archive();
    let aged = async |before, now| {
        let (before, now) = (UnixMillis(before), UnixMillis(now));
        let aged = archive.older_than(before, now, scene.log.head()).await.unwrap();
        let millis = |at: Option<UnixMillis>| at.map(|at| at.0);
        (aged.until.0, millis(aged.newest), millis(aged.next), aged.ahead)
    };
    assert_eq!(aged(0, 9_000).await, (1, None, None, 0), "there is an arrival");
    scene.say("at 2,000");
    scene.say("at 3,000");
    assert_eq!(aged(2_000, 9_000).await, (1, None, Some(2_000), 0));
    assert_eq!(aged(2_001, 9_000).await, (2, Some(2_000), Some(3_000), 0));
    assert_eq!(aged(3_001, 9_000).await, (3, Some(3_000), None, 0));
    assert_eq!(aged(u64::MAX, u64::MAX).await, (3, Some(3_000), None, 0));
    // Seen from the second before the third, the third is yet to come.
    assert_eq!(aged(2_001, 2_500).await, (2, Some(2_000), None, 1));
    assert_eq!(aged(2_000, 2_500).await, (1, None, Some(2_000), 0));
    assert_eq!(aged(0, 1_000).await, (1, None, None, 2));
}

#[tokio::test(start_paused = true)]
async fn a_read_of_what_never_comes_takes_too_long() {
    let scene = Scene::new();
    let archive = scene.archive();
    let query = Query::History(ConversationId::Group(GroupId::GENERAL));
    let read = Read { reader: JIM_HIMSELF, query, before: Seq(9), count: 1, head: Seq(1_000) };
    assert_eq!(archive.read(read).await, Err(ReadError::TookTooLong));
}

#[tokio::test]
async fn one_who_waits_for_what_is_yet_to_come_holds_up_nobody() {
    let scene = Scene::new();
    let archive = scene.archive();
    let until = Seq(4);
    let nobody = PersonId(Seq(9));
    let replay = Replay { after: Seq::ZERO, until, ..replay_for(nobody) };
    let mut waiting = std::pin::pin!(archive.replay(replay));
    scene.say("one");
    assert!(futures_util::poll!(&mut waiting).is_pending());
    assert_eq!(scene.texts(&archive).await.unwrap(), ["one"]);
    assert!(futures_util::poll!(&mut waiting).is_pending());
    scene.say("two");
    scene.say("three");
    assert_eq!(waiting.await.unwrap().reached, until);
}

#[tokio::test]
async fn an_archive_that_can_not_follow_its_log_says_so_to_those_who_wait() {
    let scene = Scene::new();
    // More than this log remembers.
    for _ in 0..4_500 {
        scene.say(&"x".repeat(8_000));
    }
    let archive = scene.archive();
    assert_eq!(scene.texts(&archive).await, Err(ReadError::Stopped));
    let replay = Replay { after: Seq(1), until: Seq(2), ..replay_for(JIM_HIMSELF) };
    assert_eq!(archive.replay(replay).await, Err(ReadError::Stopped));
    assert_eq!(archive.delete(Seq(1)).await, Err(ReadError::Stopped));
}

#[tokio::test]
async fn the_last_handle_ends_it_and_leaves_a_snapshot() {
    let scene = Scene::new();
    scene.say("one");
    let Restored { archive, state } = scene.open().unwrap();
    assert_eq!(state.head(), Seq::ZERO);
    let other = archive.clone();
    drop(archive);
    scene.say("two");
    assert_eq!(scene.texts(&other).await.unwrap(), ["two", "one"]);
    drop(other);
    assert_eq!(Arc::strong_count(&scene.log), 1, "nobody follows the log any more");
    let names: Vec<_> = fs::read_dir(scene.directory.path())
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    assert_eq!(names, ["archive.sqlite"], "nothing is left beside it");
    let Restored { archive: _archive, state } = scene.open().unwrap();
    assert_eq!(state.head(), scene.log.head());
}

#[tokio::test]
async fn a_page_ends_where_a_frame_is_full() {
    let scene = Scene::new();
    for number in 0..20 {
        scene.say(&format!("{number} {}", "\u{6a9}".repeat(3_900)));
    }
    let archive = scene.archive();
    let query = Query::History(ConversationId::Group(GroupId::GENERAL));
    let read = Read {
        reader: JIM_HIMSELF,
        query,
        before: Seq(u64::MAX),
        count: 400,
        head: scene.log.head(),
    };
    let past = archive.read(read).await.unwrap();
    assert_eq!(past.posts.len(), 7);
    assert_eq!(past.next, past.posts.last().map(|said| said.post.seq));
    let frame = chatroom_proto::Response::Past {
        posts: chatroom_proto::Page::fill(past.posts),
        next: past.next,
    };
    let frame = chatroom_proto::ServerFrame::Response { tag: Tag(1), result: Ok(frame) };
    assert!(codec::encode(&frame).is_ok());
}

/// Where the bytes change, the bytes in old files mean something else: the number has to change
/// with them.
#[test]
fn the_image_of_a_state_is_what_this_schema_says() {
    let limits = Limits { retention: Retention::Everything, ..Limits::default() };
    let mut state = ChatState::new(limits);
    let scene = Scene::new();
    scene.append(Command::Create { by: JIM, group: GroupName::parse("tea").unwrap() });
    scene.append(Command::Join { by: JIM, group: GroupName::parse("tea").unwrap() });
    scene.say_to(Conversation::User(UserName::parse("jim").unwrap()), "a note");
    scene.append(Command::Depart { device: JIM });
    let mut entries = scene.log.follow(Seq::ZERO);
    let entries =
        futures_util::FutureExt::now_or_never(futures_util::StreamExt::next(&mut entries));
    for entry in entries.unwrap().unwrap().unwrap() {
        state.fold(&entry);
    }
    let bytes = codec::pack(&state).unwrap();
    let image = format!("{} bytes, CRC-32 {:08x}", bytes.len(), crc32fast::hash(&bytes));
    insta::assert_snapshot!("image", format!("snapshots of layout {SNAPSHOT_LAYOUT}: {image}"));
}
