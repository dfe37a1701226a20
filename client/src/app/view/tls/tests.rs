use crate::error::{ConnectError, Ended};

use super::*;
use crate::app::view::tests::{target, view};

#[test]
fn a_changed_key_is_told_with_both_fingerprints_and_the_command_that_accepts_the_new_one() {
    let (old, new) = (Fingerprint::of(b"old"), Fingerprint::of(b"new"));
    let changed = Untrusted::KeyChanged { known: Known::Key(old), offered: new };
    let at = ServerTarget {
        host: "chat.example".to_owned(),
        name: Some("it's".to_owned()),
        known_hosts: Some("my hosts".to_owned()),
        ..target()
    };
    let said = view().untrusted(&changed, &at);
    let lines: Vec<_> = said.lines().collect();
    assert!(
        lines[0].contains("THE SERVER AT chat.example:9000 HAS ANOTHER KEY THAN BEFORE!"),
        "{said}"
    );
    assert_eq!(lines[1..3], [format!("before: {old}"), format!("now:    {new}")]);
    let command = format!(
        r"chatroom --accept-key {new} --known-hosts 'my hosts' chat.example 9000 'it'\''s'"
    );
    assert_eq!(lines[4], command);
    assert_eq!(view().ended(&Ended::Untrusted(changed), &at), Some(said));
}

#[test]
fn whatever_is_not_trusted_is_told_with_what_to_do() {
    let said = |untrusted| view().connect_error(&ConnectError::Untrusted(untrusted), &target());
    assert!(said(Untrusted::NotTls).contains("127.0.0.1:9000 does not speak TLS"));
    assert!(said(Untrusted::NotTls).contains("--plaintext"));
    assert!(said(Untrusted::TlsRequired).contains("use --tls"));
    assert!(said(Untrusted::NoProof).contains("can't prove"));
    assert!(said(Untrusted::Failed("a\u{1b}b".to_owned())).contains("a\u{fffd}b"));
    let unreadable =
        Untrusted::Unreadable { file: "known".into(), why: "permission denied".to_owned() };
    assert!(said(unreadable).contains("known can't be read: permission denied. Mend the file"));
    let damaged = said(Untrusted::Damaged { file: "known".into(), line: 3 });
    assert!(damaged.contains("Line 3 of known can't be read") && damaged.contains("Mend the line"));
    let (accepted, offered) = (Fingerprint::of(b"a"), Fingerprint::of(b"b"));
    let not_accepted = said(Untrusted::NotAccepted { accepted, offered });
    assert!(
        not_accepted.contains(&accepted.to_string()) && not_accepted.contains(&offered.to_string())
    );
}

#[test]
fn a_new_server_is_told_with_its_fingerprint() {
    let fingerprint = Fingerprint::of(b"a key");
    let mut with = Acquaintance {
        host: "chat.example".to_owned(),
        port: 9000,
        fingerprint,
        before: None,
        fault: None,
    };
    let said = view().acquainted(&with, Some("known_hosts"));
    let new =
        format!("The server at chat.example:9000 is new here. Its fingerprint is {fingerprint}");
    assert_eq!(said.lines().next(), Some(&*new));
    with.fault = Some("no room".to_owned());
    assert!(
        view()
            .acquainted(&with, Some("known_hosts"))
            .contains("can't be kept in known_hosts: no room.")
    );
}
