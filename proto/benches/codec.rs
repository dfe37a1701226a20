//! What it costs to write a frame and to read one: `cargo bench -p chatroom-proto --bench codec`.
//!
//! A message of 100 bytes as it is asked for and as it is heard, and the longest page of names.

use std::hint::black_box;

use chatroom_proto::codec::{self, LENGTH_BYTES};
use chatroom_proto::{
    Body, ClientFrame, GroupName, Notification, PAGE_ITEMS_MAX, Page, Post, PostId, Request,
    Response, Seq, ServerFrame, Tag, UnixMillis, UserName,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde::Serialize;
use serde::de::DeserializeOwned;

criterion_group!(benches, codec);
criterion_main!(benches);

fn codec(criterion: &mut Criterion) {
    both_ways(criterion, "public", &public());
    both_ways(criterion, "group_post", &group_post());
    both_ways(criterion, "longest_page", &longest_page());
}

/// Encodes this frame, and decodes it.
fn both_ways<T: Serialize + DeserializeOwned>(criterion: &mut Criterion, name: &str, frame: &T) {
    let bytes = codec::encode(frame).expect("a frame");
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("encode", |bencher| {
        bencher.iter_with_large_drop(|| codec::encode(black_box(frame)));
    });
    group.bench_function("decode", |bencher| {
        bencher.iter_with_large_drop(|| codec::decode::<T>(black_box(&bytes[LENGTH_BYTES..])));
    });
    group.finish();
}

fn public() -> ClientFrame {
    ClientFrame {
        tag: Tag(1),
        request: Request::Public { group: room(), id: PostId([7; 16]), body: body() },
    }
}

fn group_post() -> ServerFrame {
    let post = Post {
        seq: Seq(2),
        prev: Seq(1),
        at: UnixMillis(1_000_000),
        id: PostId([7; 16]),
        from: user("speaker"),
        body: body(),
    };
    ServerFrame::Notification(Notification::GroupPost { post, group: room() })
}

fn longest_page() -> ServerFrame {
    // 32 characters of four bytes each.
    let users = Page::fill(vec![user(&"🦀".repeat(32)); PAGE_ITEMS_MAX]);
    ServerFrame::Response { tag: Tag(1), result: Ok(Response::Users { users, next: Some(Seq(1)) }) }
}

fn user(name: &str) -> UserName {
    UserName::parse(name).expect("a valid name")
}

fn room() -> GroupName {
    GroupName::parse("room").expect("a valid name")
}

fn body() -> Body {
    Body::parse(&"x".repeat(100)).expect("a valid message")
}
