//! The ways in which people write where a server is; and what is wrong when it is nowhere.

use integration_tests::piped::Piped;
use integration_tests::process::Exit;
use integration_tests::program::{Finished, ServerProgram, quiet_port};

fn run(arguments: &[&str]) -> Finished {
    Piped::run(arguments).finish()
}

#[test]
fn a_host_and_a_port_may_be_one_argument() {
    let server = ServerProgram::start();
    let port = server.port().to_string();
    for place in [format!("127.0.0.1:{port}"), format!("localhost:{port}")] {
        let finished = run(&[&place, "Ann"]);
        assert!(finished.output.starts_with("Connected to the server!\n"), "{finished:?}");
        assert_eq!(finished.exit, Exit::Code(0));
    }
}

#[test]
fn an_address_with_colons_may_stand_in_brackets() {
    let port = quiet_port().to_string();
    for arguments in [
        vec!["::1", &port, "Ann"],
        vec!["[::1]", &port, "Ann"],
        vec![&format!("[::1]:{port}"), "Ann"],
    ] {
        let finished = run(&arguments);
        let said = format!("Cannot connect to [::1]:{port}: ");
        assert!(finished.diagnostics.starts_with(&said), "{finished:?}");
        assert_eq!(finished.exit, Exit::Code(3));
    }
}

#[test]
fn what_is_wrong_is_said() {
    for (arguments, code, said) in [
        (&["no-such-host.invalid", "9000", "Ann"][..], 3, "Cannot find the host 'no-such-host.inv"),
        (&["localhost", "70000", "Ann"], 2, "'70000' is no port: a port is a number from 1 to 65"),
        (&["localhost:70000", "Ann"], 2, "'70000' is no port: a port is a number from 1 to 65535"),
        (&["localhost", "Ann"], 2, "'Ann' is no port: a port is a number from 1 to 65535"),
        (&["[::1", "9000", "Ann"], 2, "'[::1' is no address: its bracket is not closed"),
        (&["localhost:9000", "9001", "Ann"], 2, "the port is given twice: '9000' and '9001'"),
    ] {
        let finished = run(arguments);
        assert!(finished.diagnostics.contains(said), "{finished:?}");
        assert_eq!(finished.exit, Exit::Code(code), "{finished:?}");
    }
}
