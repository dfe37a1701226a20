//! The bytes of every variant of every enum, as golden.txt has them: whoever changes what goes over
//! the wire learns of it here. Nothing rewrites that file but a person who means it.

mod common;

use std::fmt::{Debug, Write as _};

use chatroom_proto::codec::{LENGTH_BYTES, decode, encode};
use chatroom_proto::{ClientFrame, Request, Response, ServerFrame, Tag};
use common::variants::Seen;
use common::{client_frames, group, server_frames, user};
use serde::Serialize;
use serde::de::DeserializeOwned;

const GOLDEN: &str = include_str!("golden.txt");

/// Names and bytes, in the order of the file.
fn golden() -> Vec<(&'static str, Vec<u8>)> {
    let lines = GOLDEN.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, hex) =
                line.split_once(" = ").unwrap_or_else(|| panic!("a name, ` = ` and bytes: {line}"));
            (name, bytes(hex))
        })
        .collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(|c| *c != ' ').collect();
    assert!(digits.len().is_multiple_of(2), "two digits a byte: {hex}");
    digits
        .chunks(2)
        .map(|pair| {
            u8::from_str_radix(&String::from_iter(pair), 16).expect("hexadecimal digits only")
        })
        .collect()
}

fn line(name: &str, bytes: &[u8]) -> String {
    bytes.iter().fold(format!("{name} = "), |mut line, byte| {
        write!(line, "{byte:02x}").expect("a text takes all that is written");
        line
    })
}

/// What is wrong with these frames' lines, as lines to paste.
fn differences<T: Serialize>(frames: &[(String, T)]) -> Vec<String> {
    let golden = golden();
    let is_golden = |name: &str, bytes: &[u8]| golden.iter().any(|(n, b)| *n == name && b == bytes);
    let actual =
        frames.iter().map(|(name, frame)| (name, encode(frame).expect("an example fits a frame")));
    actual
        .filter(|(name, bytes)| !is_golden(name, bytes))
        .map(|(name, bytes)| line(name, &bytes))
        .collect()
}

#[test]
fn every_frame_takes_exactly_its_golden_bytes() {
    let differences = [differences(&client_frames()), differences(&server_frames())].concat();
    assert!(
        differences.is_empty(),
        "These frames have other bytes than golden.txt says. If that is meant, it is another \
         version of the \
         protocol; the lines are now:\n{}\n",
        differences.join("\n")
    );
}

fn assert_decode<T: DeserializeOwned + PartialEq + Debug>(frames: Vec<(String, T)>) {
    let golden = golden();
    for (name, frame) in frames {
        let found = golden.iter().find(|(n, _)| *n == name);
        let (_, bytes) = found.unwrap_or_else(|| panic!("golden.txt has no line {name}"));
        let decoded: T =
            decode(&bytes[LENGTH_BYTES..]).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(decoded == frame, "{name}: golden.txt means {decoded:?}, not {frame:?}");
    }
}

#[test]
fn golden_bytes_mean_what_their_name_says() {
    assert_decode(client_frames());
    assert_decode(server_frames());
}

#[test]
fn every_golden_line_belongs_to_one_frame_in_the_same_order() {
    let lines: Vec<String> = golden().into_iter().map(|(name, _)| name.to_owned()).collect();
    let client = client_frames().into_iter().map(|(name, _)| name);
    let server = server_frames().into_iter().map(|(name, _)| name);
    assert_eq!(lines, client.chain(server).collect::<Vec<_>>());
}

#[test]
fn no_variant_is_without_golden_bytes() {
    let mut seen = Seen::default();
    client_frames().iter().for_each(|(_, frame)| seen.see_client(frame));
    server_frames().iter().for_each(|(_, frame)| seen.see_server(frame));
    assert_eq!(seen.missing(), []);
}

#[test]
fn every_golden_length_counts_the_bytes_behind_it() {
    for (name, bytes) in golden() {
        let (length, rest) = bytes.split_first_chunk().unwrap();
        assert_eq!(u32::from_be_bytes(*length) as usize, rest.len(), "{name}");
    }
}

/// The table of the crate's front page, followed by hand and not by the encoder.
#[test]
fn a_frame_can_be_written_with_the_front_page_in_hand() {
    let join =
        ClientFrame { tag: Tag(0x0102_0304), request: Request::Join { group: group("Tea") } };
    #[rustfmt::skip]
    let by_hand = [
        0, 0, 0, 19,                // 19 bytes follow, big-endian
        0x04, 0x03, 0x02, 0x01,     // the tag, a `u32`, little-endian
        2, 0, 0, 0,                 // a request: Hello is 0, Create 1, Join 2
        3, 0, 0, 0, 0, 0, 0, 0,     // a text of 3 bytes
        b'T', b'e', b'a',
    ];
    assert_eq!(encode(&join).unwrap(), by_hand[..]);
}

#[test]
fn a_frame_can_be_read_with_the_front_page_in_hand() {
    #[rustfmt::skip]
    let by_hand = [
        0, 0, 0, 0,                 // a response
        9, 0, 0, 0,                 // to the request with tag 9
        0, 0, 0, 0,                 // granted (`Ok`)
        5, 0, 0, 0,                 // Users
        2, 0, 0, 0, 0, 0, 0, 0,     // two of them
        1, 0, 0, 0, 0, 0, 0, 0,     // a text of one byte
        b'x',
        2, 0, 0, 0, 0, 0, 0, 0,     // a text of two bytes
        0xC3, 0x9F,                 // U+00DF in UTF-8
        0,                          // no next page (`None`)
    ];
    let decoded: ServerFrame = decode(&by_hand).unwrap();
    let ServerFrame::Response { tag: Tag(9), result: Ok(Response::Users { users, next: None }) } =
        decoded
    else {
        panic!("not a page of users: {decoded:?}");
    };
    assert_eq!(users.as_slice(), [user("x"), user("ß")]);
}
