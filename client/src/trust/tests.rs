//! Whom to trust, and what is written down of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use std::path::Path;

use chatroom_proto::Fingerprint;

use super::*;

fn key(of: &str) -> Fingerprint {
    Fingerprint::of(of.as_bytes())
}

fn meets(known: &KnownHosts, offered: Fingerprint, is_vouched: bool) -> Result<Met, Untrusted> {
    let expected = known.expected("Chat.Example", 9000)?;
    let met = expected.judge(offered, is_vouched)?;
    known.meet("Chat.Example", 9000, expected, met)?;
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
    fs::write(&file, format!("# mine\nchat.example 9000 authority\nother 1 x\n\n{text}"))
        .expect("written");
    let accepting = KnownHosts::in_file(&file).accepting(key("b"));
    meets(&accepting, key("b"), false).expect("accepted");
    let text = fs::read_to_string(&file).expect("a text");
    assert!(text.starts_with("# mine\nother 1 x\n\n"), "{text}");
    assert_eq!(text.matches("chat.example").count(), 1, "{text}");
}

#[test]
fn a_line_that_is_damaged_does_not_make_its_server_a_new_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("known_hosts");
    let known = key("a").to_string();
    let damaged = [
        // The key.
        "chat.example 9000 SHA256:12".to_owned(),
        "chat.example 9000 SHA25".to_owned(),
        "CHAT.example 9000 authorit".to_owned(),
        // The port.
        format!("chat.example 9O00 {known}"),
        format!("chat.example 99000 {known}"),
        format!("chat.example {known}"),
        // The host.
        format!("ch\u{fffd}t.example 9000 {known}"),
        format!("ch\0t.example 9000 {known}"),
        format!("chat .example 9000 {known}"),
        format!("9000 {known}"),
        // What was cut off, or put together.
        "chat.example 9000".to_owned(),
        "cha".to_owned(),
        known.clone(),
        format!("other.example 9000 {known}chat.example 9000 {known}"),
    ];
    let bytes =
        damaged.map(String::into_bytes).into_iter().chain([b"ch\xffat.example 9000 x".to_vec()]);
    for damaged in bytes {
        let text = [b"# mine\nother.example 1 authority\n", &damaged[..], b"\n"].concat();
        fs::write(&file, &text).expect("written");
        let met = meets(&KnownHosts::in_file(&file), key("a"), false);
        let expected = Untrusted::Damaged { file: file.clone(), line: 3 };
        assert_eq!(met, Err(expected), "{}", damaged.escape_ascii());
        assert_eq!(fs::read(&file).expect("bytes"), text, "nothing is written into it");
    }
}

#[test]
fn a_damaged_line_that_is_certainly_about_another_server_is_left_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("known_hosts");
    for damaged in
        ["other.example 9000 SHA25", "other.example 9O00 authority", "chat.example 9001 x"]
    {
        fs::write(&file, damaged).expect("written");
        assert_eq!(meets(&KnownHosts::in_file(&file), key("a"), false), Ok(Met::Key(key("a"))));
        let text = fs::read_to_string(&file).expect("a text");
        assert_eq!(text, format!("{damaged}\nchat.example 9000 {}\n", key("a")));
    }
}

#[test]
fn of_two_clients_that_meet_a_server_at_once_the_second_believes_what_the_first_has_written() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("known_hosts");
    let in_memory = KnownHosts::in_memory();
    let pairs = [
        ("two programs", KnownHosts::in_file(&file), KnownHosts::in_file(&file)),
        ("two links of one", in_memory.clone(), in_memory),
    ];
    for (who, first, second) in pairs {
        // Neither knows of the other when it asks what to expect.
        let expected =
            [&first, &second].map(|known| known.expected("chat.example", 9000).expect("nothing"));
        first.meet("chat.example", 9000, expected[0], Met::Key(key("a"))).expect("the first one");
        let met = second.meet("chat.example", 9000, expected[1], Met::Key(key("b")));
        let changed = Untrusted::KeyChanged { known: Known::Key(key("a")), offered: key("b") };
        assert_eq!(met, Err(changed.clone()), "{who}");
        assert_eq!(meets(&second, key("b"), false), Err(changed), "{who}: also the next time");
        assert_eq!(meets(&second, key("a"), false), Ok(Met::Key(key("a"))), "{who}");
        let news = [first.take_news(), second.take_news()].concat();
        assert_eq!(news.len(), 1, "{who}");
    }
}

#[test]
fn two_clients_that_meet_a_server_at_once_and_see_the_same_are_of_one_mind() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("known_hosts");
    let (first, second) = (KnownHosts::in_file(&file), KnownHosts::in_file(&file));
    let expected =
        [&first, &second].map(|known| known.expected("chat.example", 9000).expect("nothing"));
    for (known, expected) in [&first, &second].into_iter().zip(expected) {
        assert_eq!(known.meet("chat.example", 9000, expected, Met::Key(key("a"))), Ok(()));
    }
    let text = fs::read_to_string(&file).expect("a text");
    assert_eq!(text.matches("chat.example").count(), 1, "{text}");
    // One for whom an authority vouches stays known by the key that somebody else has met, and one
    // who sees a key where an authority was believed meanwhile is told.
    let third = KnownHosts::in_file(&file);
    third.meet("chat.example", 9000, expected[0], Met::Vouched).expect("vouched for");
    assert_eq!(meets(&third, key("a"), false), Ok(Met::Key(key("a"))));
    fs::write(&file, "chat.example 9000 authority\n").expect("written");
    let met =
        KnownHosts::in_file(&file).meet("chat.example", 9000, expected[0], Met::Key(key("a")));
    let changed = Untrusted::KeyChanged { known: Known::Authority, offered: key("a") };
    assert_eq!(met, Err(changed));
}

#[test]
fn one_who_can_not_write_it_down_says_so() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("file"), "").expect("written");
    let known = KnownHosts::in_file(directory.path().join("file/known_hosts"));
    let found = known.expected("chat.example", 9000);
    // What can't be looked into is not empty.
    assert!(matches!(found, Err(Untrusted::Unreadable { .. })), "{found:?}");
    let nothing = KnownHosts::in_memory().expected("chat.example", 9000).expect("no file");
    known.meet("chat.example", 9000, nothing, Met::Key(key("a"))).expect("met all the same");
    assert!(known.take_news()[0].fault.is_some());
}
