//! The bytes of every variant of every enum, as the snapshots have them: whoever changes what goes
//! over the wire learns of it here.
//!
//! These are the bytes that clients out there send and expect. A line that has to change is a
//! protocol of another version; a line that is added is a new variant. A changed snapshot fails
//! this test. `cargo insta accept` keeps it, on the word of somebody who has looked at it; where
//! `CI` is set nothing is written.

mod common;

use chatroom_proto::codec::{decode, encode, pack};
use chatroom_proto::golden::{self, Kept, Shape};
use chatroom_proto::{ClientFrame, Request, Response, ServerFrame, Tag};
use common::{CLIENT_FRAMES, SERVER_FRAMES, group, user};

#[test]
fn client_frames_mean_what_they_meant_and_take_their_golden_bytes() {
    let shape = Shape::whole::<ClientFrame>();
    insta::assert_snapshot!("client_layout", shape.text());
    insta::assert_snapshot!(
        "client_frames",
        golden::examples::<ClientFrame>(&shape, CLIENT_FRAMES)
    );
}

#[test]
fn server_frames_mean_what_they_meant_and_take_their_golden_bytes() {
    let shape = Shape::whole::<ServerFrame>();
    insta::assert_snapshot!("server_layout", shape.text());
    insta::assert_snapshot!(
        "server_frames",
        golden::examples::<ServerFrame>(&shape, SERVER_FRAMES)
    );
}

/// Examples whose bytes are their own fit into a frame, and the length in front counts them.
fn assert_frames<T: Kept>(snapshot: &str) {
    for bytes in golden::bytes_of(snapshot) {
        let frame: T = decode(&bytes).expect("an example");
        let encoded = encode(&frame).expect("an example fits a frame");
        let (length, rest) = encoded.split_first_chunk().expect("a length");
        assert_eq!(u32::from_be_bytes(*length) as usize, rest.len());
        assert_eq!((rest, pack(&frame).expect("bytes")), (&bytes[..], bytes.clone()));
    }
}

#[test]
fn every_length_counts_the_bytes_behind_it() {
    assert_frames::<ClientFrame>(CLIENT_FRAMES);
    assert_frames::<ServerFrame>(SERVER_FRAMES);
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
