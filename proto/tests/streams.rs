//! Frames on their way: whatever they are and however the stream is cut, they arrive as they left.

mod common;

use std::fmt::Debug;
use std::io;

use chatroom_proto::chance::{Chance, for_seeds};
use chatroom_proto::codec::{
    FRAME_BYTES_MAX, FrameError, FrameReader, FrameWriter, HELLO_FRAME_BYTES_MAX, LENGTH_BYTES,
    decode, encode,
};
use chatroom_proto::golden::Kept;
use chatroom_proto::{
    BODY_BYTES_MAX, ClientFrame, Hello, Membership, PAGE_ITEMS_MAX, PASSWORD_BYTES_MAX, Page,
    PostId, Proof, Request, Response, Seq, ServerFrame, Tag, Token, VersionRange, Welcome,
};
use common::pieces::{Pieces, run};
use common::{body, group, password, user};
use futures_util::FutureExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Few enough for a debug build.
const CASES: u64 = 128;

/// The most frames of one stream.
const FRAMES_MAX: usize = 7;

fn frames<T: Kept>(chance: &mut Chance, least: usize) -> Vec<T> {
    (0..chance.between(least, FRAMES_MAX)).map(|_| chance.any()).collect()
}

/// The lengths of the pieces in which a stream comes.
fn cuts(chance: &mut Chance) -> Vec<usize> {
    (0..chance.between(1, 7)).map(|_| chance.between(1, 299)).collect()
}

fn written<T: Serialize>(frames: &[T]) -> Vec<u8> {
    let encoded =
        frames.iter().map(|frame| encode(frame).expect("every value of the protocol fits a frame"));
    encoded.collect::<Vec<_>>().concat()
}

/// Reads to the end: all whole frames, and what came after them if it was not the end.
async fn read_all<T: DeserializeOwned + Unpin>(stream: Pieces) -> (Vec<T>, Option<FrameError>) {
    let mut reader = FrameReader::new(stream, FRAME_BYTES_MAX);
    let mut frames = Vec::new();
    loop {
        match reader.next().await {
            Some(Ok(frame)) => frames.push(frame),
            Some(Err(error)) => return (frames, Some(error)),
            None => return (frames, None),
        }
    }
}

fn is_unexpected_end(error: Option<&FrameError>) -> bool {
    matches!(error, Some(FrameError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof)
}

fn comes_back_as_it_was<T: Kept + PartialEq + Debug>() {
    for_seeds(0..CASES, |chance| {
        let frame: T = chance.any();
        let bytes = encode(&frame).expect("a frame is encoded");
        assert_eq!(decode::<T>(&bytes[LENGTH_BYTES..]).expect("it is read again"), frame);
    });
}

#[test]
fn a_frame_comes_back_as_it_was() {
    comes_back_as_it_was::<ClientFrame>();
    comes_back_as_it_was::<ServerFrame>();
}

fn arrive_in_order<T: Kept + Unpin + PartialEq + Debug>() {
    for_seeds(0..CASES, |chance| {
        let (frames, cuts) = (frames::<T>(chance, 0), cuts(chance));
        let (read, end) = run(read_all::<T>(Pieces::cut(&written(&frames), &cuts)));
        assert_eq!(read, frames);
        assert!(end.is_none());
    });
}

#[test]
fn frames_arrive_in_order_however_the_stream_is_cut() {
    arrive_in_order::<ClientFrame>();
    arrive_in_order::<ServerFrame>();
}

#[test]
fn a_stream_cut_off_gives_its_whole_frames_and_then_its_unexpected_end() {
    for_seeds(0..CASES, |chance| {
        let frames: Vec<ClientFrame> = frames(chance, 1);
        let bytes = written(&frames);
        let (at, cuts) = (chance.below(bytes.len()), cuts(chance));
        let whole = (0..=frames.len()).rev().find(|&n| written(&frames[..n]).len() <= at).unwrap();
        let between_frames = written(&frames[..whole]).len() == at;

        let (read, end) = run(read_all::<ClientFrame>(Pieces::cut(&bytes[..at], &cuts)));
        assert_eq!(&read, &frames[..whole]);
        assert_eq!(is_unexpected_end(end.as_ref()), !between_frames, "cut at {at}: {end:?}");
    });
}

async fn write_all<T: Serialize + Clone + Unpin>(frames: &[T], to: impl AsyncWrite + Unpin) {
    let mut writer = FrameWriter::new(to);
    for frame in frames.iter().cloned() {
        writer.feed(frame).await.expect("the stream takes it");
    }
    writer.flush().await.expect("the stream takes it");
}

#[test]
fn the_writer_and_encode_make_the_same_bytes() {
    for_seeds(0..CASES, |chance| {
        let frames: Vec<ServerFrame> = frames(chance, 0);
        let mut bytes = Vec::new();
        run(write_all(&frames, &mut bytes));
        assert_eq!(bytes, written(&frames));
    });
}

#[test]
fn frames_pass_a_pipe_that_is_smaller_than_they_are() {
    for_seeds(0..CASES, |chance| {
        let frames: Vec<ClientFrame> = frames(chance, 0);
        let (near, far) = tokio::io::duplex(chance.between(1, 39));
        let read = async {
            let mut reader = FrameReader::<_, ClientFrame>::new(far, FRAME_BYTES_MAX);
            let mut read = Vec::new();
            while let Some(frame) = reader.next().await {
                read.push(frame.unwrap());
            }
            read
        };
        let ((), read) = run(async { tokio::join!(write_all(&frames, near), read) });
        assert_eq!(read, frames);
    });
}

#[test]
fn a_wait_that_is_given_up_loses_nothing() {
    let frame = ClientFrame {
        tag: Tag(1),
        request: Request::Public {
            group: group("G1"),
            id: PostId([1; 16]),
            body: body("all of it"),
        },
    };
    let bytes = encode(&frame).expect("a frame is encoded");
    run(async {
        let (mut near, far) = tokio::io::duplex(FRAME_BYTES_MAX);
        let mut reader = FrameReader::<_, ClientFrame>::new(far, FRAME_BYTES_MAX);
        for byte in &bytes {
            assert!(reader.next().now_or_never().is_none(), "not there yet");
            near.write_all(&[*byte]).await.unwrap();
        }
        assert_eq!(reader.next().await.unwrap().unwrap(), frame);
    });
}

#[test]
fn what_a_stranger_sends_behind_its_first_frame_stays_in_the_pipe() {
    let ping = encode(&ClientFrame { tag: Tag(1), request: Request::Ping }).unwrap();
    let behind = ping.repeat(64 * 1024 / ping.len());
    run(async {
        let (mut near, far) = tokio::io::duplex(2 * behind.len());
        near.write_all(&[&ping[..], &behind].concat()).await.unwrap();
        drop(near);
        let mut reader = FrameReader::<_, ClientFrame>::new(far, HELLO_FRAME_BYTES_MAX);
        assert!(matches!(reader.next().await, Some(Ok(ClientFrame { tag: Tag(1), .. }))));
        let mut left = Vec::new();
        reader.stream_mut().read_to_end(&mut left).await.unwrap();
        let held = behind.len() - left.len();
        assert!(
            held <= LENGTH_BYTES + HELLO_FRAME_BYTES_MAX,
            "{held} bytes were read, and nobody asked"
        );
    });
}

#[test]
fn the_longest_of_everything_fits_into_a_frame() {
    let longest_name = "🦀".repeat(32);
    let memberships =
        vec![Membership { group: group(&longest_name), head: Seq(u64::MAX) }; PAGE_ITEMS_MAX];
    let responses = [
        Response::Welcome(Welcome {
            version: u16::MAX,
            name: user(&longest_name),
            token: Token([0xff; 32]),
            resumed: true,
            grace_ms: u32::MAX,
            seq: Seq(u64::MAX),
            groups: Page::fill(memberships),
            retention: chatroom_proto::Retention::Everything,
        }),
        Response::Users {
            users: Page::fill(vec![user(&longest_name); PAGE_ITEMS_MAX]),
            next: Some(Seq(u64::MAX)),
        },
    ];
    for response in responses {
        assert!(
            encode(&ServerFrame::Response { tag: Tag(u32::MAX), result: Ok(response) }).is_ok()
        );
    }
    let longest_post = ClientFrame {
        tag: Tag(u32::MAX),
        request: Request::Private {
            to: user(&longest_name),
            id: PostId([0xff; 16]),
            body: body(&"x".repeat(BODY_BYTES_MAX)),
        },
    };
    assert!(encode(&longest_post).is_ok());
}

#[test]
fn the_longest_hello_takes_less_than_a_kibibyte() {
    let hello = Hello {
        versions: VersionRange::OF_SERVERS,
        name: user(&"🦀".repeat(32)),
        proof: Proof::Password(password(&"x".repeat(PASSWORD_BYTES_MAX))),
        seen: Seq(u64::MAX),
    };
    let frame =
        encode(&ClientFrame { tag: Tag(u32::MAX), request: Request::Hello(hello) }).unwrap();
    assert!(frame.len() < 1024, "{} bytes", frame.len());
}
