//! Values that break a rule of their type, inside frames that are otherwise right: none gets past
//! decoding.

mod common;

use chatroom_proto::codec::decode;
use chatroom_proto::{ClientFrame, PAGE_ITEMS_MAX, ServerFrame};
use common::raw::{Raw, malformed};

/// Decodes a request around `text` and gives what is wrong with it, nothing when it is fine.
fn wrong(make: fn(&[u8]) -> Raw, text: impl AsRef<[u8]>) -> Option<String> {
    let bytes = make(text.as_ref()).bytes();
    if decode::<ClientFrame>(&bytes).is_ok() {
        None
    } else {
        Some(malformed::<ClientFrame>(&bytes))
    }
}

const CREATE: fn(&[u8]) -> Raw = |name| Raw::request(1).text(name);
const HELLO: fn(&[u8]) -> Raw = |name| Raw::request(0).u16(1).u16(1).text(name).u32(0).u64(0);
const PASSWORD: fn(&[u8]) -> Raw =
    |password| Raw::request(0).u16(1).u16(1).text("Jim").u32(2).text(password).u64(0);
const PUBLIC: fn(&[u8]) -> Raw = |body| Raw::request(6).text("G1").u64(1).u64(2).text(body);

#[test]
fn a_name_that_breaks_a_rule_never_gets_in() {
    for make in [CREATE, HELLO] {
        assert_eq!(wrong(make, "Jim"), None);
        assert_eq!(wrong(make, "🦀".repeat(32)), None);
        for (name, reason) in [
            ("", "at least one character"),
            ("a b", "U+0020"),
            ("a\nb", "U+000A"),
            ("a\u{1b}[31m", "U+001B"),
            ("a\u{202E}b", "U+202E"),
            ("a\u{200C}", "U+200C"),
            ("\u{301}", "can be seen"),
            (&"x".repeat(33), "this has 33"),
        ] {
            let said = wrong(make, name).unwrap_or_default();
            assert!(said.contains(reason), "{name:?}: {said:?}, and not {reason}");
        }
    }
}

#[test]
fn text_that_is_not_utf_8_never_gets_in() {
    let not_utf_8: [&[u8]; 5] =
        [b"\xff", b"a\x80", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"];
    for bytes in not_utf_8 {
        for make in [CREATE, HELLO, PASSWORD, PUBLIC] {
            let said = wrong(make, bytes).unwrap_or_default();
            assert!(said.contains("valid UTF-8"), "{bytes:02x?}: {said:?}");
        }
    }
}

#[test]
fn a_message_that_breaks_a_rule_never_gets_in() {
    assert_eq!(wrong(PUBLIC, "x".repeat(8_000)), None);
    assert_eq!(wrong(PUBLIC, "\n"), None);
    for (text, reason) in [
        ("", "needs some text"),
        ("\t", "U+0009"),
        ("a\r\n", "U+000D"),
        ("\u{7f}", "U+007F"),
        ("\u{9b}", "U+009B"),
        (&"x".repeat(8_001), "this has 8001"),
    ] {
        let said = wrong(PUBLIC, text).unwrap_or_default();
        assert!(said.contains(reason), "{text:?}: {said:?}, and not {reason}");
    }
}

const KICK: fn(&[u8]) -> Raw =
    |reason| Raw::request(15).text("G1").u32(0).text("Jim").u8(1).text(reason);
const TOPIC: fn(&[u8]) -> Raw = |topic| Raw::request(15).text("G1").u32(5).u8(1).text(topic);

#[test]
fn a_topic_or_a_reason_that_breaks_a_rule_never_gets_in() {
    for make in [KICK, TOPIC] {
        assert_eq!(wrong(make, "x".repeat(300)), None);
        for (text, reason) in [
            ("", "needs some text"),
            ("  ", "needs some text"),
            ("two\nlines", "U+000A"),
            ("a\u{1b}]0;title\u{7}", "U+001B"),
            ("a\u{9b}31m", "U+009B"),
            ("a\u{202E}b", "U+202E"),
            ("a\u{2028}b", "U+2028"),
            (&"x".repeat(301), "this has 301"),
        ] {
            let said = wrong(make, text).unwrap_or_default();
            assert!(said.contains(reason), "{text:?}: {said:?}, and not {reason}");
        }
    }
    let ban =
        |seconds| Raw::request(15).text("G1").u32(1).text("Jim").u8(1).u32(seconds).u8(0).bytes();
    assert!(decode::<ClientFrame>(&ban(1)).is_ok());
    assert!(
        malformed::<ClientFrame>(&ban(0)).contains("nonzero"),
        "no ban is over before it begins"
    );
}

#[test]
fn a_password_that_breaks_a_rule_never_gets_in_and_is_not_repeated() {
    assert_eq!(wrong(PASSWORD, "x".repeat(512)), None);
    for text in [String::new(), "hunter2".repeat(74)] {
        let said = wrong(PASSWORD, text).unwrap_or_default();
        assert!(said.contains("1 to 512 bytes") && !said.contains("hunter"), "{said}");
    }
}

#[test]
fn a_version_range_that_is_upside_down_never_gets_in() {
    let hello = |min, max| Raw::request(0).u16(min).u16(max).text("Jim").u32(0).u64(0).bytes();
    for (min, max) in [(0, 0), (1, 1), (0, u16::MAX)] {
        assert!(decode::<ClientFrame>(&hello(min, max)).is_ok());
    }
    assert!(malformed::<ClientFrame>(&hello(2, 1)).contains("smaller end first"));

    let refusal = |min, max| Raw::refused(0).u16(min).u16(max).bytes();
    assert!(malformed::<ServerFrame>(&refusal(u16::MAX, 0)).contains("smaller end first"));
}

#[test]
fn a_page_of_too_many_items_or_of_a_bad_one_never_gets_in() {
    let users = |names: &[&str]| {
        let start = Raw::granted(5).u64(names.len() as u64);
        names.iter().fold(start, |raw, name| raw.text(name)).u8(0).bytes()
    };
    assert!(decode::<ServerFrame>(&users(&["x"; PAGE_ITEMS_MAX])).is_ok());
    assert!(
        malformed::<ServerFrame>(&users(&["x"; PAGE_ITEMS_MAX + 1])).contains("at most 400 items")
    );
    assert!(malformed::<ServerFrame>(&users(&["x", "a b"])).contains("U+0020"));
}

#[test]
fn lengths_that_nothing_stands_behind_are_malformed() {
    for length in [1 << 31, 1 << 40, i64::MAX as u64, u64::MAX] {
        malformed::<ClientFrame>(&Raw::request(1).u64(length).bytes());
        malformed::<ClientFrame>(&Raw::request(6).text("G1").u64(1).u64(2).u64(length).bytes());
        for page in [4, 5] {
            malformed::<ServerFrame>(&Raw::granted(page).u64(length).bytes());
            malformed::<ServerFrame>(&Raw::granted(page).u64(length).text("x").u8(0).bytes());
        }
    }
}
