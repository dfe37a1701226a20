//! What a hostile peer can make us set aside, measured at the allocator: a small multiple of the
//! frame limit, however much it announces. A test binary of its own, because the allocator counts
//! for all of it.

mod common;

use std::sync::{Mutex, MutexGuard, PoisonError};

use chatroom_proto::codec::{
    FRAME_BYTES_MAX, FrameError, FrameReader, HELLO_FRAME_BYTES_MAX, decode, encode,
};
use chatroom_proto::{
    BODY_BYTES_MAX, Body, ClientFrame, PAGE_ITEMS_MAX, PostId, Request, ServerFrame, Tag, UserName,
};
use common::pieces::run;
use common::raw::Raw;
use futures_util::FutureExt;
use peak_alloc::PeakAlloc;
use serde::de::DeserializeOwned;
use tokio::io::AsyncWriteExt;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// What decoding may set aside, on top of the frame itself: its one longest text, and as much
/// again.
const DECODING_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;

/// What saying that a frame is malformed takes.
const ERROR_BYTES_MAX: usize = 2 * 1024;

/// The runtime, the pipe and an empty reader.
const RUNTIME_BYTES: usize = 16 * 1024;

/// One scene at a time, for they share the allocator.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a scene gives, and the most bytes that were set aside during it over what was before.
fn peak<T>(scene: impl FnOnce() -> T) -> (T, usize) {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let result = scene();
    (result, ALLOCATOR.peak_usage().saturating_sub(before))
}

#[track_caller]
fn assert_cheaply_malformed<T: DeserializeOwned>(name: &str, value: &[u8], bytes_max: usize) {
    assert!(value.len() <= FRAME_BYTES_MAX, "{name} is no frame that would be read");
    let (result, bytes) = peak(|| decode::<T>(value));
    assert!(
        matches!(result, Err(FrameError::Malformed(_) | FrameError::Invalid { .. })),
        "{name} was accepted"
    );
    assert!(bytes <= bytes_max, "{name}: {} bytes cost {bytes}", value.len());
}

/// As many of `piece` as a frame with one text has room for.
fn frame_full_of(piece: &str) -> String {
    piece.repeat((FRAME_BYTES_MAX - 100) / piece.len())
}

/// Has this thread set aside what all its readers share.
fn read_once() {
    run(async {
        assert!(
            FrameReader::<_, ClientFrame>::new(&[][..], FRAME_BYTES_MAX).next().await.is_none()
        );
    });
}

#[test]
fn a_length_that_nothing_stands_behind_costs_only_its_error() {
    let _alone = alone();
    let welcome =
        || (0..32).fold(Raw::granted(0).u16(1).text("Jim"), |raw, _| raw.u8(0)).u8(0).u32(0).u64(0);
    for length in [PAGE_ITEMS_MAX as u64 + 1, 1 << 31, 1 << 40, u64::MAX] {
        assert_cheaply_malformed::<ClientFrame>(
            "a name",
            &Raw::request(1).u64(length).bytes(),
            ERROR_BYTES_MAX,
        );
        let public = Raw::request(6).text("G1").u64(1).u64(2);
        assert_cheaply_malformed::<ClientFrame>(
            "a message",
            &public.u64(length).bytes(),
            ERROR_BYTES_MAX,
        );
        assert_cheaply_malformed::<ServerFrame>(
            "groups",
            &Raw::granted(4).u64(length).text("x").bytes(),
            ERROR_BYTES_MAX,
        );
        assert_cheaply_malformed::<ServerFrame>(
            "users",
            &Raw::granted(5).u64(length).text("x").bytes(),
            ERROR_BYTES_MAX,
        );
        assert_cheaply_malformed::<ServerFrame>(
            "memberships",
            &welcome().u64(length).text("x").bytes(),
            ERROR_BYTES_MAX,
        );
    }
}

#[test]
fn a_page_is_refused_as_soon_as_it_has_too_many_items() {
    let _alone = alone();
    let items = FRAME_BYTES_MAX / 10;
    let page = (0..items).fold(Raw::granted(5).u64(items as u64), |raw, _| raw.text("x")).u8(0);
    assert_cheaply_malformed::<ServerFrame>(
        "a frame full of users",
        &page.bytes(),
        ERROR_BYTES_MAX,
    );
}

#[test]
fn a_text_far_too_long_costs_little_more_than_itself() {
    let _alone = alone();
    for (name, piece) in [
        ("letters", "x"),
        ("emoji", "🦀"),
        ("accents to be sorted", "\u{301}\u{323}"),
        ("letters that normalization makes three of", "\u{FB2C}"),
        ("letters to be composed", "e\u{301}"),
    ] {
        let text = frame_full_of(piece);
        assert_cheaply_malformed::<ClientFrame>(
            name,
            &Raw::request(1).text(&text).bytes(),
            DECODING_BYTES_MAX,
        );
        let public = Raw::request(6).text("G1").u64(1).u64(2).text(&text);
        assert_cheaply_malformed::<ClientFrame>(name, &public.bytes(), DECODING_BYTES_MAX);
        let hello = Raw::request(0).u16(1).u16(1).text("Jim").u32(2).text(&text).u64(0);
        assert_cheaply_malformed::<ClientFrame>(name, &hello.bytes(), DECODING_BYTES_MAX);
    }
}

#[test]
fn the_fullest_page_costs_little_more_than_its_bytes() {
    let _alone = alone();
    for name in ["x".to_owned(), "🦀".repeat(32)] {
        let start = Raw::granted(5).u64(PAGE_ITEMS_MAX as u64);
        let value = (0..PAGE_ITEMS_MAX).fold(start, |raw, _| raw.text(&name)).u8(0).bytes();
        let (page, bytes) = peak(|| decode::<ServerFrame>(&value));
        assert!(page.is_ok());
        assert!(bytes <= DECODING_BYTES_MAX, "{} bytes cost {bytes}", value.len());
    }
}

#[test]
fn a_frame_that_is_announced_and_never_comes_costs_its_limit_at_most() {
    let _alone = alone();
    for limit in [HELLO_FRAME_BYTES_MAX, FRAME_BYTES_MAX] {
        for length in [limit, limit + 1, u32::MAX as usize] {
            let prefix = u32::try_from(length).unwrap().to_be_bytes();
            read_once();
            let ((), bytes) = peak(|| {
                run(async {
                    let (mut near, far) = tokio::io::duplex(64);
                    let mut reader = FrameReader::<_, ClientFrame>::new(far, limit);
                    near.write_all(&prefix).await.unwrap();
                    let answer = reader.next().now_or_never();
                    assert_eq!(
                        answer.is_none(),
                        length <= limit,
                        "waits for what may come, refuses the rest"
                    );
                });
            });
            assert!(
                bytes <= limit + RUNTIME_BYTES,
                "{length} announced, limit {limit}: {bytes} bytes"
            );
        }
    }
}

#[test]
fn a_long_stream_costs_no_more_than_a_short_one() {
    let _alone = alone();
    let body = Body::parse(&"x".repeat(BODY_BYTES_MAX)).unwrap();
    let request =
        Request::Private { to: UserName::parse("ann").unwrap(), id: PostId([7; 16]), body };
    let longest = encode(&ClientFrame { tag: Tag(1), request }).unwrap();
    let ping = encode(&ClientFrame { tag: Tag(1), request: Request::Ping }).unwrap();
    let stream = [ping.repeat(2_000), longest.repeat(50), ping.repeat(2_000)].concat();

    read_once();
    let (frames, bytes) = peak(|| {
        run(async {
            let mut reader = FrameReader::<_, ClientFrame>::new(&stream[..], FRAME_BYTES_MAX);
            let mut frames = 0;
            while let Some(frame) = reader.next().await {
                frame.unwrap();
                frames += 1;
            }
            frames
        })
    });
    assert_eq!(frames, 4_050);
    assert!(bytes <= DECODING_BYTES_MAX + FRAME_BYTES_MAX + RUNTIME_BYTES, "{bytes} bytes");
}
