//! What reading back costs: an archive behind a log of a million posts, or of as many as are asked
//! for.
//!
//! `cargo bench -p integration-tests --bench archive` makes a log on the disk of the target
//! directory, lets an archive catch up, reads from it, starts it again, and deletes. `-- --posts N`
//! says how many posts. It prints a table.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chatroom_proto::{Conversation, PostId, Retention, SearchQuery, Seq, Tag, UnixMillis};
use chatroom_server::Restored;
use chatroom_server::chat::effect::{ConversationId, Query, Read, Replay, ReplayGroup};
use chatroom_server::chat::entry::{
    Command, ConnAddr, ConnectionId, GroupId, NodeId, Origin, PersonId, Proposal, ProposalId,
    TokenDigest,
};
use chatroom_server::chat::{ChatState, Limits};
use chatroom_server::storage::archive::{Archive, ReadError};
use chatroom_server::storage::log::{Durability, Log, LogError, SqliteLog};
use futures_util::StreamExt;
use integration_tests::chance::Chance;
use integration_tests::test_client::{body, group, user};
use tempfile::TempDir;
use tokio::time::Instant;

const PEOPLE: u64 = 200;
const GROUPS: u64 = 50;
const READS: usize = 300;
const FORGOTTEN: u64 = 20_000;

/// Words in all; the first of them are in most posts, the last in hardly any.
const WORDS: u64 = 50_000;

fn main() {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--posts");
    let posts = arguments.nth(1).and_then(|count| count.parse().ok()).unwrap_or(1_000_000);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure(posts));
}

async fn measure(posts: u64) {
    let directory = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))
        .expect("a directory on the disk that is measured");
    let path = directory.path();
    let log = Arc::new(SqliteLog::open(path, Durability::Normal).expect("a log"));
    fill(&*log, posts).await;
    let head = log.head();
    println!("a log of {posts} posts, {} MiB\n", mib(&path.join("log.sqlite")));
    println!("| what | time |\n|---|---:|");

    let began = Instant::now();
    let Restored { archive, .. } = Archive::open(path, log.clone()).expect("an archive");
    let nobody = replay(PersonId(Seq(u64::MAX / 2)), Seq::ZERO, head, vec![]);
    archive.replay(nobody).await.expect("caught up");
    let rows = began.elapsed();
    row(&format!("rows catch up, {} a second", rate(posts, rows)), rows);
    let began = Instant::now();
    while found(&archive, "w1", &[], head).await == Err(ReadError::TookTooLong) {}
    let index = began.elapsed();
    row(&format!("then the index, {} a second", rate(posts, index)), index);

    after_a_kill(&log, path).await;
    read_back(&archive, head).await;
    restart(archive, &log, path).await;
}

/// What somebody with one device missed.
fn replay(reader: PersonId, after: Seq, until: Seq, groups: Vec<(GroupId, Seq)>) -> Replay {
    let group = |(group, since)| ReplayGroup { group, since, until };
    let groups = groups.into_iter().map(group).collect();
    let (device, ends) = (reader.first_device(), Vec::new());
    Replay { reader, device, has_others: false, began: after, after, until, groups, ends }
}

async fn read_back(archive: &Archive, head: Seq) {
    let everyone: Vec<GroupId> = (0..GROUPS).map(group_id).collect();
    let mut chance = Chance::new(7);
    let mut times = Vec::new();
    for _ in 0..READS {
        let before = Seq(1 + chance.below(head.0));
        let query = Query::History(ConversationId::Group(group_id(chance.below(GROUPS))));
        let began = Instant::now();
        archive
            .read(Read { reader: person(1), query, before, count: 50, head })
            .await
            .expect("read");
        times.push(began.elapsed());
    }
    rows("a page of 50 posts of a group", &mut times);
    for _ in 0..READS {
        let after = Seq(chance.below(head.0));
        let groups = everyone.iter().map(|group| (*group, Seq::ZERO)).collect();
        let began = Instant::now();
        archive.replay(replay(person(1), after, head, groups)).await.expect("read");
        times.push(began.elapsed());
    }
    rows("a part of 200 missed posts of 50 groups", &mut times);
    for (what, words, groups) in [
        ("a search for a word in most posts, everywhere", "w0", &everyone[..]),
        ("a search for a word in most posts, in private alone", "w0", &[]),
        ("a search for two common words, in one group", "w1 w5", &everyone[3..4]),
        ("a search for a rare word, everywhere", "w30000", &everyone[..]),
        ("a search for a common and a rare word, in private alone", "w0 w30000", &[]),
        ("a search for three words that no post has together", "w20001 w20002 w0", &everyone[..]),
        ("a search for what nobody said", "absent", &everyone[..]),
    ] {
        for _ in 0..READS / 10 {
            let began = Instant::now();
            found(archive, words, groups, head).await.expect("read");
            times.push(began.elapsed());
        }
        rows(what, &mut times);
    }
}

/// Starts from a copy of the files as they are now.
async fn after_a_kill(log: &Arc<SqliteLog>, path: &Path) {
    let killed =
        TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory on the same disk");
    for name in ["archive.sqlite", "archive.sqlite-wal"] {
        std::fs::copy(path.join(name), killed.path().join(name)).expect("a copy");
    }
    let began = Instant::now();
    let Restored { archive, mut state } =
        Archive::open(killed.path(), log.clone()).expect("an archive");
    let behind = log.head().0 - state.head().0;
    fold(&**log, &mut state).await;
    row(&format!("start after a kill, {behind} entries behind the snapshot"), began.elapsed());
    drop(archive);
}

async fn restart(archive: Archive, log: &Arc<SqliteLog>, path: &Path) {
    let began = Instant::now();
    drop(archive);
    row("stop: the last commit and the snapshot", began.elapsed());
    println!("| size of the archive | {} MiB |", mib(&path.join("archive.sqlite")));
    let began = Instant::now();
    let Restored { archive, state } = Archive::open(path, log.clone()).expect("an archive");
    row("start from a snapshot of the newest entry", began.elapsed());
    drop(state);
    let began = Instant::now();
    archive.delete(Seq(FORGOTTEN)).await.expect("forgotten");
    let time = began.elapsed();
    row(&format!("{FORGOTTEN} posts are deleted, {} a second", rate(FORGOTTEN, time)), time);
}

async fn found(
    archive: &Archive,
    words: &str,
    groups: &[GroupId],
    head: Seq,
) -> Result<usize, ReadError> {
    let words = SearchQuery::parse(words).expect("words");
    let query = Query::Search { words, groups: groups.to_vec(), in_private: true };
    let read = Read { reader: person(1), query, before: Seq(u64::MAX), count: 50, head };
    archive.read(read).await.map(|past| past.posts.len())
}

async fn fold(log: &dyn Log, state: &mut ChatState) {
    let mut batches = log.follow(state.head());
    while state.head() < log.head() {
        for entry in batches.next().await.expect("a log never ends").expect("the log goes on") {
            state.fold(&entry);
        }
    }
}

/// The people come first, so theirs are the places behind the beginning; then come the groups but
/// General.
fn person(number: u64) -> PersonId {
    PersonId(Seq(2 + number))
}

fn group_id(number: u64) -> GroupId {
    if number == 0 { GroupId::GENERAL } else { GroupId(Seq(1 + PEOPLE + number)) }
}

fn group_name(number: u64) -> String {
    if number == 0 { "General".to_owned() } else { format!("group{number}") }
}

async fn fill(log: &dyn Log, posts: u64) {
    let limits = Limits { retention: Retention::Everything, ..Limits::default() };
    let mut chance = Chance::new(1);
    let mut number = 0;
    let mut commands: Vec<Command> = vec![Command::Began { limits }];
    commands.extend((0..PEOPLE).map(|number| {
        let mut fresh = TokenDigest([0; 32]);
        fresh.0[..8].copy_from_slice(&number.to_le_bytes());
        let address = "192.0.2.1:1".parse().expect("an address");
        Command::Arrive { name: user(&format!("person{number}")), presented: None, fresh, address }
    }));
    commands.extend((1..GROUPS).map(|number| Command::Create {
        by: person(0).first_device(),
        group: group(&group_name(number)),
    }));
    for person_number in 0..PEOPLE {
        let join = |number| Command::Join {
            by: person(person_number).first_device(),
            group: group(&group_name(number)),
        };
        commands.extend((1..GROUPS).map(join));
    }
    for command in commands {
        append(log, &mut number, command).await;
    }
    for _ in 0..posts {
        let command = any_post(&mut chance);
        append(log, &mut number, command).await;
    }
    let mut end = log.follow(Seq(number - 1));
    end.next().await.expect("a log never ends").expect("the log goes on");
}

fn any_post(chance: &mut Chance) -> Command {
    let to = match chance.below(10) {
        0 | 1 => Conversation::User(user(&format!("person{}", chance.below(PEOPLE)))),
        2..=4 => Conversation::Group(group("General")),
        _ => Conversation::Group(group(&group_name(chance.below(GROUPS)))),
    };
    let words: Vec<String> = (0..4 + chance.below(12)).map(|_| any_word(chance)).collect();
    let id =
        PostId((u128::from(chance.number()) << 64 | u128::from(chance.number())).to_be_bytes());
    let by = person(chance.below(PEOPLE)).first_device();
    Command::Post { by, to, id, body: body(&words.join(" ")) }
}

/// Half of all words are among a few, as in any language.
fn any_word(chance: &mut Chance) -> String {
    let share = chance.below(1_000_000_u32) as f64 / 1e6;
    format!("w{}", ((WORDS as f64).powf(share) - 1.0) as u64)
}

async fn append(log: &dyn Log, number: &mut u64, command: Command) {
    *number += 1;
    let node = NodeId(1);
    let origin = Origin { place: ConnAddr { node, connection: ConnectionId(1) }, tag: Tag(0) };
    let id = ProposalId { node, number: *number };
    let mut proposal = Proposal { id, origin: Some(origin), at: UnixMillis(*number), command };
    loop {
        match log.append(vec![proposal.clone()]) {
            Ok(()) => return,
            Err(LogError::Overloaded) => {
                // Some of what waits has to be written first.
                let mut next = log.follow(log.head());
                next.next().await.expect("a log never ends").expect("the log goes on");
                proposal.at = UnixMillis(*number);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn mib(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len() >> 20)
}

fn rate(count: u64, time: Duration) -> u64 {
    (count as f64 / time.as_secs_f64()) as u64
}

fn row(what: &str, time: Duration) {
    println!("| {what} | {:.0} ms |", time.as_secs_f64() * 1e3);
}

/// The middle and the slowest of several.
fn rows(what: &str, times: &mut Vec<Duration>) {
    times.sort_unstable();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let (middle, last) = (times[times.len() / 2], times[times.len() - 1]);
    println!("| {what} | {:.2} ms, at most {:.1} ms |", ms(middle), ms(last));
    times.clear();
}
