//! Where nothing more can be kept: the server ends with a sentence, and does not say that it
//! listens. `durable` has what was acknowledged before.

use std::path::Path;
use std::process::{Command, Stdio};

use chatroom_proto::{CloseReason, Notification, Response, ServerFrame, Tag};
use integration_tests::process::{Exit, spawn};
use integration_tests::program::{BUSY, ServerProgram};
use integration_tests::test_client::{TestClient, public};
use tempfile::TempDir;

fn data() -> TempDir {
    TempDir::with_prefix("chatroom-data-").expect("a temporary directory can be made")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

fn arguments(data: &Path) -> Vec<&str> {
    [&BUSY[..], &["--data", text(data)]].concat()
}

/// Whether a small disk of our own can be had here: some containers allow none, and other systems
/// have none. `ulimit -f` is everywhere.
fn has_small_disks() -> bool {
    let mut probe = Command::new("unshare");
    probe.args(["--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
    let probed = spawn(probe.stdout(Stdio::null()).stderr(Stdio::null()));
    let probed = probed.and_then(|mut probe| probe.wait());
    let has = probed.is_ok_and(|status| status.success());
    if !has {
        eprintln!("no small disk can be had here: this scene is left out");
    }
    has
}

/// Starts a server with a disk of its own in the place of this directory, on which the shell has
/// done something before. It is gone with the server.
fn start_on_a_disk(
    mib: u32,
    data: &Path,
    before: &str,
    arguments: &[&str],
) -> Result<ServerProgram, String> {
    let disk = text(data);
    let shell = format!(
        "mount -t tmpfs -o size={mib}m,mode=700 tmpfs '{disk}' && cd '{disk}' && {before} && \
         exec \"$0\" \"$@\""
    );
    let wrapper = ["unshare", "--map-root-user", "--mount", "sh", "-c", &shell];
    ServerProgram::start_under(&wrapper, arguments)
}

#[tokio::test]
async fn a_disk_that_becomes_full_ends_the_server_with_a_sentence() {
    if !has_small_disks() {
        return;
    }
    let data = data();
    let server = start_on_a_disk(6, data.path(), "true", &arguments(data.path()))
        .unwrap_or_else(|said| panic!("there is room to begin: {said}"));
    let mut jim = TestClient::come(server.address(), "jim").await;
    let text = "x".repeat(7_000);
    let mut posted = 0;
    for number in 0.. {
        jim.try_say_with(Tag(number), public("General", number.into(), &text)).await;
        match jim.try_frame().await {
            Some(ServerFrame::Response { result: Ok(Response::Posted { .. }), .. }) => posted += 1,
            None | Some(ServerFrame::Notification(Notification::Closing(CloseReason::Failed))) => {
                break;
            }
            other => panic!("not posted: {other:?}"),
        }
    }
    let ended = tokio::task::spawn_blocking(move || server.wait()).await.expect("ended");
    assert_eq!(ended.exit, Exit::Code(1), "{ended:?}");
    assert!(ended.diagnostics.contains("disk is full"), "{}", ended.diagnostics);
    assert!(!ended.diagnostics.contains("panicked"), "{}", ended.diagnostics);
    assert!(posted > 20, "there was room for some: {posted}");
}

#[test]
fn a_server_on_a_disk_that_is_still_full_does_not_say_that_it_listens() {
    if !has_small_disks() {
        return;
    }
    let (kept, data) = (data(), data());
    ServerProgram::start_with(&arguments(kept.path())).stop();
    let start_with_free = |free: &str| {
        let from = text(kept.path());
        let fill = format!(
            "cp {from}/* . && {{ cat /dev/zero > others 2> /dev/null || true; }} && \
             truncate --size=-{free} others"
        );
        start_on_a_disk(8, data.path(), &fill, &arguments(data.path()))
    };
    for (free, wanted) in
        [("0", "is the disk full"), ("64K", "there is no room to go on"), ("900K", "no room")]
    {
        let said = start_with_free(free).expect_err("there is no room");
        assert!(said.contains(wanted), "{free}: {said}");
        assert!(said.contains("full") || said.contains("No space left"), "{free}: {said}");
        for listening in ["Server is listening!", "listening address", "operator code"] {
            assert!(!said.contains(listening), "{free}: {said}");
        }
    }
    let said = start_with_free("2M").expect("there is room again").stop();
    assert_eq!(said.exit, Exit::Code(0), "{said:?}");
}

#[test]
fn a_server_whose_files_may_not_grow_does_not_say_that_it_listens() {
    let data = data();
    let arguments = arguments(data.path());
    ServerProgram::start_with(&arguments).stop();
    for (kib, wanted) in [(0, "is the disk full"), (512, "no file may have more than 524288")] {
        let said = ServerProgram::start_with_room_for(kib, &arguments).expect_err("no room");
        assert!(said.contains(wanted), "{kib}: {said}");
        assert!(!said.contains("listening"), "{kib}: {said}");
    }
    // Nothing is left of the attempts, and nothing is in the way.
    let said = ServerProgram::start_with_room_for(4_096, &arguments).expect("there is room").stop();
    assert_eq!(said.exit, Exit::Code(0), "{said:?}");
}

#[test]
fn a_server_that_can_not_write_down_that_it_begins_does_not_say_that_it_listens() {
    let data = data();
    let arguments = arguments(data.path());
    ServerProgram::start_with(&arguments).stop();
    let log = rusqlite::Connection::open(data.path().join("log.sqlite")).expect("a database");
    let trap = "
        CREATE TRIGGER full BEFORE INSERT ON batches
        BEGIN SELECT RAISE(FAIL, 'nothing more can be kept'); END";
    log.execute_batch(trap).expect("made");
    drop(log);
    let said = ServerProgram::fail_with(&arguments);
    assert_eq!(said.exit, Exit::Code(1), "{said:?}");
    assert_eq!(said.output, "");
    let last = said.diagnostics.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("chatroom-server: ") && last.contains("nothing more can be kept"),
        "{said:?}"
    );
    assert!(!said.diagnostics.contains("listening"), "{said:?}");
}
