//! What an outbox costs, without a fan-out or a socket: `cargo bench -p chatroom-server --bench
//! outbox`.
//!
//! What 1, 100 and 10,000 members get of a run is put into the outbox of each, and each is woken;
//! an outbox gets a frame for itself, and an answer behind it. The outboxes are empty before, as
//! they are when everybody keeps up. To make them and to drop them is not a part of the figures.

use std::sync::Arc;

use chatroom_server::config::Config;
use chatroom_server::dispatch::outbox::{Bounds, Outbox, Pushed};
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};

/// Outboxes that get the same.
const MEMBERS: [u64; 3] = [1, 100, 10_000];
/// How many outboxes there are at a time: enough that reading the clock costs each next to nothing.
const OUTBOXES: u64 = 10_000;
/// About as long as the frame of a post of 100 bytes.
const FRAME: [u8; 160] = [7; 160];

criterion_group!(benches, share, own);
criterion_main!(benches);

/// What all members get, and nobody got anything before it.
fn share(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("share");
    for members in MEMBERS {
        let bounds = bounds();
        let frame = bounds.shared(FRAME.to_vec());
        let outboxes =
            || (0..members).map(|_| Outbox::new(Arc::clone(&bounds))).collect::<Vec<_>>();
        let together = BatchSize::NumIterations(OUTBOXES / members);
        group.bench_function(BenchmarkId::from_parameter(members), |bencher| {
            bencher.iter_batched_ref(
                outboxes,
                |outboxes| put_into(outboxes, |outbox| outbox.share(&frame)),
                together,
            );
        });
    }
}

/// What one connection gets: a frame, or an answer behind that.
fn own(criterion: &mut Criterion) {
    let bounds = bounds();
    let new = || Outbox::new(Arc::clone(&bounds));
    let together = BatchSize::NumIterations(OUTBOXES);
    let mut group = criterion.benchmark_group("own");
    group.bench_function("push", |bencher| {
        bencher.iter_batched_ref(new, |outbox| outbox.push(&FRAME), together);
    });
    group.bench_function("answer_behind_a_push", |bencher| {
        let told = || {
            let outbox = new();
            assert_eq!(outbox.push(&FRAME), Pushed::First);
            outbox
        };
        bencher.iter_batched_ref(told, |outbox| outbox.answer(&FRAME), together);
    });
}

/// Puts something into each, and wakes those that got the first of a turn, as the fan-out does.
fn put_into(outboxes: &[Outbox], put: impl Fn(&Outbox) -> Pushed) {
    for outbox in outboxes {
        if put(outbox) == Pushed::First {
            outbox.wake();
        }
    }
}

fn bounds() -> Arc<Bounds> {
    let config = Config::default();
    Bounds::new(config.outbox_bytes_max, config.outboxes_bytes_max)
}
