//! Peers that err or mean harm: whatever they send, the answer is a typed error of the right kind.
//! How much memory it may cost is the business of memory.rs.

mod common;

use std::io;

use chatroom_proto::chance::{Chance, for_seeds};
use chatroom_proto::codec::{
    FRAME_BYTES_MAX, FrameError, FrameReader, FrameWriter, HELLO_FRAME_BYTES_MAX, LENGTH_BYTES,
    decode, encode,
};
use chatroom_proto::golden::bytes_of;
use chatroom_proto::{ClientFrame, Request, ServerFrame, Tag};
use common::pieces::{Pieces, run};
use common::raw::{Raw, framed, malformed};
use common::{CLIENT_FRAMES, SERVER_FRAMES};
use futures_util::FutureExt;
use serde::de::DeserializeOwned;
use tokio::io::AsyncWriteExt;

/// The value's bytes of every example, without the length prefix.
fn values() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    (bytes_of(CLIENT_FRAMES), bytes_of(SERVER_FRAMES))
}

/// The first thing that a reader says to a stream of these bytes.
fn first<T: DeserializeOwned + Unpin>(
    stream: &[u8],
    limit: usize,
) -> Option<Result<T, FrameError>> {
    run(async { FrameReader::new(Pieces::cut(stream, &[3]), limit).next().await })
}

#[track_caller]
fn assert_too_long<T>(result: Result<T, FrameError>, limit: usize) {
    match result {
        Err(FrameError::TooLong { limit: said }) => assert_eq!(said, limit),
        Err(other) => panic!("too long, and not {other:?}"),
        Ok(_) => panic!("accepted, but too long"),
    }
}

mod cut_off {
    use super::*;

    fn assert_no_beginning_decodes<T: DeserializeOwned>(values: &[Vec<u8>]) {
        for value in values {
            for length in 0..value.len() {
                malformed::<T>(&value[..length]);
            }
        }
    }

    #[test]
    fn a_value_cut_off_at_any_byte_is_malformed() {
        let (client, server) = values();
        assert_no_beginning_decodes::<ClientFrame>(&client);
        assert_no_beginning_decodes::<ServerFrame>(&server);
    }

    fn assert_every_cut_is_an_unexpected_end<T: DeserializeOwned + Unpin>(values: &[Vec<u8>]) {
        for value in values {
            let stream = framed(value);
            for length in 1..stream.len() {
                let end = first::<T>(&stream[..length], FRAME_BYTES_MAX);
                let Some(Err(FrameError::Io(error))) = &end else {
                    panic!(
                        "cut off after {length} of {} bytes: {:?}",
                        stream.len(),
                        end.map(|r| r.err())
                    );
                };
                assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
            }
            assert!(first::<T>(&[], FRAME_BYTES_MAX).is_none());
        }
    }

    #[test]
    fn a_stream_cut_off_at_any_byte_ends_unexpectedly() {
        let (client, server) = values();
        assert_every_cut_is_an_unexpected_end::<ClientFrame>(&client);
        assert_every_cut_is_an_unexpected_end::<ServerFrame>(&server);
    }

    #[test]
    fn a_connection_that_fails_is_not_taken_for_an_end() {
        for kind in [io::ErrorKind::ConnectionReset, io::ErrorKind::Other] {
            let mut reader = FrameReader::<_, ClientFrame>::new(FailingRead(kind), FRAME_BYTES_MAX);
            let failed = run(reader.next());
            let Some(Err(FrameError::Io(error))) = failed else {
                panic!("a failed stream reads as {failed:?}");
            };
            assert_eq!(error.kind(), kind);
        }
    }

    struct FailingRead(io::ErrorKind);

    impl tokio::io::AsyncRead for FailingRead {
        fn poll_read(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<io::Result<()>> {
            std::task::Poll::Ready(Err(io::Error::new(self.0, "the network")))
        }
    }
}

mod too_long {
    use super::*;

    /// Announces a length and sends nothing more; the reader must not wait for it.
    async fn announce(length: u32, limit: usize) -> Result<ClientFrame, FrameError> {
        let (mut near, far) = tokio::io::duplex(64);
        near.write_all(&length.to_be_bytes()).await.expect("the other end is open");
        let mut reader = FrameReader::new(far, limit);
        reader.next().now_or_never().flatten().expect("refused by its length alone")
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_a_byte_of_the_frame_came() {
        for limit in [HELLO_FRAME_BYTES_MAX, FRAME_BYTES_MAX] {
            for length in [u32::try_from(limit).unwrap() + 1, i32::MAX as u32, 1 << 31, u32::MAX] {
                assert_too_long(run(announce(length, limit)), limit);
            }
        }
    }

    /// A text whose frame takes this many bytes.
    fn text_of_frame_bytes(bytes: usize) -> String {
        "x".repeat(bytes - size_of::<u64>())
    }

    #[test]
    fn a_frame_of_exactly_the_limit_is_read() {
        for limit in [HELLO_FRAME_BYTES_MAX, FRAME_BYTES_MAX] {
            let text = text_of_frame_bytes(limit);
            let read = first::<String>(&encode(&text).unwrap(), limit).unwrap();
            assert_eq!(read.unwrap(), text);
        }
    }

    #[test]
    fn the_limit_rises_for_frames_that_are_already_on_their_way() {
        let short = text_of_frame_bytes(HELLO_FRAME_BYTES_MAX);
        let long = text_of_frame_bytes(FRAME_BYTES_MAX);
        let stream = [encode(&short).unwrap(), encode(&long).unwrap()].concat();
        run(async {
            let mut reader = FrameReader::<_, String>::new(&stream[..], HELLO_FRAME_BYTES_MAX);
            assert_eq!(reader.next().await.unwrap().unwrap(), short);
            reader.set_limit(FRAME_BYTES_MAX);
            assert_eq!(reader.next().await.unwrap().unwrap(), long);
            assert!(reader.next().await.is_none());
        });
    }

    #[test]
    fn the_limit_in_force_is_the_one_that_is_reported() {
        let long = encode(&text_of_frame_bytes(HELLO_FRAME_BYTES_MAX + 1)).unwrap();
        assert_too_long(
            first::<String>(&long, HELLO_FRAME_BYTES_MAX).unwrap(),
            HELLO_FRAME_BYTES_MAX,
        );

        let twice =
            [&encode(&text_of_frame_bytes(64)).unwrap(), &long].map(|b| b.to_vec()).concat();
        run(async {
            let mut reader = FrameReader::<_, String>::new(&twice[..], FRAME_BYTES_MAX);
            reader.next().await.unwrap().unwrap();
            reader.set_limit(HELLO_FRAME_BYTES_MAX);
            assert_too_long(reader.next().await.unwrap(), HELLO_FRAME_BYTES_MAX);
        });
    }

    #[test]
    fn a_frame_too_long_is_not_written_and_harms_no_other() {
        let (fits, too_long) =
            (text_of_frame_bytes(FRAME_BYTES_MAX), text_of_frame_bytes(FRAME_BYTES_MAX + 1));
        assert_too_long(encode(&too_long), FRAME_BYTES_MAX);

        let mut bytes = Vec::new();
        run(async {
            let mut writer = FrameWriter::new(&mut bytes);
            writer.feed(fits.clone()).await.unwrap();
            assert_too_long(writer.feed(too_long).await, FRAME_BYTES_MAX);
            writer.feed(fits.clone()).await.unwrap();
            writer.flush().await.unwrap();
        });
        assert_eq!(bytes, [encode(&fits).unwrap(), encode(&fits).unwrap()].concat());
    }
}

mod malformed_frames {
    use super::*;

    #[test]
    fn an_empty_frame_is_malformed() {
        assert!(matches!(
            first::<ClientFrame>(&framed(&[]), FRAME_BYTES_MAX),
            Some(Err(FrameError::Malformed(_)))
        ));
    }

    fn assert_nothing_may_follow<T: DeserializeOwned>(values: &[Vec<u8>]) {
        for value in values {
            for rest in [&[0][..], &[0xff], &[0; 8], value] {
                malformed::<T>(&[value, rest].concat());
            }
        }
    }

    #[test]
    fn bytes_left_over_make_a_frame_malformed() {
        let (client, server) = values();
        assert_nothing_may_follow::<ClientFrame>(&client);
        assert_nothing_may_follow::<ServerFrame>(&server);
    }

    #[test]
    fn the_reader_tells_a_malformed_frame_from_a_failed_connection() {
        let mut stream = framed(&Raw::request(8).u8(0).bytes());
        stream.extend(encode(&ClientFrame { tag: Tag(1), request: Request::Ping }).unwrap());
        let read = first::<ClientFrame>(&stream, FRAME_BYTES_MAX);
        assert!(matches!(read, Some(Err(FrameError::Malformed(_)))), "{read:?}");
    }

    /// Says that no variant has a number that is far too large, or the first one that is free.
    fn assert_numbers_end<T: DeserializeOwned>(of: &str, make: impl Fn(u32) -> Raw) {
        const KNOWN: &str = "variant index 0 <= i < ";
        for unknown in [0x0100_0000, u32::MAX] {
            let reason = malformed::<T>(&make(unknown).bytes());
            let known = reason.split_once(KNOWN).and_then(|(_, count)| count.parse().ok());
            let free = known.unwrap_or_else(|| panic!("{of}: {reason}"));
            assert!(malformed::<T>(&make(free).bytes()).contains(KNOWN), "{of} {free}");
        }
    }

    #[test]
    fn variants_that_nobody_knows_are_malformed() {
        assert_numbers_end::<ClientFrame>("Request", Raw::request);
        assert_numbers_end::<ClientFrame>("Proof", |proof| {
            Raw::request(0).u16(1).u16(1).text("Jim").u32(proof).u64(0)
        });
        assert_numbers_end::<ServerFrame>("ServerFrame", |frame| Raw::default().u32(frame));
        assert_numbers_end::<ServerFrame>("Response", Raw::granted);
        assert_numbers_end::<ServerFrame>("Refusal", Raw::refused);
        assert_numbers_end::<ServerFrame>("Notification", Raw::notification);
        assert_numbers_end::<ServerFrame>("CloseReason", |why| Raw::notification(7).u32(why));
        assert_numbers_end::<ServerFrame>("Misbehaviour", |how| {
            Raw::notification(7).u32(6).u32(how)
        });
        let neither = malformed::<ServerFrame>(&Raw::default().u32(0).u32(7).u32(2).bytes());
        assert!(neither.contains("`Ok` or `Err`"), "{neither}");
    }

    #[test]
    fn an_option_and_a_bool_are_0_or_1() {
        let groups = |next| Raw::granted(4).u64(0).u8(next).u64(0);
        let welcome = |resumed| {
            let start = Raw::granted(0).u16(1).text("Jim");
            (0..32).fold(start, |raw, _| raw.u8(0)).u8(resumed).u32(0).u64(0).u64(0).u32(0)
        };
        for valid in [groups(1), welcome(0), welcome(1)] {
            assert!(decode::<ServerFrame>(&valid.bytes()).is_ok());
        }
        for invalid in [groups(2), groups(0xff), welcome(2), welcome(0xff)] {
            malformed::<ServerFrame>(&invalid.bytes());
        }
    }
}

mod noise {
    use super::*;

    /// Either malformed, or a value like any other.
    fn assert_typed<T>(bytes: &[u8])
    where
        T: DeserializeOwned + serde::Serialize + PartialEq + std::fmt::Debug,
    {
        match decode::<T>(bytes) {
            Ok(value) => {
                let again = encode(&value).expect("a value of the protocol fits a frame");
                assert_eq!(
                    decode::<T>(&again[LENGTH_BYTES..]).expect("what was encoded decodes"),
                    value
                );
            }
            Err(error) => assert!(
                matches!(error, FrameError::Malformed(_) | FrameError::Invalid { .. }),
                "{error:?}"
            ),
        }
    }

    const CASES: u64 = 512;

    /// Bytes with more zeros among them than chance would give.
    fn noise(chance: &mut Chance, zero_once_in: u8) -> Vec<u8> {
        let count = chance.below(300);
        let byte = |_| if chance.once_in(zero_once_in) { 0 } else { chance.any() };
        (0..count).map(byte).collect()
    }

    #[test]
    fn random_bytes_are_malformed_or_a_value() {
        for_seeds(0..CASES, |chance| {
            let bytes = noise(chance, u8::MAX);
            assert_typed::<ClientFrame>(&bytes);
            assert_typed::<ServerFrame>(&bytes);
        });
    }

    #[test]
    fn a_frame_with_wrong_bytes_is_malformed_or_another_value() {
        let (client, server) = values();
        for_seeds(0..CASES, |chance| {
            let (mut asked, mut said) = (chance.one_of(&client), chance.one_of(&server));
            for _ in 0..chance.between(1, 3) {
                let any = chance.any();
                let byte = chance.one_of(&[0, 0xff, any]);
                let (one, other) = (chance.below(asked.len()), chance.below(said.len()));
                (asked[one], said[other]) = (byte, byte);
            }
            assert_typed::<ClientFrame>(&asked);
            assert_typed::<ServerFrame>(&said);
        });
    }

    #[test]
    fn a_random_stream_comes_to_a_typed_end() {
        for_seeds(0..CASES, |chance| {
            let bytes = noise(chance, 2);
            run(comes_to_a_typed_end(&bytes));
        });
    }

    async fn comes_to_a_typed_end(bytes: &[u8]) {
        let stream = Pieces::cut(bytes, &[7]);
        let mut reader = FrameReader::<_, ClientFrame>::new(stream, FRAME_BYTES_MAX);
        let mut rounds = 0;
        while let Some(frame) = reader.next().await {
            rounds += 1;
            assert!(rounds <= bytes.len(), "more frames than bytes");
            match frame {
                Ok(_)
                | Err(
                    FrameError::Malformed(_)
                    | FrameError::Invalid { .. }
                    | FrameError::TooLong { .. },
                ) => {}
                Err(FrameError::Io(error)) => {
                    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
                }
            }
        }
    }
}
