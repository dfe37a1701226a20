//! The archive finds what its model finds, whatever was said, and however often it was stopped,
//! lost or damaged.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use chatroom_proto::{
    ArchivedPost, Conversation, Notification, PostId, Retention, SearchQuery, Seq, Tag, UnixMillis,
    codec,
};
use chatroom_server::Restored;
use chatroom_server::chat::effect::{ConversationId, Query, Read, Replay, ReplayGroup};
use chatroom_server::chat::entry::{
    Command, ConnAddr, ConnectionId, DeviceId, Entry, GroupId, NodeId, Origin, PersonId, Proposal,
    ProposalId, TokenDigest,
};
use chatroom_server::chat::{ChatState, Limits};
use chatroom_server::storage::archive::{Archive, ArchiveError};
use chatroom_server::storage::log::{Durability, Log, MemoryLog, SqliteLog};
use futures_util::StreamExt;
use integration_tests::chance::Chance;
use integration_tests::model::Model;
use integration_tests::test_client::{body, group, user};
use tempfile::TempDir;

const LIMITS: Limits = Limits {
    groups_max: 5,
    memberships_max: 4,
    grace_ms: 3_000,
    held_max: 3,
    remembered_max: 3,
    retention: Retention::Everything,
};

const NAMES: [&str; 5] = ["jim", "ann", "Bob", "zoe", "سارا"];
const GROUPS: [&str; 5] = ["General", "tea", "art", "کتاب", "war"];

/// Few words, in several spellings, so that many posts have the same ones.
const WORDS: [&str; 25] = [
    "tea",
    "Tea",
    "TEA",
    "chai",
    "and",
    "or",
    "near",
    "the",
    "كتاب",
    "کتاب",
    "علي",
    "علی",
    "موسى",
    "موسی",
    "سلام",
    "g0",
    "中文",
    "想要中文",
    "文",
    "中文中",
    "文中文中",
    "データ",
    "회의에서",
    "ไทย",
    "🎉",
];
const BETWEEN_WORDS: [&str; 8] = ["", " ", ", ", "\n", "-", "\u{200C}", " \"* ", ": ("];

/// A log, the model that has read all of it, and chance.
struct History {
    log: Arc<dyn Log>,
    node: u64,
    number: u64,
    /// Where the log ends: it numbers its entries from 1.
    end: Seq,
    model: Model,
    state: ChatState,
    devices: Vec<DeviceId>,
    groups: Vec<GroupId>,
    /// What each name was given last.
    tokens: HashMap<&'static str, TokenDigest>,
    chance: Chance,
}

impl History {
    fn new(log: Arc<dyn Log>, seed: u64) -> History {
        History {
            log,
            node: 1,
            number: 0,
            end: Seq::ZERO,
            model: Model::new(Limits::default()),
            state: ChatState::new(Limits::default()),
            devices: Vec::new(),
            groups: vec![GroupId::GENERAL],
            tokens: HashMap::new(),
            chance: Chance::new(seed),
        }
    }

    /// Goes on with a log that was opened again.
    fn go_on(&mut self, log: Arc<dyn Log>) {
        (self.log, self.node, self.number) = (log, self.node + 1, 0);
    }

    fn head(&self) -> Seq {
        self.state.head()
    }

    fn append(&mut self, command: Command) {
        self.number += 1;
        let node = NodeId(self.node);
        let place = ConnAddr { node, connection: ConnectionId(self.number) };
        let tag = Tag(u32::try_from(self.number).expect("few requests"));
        let at = UnixMillis(self.end.0 * 10);
        let id = ProposalId { node, number: self.number };
        let proposal = Proposal { id, origin: Some(Origin { place, tag }), at, command };
        self.log.append(vec![proposal]).expect("the log goes on");
        self.end = self.end.next();
    }

    /// So many things happen.
    async fn happen(&mut self, commands: usize) {
        if self.head() == Seq::ZERO {
            self.append(Command::Began { limits: LIMITS });
            self.read_log().await;
        }
        for _ in 0..commands {
            let command = self.any_command();
            self.append(command);
            // The commands after an arrival or a creation may be about who or what is new.
            if self.chance.once_in(10) {
                self.read_log().await;
            }
        }
        self.read_log().await;
    }

    /// Lets the model read what is new in the log.
    async fn read_log(&mut self) {
        let mut batches = self.log.follow(self.head());
        while self.head() < self.end {
            for entry in batches.next().await.expect("a log never ends").expect("the log goes on") {
                self.fold(&entry);
            }
        }
    }

    fn fold(&mut self, entry: &Entry) {
        self.model.follow(entry);
        self.state.fold(entry);
        match entry.proposal.command {
            Command::Arrive { .. } => self.devices.push(DeviceId(entry.seq)),
            Command::Create { .. } => self.groups.push(GroupId(entry.seq)),
            _ => {}
        }
    }

    fn any_command(&mut self) -> Command {
        let by = self.any_device();
        let name = self.chance.one_of(&GROUPS);
        match self.chance.below(43) {
            0..=2 => self.any_arrival(),
            40.. if !self.model.records().is_empty() => self.any_deletion(),
            3 => Command::Depart { device: by },
            4 | 5 => Command::Create { by, group: group(name) },
            6..=9 => Command::Join { by, group: group(name) },
            10 => Command::Leave { by, group: group(name) },
            kind => {
                let to = if kind < 20 {
                    Conversation::User(user(self.chance.one_of(&NAMES)))
                } else {
                    Conversation::Group(group(if kind < 30 { "General" } else { name }))
                };
                let id = PostId(u128::from(self.chance.number()).to_le_bytes());
                Command::Post { by, to, id, body: body(&self.any_text()) }
            }
        }
    }

    /// Somebody takes back what was said, mostly by themselves. Others may not, mostly.
    fn any_deletion(&mut self) -> Command {
        let index = self.chance.below(self.model.records().len());
        let post = self.model.records()[index].reference();
        let by = if self.chance.once_in(4) { self.any_device() } else { post.by.first_device() };
        Command::Delete { by, post }
    }

    /// Somebody comes, or comes back as who they were.
    fn any_arrival(&mut self) -> Command {
        let name = self.chance.one_of(&NAMES);
        // Each is another one, unlike those that chance would give.
        let mut fresh = TokenDigest([0xf0; 32]);
        fresh.0[..8].copy_from_slice(&self.number.to_le_bytes());
        let presented = self.tokens.get(name).copied().filter(|_| self.number.is_multiple_of(2));
        self.tokens.insert(name, presented.unwrap_or(fresh));
        let address = "192.0.2.1:1".parse().expect("an address");
        Command::Arrive { name: user(name), presented, fresh, address }
    }

    /// Mostly somebody who came lately.
    /// Whoever came first with any device.
    fn any_person(&mut self) -> PersonId {
        PersonId(self.any_device().0)
    }

    fn any_device(&mut self) -> DeviceId {
        let count = self.devices.len();
        if count == 0 {
            return DeviceId(Seq(1));
        }
        let back = 1 + self.chance.below(count.min(12));
        self.devices[count - back]
    }

    fn any_text(&mut self) -> String {
        let mut text = self.chance.one_of(&WORDS).to_owned();
        for _ in 0..self.chance.below(6) {
            text.push_str(self.chance.one_of(&BETWEEN_WORDS));
            text.push_str(self.chance.one_of(&WORDS));
        }
        if self.chance.once_in(40) {
            text.push_str(&" x".repeat(3_900));
        }
        text
    }

    fn any_place(&mut self) -> Seq {
        let head = usize::try_from(self.head().0).expect("a short log");
        Seq(self.chance.below(head + 1) as u64)
    }

    fn any_groups(&mut self) -> Vec<GroupId> {
        let groups = self.groups.clone();
        groups.into_iter().filter(|_| self.chance.flag()).collect()
    }

    fn any_query(&mut self) -> Query {
        if self.chance.flag() {
            let thread = match self.chance.below(4) {
                0 => ConversationId::Group(self.chance.one_of(&self.groups.clone())),
                1 => ConversationId::between(self.any_person(), self.any_person()),
                _ => self.any_thread(),
            };
            return Query::History(thread);
        }
        let mut words = self.chance.one_of(&WORDS).to_owned();
        while self.chance.flag() && words.len() < 200 {
            words.push_str(self.chance.one_of(&["", " ", "\"", " *", "\" - ", " (", ":"]));
            words.push_str(self.chance.one_of(&WORDS));
        }
        let words = SearchQuery::parse(&words).expect("a few words");
        Query::Search { words, groups: self.any_groups(), in_private: self.chance.flag() }
    }

    /// One in which something was said.
    fn any_thread(&mut self) -> ConversationId {
        match self.model.records().len() {
            0 => ConversationId::Group(GroupId::GENERAL),
            count => {
                let index = self.chance.below(count);
                self.model.records()[index].thread
            }
        }
    }

    fn any_replay(&mut self) -> Replay {
        let (one, other) = (self.any_place(), self.any_place());
        let until = if self.chance.flag() { self.head() } else { one.max(other) };
        let groups = self.any_groups().into_iter().map(|group| {
            let (since, end) = (self.any_place(), self.any_place());
            let until = if self.chance.flag() { until } else { end };
            ReplayGroup { group, since, until }
        });
        let groups = groups.collect();
        let reader = self.any_person();
        let has_others = self.chance.flag();
        let device = if has_others { self.any_device() } else { reader.first_device() };
        let (after, ends) = (one.min(other), Vec::new());
        let began = if self.chance.flag() { after } else { self.any_place().min(after) };
        Replay { reader, device, has_others, began, after, until, groups, ends }
    }

    /// Reads this and that, which has to be what the model finds.
    async fn check(&mut self, archive: &Archive) {
        for _ in 0..120 {
            let (reader, query, count) =
                (self.any_person(), self.any_query(), 1 + self.chance.below(60));
            let before = if self.chance.flag() { Seq(u64::MAX) } else { self.any_place() };
            let read = Read { reader, query, before, count, head: self.head() };
            let expected = self.model.read(&Read { count: usize::MAX, ..read.clone() });
            let expected = expected.expect("words").posts;
            assert_eq!(all_pages(archive, &read).await, expected, "{read:?}");
        }
        for _ in 0..60 {
            let replay = self.any_replay();
            let expected = self.model.replay(&replay).notifications;
            assert_eq!(all_parts(archive, &replay).await, expected, "{replay:?}");
        }
    }
}

/// Everything that a read finds, page by page.
async fn all_pages(archive: &Archive, read: &Read) -> Vec<ArchivedPost> {
    let (mut found, mut read) = (Vec::new(), read.clone());
    loop {
        let page = archive.read(read.clone()).await.expect("it can be read");
        assert!(page.posts.len() <= read.count);
        let bytes: usize = page.posts.iter().map(|said| said.post.body.as_str().len()).sum();
        assert!(bytes <= 60 * 1024, "a page fits into a frame");
        let is_full = page.posts.len() == read.count || bytes > 40 * 1024;
        let last = page.posts.last().map(|said| said.post.seq);
        found.extend(page.posts);
        match page.next {
            None => return found,
            Some(next) => {
                assert_eq!(last, Some(next), "the next page begins where this one ends");
                assert!(is_full, "a page that is not the last is full");
                read.before = next;
            }
        }
    }
}

/// Everything that somebody missed, part by part.
async fn all_parts(archive: &Archive, replay: &Replay) -> Vec<Notification> {
    let (mut found, mut replay) = (Vec::new(), replay.clone());
    while replay.after < replay.until {
        let part = archive.replay(replay.clone()).await.expect("it can be read");
        assert!(part.reached > replay.after, "every part leads on");
        assert!(part.notifications.len() <= 200);
        found.extend(part.notifications);
        replay.after = part.reached;
    }
    found
}

fn directory() -> TempDir {
    TempDir::with_prefix("chatroom-archive-").expect("a temporary directory can be made")
}

fn on_disk(directory: &Path) -> Arc<dyn Log> {
    Arc::new(SqliteLog::open(directory, Durability::Normal).expect("a log"))
}

fn open(directory: &Path, log: &Arc<dyn Log>) -> Restored {
    Archive::open(directory, Arc::clone(log)).expect("an archive")
}

#[tokio::test]
async fn it_finds_what_the_model_finds() {
    for seed in 0..3 {
        let directory = directory();
        let mut history = History::new(Arc::new(MemoryLog::new()), seed);
        let Restored { archive, .. } = open(directory.path(), &history.log);
        for commands in [1, 30, 600, 300] {
            history.happen(commands).await;
            history.check(&archive).await;
        }
    }
}

#[tokio::test]
async fn it_goes_on_where_it_was_stopped_and_the_state_is_as_it_was() {
    for seed in 10..12 {
        let directory = directory();
        let mut history = History::new(on_disk(directory.path()), seed);
        for _ in 0..3 {
            let Restored { archive, state } = open(directory.path(), &history.log);
            // What is kept of a state says all about it but in which order those who are there are
            // told.
            let [found, left] =
                [&state, &history.state].map(|state| codec::pack(state).expect("an image"));
            assert!(found == left, "seed {seed}: it was stopped when it had read everything");
            history.happen(400).await;
            history.check(&archive).await;
            drop(archive);
            history.log = Arc::new(MemoryLog::new());
            history.go_on(on_disk(directory.path()));
        }
    }
}

#[tokio::test]
async fn one_that_was_killed_goes_on_from_what_it_had_committed() {
    let (directory, elsewhere) = (directory(), directory());
    let mut history = History::new(Arc::new(MemoryLog::new()), 20);
    // One that has read nothing yet: the log keeps all of it.
    let _past = history.log.follow(Seq::ZERO);
    let Restored { archive, .. } = open(directory.path(), &history.log);
    history.happen(200).await;
    history.check(&archive).await;
    drop(archive);
    let snapshot = history.head();
    let Restored { archive, .. } = open(directory.path(), &history.log);
    history.happen(300).await;
    history.check(&archive).await;
    // As a kill would leave it: with rows that are newer than the snapshot.
    for name in ["archive.sqlite", "archive.sqlite-wal"] {
        fs::copy(directory.path().join(name), elsewhere.path().join(name))
            .expect("a file of the archive");
    }
    history.happen(300).await;
    let Restored { archive, state } = open(elsewhere.path(), &history.log);
    assert_eq!(state.head(), snapshot);
    history.check(&archive).await;
}

#[tokio::test]
async fn one_that_was_lost_or_damaged_is_made_again() {
    let directory = directory();
    let path = directory.path().join("archive.sqlite");
    let mut history = History::new(Arc::new(MemoryLog::new()), 30);
    // One that has read nothing yet: the log keeps all of it.
    let _past = history.log.follow(Seq::ZERO);
    let harms: [&dyn Fn(); 4] = [
        &|| fs::remove_file(&path).expect("removed"),
        &|| fs::write(&path, "this is no database, and never was one").expect("written"),
        &|| fs::write(&path, "").expect("written"),
        &|| {
            let mut bytes = fs::read(&path).expect("read");
            bytes[40..8_192].fill(0xee);
            fs::write(&path, bytes).expect("written");
        },
    ];
    for harm in harms {
        let Restored { archive, .. } = open(directory.path(), &history.log);
        history.happen(200).await;
        history.check(&archive).await;
        drop(archive);
        harm();
    }
    let Restored { archive, state } = open(directory.path(), &history.log);
    assert_eq!(state.head(), Seq::ZERO);
    history.check(&archive).await;
}

#[tokio::test]
async fn a_log_that_has_lost_its_end_is_refused_until_the_archive_is_removed() {
    let directory = directory();
    let mut history = History::new(Arc::new(MemoryLog::new()), 40);
    let Restored { archive, .. } = open(directory.path(), &history.log);
    history.happen(100).await;
    history.check(&archive).await;
    drop(archive);
    let mut older = History::new(Arc::new(MemoryLog::new()), 40);
    older.happen(50).await;
    let refused = Archive::open(directory.path(), Arc::clone(&older.log));
    let is_ahead = matches!(&refused, Err(ArchiveError::Ahead { archive, log, .. })
        if *archive == history.head() && *log == older.head());
    assert!(is_ahead, "{refused:?}");
    fs::remove_file(directory.path().join("archive.sqlite")).expect("removed");
    let Restored { archive, .. } = open(directory.path(), &older.log);
    older.check(&archive).await;
}
