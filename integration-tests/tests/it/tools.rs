//! What an operator does with what a server keeps: the real program's subcommands, beside a server
//! that runs.

use std::fs;

use chatroom_proto::{Request, Response, Seq, codec};
use chatroom_server::chat::{ChatState, Limits};
use chatroom_server::storage::log::{Durability, Log, LogReader, LogSnapshot, SqliteLog};
use integration_tests::process::Exit;
use integration_tests::program::{Home, ServerProgram, run_tool};
use integration_tests::test_client::{TestClient, group, post_id, private, public};
use rusqlite::Connection;

/// A server at home, and somebody who has said things in two groups and to somebody. The places of
/// what was said in tea.
async fn talk(home: &Home) -> (ServerProgram, Vec<Seq>) {
    let server = ServerProgram::start_at_home(home);
    let mut jim = TestClient::come(server.address(), "jim").await;
    let _ann = TestClient::come(server.address(), "ann").await;
    jim.do_(Request::Create { group: group("Tea") }).await;
    jim.do_(Request::Join { group: group("Tea") }).await;
    let mut places = Vec::new();
    for number in 0..5 {
        jim.do_(public("General", 100 + number, "elsewhere")).await;
        jim.do_(private("ann", 200 + number, "between us")).await;
        let said = jim.do_(public("tea", number, &format!("said \"{number}\"\nand چای"))).await;
        let Response::Posted { seq, .. } = said else { panic!("not posted: {said:?}") };
        places.push(seq);
    }
    (server, places)
}

#[tokio::test]
async fn told_nothing_a_server_keeps_everything_in_the_state_directory() {
    let home = Home::new();
    let (server, _) = talk(&home).await;
    tokio::task::spawn_blocking(move || server.kill()).await.expect("killed");
    assert!(home.path().join("state/chatroom-server/log.sqlite").is_file());
    let server = ServerProgram::start_at_home(&home);
    let mut ben = TestClient::come(server.address(), "ben").await;
    let Response::Groups { groups, .. } = ben.do_(Request::Groups { after: Seq::ZERO }).await
    else {
        panic!("no list")
    };
    assert_eq!(groups.as_slice(), [group("General"), group("Tea")]);
}

#[tokio::test]
async fn a_server_that_keeps_nothing_leaves_nothing_behind() {
    let home = Home::new();
    let said = run_tool(&home, &["--in-memory", "--data", "somewhere"]).await;
    assert_eq!(said.exit, Exit::Code(2), "{}", said.diagnostics);
    assert!(said.diagnostics.contains("cannot be used with"), "{}", said.diagnostics);
    let server = ServerProgram::start();
    TestClient::come(server.address(), "jim").await.do_(public("General", 1, "gone")).await;
    assert!(!server.home().path().join("state").exists());
}

#[tokio::test]
async fn a_group_is_exported_as_lines_of_json_while_the_server_runs() {
    let home = Home::new();
    let (_server, places) = talk(&home).await;
    let said = run_tool(&home, &["export", "TEA"]).await;
    assert_eq!(said.exit, Exit::Code(0), "{}", said.diagnostics);
    let lines: Vec<serde_json::Value> = said
        .output
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    assert_eq!(lines.len(), 5);
    for (number, (line, seq)) in lines.iter().zip(places).enumerate() {
        assert_eq!(line["group"], "Tea");
        assert_eq!(line["seq"], seq.0);
        assert_eq!(line["from"], "jim");
        assert_eq!(line["body"], format!("said \"{number}\"\nand چای"));
        let id = u128::from_be_bytes(post_id(number as u64).0);
        assert_eq!(line["id"], format!("{id:032x}"));
        let time = line["time"].as_str().expect("a text");
        assert!(
            time.starts_with("20") && time.as_bytes()[10] == b'T' && time.ends_with('Z'),
            "{time}"
        );
    }
}

#[tokio::test]
async fn a_group_that_is_not_there_is_said_to_be_not_there() {
    let home = Home::new();
    let (_server, _) = talk(&home).await;
    let said = run_tool(&home, &["export", "coffee"]).await;
    assert_eq!((said.exit, said.output.as_str()), (Exit::Code(1), ""));
    assert!(said.diagnostics.contains("there is no group coffee"), "{}", said.diagnostics);
    let said = run_tool(&home, &["export", "no group name!"]).await;
    assert_eq!(said.exit, Exit::Code(2), "{}", said.diagnostics);
}

#[tokio::test]
async fn one_who_reads_no_further_ends_an_export_without_a_complaint() {
    let home = Home::new();
    let (_server, _) = talk(&home).await;
    let unheard = move || ServerProgram::run_unheard(&home, &["export", "Tea"]);
    let said = tokio::task::spawn_blocking(unheard).await.expect("it ends");
    assert_eq!((said.exit, said.diagnostics.as_str()), (Exit::Code(0), ""));
}

#[tokio::test]
async fn a_whole_log_is_verified_whether_a_server_runs_or_was_killed() {
    let home = Home::new();
    let (server, _) = talk(&home).await;
    let said = run_tool(&home, &["verify"]).await;
    assert_eq!(said.exit, Exit::Code(0), "{}", said.diagnostics);
    assert!(said.output.starts_with("the log is whole: "), "{}", said.output);
    assert!(said.output.contains(" 15 posts, 2 groups, from 20"), "{}", said.output);
    tokio::task::spawn_blocking(move || server.kill()).await.expect("killed");
    let again = run_tool(&home, &["verify"]).await;
    assert_eq!(again.exit, Exit::Code(0), "{}", again.diagnostics);
    assert!(again.output.contains(" 15 posts, 2 groups, from 20"), "{}", again.output);
}

#[tokio::test]
async fn what_is_wrong_with_a_log_is_said_and_where() {
    let home = Home::new();
    let nothing = run_tool(&home, &["verify"]).await;
    assert_eq!(nothing.exit, Exit::Code(1));
    assert!(nothing.diagnostics.contains("can't read the log"), "{}", nothing.diagnostics);
    assert!(!home.path().join("state").exists(), "looking makes nothing");

    let (server, _) = talk(&home).await;
    tokio::task::spawn_blocking(move || server.kill()).await.expect("killed");
    let directory = home.path().join("state/chatroom-server");
    let wal = directory.join("log.sqlite-wal");
    let whole = fs::read(&wal).expect("a write-ahead log");
    let mut damaged = whole.clone();
    damaged[5_000] ^= 1;
    fs::write(&wal, &damaged).expect("written");
    let said = run_tool(&home, &["verify"]).await;
    assert_eq!(said.exit, Exit::Code(1), "{}", said.output);
    assert!(said.diagnostics.contains("is damaged at byte 4152"), "{}", said.diagnostics);

    fs::write(&wal, &whole).expect("written");
    for (damage, wanted) in [
        (
            "UPDATE batches SET entries = zeroblob(length(entries)) WHERE last = 4",
            "checksum of the batch at",
        ),
        ("DELETE FROM batches WHERE last = 4", "entries are missing between 3 and"),
    ] {
        let log = Connection::open(directory.join("log.sqlite")).expect("a database");
        let changed = log.execute(damage, []).expect("changed");
        assert_eq!(changed, 1);
        drop(log);
        let said = run_tool(&home, &["verify"]).await;
        assert_eq!((said.exit, said.output.as_str()), (Exit::Code(1), ""));
        assert!(said.diagnostics.contains(wanted), "{}", said.diagnostics);
    }
}

#[tokio::test]
async fn what_a_log_has_come_to_is_there_when_what_led_to_it_is_deleted() {
    let home = Home::new();
    let (server, _) = talk(&home).await;
    tokio::task::spawn_blocking(move || server.kill()).await.expect("killed");
    let directory = home.path().join("state/chatroom-server");
    let mut reader = LogReader::open_checked(&directory).expect("a log");
    let mut state = ChatState::new(Limits::default());
    while state.head() < reader.head().expect("a head") {
        for entry in reader.after(state.head()).expect("a batch") {
            state.fold(&entry);
        }
    }
    let base = LogSnapshot { seq: state.head(), state: codec::pack(&state).expect("an image") };
    let log = SqliteLog::open(&directory, Durability::Full).expect("a log");
    log.compact(base).expect("the end of a batch");
    drop((log, reader));

    let server = ServerProgram::start_at_home(&home);
    let mut ben = TestClient::come(server.address(), "ben").await;
    ben.do_(Request::Join { group: group("tea") }).await;
    ben.do_(public("tea", 1_000, "still here?")).await;
    let said = run_tool(&home, &["verify"]).await;
    assert_eq!(said.exit, Exit::Code(0), "{}", said.diagnostics);
    assert!(said.output.contains(" 1 posts, 2 groups, from 20"), "{}", said.output);
    assert!(
        said.output.contains(&format!("; everything up to {} was deleted\n", state.head())),
        "{}",
        said.output
    );
    let said = run_tool(&home, &["export", "tea"]).await;
    assert_eq!(said.output.lines().count(), 1, "{}", said.output);
    assert!(said.output.contains("still here?"), "{}", said.output);
}
