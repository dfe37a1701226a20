//! Directories that others may write to: the server says so, and what mends it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use integration_tests::process::{Exit, spawn};
use integration_tests::program::ServerProgram;
use tempfile::TempDir;

/// A directory in which a server has been, with a space in its name.
fn data() -> TempDir {
    let data = TempDir::with_prefix("chatroom data-").expect("a temporary directory can be made");
    start(data.path()).stop();
    data
}

fn arguments(data: &Path) -> [&str; 2] {
    ["--data", data.to_str().expect("a path that is text")]
}

fn start(data: &Path) -> ServerProgram {
    ServerProgram::start_with(&arguments(data))
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

/// Does what the server says that mends it.
fn mend(said: &str) {
    let (_, command) = said.split_once("be this server: ").expect("what mends it");
    let command = command.lines().next().unwrap_or_default();
    let mended = spawn(Command::new("sh").args(["-c", command])).expect("a shell").wait();
    assert!(mended.is_ok_and(|mended| mended.success()), "{command}");
}

#[test]
fn what_everybody_may_write_to_is_served_by_nobody() {
    for (file, mode) in [("", 0o777), ("", 0o1777), ("log.sqlite", 0o602), ("tls-cert.pem", 0o666)]
    {
        let data = data();
        let path = data.path().join(file);
        set_mode(&path, mode);
        let said = ServerProgram::fail_with(&arguments(data.path()));
        assert_eq!(said.exit, Exit::Code(1), "{file}: {said:?}");
        assert_eq!(said.output, "", "{file}");
        let wanted = format!("everybody on this machine may write to {}", path.display());
        assert!(said.diagnostics.contains(wanted.trim_end_matches('/')), "{said:?}");
        // Only served: what is there can be looked at.
        let home = integration_tests::program::Home::new();
        let looked = [&["verify"][..], &arguments(data.path())].concat();
        assert_eq!(ServerProgram::run(&home, &looked).exit, Exit::Code(0));

        mend(&said.diagnostics);
        let said = start(data.path()).stop().diagnostics;
        assert!(!said.contains("may write to"), "{said}");
    }
}

#[test]
fn a_group_may_write_and_that_is_said() {
    for (file, mode) in [("", 0o770), ("archive.sqlite", 0o660)] {
        let data = data();
        let path = data.path().join(file);
        set_mode(&path, mode);
        let said = start(data.path()).stop().diagnostics;
        let wanted = format!("the group of {}", path.display());
        assert!(said.contains(" WARN "), "{said}");
        assert!(said.contains(wanted.trim_end_matches('/')), "{said}");

        mend(&said);
        let said = start(data.path()).stop().diagnostics;
        assert!(!said.contains("may write to"), "{said}");
    }
}

#[test]
fn others_may_look_into_the_directory_and_a_folder_in_it_is_no_server_s() {
    let data = data();
    set_mode(data.path(), 0o755);
    let folder = data.path().join("copies");
    fs::create_dir(&folder).expect("made");
    set_mode(&folder, 0o777);
    std::os::unix::fs::symlink("nowhere", data.path().join("link")).expect("made");
    let said = start(data.path()).stop().diagnostics;
    assert!(!said.contains("may write to"), "{said}");
}

#[test]
fn a_directory_that_is_made_is_nobody_else_s() {
    let above = TempDir::with_prefix("chatroom-above-").expect("a temporary directory");
    let data = above.path().join("data");
    // Whatever the mask of whoever starts it.
    let shell = "umask 000; exec \"$0\" \"$@\"";
    let server = ServerProgram::start_under(&["sh", "-c", shell], &arguments(&data));
    server.unwrap_or_else(|said| panic!("the server did not start: {said}")).stop();
    let said = start(&data).stop().diagnostics;
    assert!(!said.contains("may write to"), "{said}");
}
