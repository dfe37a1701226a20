//! The names of lookalikes.txt: which are one name, which can be mistaken for each other, and which
//! must not be in the way of each other. Who finds two that people confuse adds a line there.

use std::collections::{HashMap, HashSet};

use chatroom_proto::{GroupName, Skeleton, UserName};

const LOOK_ALIKES: &str = include_str!("lookalikes.txt");

/// The lines of one kind, as the names on them.
fn lines(kind: &str) -> Vec<Vec<UserName>> {
    let lines = LOOK_ALIKES.lines().filter(|line| !line.starts_with('#'));
    let of_kind = lines.filter_map(|line| line.strip_prefix(kind)?.strip_prefix(' '));
    let names: Vec<Vec<UserName>> =
        of_kind.map(|line| line.split(' ').map(name).collect()).collect();
    assert!(!names.is_empty(), "the file has lines of the kind {kind}");
    names
}

fn name(written: &str) -> UserName {
    let name = unescape(written);
    UserName::parse(&name).unwrap_or_else(|error| panic!("{written} is no name: {error}"))
}

/// `\u{200C}` is that character.
fn unescape(written: &str) -> String {
    let mut parts = written.split("\\u{");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (code, rest) = part.split_once('}').expect("a code ends with a brace");
        let code = u32::from_str_radix(code, 16).expect("a code is hexadecimal");
        format!("{text}{}{rest}", char::from_u32(code).expect("a code of a character"))
    })
}

fn pairs(kind: &str) -> Vec<(UserName, UserName)> {
    let pair =
        |names: Vec<UserName>| <[UserName; 2]>::try_from(names).expect("two names on a line");
    lines(kind).into_iter().map(|names| pair(names).into()).collect()
}

/// What is kept where names are taken: each name under all its skeletons.
#[derive(Default)]
struct Taken(HashMap<Skeleton, Vec<UserName>>);

impl Taken {
    fn take(&mut self, name: &UserName) {
        name.skeletons()
            .for_each(|skeleton| self.0.entry(skeleton).or_default().push(name.clone()));
    }

    fn is_refused(&self, name: &UserName) -> bool {
        let met = name.skeletons().filter_map(|skeleton| self.0.get(&skeleton)).flatten();
        met.into_iter().any(|taken| name.looks_like(taken))
    }
}

fn is_second_refused(first: &UserName, second: &UserName) -> bool {
    let mut taken = Taken::default();
    taken.take(first);
    taken.is_refused(second)
}

fn codes(name: &UserName) -> String {
    format!("{name} ({})", name.as_str().escape_unicode())
}

#[test]
fn what_is_one_name_is_one_name() {
    for (a, b) in pairs("same") {
        assert_eq!(a.key(), b.key(), "{} and {}", codes(&a), codes(&b));
        assert!(!a.looks_like(&b), "{} is no other name than {}", codes(&a), codes(&b));
    }
}

#[test]
fn look_alikes_are_refused_whoever_was_first() {
    for (a, b) in pairs("alike") {
        assert_ne!(a.key(), b.key(), "{} and {}", codes(&a), codes(&b));
        assert!(a.looks_like(&b) && b.looks_like(&a), "{} and {}", codes(&a), codes(&b));
        assert!(
            is_second_refused(&a, &b) && is_second_refused(&b, &a),
            "{} and {}",
            codes(&a),
            codes(&b)
        );
    }
}

#[test]
fn names_that_people_tell_apart_are_not() {
    for (a, b) in pairs("apart") {
        assert_ne!(a.key(), b.key(), "{} and {}", codes(&a), codes(&b));
        assert!(!a.looks_like(&b) && !b.looks_like(&a), "{} and {}", codes(&a), codes(&b));
        assert!(
            !is_second_refused(&a, &b) && !is_second_refused(&b, &a),
            "{} and {}",
            codes(&a),
            codes(&b)
        );
    }
}

#[test]
fn every_name_of_the_file_can_be_had_and_groups_follow_the_same_rules() {
    let alone = lines("fine").into_iter().flatten();
    let paired = ["same", "alike", "apart"].into_iter().flat_map(pairs).flat_map(|(a, b)| [a, b]);
    let names: HashSet<UserName> = alone.chain(paired).collect();
    for name in &names {
        let group = GroupName::parse(name.as_str()).expect("what is a name is a group's name");
        assert!(group.skeletons().eq(name.skeletons()), "{}", codes(name));
    }
}

#[test]
fn of_the_names_that_may_be_had_the_plain_ones_never_meet() {
    for a in ["Jim", "Iim", "lim", "jirn", "modem", "modern", "O0", "00"] {
        for b in ["Jim", "Iim", "lim", "jirn", "modem", "modern", "O0", "00"] {
            assert!(!name(a).looks_like(&name(b)), "{a} and {b}");
        }
    }
}
