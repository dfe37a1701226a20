//! Whom to trust, and what is written down of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

fn key(of: &str) -> Fingerprint {
    Fingerprint::of(of.as_bytes())
}

fn meets(known: &KnownHosts, offered: Fingerprint, is_vouched: bool) -> Result<Met, Untrusted> {
    let expected = known.expected("Chat.Example", 9000)?;
    let met = expected.judge(offered, is_vouched)?;
    known.meet("Chat.Example", 9000, expected.known, met);
    Ok(met)
}

#[test]
fn a_new_server_is_known_by_its_key_from_then_on() {
    let known = KnownHosts::in_memory();
    assert_eq!(meets(&known, key("a"), false), Ok(Met::Key(key("a"))));
    let news = known.take_news();
    assert_eq!((news.len(), news[0].fingerprint, news[0].before), (1, key("a"), None));
    assert_eq!(meets(&known, key("a"), false), Ok(Met::Key(key("a"))));
    assert_eq!(known.take_news(), []);
    let changed = Untrusted::KeyChanged { known: Known::Key(key("a")), offered: key("b") };
    assert_eq!(meets(&known, key("b"), false), Err(changed.clone()));
    assert_eq!(meets(&known, key("b"), false), Err(changed), "also the second time");
    assert_eq!(
        known.expected("chat.example", 9001).expect("no file").known,
        None,
        "another port is another server"
    );
}

#[test]
fn an_authority_is_believed_and_never_given_up_for_a_key() {
    let known = KnownHosts::in_memory();
    assert_eq!(meets(&known, key("a"), true), Ok(Met::Vouched));
    assert_eq!(
        meets(&known, key("b"), true),
        Ok(Met::Vouched),
        "a certificate may be renewed with another key"
    );
    assert_eq!(known.take_news(), []);
    let changed = Untrusted::KeyChanged { known: Known::Authority, offered: key("b") };
    assert_eq!(meets(&known, key("b"), false), Err(changed));
}

#[test]
fn one_that_was_known_by_its_key_may_get_an_authority_and_stays_known_by_the_key() {
    let known = KnownHosts::in_memory();
    assert_eq!(meets(&known, key("a"), false), Ok(Met::Key(key("a"))));
    assert_eq!(meets(&known, key("b"), true), Ok(Met::Vouched));
    assert_eq!(meets(&known, key("a"), false), Ok(Met::Key(key("a"))));
    assert!(meets(&known, key("b"), false).is_err());
}

#[test]
fn the_key_that_is_accepted_is_the_only_one_that_is_then() {
    let file = tempfile::tempdir().expect("a directory");
    let file = file.path().join("known_hosts");
    assert!(meets(&KnownHosts::in_file(&file), key("a"), false).is_ok());
    let accepting = KnownHosts::in_file(&file).accepting(key("b"));
    let not = Untrusted::NotAccepted { accepted: key("b"), offered: key("c") };
    assert_eq!(meets(&accepting, key("c"), true), Err(not));
    assert_eq!(meets(&accepting, key("b"), false), Ok(Met::Key(key("b"))));
    assert_eq!(accepting.take_news()[0].before, Some(Known::Key(key("a"))));
    assert_eq!(meets(&KnownHosts::in_file(&file), key("b"), false), Ok(Met::Key(key("b"))));
    assert!(meets(&KnownHosts::in_file(&file), key("a"), false).is_err());
}

#[test]
fn the_file_is_for_people_and_for_nobody_elses_eyes() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("deeper/known_hosts");
    meets(&KnownHosts::in_file(&file), key("a"), false).expect("a new server");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().expect("a directory"))), (0o600, 0o700));
    let text = fs::read_to_string(&file).expect("a text");
    assert_eq!(text.lines().last(), Some(&*format!("chat.example 9000 {}", key("a"))));

    // What a person has written into it stays.
    fs::write(&file, format!("# mine\nchat.example 9000 authority\nother 1 x y\n\n{text}")).expect("written");
    let accepting = KnownHosts::in_file(&file).accepting(key("b"));
    meets(&accepting, key("b"), false).expect("accepted");
    let text = fs::read_to_string(&file).expect("a text");
    assert!(text.starts_with("# mine\nother 1 x y\n\n"), "{text}");
    assert_eq!(text.matches("chat.example").count(), 1, "{text}");
}

#[test]
fn a_line_that_is_damaged_does_not_make_its_server_a_new_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("known_hosts");
    for damaged in ["chat.example 9000\n", "chat.example 9000 SHA256:12\n", "chat.example 9000 SHA25"] {
        fs::write(&file, damaged).expect("written");
        let met = meets(&KnownHosts::in_file(&file), key("a"), false);
        assert!(matches!(met, Err(Untrusted::Unreadable { .. })), "{damaged}: {met:?}");
    }
    fs::write(&file, b"\xff").expect("written");
    assert!(matches!(meets(&KnownHosts::in_file(&file), key("a"), false), Err(Untrusted::Unreadable { .. })));
}

#[test]
fn one_who_can_not_write_it_down_says_so() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("file"), "").expect("written");
    let known = KnownHosts::in_file(directory.path().join("file/known_hosts"));
    let found = known.expected("chat.example", 9000);
    // What can't be looked into is not empty.
    assert!(matches!(found, Err(Untrusted::Unreadable { .. })), "{found:?}");
    known.meet("chat.example", 9000, None, Met::Key(key("a")));
    assert!(known.take_news()[0].trouble.is_some());
}
