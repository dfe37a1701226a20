//! The client against servers that it does not trust, and those that it does: the real programs, by
//! the address by which others reach this machine.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;

use integration_tests::piped::Piped;
use integration_tests::process::Exit;
use integration_tests::program::{Finished, Home, ServerProgram, quiet_port};
use integration_tests::proxy::Proxy;
use integration_tests::terminal::Terminal;
use integration_tests::test_client::TestClient;
use integration_tests::tls::{Identity, Impostor, elsewhere, is_only_tls};

/// Where others reach this machine; a machine that nobody reaches is its own other.
fn host() -> IpAddr {
    elsewhere().unwrap_or(Ipv4Addr::LOCALHOST.into())
}

/// A client that goes there, and speaks TLS where that does not go without saying.
fn arguments<'a>(host: &'a str, port: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let asked: &[&str] = if elsewhere().is_some() { &[] } else { &["--tls"] };
    [asked, more, &[host, port, "Jim"]].concat()
}

/// Comes and goes.
fn visit(home: &Home, at: SocketAddr, more: &[&str]) -> Finished {
    let (host, port) = (at.ip().to_string(), at.port().to_string());
    let mut jim = Piped::run_at(home, &arguments(&host, &port, more));
    jim.say("exit");
    jim.finish()
}

/// A server that others reach there.
fn serve(port: u16, more: &[&str]) -> (ServerProgram, SocketAddr) {
    let at = SocketAddr::new(host(), port);
    let server = ServerProgram::start_with(&[&["--listen", &at.to_string()], more].concat());
    let at = *server.addresses().last().expect("two addresses");
    (server, at)
}

fn is_welcome(left: &Finished) -> bool {
    left.exit == Exit::Code(0) && left.output.starts_with("Connected to the server!\n")
}

fn known_hosts(home: &Home) -> std::path::PathBuf {
    home.path().join("state/chatroom/known_hosts")
}

#[test]
fn a_new_server_s_key_is_shown_once_and_kept_for_nobody_elses_eyes() {
    let (server, at) = serve(0, &[]);
    let home = Home::new();
    let first = visit(&home, at, &[]);
    assert!(is_welcome(&first), "{first:?}");
    let new = format!(
        "The server at {} is new here. Its fingerprint is {}\n",
        at_text(at),
        server.fingerprint()
    );
    assert!(first.diagnostics.starts_with(&new), "{first:?}");
    let second = visit(&home, at, &[]);
    assert!(is_welcome(&second), "{second:?}");
    assert_eq!(second.diagnostics, "");
    let file = known_hosts(&home);
    let text = fs::read_to_string(&file).expect("a text");
    assert_eq!(
        text.lines().last(),
        Some(&*format!("{} {} {}", at.ip(), at.port(), server.fingerprint()))
    );
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
}

fn at_text(at: SocketAddr) -> String {
    format!("{}:{}", at.ip(), at.port())
}

#[test]
fn a_changed_key_is_refused_with_both_fingerprints_and_the_command_that_is_shown_accepts_it() {
    let (server, at) = serve(0, &[]);
    let (home, before) = (Home::new(), server.fingerprint());
    assert!(is_welcome(&visit(&home, at, &[])));
    server.kill();
    let (server, at) = serve(at.port(), &[]);
    let now = server.fingerprint();

    let refused = visit(&home, at, &[]);
    assert_eq!((refused.exit, &*refused.output), (Exit::Code(3), ""), "{refused:?}");
    for line in [format!("before: {before}"), format!("now:    {now}")] {
        assert!(refused.diagnostics.lines().any(|said| said == line), "{refused:?}");
    }
    // As the person types it who was shown it.
    let command =
        refused.diagnostics.lines().find(|line| line.starts_with("chatroom ")).expect("a command");
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    let mut jim = Piped::run_at(&home, &words);
    jim.say("exit");
    let accepted = jim.finish();
    assert!(is_welcome(&accepted), "{accepted:?}");
    assert!(
        accepted.diagnostics.contains(&format!("is known by its new key now: {now}")),
        "{accepted:?}"
    );
    let after = visit(&home, at, &[]);
    assert!(is_welcome(&after) && after.diagnostics.is_empty(), "{after:?}");

    let other = format!("SHA256:{}", "0".repeat(64));
    let refused = visit(&home, at, &["--accept-key", &other]);
    assert_eq!(refused.exit, Exit::Code(3), "{refused:?}");
    assert!(
        refused.diagnostics.contains(&other) && refused.diagnostics.contains(&now),
        "{refused:?}"
    );
}

#[test]
fn whoever_shows_the_server_s_certificate_without_its_key_hears_nothing() {
    let data = tempfile::tempdir().expect("a directory");
    let (server, at) = serve(0, &["--data", data.path().to_str().expect("text")]);
    let (home, stranger) = (Home::new(), Home::new());
    assert!(is_welcome(&visit(&home, at, &[])));
    server.kill();
    let own = tempfile::tempdir().expect("a directory");
    let own = Identity::new(own.path(), "chatroom-server");
    let thief = Impostor::shows(at, &Identity::of_server(data.path()).certificate, &own.key);
    for home in [&home, &stranger] {
        let refused = visit(home, at, &[]);
        assert_eq!((refused.exit, &*refused.output), (Exit::Code(3), ""), "{refused:?}");
        assert!(refused.diagnostics.contains("can't prove that it has its key"), "{refused:?}");
        assert_eq!(thief.heard(), b"");
    }
    assert!(!known_hosts(&stranger).exists(), "nothing was learned from it");
}

#[test]
fn what_does_not_speak_tls_is_sent_no_plain_byte() {
    // As a chatroom-server of before would, and a web server.
    for answer in [
        b"\0\0\0\x10\x01\0\0\0\x07\0\0\0\x06\0\0\0\0\0\0\0".as_slice(),
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ] {
        let plain = Impostor::answers(SocketAddr::new(host(), 0), answer);
        let refused = visit(&Home::new(), plain.address, &[]);
        assert_eq!((refused.exit, &*refused.output), (Exit::Code(3), ""), "{refused:?}");
        assert!(refused.diagnostics.contains("does not speak TLS"), "{refused:?}");
        assert!(refused.diagnostics.contains("--plaintext"), "{refused:?}");
        assert!(is_only_tls(&plain.heard()));
    }
}

#[test]
fn a_client_that_spoke_tls_does_not_go_on_in_plain() {
    let (server, at) = serve(quiet_port(), &[]);
    let (home, host, port) = (Home::new(), at.ip().to_string(), at.port().to_string());
    let mut jim = Piped::run_at(&home, &arguments(&host, &port, &[]));
    jim.hear("Connected to the server!");
    jim.say("public General a secret");
    server.kill();
    jim.wait_for_diagnostics("Connection lost");
    let plain = Impostor::answers(at, b"\0\0\0\x0c\x01\0\0\0\x07\0\0\0\0\0\0\0");
    jim.say("public General another secret");
    let left = jim.wait();
    assert_eq!(left.exit, Exit::Code(3), "{left:?}");
    assert!(left.diagnostics.contains("does not speak TLS"), "{left:?}");
    assert!(is_only_tls(&plain.heard()));
}

#[test]
fn a_server_whose_line_is_damaged_is_no_new_one_and_the_line_is_named() {
    let (_server, at) = serve(0, &[]);
    let home = Home::new();
    assert!(is_welcome(&visit(&home, at, &[])));
    let file = known_hosts(&home);
    let text = fs::read_to_string(&file).expect("a text");
    let port = format!(" {} ", at.port());
    let damaged = text.replace(&port, &format!(" {}x ", at.port()));
    let number = text.lines().position(|line| line.contains(&port)).expect("a line") + 1;
    fs::write(&file, &damaged).expect("written");
    let left = visit(&home, at, &[]);
    assert_eq!(left.exit, Exit::Code(3), "{left:?}");
    let said = format!("Line {number} of {} can't be read", file.display());
    assert!(
        left.diagnostics.contains(&said) && left.diagnostics.contains("Mend the line"),
        "{left:?}"
    );
    assert_eq!(fs::read_to_string(&file).expect("a text"), damaged, "it is as it was found");
    fs::write(&file, text).expect("written");
    assert!(is_welcome(&visit(&home, at, &[])), "it is mended");
}

#[test]
fn a_server_whose_key_changes_meanwhile_ends_the_client() {
    let (server, at) = serve(quiet_port(), &[]);
    let (home, host, port) = (Home::new(), at.ip().to_string(), at.port().to_string());
    let mut jim = Piped::run_at(&home, &arguments(&host, &port, &[]));
    jim.hear("Connected to the server!");
    let before = server.fingerprint();
    server.kill();
    jim.wait_for_diagnostics("Connection lost");
    let (server, _) = serve(at.port(), &[]);
    let left = jim.wait();
    assert_eq!(left.exit, Exit::Code(3), "{left:?}");
    assert!(left.diagnostics.contains("HAS ANOTHER KEY THAN BEFORE"), "{left:?}");
    for fingerprint in [before, server.fingerprint()] {
        assert!(left.diagnostics.contains(&fingerprint), "{left:?}");
    }
}

#[test]
fn plain_clients_from_elsewhere_are_told_what_to_do_or_let_in_where_that_is_wished() {
    let Some(elsewhere) = elsewhere() else { return };
    let listen = SocketAddr::new(elsewhere, 0).to_string();
    let server = ServerProgram::start_with(&["--listen", &listen]);
    let at = server.addresses()[1];
    let refused = visit(&Home::new(), at, &["--plaintext"]);
    assert_eq!((refused.exit, &*refused.output), (Exit::Code(3), ""), "{refused:?}");
    let told = format!(
        "The server at {} takes connections from here through TLS only: leave out --plaintext",
        at_text(at)
    );
    assert!(refused.diagnostics.starts_with(&told), "{refused:?}");
    assert!(
        is_welcome(&visit(&Home::new(), server.address(), &["--plaintext"])),
        "from here it is let in"
    );

    let open = ServerProgram::start_with(&["--listen", &listen, "--allow-plaintext"]);
    assert!(is_welcome(&visit(&Home::new(), open.addresses()[1], &["--plaintext"])));
    let (_, warned) =
        (open.addresses(), open.diagnostics().find(|said| said.contains("WARN").then_some(())));
    assert!(warned.is_some(), "{}", open.diagnostics());
}

#[test]
fn a_server_that_an_authority_vouches_for_needs_no_fingerprint_and_does_not_lose_it_unnoticed() {
    let directory = tempfile::tempdir().expect("a directory");
    let authority = directory.path().join("authority.pem");
    let vouched = Identity::vouched_for(directory.path(), "localhost", &authority);
    let arguments = vouched.arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (home, port) = (Home::new(), quiet_port());
    let server = ServerProgram::start_again(
        port,
        &arguments.iter().map(ToString::to_string).collect::<Vec<_>>(),
    );
    let environment = [("SSL_CERT_FILE", authority.to_str().expect("text"))];
    let visit = |port: u16| {
        let port = port.to_string();
        let mut jim = Piped::run_with(&home, &environment, &["--tls", "localhost", &port, "Jim"]);
        jim.say("exit");
        jim.finish()
    };
    let believed = visit(port);
    assert!(is_welcome(&believed) && believed.diagnostics.is_empty(), "{believed:?}");
    let text = fs::read_to_string(known_hosts(&home)).expect("a text");
    assert!(text.ends_with(&format!("localhost {port} authority\n")), "{text}");

    server.kill();
    let server = ServerProgram::start_on(port);
    let refused = visit(port);
    assert_eq!(refused.exit, Exit::Code(3), "{refused:?}");
    assert!(refused.diagnostics.contains("IS NOT VOUCHED FOR ANY MORE"), "{refused:?}");
    assert!(refused.diagnostics.contains(&server.fingerprint()), "{refused:?}");
}

#[test]
fn at_a_terminal_the_fingerprint_comes_before_the_welcome() {
    let server = ServerProgram::start();
    let port = server.port().to_string();
    let jim = Terminal::chatroom(&["--tls", "127.0.0.1", &port, "Jim"], &Home::new());
    let screen = jim.wait_for_line("Connected to the server!");
    let text = screen.unfolded().join("\n");
    let (new, welcome) = (
        text.find("is new here. Its fingerprint is SHA256:"),
        text.find("Connected to the server!"),
    );
    assert!(new.is_some() && new < welcome, "{:?}", screen.lines);
}

#[tokio::test]
async fn a_chat_over_tls_goes_on_where_it_was_cut() {
    let server = ServerProgram::start();
    let mut ann = TestClient::come(server.address(), "Ann").await;
    let proxy = Proxy::to(server.address(), usize::MAX).await;
    let port = proxy.address.port().to_string();
    let said = tokio::task::spawn_blocking(move || {
        let mut jim = Piped::run(&["--tls", "127.0.0.1", &port, "Jim"]);
        jim.hear("Connected to the server!");
        jim.hear("You joined the room 'General'");
        for number in 1..=40 {
            if number == 5 {
                // A handshake, and some messages.
                proxy.cut_after(4_001);
                proxy.cut_now();
            }
            jim.say(&format!("public General message {number}"));
        }
        jim.say("exit");
        let left = jim.finish();
        assert!(proxy.cuts() >= 1);
        left
    });
    let mut heard = Vec::new();
    loop {
        match ann.hear().await {
            chatroom_proto::Notification::GroupPost { post, .. } => {
                heard.push(post.body.as_str().to_owned());
            }
            chatroom_proto::Notification::Departed { .. } => break,
            other => heard.push(format!("{other:?}")),
        }
    }
    let left = said.await.expect("no panic");
    assert_eq!(left.exit, Exit::Code(0), "{left:?}");
    assert!(left.diagnostics.contains("Connected again!"), "{left:?}");
    let expected: Vec<String> = (1..=40).map(|number| format!("message {number}")).collect();
    assert_eq!(
        heard[1..],
        expected,
        "behind the arrival: once each, in order, and nothing about an absence"
    );
}
