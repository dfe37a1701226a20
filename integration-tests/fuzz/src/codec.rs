//! Any bytes as a stream, in any pieces: what is read is what one would read who has them all at
//! once.

use std::fmt::Debug;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use chatroom_proto::chance::Chance;
use chatroom_proto::codec::{
    FRAME_BYTES_MAX, FrameError, FrameReader, HELLO_FRAME_BYTES_MAX, LENGTH_BYTES, decode, pack,
};
use chatroom_proto::{ClientFrame, ServerFrame};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, ReadBuf};
use unicode_normalization::is_nfc;

use crate::few_bytes;

/// What the reader keeps at once, and what a frame may become, in bytes for `input`: the chunk that
/// all streams share, a pass over the input for each copy of it, and names of one letter, which
/// take 25 times their bytes on the wire.
pub fn memory_max(input: &[u8]) -> usize {
    256 * 1024 + 64 * input.len()
}

/// What must hold for any stream.
pub fn check(input: &[u8]) {
    let mut chance = Chance::of_input(input);
    let limit = chance.one_of(&[FRAME_BYTES_MAX, HELLO_FRAME_BYTES_MAX, 64]);
    let is_one_frame = chance.flag();
    let (pieces, bytes) = (few_bytes(&mut chance), chance.rest());
    let mut stream = Vec::new();
    if is_one_frame {
        let length = u32::try_from(bytes.len()).expect("a short input");
        stream.extend_from_slice(&length.to_be_bytes());
    }
    stream.extend_from_slice(&bytes);
    read::<ClientFrame>(&stream, &pieces, limit);
    read::<ServerFrame>(&stream, &pieces, limit);
}

/// How a stream of frames ends.
#[derive(Debug, PartialEq, Eq)]
enum End {
    BetweenFrames,
    InsideAFrame,
    TooLong,
    Malformed,
}

/// Reads a stream of such frames.
fn read<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    stream: &[u8],
    pieces: &[u8],
    limit: usize,
) {
    let mut reader = FrameReader::<_, T>::new(Pieces { rest: stream, sizes: pieces, at: 0 }, limit);
    let mut rest = stream;
    let ended = loop {
        let expected = take::<T>(&mut rest, limit);
        match (finish(reader.next()), expected) {
            (Some(Ok(frame)), Ok((expected, bytes))) => {
                assert_eq!(frame, expected);
                are_its_bytes(&frame, bytes);
            }
            (None, Err(end)) => break (End::BetweenFrames, end),
            // What follows can still be read.
            (Some(Err(FrameError::Invalid { .. })), Err(End::Malformed)) => {}
            (Some(Err(error)), Err(end)) => break (end_of(&error), end),
            (read, expected) => panic!("{read:?} was read, and {expected:?} is there"),
        }
    };
    assert_eq!(ended.0, ended.1);
    assert!(finish(reader.next()).is_none(), "nothing is read behind the end");
}

/// The next frame of a stream that is there as a whole, and its bytes.
fn take<'a, T: DeserializeOwned>(rest: &mut &'a [u8], limit: usize) -> Result<(T, &'a [u8]), End> {
    let Some((length, behind)) = rest.split_first_chunk::<LENGTH_BYTES>() else {
        return Err(if rest.is_empty() { End::BetweenFrames } else { End::InsideAFrame });
    };
    let length = u32::from_be_bytes(*length) as usize;
    if length > limit {
        return Err(End::TooLong);
    }
    let Some((frame, behind)) = behind.split_at_checked(length) else {
        return Err(End::InsideAFrame);
    };
    *rest = behind;
    decode(frame).map(|value| (value, frame)).map_err(|_| End::Malformed)
}

fn end_of(error: &FrameError) -> End {
    match error {
        FrameError::TooLong { .. } => End::TooLong,
        FrameError::Malformed(_) | FrameError::Invalid { .. } => End::Malformed,
        FrameError::Io(_) => End::InsideAFrame,
    }
}

/// How the values show themselves that are tidied when they are read: white space around a line is
/// taken away, and an address has one way to be written.
const TIDIED: [&str; 6] =
    ["Topic(", "Reason(", "SearchQuery(", "PeerAddr(", "AddressPrefix(", "AddressNetwork("];

/// A frame becomes the bytes that it came from, unless something in it is tidied, or some text in
/// it is not normalized, as names are. Then it becomes no longer for it, but for an address.
fn are_its_bytes<T: Serialize + DeserializeOwned + PartialEq + Debug>(frame: &T, bytes: &[u8]) {
    let packed = goes_both_ways(frame);
    if packed == bytes || !is_nfc(&String::from_utf8_lossy(bytes)) {
        return;
    }
    let shown = format!("{frame:?}");
    assert!(TIDIED.iter().any(|tidied| shown.contains(tidied)), "{shown} is written differently");
    let has_address = shown.contains("AddressPrefix(") || shown.contains("AddressNetwork(");
    assert!(packed.len() < bytes.len() || has_address, "{shown}: tidying only takes away");
}

/// What was decoded can be encoded, and is the same value then.
fn goes_both_ways<T: Serialize + DeserializeOwned + PartialEq + Debug>(frame: &T) -> Vec<u8> {
    let packed = pack(frame).expect("what was decoded can be encoded");
    assert_eq!(decode::<T>(&packed).expect("what was encoded can be decoded"), *frame);
    packed
}

/// Waits for what never has to wait for anything but itself.
fn finish<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut cx) {
            return done;
        }
    }
}

/// A stream that comes in pieces of these sizes, over and over; at a zero there is nothing for a
/// moment.
struct Pieces<'a> {
    rest: &'a [u8],
    sizes: &'a [u8],
    at: usize,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let size = match self.sizes {
            [] => usize::MAX,
            sizes => usize::from(sizes[self.at % sizes.len()]),
        };
        self.at += 1;
        // At every other call at least something comes, or a list of zeros would never end.
        if size == 0 && self.at.is_multiple_of(2) {
            return Poll::Pending;
        }
        let (piece, rest) =
            self.rest.split_at(size.max(1).min(self.rest.len()).min(buf.remaining()));
        buf.put_slice(piece);
        self.rest = rest;
        Poll::Ready(Ok(()))
    }
}
