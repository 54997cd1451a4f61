//! A payment through a shard, on one core: see [`benches::payments`] for what is in it and what is not.

use benches::payments::{Stream, TURN_PAYMENTS};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use protocol::words::Verb;

fn shard(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("shard, command and answer");
    group.throughput(Throughput::Elements(TURN_PAYMENTS));
    for verb in [Verb::Authorize, Verb::Sale] {
        let mut stream = Stream::new(verb);
        group.bench_function(verb.word(), |bencher| bencher.iter(|| stream.turn()));
    }
    group.finish();
}

criterion_group!(shards, shard);
criterion_main!(shards);
