//! Backups: made by the real program while a server is busy, and put back elsewhere.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chatroom_proto::{Conversation, Request, Response, Seq};
use integration_tests::process::Exit;
use integration_tests::program::{BUSY, Finished, Home, ServerProgram};
use integration_tests::test_client::{TestClient, group, public};

/// Posts before the backup begins, and how many more there are before it ends.
const POSTS: usize = 60;

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

/// A server that keeps everything in this directory.
fn start(data: &Path) -> ServerProgram {
    ServerProgram::start_with(&[&BUSY[..], &["--data", text(data)]].concat())
}

/// Runs the program with these arguments.
async fn run(home: &Home, arguments: &[&str]) -> Finished {
    let (home, arguments) =
        (home.clone(), arguments.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
    let run = move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        ServerProgram::run(&home, &arguments)
    };
    tokio::task::spawn_blocking(run).await.expect("it ends")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

/// The numbers of the posts that an export has.
async fn exported(home: &Home, data: &Path) -> BTreeSet<u64> {
    let said = run(home, &["export", "General", "--data", text(data)]).await;
    assert_eq!(said.exit, Exit::Code(0), "{}", said.diagnostics);
    let ids = said.output.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        let id = line["id"].as_str().expect("a text");
        u64::from_str_radix(&id[16..], 16).expect("a small number")
    });
    ids.collect()
}

async fn kill(server: ServerProgram) {
    tokio::task::spawn_blocking(move || server.kill()).await.expect("killed");
}

/// A directory with a log in which one has said something.
async fn said_in(data: &Path, text: &str) {
    let server = start(data);
    TestClient::come(server.address(), "jim").await.do_(public("General", 1, text)).await;
    kill(server).await;
}

#[tokio::test]
async fn a_backup_of_a_busy_server_has_everything_that_was_acknowledged_before_it() {
    let home = Home::new();
    let [data, copy, elsewhere] = ["data", "copy", "elsewhere"].map(|name| home.path().join(name));
    let server = start(&data);
    let mut jim = TestClient::come(server.address(), "jim").await;
    let acknowledged = Arc::new(Mutex::new(0_u64));
    let count = {
        let acknowledged = Arc::clone(&acknowledged);
        move || *acknowledged.lock().unwrap_or_else(PoisonError::into_inner)
    };
    let (enough, mut is_enough) = tokio::sync::watch::channel(false);
    let (said, mut heard) = tokio::sync::watch::channel(0);
    let posting = tokio::spawn(async move {
        for number in 0.. {
            if *is_enough.borrow_and_update() {
                break;
            }
            jim.do_(public("General", number, "kept")).await;
            *acknowledged.lock().unwrap_or_else(PoisonError::into_inner) = number + 1;
            said.send_replace(number as usize + 1);
        }
    });
    heard.wait_for(|posts| *posts >= POSTS).await.expect("posts");
    let before = count();
    let made = run(&home, &["backup", text(&copy), "--data", text(&data)]).await;
    assert_eq!(made.exit, Exit::Code(0), "{}", made.diagnostics);
    assert!(made.output.contains("has everything up to entry "), "{}", made.output);
    assert!(made.output.contains("the log is whole: "), "{}", made.output);
    let after = count();
    heard.wait_for(|posts| *posts as u64 > after).await.expect("posts go on");
    assert!(after > before, "posts went on while the copy was made");
    enough.send_replace(true);
    posting.await.expect("all of them were acknowledged");
    kill(server).await;

    assert_eq!(mode(&copy), 0o700);
    let names: BTreeSet<_> = fs::read_dir(&copy)
        .expect("a directory")
        .map(|file| file.expect("a file").file_name().into_string().expect("a name"))
        .collect();
    assert_eq!(
        names.iter().map(String::as_str).collect::<Vec<_>>(),
        ["log.sqlite", "tls-cert.pem", "tls-key.pem"]
    );
    assert!(names.iter().all(|name| mode(&copy.join(name)) == 0o600));

    let put_back = run(&home, &["restore", text(&copy), "--data", text(&elsewhere)]).await;
    assert_eq!(put_back.exit, Exit::Code(0), "{}", put_back.diagnostics);
    let kept = exported(&home, &elsewhere).await;
    let lost: Vec<u64> = (0..before).filter(|number| !kept.contains(number)).collect();
    assert!(lost.is_empty(), "acknowledged before the backup, and not in it: {lost:?}");
    check_restored(&home, &data, &elsewhere, kept.len()).await;
}

/// The restored server shows its history, and is the one that people know by its key.
async fn check_restored(home: &Home, data: &Path, elsewhere: &Path, posts: usize) {
    let server = start(elsewhere);
    let mut ann = TestClient::come(server.address(), "ann").await;
    let to = Conversation::Group(group("General"));
    let (mut shown, mut before) = (0, Seq::ZERO);
    loop {
        let page = ann.do_(Request::History { of: to.clone(), before, count: 400 }).await;
        let Response::Past { posts, next } = page else { panic!("no history: {page:?}") };
        shown += posts.as_slice().len();
        match next {
            Some(next) => before = next,
            None => break,
        }
    }
    assert_eq!(shown, posts);
    let [known, restored] = [data, elsewhere].map(|data| ["fingerprint", "--data", text(data)]);
    let (known, restored) = (run(home, &known).await, run(home, &restored).await);
    assert!(known.output.starts_with("SHA256:"), "{}", known.diagnostics);
    assert_eq!(known.output, restored.output);
    for name in ["log.sqlite", "tls-cert.pem", "tls-key.pem"] {
        assert_eq!(mode(&elsewhere.join(name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn neither_a_backup_nor_a_restore_overwrites_anything() {
    let home = Home::new();
    let [data, other, copy] = ["data", "other", "copy"].map(|name| home.path().join(name));
    said_in(&data, "kept").await;
    said_in(&other, "another server's").await;
    let made = run(&home, &["backup", text(&copy), "--data", text(&data)]).await;
    assert_eq!(made.exit, Exit::Code(0), "{}", made.diagnostics);

    let again = run(&home, &["backup", text(&copy), "--data", text(&other)]).await;
    assert_eq!((again.exit, again.output.as_str()), (Exit::Code(1), ""));
    assert!(again.diagnostics.contains("is there already"), "{}", again.diagnostics);

    let files = ["log.sqlite", "log.sqlite-wal", "tls-key.pem"].map(|name| other.join(name));
    let before = files.clone().map(|file| fs::read(file).expect("a file"));
    let refused = run(&home, &["restore", text(&copy), "--data", text(&other)]).await;
    assert_eq!((refused.exit, refused.output.as_str()), (Exit::Code(1), ""));
    assert!(refused.diagnostics.contains("there is a log in it already"), "{refused:?}");
    // Nor when only the key is left, nor when only the newest of the log is.
    for gone in ["log.sqlite", "log.sqlite-wal"] {
        let refused = run(&home, &["restore", text(&copy), "--data", text(&other)]).await;
        assert_eq!(refused.exit, Exit::Code(1), "before {gone} was gone");
        fs::remove_file(other.join(gone)).expect("removed");
    }
    let refused = run(&home, &["restore", text(&copy), "--data", text(&other)]).await;
    assert_eq!(refused.exit, Exit::Code(1), "{}", refused.output);
    assert!(refused.diagnostics.contains("nothing is overwritten: clients know"), "{refused:?}");
    assert!(!other.join("log.sqlite").exists());
    assert_eq!(fs::read(&files[2]).expect("a key"), before[2]);
}

#[tokio::test]
async fn a_server_is_not_restored_beside_one_that_runs_nor_from_a_damaged_backup() {
    let home = Home::new();
    let [data, copy, empty] = ["data", "copy", "empty"].map(|name| home.path().join(name));
    said_in(&data, "kept").await;
    let made = run(&home, &["backup", text(&copy), "--data", text(&data)]).await;
    assert_eq!(made.exit, Exit::Code(0), "{}", made.diagnostics);
    let running = start(&data);
    let refused = run(&home, &["restore", text(&copy), "--data", text(&data)]).await;
    assert_eq!(refused.exit, Exit::Code(1));
    assert!(refused.diagnostics.contains("another server is using it"), "{refused:?}");
    kill(running).await;

    let log = copy.join("log.sqlite");
    let connection = rusqlite::Connection::open(&log).expect("a database");
    let damage = "UPDATE batches SET crc = crc + 1 WHERE last = (SELECT max(last) FROM batches)";
    assert_eq!(connection.execute(damage, []).expect("changed"), 1);
    drop(connection);
    let refused = run(&home, &["restore", text(&copy), "--data", text(&empty)]).await;
    assert_eq!(refused.exit, Exit::Code(1), "{}", refused.output);
    assert!(refused.diagnostics.contains("the log is damaged"), "{refused:?}");
    let left: Vec<PathBuf> = fs::read_dir(&empty)
        .expect("a directory")
        .map(|file| file.expect("a file").path())
        .collect();
    assert_eq!(left, [empty.join("lock")], "nothing is left of it");
}
