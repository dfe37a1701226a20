//! What the environment says, and what is made of it.

use integration_tests::piped::Piped;
use integration_tests::process::Exit;
use integration_tests::program::{Finished, Home, ServerProgram};

/// What the server says about its key: whether it was told to keep nothing, nobody else can tell
/// from outside so soon.
fn fingerprint(environment: &[(&str, &str)]) -> Finished {
    ServerProgram::run_with(&Home::new(), environment, &["fingerprint"])
}

const KEEPS_NOTHING: &str = "with --in-memory the key is a new one";
const KEEPS: &str = "there is no certificate in";

#[test]
fn a_switch_means_what_its_variable_says() {
    for (value, wanted) in [
        ("1", KEEPS_NOTHING),
        ("yes", KEEPS_NOTHING),
        ("On", KEEPS_NOTHING),
        ("TRUE", KEEPS_NOTHING),
        ("0", KEEPS),
        ("no", KEEPS),
        ("off", KEEPS),
        ("False", KEEPS),
        ("", KEEPS),
    ] {
        let said = fingerprint(&[("CHATROOM_IN_MEMORY", value)]);
        assert_eq!(said.exit, Exit::Code(1), "{value}: {said:?}");
        assert!(said.diagnostics.contains(wanted), "{value}: {said:?}");
    }
    for variable in ["CHATROOM_IN_MEMORY", "CHATROOM_ALLOW_PLAINTEXT"] {
        let said = fingerprint(&[(variable, "perhaps")]);
        assert_eq!(said.exit, Exit::Code(2), "{said:?}");
        assert!(said.diagnostics.contains(&format!("{variable} takes yes or no")), "{said:?}");
    }
}

#[test]
fn a_switch_that_says_no_contradicts_nothing() {
    let data = tempfile::tempdir().expect("a directory");
    let no = ["env", "CHATROOM_IN_MEMORY=no", "CHATROOM_ALLOW_PLAINTEXT=off"];
    let server =
        ServerProgram::start_under(&no, &["--data", data.path().to_str().expect("a plain path")]);
    server.unwrap_or_else(|said| panic!("it did not start: {said}")).kill();
    assert!(data.path().join("log.sqlite").is_file());
}

#[test]
fn an_empty_value_is_as_if_it_was_not_there() {
    let home = Home::new();
    let all = [
        "LISTEN",
        "TLS_CERT",
        "TLS_KEY",
        "ALLOW_PLAINTEXT",
        "DATA",
        "IN_MEMORY",
        "DURABILITY",
        "KEEP_DAYS",
        "CONNECTIONS_MAX",
        "CONNECTIONS_PER_ADDRESS_MAX",
        "RATE",
        "GROUPS_MAX",
    ];
    let variables = all.map(|name| format!("CHATROOM_{name}"));
    let mut environment = vec![("RUST_LOG", ""), ("NO_COLOR", "")];
    environment.extend(variables.iter().map(|name| (&**name, "")));
    let said = ServerProgram::run_with(&home, &environment, &["fingerprint"]);
    assert!(said.diagnostics.contains(KEEPS), "{said:?}");
    let state = home.path().join("state/chatroom-server");
    assert!(said.diagnostics.contains(state.to_str().expect("a plain path")), "{said:?}");

    let mut wrapper = vec!["env".to_owned()];
    wrapper.extend(environment.iter().map(|(name, _)| format!("{name}=")));
    let wrapper: Vec<&str> = wrapper.iter().map(String::as_str).collect();
    let server = ServerProgram::start_under(&wrapper, &[]);
    server.unwrap_or_else(|said| panic!("it did not start: {said}")).kill();
}

#[test]
fn a_variable_that_means_nothing_is_named_in_a_warning() {
    let said = fingerprint(&[("CHATROOM_KEEPDAYS", "30"), ("CHATROOM_GROUP_MAX", "7")]);
    for wanted in [
        "WARN chatroom_server::cli: the environment has CHATROOM_GROUP_MAX, which means nothing",
        "is it CHATROOM_GROUPS_MAX?",
        "is it CHATROOM_KEEP_DAYS?",
    ] {
        assert!(said.diagnostics.contains(wanted), "no {wanted} in {said:?}");
    }
}

#[test]
fn a_client_takes_an_empty_filter_for_none() {
    let server = ServerProgram::start();
    let port = server.port().to_string();
    let home = Home::new();
    let log = home.path().join("log");
    let arguments = ["127.0.0.1", &port, "Jim", "--log-file", log.to_str().expect("a plain path")];
    let said = Piped::run_with(&home, &[("RUST_LOG", "")], &arguments).finish();
    assert_eq!((said.exit, &*said.diagnostics), (Exit::Code(0), ""));
    assert!(!log.exists(), "nothing is logged");
}
