//! What is shipped has nothing in it that is for tests.

use std::process::{Child, Command, Stdio};

use integration_tests::process::spawn;

/// The crates that the two programs are built of, each with its features.
fn crates() -> Vec<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut tree = Command::new(cargo);
    tree.args(["tree", "--locked", "--offline", "--edges", "no-dev", "--prefix", "none"])
        .args(["--format", "{p} {f}", "-p", "chatroom-server", "-p", "chatroom-client"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let told = spawn(&mut tree).and_then(Child::wait_with_output).expect("cargo can be run");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    String::from_utf8_lossy(&told.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn the_programs_have_no_generators_of_random_values() {
    let crates = crates();
    assert!(crates.iter().any(|line| line.starts_with("chatroom-proto")), "{crates:?}");
    let is_for_tests = |line: &&String| line.contains("test-util") || line.starts_with("arbitrary");
    assert_eq!(crates.iter().find(is_for_tests), None);
}
