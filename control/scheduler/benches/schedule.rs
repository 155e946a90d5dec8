//! Decisions a second over 1,000 nodes: the framework alone, without an API server.

use coracle_scheduler::{Cursor, NodeInfo, NodeOffer, PodInfo, Profile, Resources, Usage, decide};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

/// Pods per measured round; each is counted on its node before the next is decided.
const PODS: u64 = 1000;

fn nodes(count: usize) -> Vec<NodeInfo> {
    (0..count)
        .map(|i| NodeInfo {
            name: format!("node-{i}"),
            offer: NodeOffer {
                allocatable: Resources { milli_cpu: 32_000, memory_bytes: 64 << 30, ..Resources::default() },
                max_pods: 1 << 20,
                ..NodeOffer::default()
            },
            ..NodeInfo::default()
        })
        .collect()
}

fn schedule(c: &mut Criterion) {
    let pod = PodInfo {
        name: "p".to_owned(),
        requests: Resources { milli_cpu: 1, memory_bytes: 1 << 10, ..Resources::default() },
        non_zero_requests: (1, 1 << 10),
        ..PodInfo::default()
    };
    let usage = Usage::of(&pod);
    let profile = Profile::default();
    let mut group = c.benchmark_group("schedule");
    group.throughput(Throughput::Elements(PODS));
    for count in [100, 1000, 5000] {
        group.bench_with_input(BenchmarkId::from_parameter(count), &count, |b, &count| {
            let (mut nodes, mut cursor) = (nodes(count), Cursor::default());
            b.iter(|| {
                for _ in 0..PODS {
                    if let Ok(at) = decide(&profile, &nodes, black_box(&pod), &mut cursor) {
                        nodes[at].add(&usage);
                    }
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, schedule);
criterion_main!(benches);
