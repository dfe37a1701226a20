//! Values of the types that are checked where they are made. What is generated is valid.
//!
//! Most values come from small pools, so that people meet, names collide and posts come again. Some
//! are of the whole range that their type allows.

use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::{
    AddressNetwork, AddressPrefix, BODY_BYTES_MAX, Body, Code, GroupName, LINE_BYTES_MAX, Life,
    Lives, NAME_CHARS_MAX, Page, Password, PeerAddr, PostId, Reason, SearchQuery, Seq, Token,
    Topic, UnixMillis, UserName, VersionRange,
};

type Bytes<'a, 'b> = &'b mut Unstructured<'a>;

/// Two are the same name, and a third one looks like them.
const USERS: [&str; 6] = ["jim", "Jim", "Jіm", "ann", "bob", "zoe"];
const UNUSUAL_USERS: [&str; 5] = ["علی", "علي", "می\u{200C}خواهم", "👩\u{200D}🚀", "x"];
const GROUPS: [&str; 6] = ["General", "tea", "Tea", "Теа", "art", "sea"];
const UNUSUAL_GROUPS: [&str; 3] = ["general", "چای", "empty"];
/// Mostly the same, so that it is right; and then the other one is wrong.
const PASSWORDS: [&str; 4] = ["tea and milk", "tea and milk", "tea and milk", "milk and tea"];
const LINES: [&str; 4] =
    ["spam", "what it is about", "چای می\u{200C}خواهم, and what goes with it", "👩\u{200D}🚀"];
const QUERIES: [&str; 4] = ["tea", "not much", "سلام x", "TEA \"tea"];
const ADDRESSES: [&str; 3] = ["10.0.0.1:9000", "[2001:db8::1]:9000", "an unknown address"];

/// The scripts that names and messages are of, first and last letter.
const SCRIPTS: [(char, char); 10] = [
    ('a', 'z'),
    ('À', 'Ö'),
    ('Α', 'Ρ'),
    ('А', 'я'),
    ('א', 'ת'),
    ('ا', 'غ'),
    ('क', 'न'),
    ('一', '龥'),
    ('가', '힣'),
    ('🌀', '🗿'),
];
/// What stands between the letters of names: joiners, marks, and what real names have.
const IN_NAMES: [char; 6] = ['\u{200C}', '\u{200D}', '\u{301}', '\u{93E}', '.', '\''];
/// What stands between the letters of a message.
const IN_TEXT: [char; 4] = ['\u{200C}', '\u{301}', ' ', '\n'];

/// The most letters of a message that is of a script; the longest ones repeat themselves.
const LETTERS_MAX: usize = 100;
/// The most items of a page that is generated: each may be long, and all must fit into a frame.
const ITEMS_MAX: u8 = 4;

/// How usual a value is to be, from 0 to 15. Bytes that have come to their end are 0.
fn rarity(bytes: Bytes<'_, '_>) -> Result<u8> {
    bytes.int_in_range(0..=15)
}

fn one_of<T: Copy>(bytes: Bytes<'_, '_>, among: &[T]) -> Result<T> {
    bytes.choose(among).copied()
}

/// Letters of one script, and now and then something else between them. It begins with a letter.
fn letters(bytes: Bytes<'_, '_>, most: usize, between: &[char]) -> Result<String> {
    let (first, last) = one_of(bytes, &SCRIPTS)?;
    let mut text = String::new();
    for place in 0..bytes.int_in_range(1..=most)? {
        if place > 0 && rarity(bytes)? > 12 {
            text.push(one_of(bytes, between)?);
        }
        let letter = bytes.int_in_range(u32::from(first)..=u32::from(last))?;
        text.extend(char::from_u32(letter));
    }
    Ok(text)
}

/// The longest beginning of a text that keeps the rules of its type. Its first letter does.
fn valid<T, E: Debug>(mut text: String, parse: impl Fn(&str) -> Result<T, E>) -> T {
    loop {
        match parse(&text) {
            Ok(value) => return value,
            Err(error) => assert!(text.pop().is_some(), "no letter of it is valid: {error:?}"),
        }
    }
}

fn name(bytes: Bytes<'_, '_>, usual: &[&str], unusual: &[&str]) -> Result<String> {
    match rarity(bytes)? {
        0..=11 => one_of(bytes, usual).map(str::to_owned),
        12..=14 => one_of(bytes, unusual).map(str::to_owned),
        _ => letters(bytes, NAME_CHARS_MAX, &IN_NAMES),
    }
}

fn user(bytes: Bytes<'_, '_>) -> Result<String> {
    name(bytes, &USERS, &UNUSUAL_USERS)
}

fn group(bytes: Bytes<'_, '_>) -> Result<String> {
    name(bytes, &GROUPS, &UNUSUAL_GROUPS)
}

fn message(bytes: Bytes<'_, '_>) -> Result<String> {
    Ok(match rarity(bytes)? {
        0..=7 => "hi".to_owned(),
        8..=13 => letters(bytes, LETTERS_MAX, &IN_TEXT)?,
        14 => "x".repeat(BODY_BYTES_MAX),
        _ => "\n🙂".repeat(BODY_BYTES_MAX / 5),
    })
}

fn line(bytes: Bytes<'_, '_>) -> Result<String> {
    Ok(match rarity(bytes)? {
        0..=11 => one_of(bytes, &LINES)?.to_owned(),
        12..=14 => letters(bytes, LETTERS_MAX, &IN_TEXT)?,
        _ => "x".repeat(LINE_BYTES_MAX),
    })
}

fn query(bytes: Bytes<'_, '_>) -> Result<String> {
    match rarity(bytes)? {
        0..=11 => one_of(bytes, &QUERIES).map(str::to_owned),
        _ => letters(bytes, LETTERS_MAX, &IN_TEXT),
    }
}

fn address(bytes: Bytes<'_, '_>) -> Result<String> {
    one_of(bytes, &ADDRESSES).map(str::to_owned)
}

fn password(bytes: Bytes<'_, '_>) -> Result<String> {
    match rarity(bytes)? {
        0..=14 => one_of(bytes, &PASSWORDS).map(str::to_owned),
        _ => letters(bytes, LETTERS_MAX, &IN_TEXT),
    }
}

/// For ever, or for a second or two: the times of a test are short.
pub(crate) fn seconds(bytes: Bytes<'_, '_>) -> Result<Option<NonZeroU32>> {
    let seconds = match rarity(bytes)? {
        0..=14 => bytes.int_in_range(0..=2)?,
        _ => bytes.arbitrary()?,
    };
    Ok(NonZeroU32::new(seconds))
}

/// One byte again and again, of a few, mostly: so that secrets and identities come again.
fn repeated<const N: usize>(bytes: Bytes<'_, '_>) -> Result<[u8; N]> {
    match rarity(bytes)? {
        0..=14 => Ok([bytes.int_in_range(0..=31)?; N]),
        _ => bytes.arbitrary(),
    }
}

/// Makes a type [`Arbitrary`] by a function of the bytes.
macro_rules! arbitrary {
    ($($type:ty: $make:expr;)+) => {$(
        impl<'a> Arbitrary<'a> for $type {
            fn arbitrary(bytes: Bytes<'a, '_>) -> Result<$type> {
                let make: fn(Bytes<'a, '_>) -> Result<$type> = $make;
                make(bytes)
            }
        }
    )+};
}

arbitrary! {
    UserName: |bytes| user(bytes).map(|text| valid(text, UserName::parse));
    GroupName: |bytes| group(bytes).map(|text| valid(text, GroupName::parse));
    Body: |bytes| message(bytes).map(|text| valid(text, Body::parse));
    Topic: |bytes| line(bytes).map(|text| valid(text, Topic::parse));
    Reason: |bytes| line(bytes).map(|text| valid(text, Reason::parse));
    PeerAddr: |bytes| address(bytes).map(|text| valid(text, PeerAddr::parse));
    SearchQuery: |bytes| query(bytes).map(|text| valid(text, SearchQuery::parse));
    Password: |bytes| {
        password(bytes).map(|text| valid(text, |text| Password::try_from(text.to_owned())))
    };
    PostId: |bytes| repeated(bytes).map(PostId);
    Token: |bytes| repeated(bytes).map(Token);
    Code: |bytes| repeated(bytes).map(Code);
    Seq: |bytes| Ok(Seq(match rarity(bytes)? {
        0..=9 => bytes.int_in_range(0..=40)?,
        10..=14 => bytes.arbitrary::<u16>()?.into(),
        _ => bytes.arbitrary()?,
    }));
    UnixMillis: |bytes| Ok(UnixMillis(match rarity(bytes)? {
        0..=9 => bytes.arbitrary::<u16>()?.into(),
        10..=14 => 1_700_000_000_000 + u64::from(bytes.arbitrary::<u32>()?),
        _ => bytes.arbitrary()?,
    }));
    Lives: |bytes| {
        let lives = bytes.arbitrary::<Page<Life>>()?.into_vec();
        Ok(Lives::try_from(lives).unwrap_or_default())
    };
    VersionRange: |bytes| Ok(match rarity(bytes)? {
        0..=13 => VersionRange::OF_SERVERS,
        _ => {
            let (one, other) = bytes.arbitrary::<(u16, u16)>()?;
            VersionRange::try_from((one.min(other), one.max(other)))
                .unwrap_or(VersionRange::OF_SERVERS)
        }
    });
    AddressPrefix: |bytes| Ok(AddressPrefix::of(match rarity(bytes)? {
        0..=7 => Ipv4Addr::new(10, 0, 0, 1).into(),
        8..=11 => Ipv4Addr::LOCALHOST.into(),
        _ => bytes.arbitrary::<IpAddr>()?,
    }));
    AddressNetwork: |bytes| {
        let text = match rarity(bytes)? {
            0..=7 => "10.0.0.0/8".to_owned(),
            8..=11 => "127.0.0.0/24".to_owned(),
            _ => match bytes.arbitrary::<IpAddr>()? {
                address @ IpAddr::V4(_) => format!("{address}/{}", bytes.int_in_range(0..=32)?),
                address @ IpAddr::V6(_) => format!("{address}/{}", bytes.int_in_range(0..=128)?),
            },
        };
        Ok(valid(text, AddressNetwork::parse))
    };
}

impl<'a, T: Arbitrary<'a>> Arbitrary<'a> for Page<T> {
    fn arbitrary(bytes: Bytes<'a, '_>) -> Result<Page<T>> {
        let count = bytes.int_in_range(0..=ITEMS_MAX)?;
        let items: Vec<T> = (0..count).map(|_| bytes.arbitrary()).collect::<Result<_>>()?;
        Ok(Page::fill(items))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::chance::Chance;

    #[test]
    fn names_collide_look_alike_and_are_of_the_scripts_of_the_world() {
        let mut chance = Chance::new(1);
        let names: Vec<UserName> = (0..5_000).map(|_| chance.any()).collect();
        let has = |text| names.iter().any(|name| name.as_str() == text);
        assert!(USERS.iter().chain(&UNUSUAL_USERS).all(|text| has(*text)));
        assert!(names.iter().any(|name| name.as_str().chars().count() == NAME_CHARS_MAX));
        let scripts = SCRIPTS.map(|(first, last)| {
            names.iter().filter(move |name| name.as_str().contains(|c| (first..=last).contains(&c)))
        });
        assert_eq!(scripts.map(|names| names.count() > 0), [true; SCRIPTS.len()]);
    }

    #[test]
    fn every_kind_of_value_comes() {
        let mut chance = Chance::new(2);
        let lengths: BTreeSet<usize> =
            (0..2_000).map(|_| chance.any::<Body>().as_str().len()).collect();
        assert!(lengths.contains(&BODY_BYTES_MAX) && lengths.len() > 50);
        let pages: BTreeSet<usize> =
            (0..200).map(|_| chance.any::<Page<Seq>>().as_slice().len()).collect();
        assert_eq!(pages, (0..=usize::from(ITEMS_MAX)).collect());
        let seconds = |bytes: &[u8]| seconds(&mut Unstructured::new(bytes));
        assert_eq!(seconds(&[]), Ok(None));
        assert_eq!(seconds(&[0, 2]), Ok(NonZeroU32::new(2)));
    }
}
