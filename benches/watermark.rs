//! What it costs to follow a record from admission to its end.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ipstamp::commit::Tracker;
use ipstamp::record::Offset;

fn watermark(c: &mut Criterion) {
    let mut group = c.benchmark_group("watermark");
    group.throughput(Throughput::Elements(1));
    let mut tracker = Tracker::new();
    let mut offset = 0;
    let mut under_way = std::collections::VecDeque::new();
    group.bench_function("admit and end, 1,000 under way", |b| {
        b.iter(|| {
            offset += 1;
            under_way.extend(tracker.admit(Offset(offset)));
            if under_way.len() > 1000 {
                under_way.pop_front().map(|sequence| tracker.end(sequence));
            }
            tracker.watermark()
        });
    });
    group.finish();
}

criterion_group!(benches, watermark);
criterion_main!(benches);
