//! Backups: made by the real program while a server is busy, and put back elsewhere. And data
//! directories whose files do not belong together.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use chatroom_proto::{Conversation, Request, Response, Seq};
use integration_tests::process::Exit;
use integration_tests::program::{BUSY, Finished, Home, ServerProgram, run_tool};
use integration_tests::test_client::{TestClient, group, public};
use tokio::sync::watch;

/// Posts before the backup begins.
const POSTS: u64 = 60;

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

/// A server that keeps everything in this directory.
fn start(data: &Path) -> ServerProgram {
    ServerProgram::start_with(&[&BUSY[..], &["--data", text(data)]].concat())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

/// The numbers of the posts that an export has.
async fn exported(home: &Home, data: &Path) -> BTreeSet<u64> {
    let said = run_tool(home, &["export", "General", "--data", text(data)]).await;
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

/// A name that nobody has had: those of servers that were killed are held for a while.
fn somebody() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("somebody{}", COUNT.fetch_add(1, Ordering::Relaxed))
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
    let (enough, mut is_enough) = watch::channel(false);
    let (said, mut heard) = watch::channel(0_u64);
    let posting = tokio::spawn(async move {
        for number in 0.. {
            if *is_enough.borrow_and_update() {
                break;
            }
            jim.do_(public("General", number, "kept")).await;
            said.send_replace(number + 1);
        }
    });
    let mut before = *heard.wait_for(|posts| *posts >= POSTS).await.expect("posts");
    loop {
        let made = run_tool(&home, &["backup", text(&copy), "--data", text(&data)]).await;
        assert_eq!(made.exit, Exit::Code(0), "{}", made.diagnostics);
        assert!(made.output.contains("has everything up to entry "), "{}", made.output);
        assert!(made.output.contains("the log is whole: "), "{}", made.output);
        let after = *heard.borrow();
        if after > before {
            break;
        }
        // On a busy machine nothing was said meanwhile: once more.
        before = *heard.wait_for(|posts| *posts > after).await.expect("posts go on");
        fs::remove_dir_all(&copy).expect("removed");
    }
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

    let put_back = run_tool(&home, &["restore", text(&copy), "--data", text(&elsewhere)]).await;
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
    let (known, restored) = (run_tool(home, &known).await, run_tool(home, &restored).await);
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
    let made = run_tool(&home, &["backup", text(&copy), "--data", text(&data)]).await;
    assert_eq!(made.exit, Exit::Code(0), "{}", made.diagnostics);

    let again = run_tool(&home, &["backup", text(&copy), "--data", text(&other)]).await;
    assert_eq!((again.exit, again.output.as_str()), (Exit::Code(1), ""));
    assert!(again.diagnostics.contains("is there already"), "{}", again.diagnostics);

    let files = ["log.sqlite", "log.sqlite-wal", "tls-key.pem"].map(|name| other.join(name));
    let before = files.clone().map(|file| fs::read(file).expect("a file"));
    let refused = run_tool(&home, &["restore", text(&copy), "--data", text(&other)]).await;
    assert_eq!((refused.exit, refused.output.as_str()), (Exit::Code(1), ""));
    assert!(refused.diagnostics.contains("there is a log in it already"), "{refused:?}");
    // Nor when only the key is left, nor when only the newest of the log is.
    for gone in ["log.sqlite", "log.sqlite-wal"] {
        let refused = run_tool(&home, &["restore", text(&copy), "--data", text(&other)]).await;
        assert_eq!(refused.exit, Exit::Code(1), "before {gone} was gone");
        fs::remove_file(other.join(gone)).expect("removed");
    }
    let refused = run_tool(&home, &["restore", text(&copy), "--data", text(&other)]).await;
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
    let made = run_tool(&home, &["backup", text(&copy), "--data", text(&data)]).await;
    assert_eq!(made.exit, Exit::Code(0), "{}", made.diagnostics);
    let running = start(&data);
    let refused = run_tool(&home, &["restore", text(&copy), "--data", text(&data)]).await;
    assert_eq!(refused.exit, Exit::Code(1));
    assert!(refused.diagnostics.contains("another server is using it"), "{refused:?}");
    kill(running).await;

    let log = copy.join("log.sqlite");
    let connection = rusqlite::Connection::open(&log).expect("a database");
    let damage = "UPDATE batches SET crc = crc + 1 WHERE last = (SELECT max(last) FROM batches)";
    assert_eq!(connection.execute(damage, []).expect("changed"), 1);
    drop(connection);
    let refused = run_tool(&home, &["restore", text(&copy), "--data", text(&empty)]).await;
    assert_eq!(refused.exit, Exit::Code(1), "{}", refused.output);
    assert!(refused.diagnostics.contains("the log is damaged"), "{refused:?}");
    let left: Vec<PathBuf> = fs::read_dir(&empty)
        .expect("a directory")
        .map(|file| file.expect("a file").path())
        .collect();
    assert_eq!(left, [empty.join("lock")], "nothing is left of it");
}

/// What a client is shown of General, the oldest first.
async fn shown(server: &ServerProgram) -> Vec<String> {
    let mut ann = TestClient::come(server.address(), &somebody()).await;
    let of = Conversation::Group(group("General"));
    let Response::Past { posts, .. } =
        ann.do_(Request::History { of, before: Seq::ZERO, count: 400 }).await
    else {
        panic!("no history")
    };
    posts.as_slice().iter().rev().map(|found| found.post.body.as_str().to_owned()).collect()
}

/// Says these things in a server of its own, which is killed when the archive has all of them.
async fn said_and_archived(data: &Path, numbers: std::ops::Range<u64>, text: &str) {
    let server = start(data);
    let mut jim = TestClient::come(server.address(), &somebody()).await;
    for number in numbers {
        jim.do_(public("General", number, text)).await;
    }
    assert!(!shown(&server).await.is_empty());
    kill(server).await;
}

/// Takes the files of a database away, or to another directory.
fn take(name: &str, from: &Path, to: Option<&Path>) {
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("{name}{suffix}");
        if let Some(to) = to {
            let _ = fs::remove_file(to.join(&name));
            let _ = fs::copy(from.join(&name), to.join(&name));
        } else {
            let _ = fs::remove_file(from.join(&name));
        }
    }
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a new directory");
    for file in fs::read_dir(from).expect("a directory") {
        let file = file.expect("a file");
        fs::copy(file.path(), to.join(file.file_name())).expect("copied");
    }
}

#[tokio::test]
async fn an_archive_of_another_server_is_made_again_and_not_shown() {
    let home = Home::new();
    let [one, other] = ["one", "other"].map(|name| home.path().join(name));
    said_and_archived(&one, 0..6, "of this server").await;
    said_and_archived(&other, 0..3, "of the other server").await;
    take("archive.sqlite", &other, Some(&one));
    let said = run_tool(&home, &["verify", "--data", text(&one)]).await;
    assert!(said.output.contains("it is a view of another log"), "{said:?}");
    let server = start(&one);
    assert_eq!(shown(&server).await, ["of this server"; 6]);
}

#[tokio::test]
async fn an_archive_of_what_a_restored_log_never_had_is_made_again() {
    let home = Home::new();
    let [data, copy, before] = ["data", "copy", "before"].map(|name| home.path().join(name));
    said_and_archived(&data, 0..2, "shared").await;
    let made = run_tool(&home, &["backup", text(&copy), "--data", text(&data)]).await;
    assert_eq!(made.exit, Exit::Code(0), "{}", made.diagnostics);
    said_and_archived(&data, 2..5, "before the restore").await;
    copy_all(&data, &before);
    for name in ["log.sqlite", "archive.sqlite"] {
        take(name, &data, None);
    }
    let put_back = run_tool(&home, &["restore", text(&copy), "--data", text(&data)]).await;
    assert_eq!(put_back.exit, Exit::Code(0), "{}", put_back.diagnostics);
    said_and_archived(&data, 2..12, "after the restore").await;
    // The log has the identity that the archive knows, and has gone further than that.
    take("archive.sqlite", &before, Some(&data));
    let server = start(&data);
    let expected = [&["shared"; 2][..], &["after the restore"; 10]].concat();
    assert_eq!(shown(&server).await, expected);
}

#[tokio::test]
async fn a_log_that_is_gone_is_noticed_by_what_is_left() {
    let home = Home::new();
    let data = home.path().join("data");
    said_and_archived(&data, 0..3, "kept").await;
    let lose: [(&str, &[&str], &str); 4] = [
        ("its newest part", &["log.sqlite-wal", "log.sqlite-shm"], "the log has lost its end"),
        ("all but that", &["log.sqlite"], "the log is gone"),
        ("all of it", &["log.sqlite", "log.sqlite-wal", "log.sqlite-shm"], "the log is gone"),
        ("all but that and the archive", &["log.sqlite", "archive.sqlite"], "is missing or empty"),
    ];
    for (number, (what, lost, said)) in lose.into_iter().enumerate() {
        let left = home.path().join(number.to_string());
        copy_all(&data, &left);
        for name in lost {
            fs::remove_file(left.join(name)).expect("removed");
        }
        for attempt in ["at once", "again"] {
            let refused = fail_in(&left).await;
            assert_eq!(refused.exit, Exit::Code(1), "{what}, {attempt}: {refused:?}");
            assert!(refused.diagnostics.contains(said), "{what}, {attempt}: {refused:?}");
        }
        // What was missing is found, and put back.
        for name in lost {
            fs::copy(data.join(name), left.join(name)).expect("put back");
        }
        let server = start(&left);
        assert_eq!(shown(&server).await, ["kept"; 3], "{what}");
    }
}

#[tokio::test]
async fn a_server_that_has_a_key_and_no_log_says_that_it_begins_anew() {
    let home = Home::new();
    let data = home.path().join("data");
    said_in(&data, "gone").await;
    for name in ["log.sqlite", "archive.sqlite"] {
        take(name, &data, None);
    }
    let server = start(&data);
    let warned = server.diagnostics().find(|said| said.contains("and no log").then_some(()));
    assert_eq!(warned, Some(()));
}

async fn fail_in(data: &Path) -> Finished {
    let data = text(data).to_owned();
    let fail = move || ServerProgram::fail_with(&["--data", &data]);
    tokio::task::spawn_blocking(fail).await.expect("it ends")
}

#[tokio::test]
async fn a_flipped_bit_in_the_archive_changes_no_message_and_is_told_by_verify() {
    let home = Home::new();
    let data = home.path().join("data");
    said_and_archived(&data, 0..3, "a message as it was said").await;
    // Into one file, as after a server that was stopped.
    let log = rusqlite::Connection::open(data.join("archive.sqlite")).expect("a database");
    log.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("a checkpoint");
    drop(log);
    let whole = run_tool(&home, &["verify", "--data", text(&data)]).await;
    assert_eq!(whole.exit, Exit::Code(0), "{}", whole.diagnostics);
    assert!(whole.output.contains("the archive has everything up to "), "{}", whole.output);

    let path = data.join("archive.sqlite");
    let mut bytes = fs::read(&path).expect("an archive");
    let words = b"a message as it was said";
    let at = bytes.windows(words.len()).position(|window| window == words).expect("a message");
    // "a Message".
    bytes[at + 2] ^= 0x20;
    fs::write(&path, bytes).expect("written");
    let said = run_tool(&home, &["verify", "--data", text(&data)]).await;
    assert_eq!((said.exit, said.output.as_str()), (Exit::Code(1), ""));
    assert!(said.diagnostics.contains("the log is whole, and the archive"), "{said:?}");
    assert!(said.diagnostics.contains("the checksum of the post at"), "{said:?}");

    let server = start(&data);
    let mut ann = TestClient::come(server.address(), &somebody()).await;
    let of = Conversation::Group(group("General"));
    let refused = ann.ask(Request::History { of, before: Seq::ZERO, count: 400 }).await;
    assert!(refused.is_err(), "{refused:?}");
    kill(server).await;
    let server = start(&data);
    assert_eq!(shown(&server).await, ["a message as it was said"; 3], "made again");
}
