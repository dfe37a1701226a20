//! What it costs to compare a name of 32 characters: `cargo bench -p chatroom-proto --bench names`.
//!
//! Its key is made for each message that is said to it, its skeletons when somebody comes or a
//! group is made.

use std::hint::black_box;

use chatroom_proto::{NAME_CHARS_MAX, UserName};
use criterion::{Criterion, criterion_group, criterion_main};

criterion_group!(benches, names);
criterion_main!(benches);

fn names(criterion: &mut Criterion) {
    for (script, word) in
        [("ascii", "Jim"), ("persian", "سارا"), ("cyrillic", "Вова"), ("wide", "Ｊｉｍ")]
    {
        let text: String = word.chars().cycle().take(NAME_CHARS_MAX).collect();
        let name = UserName::parse(&text).expect("letters are a name");
        let mut group = criterion.benchmark_group(script);
        group.bench_function("key", |bencher| bencher.iter(|| black_box(&name).key()));
        group.bench_function("skeletons", |bencher| {
            bencher.iter(|| black_box(&name).skeletons().count());
        });
    }
}
