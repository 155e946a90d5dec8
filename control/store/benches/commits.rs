//! Durable commits per second, lists, and the delivery of events to many watchers.
//!
//! Throughput is what to look at: elements are commits, listed records, delivered events.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use coracle_store::{Encryption, Expect, Key, Lift, Lifted, Object, Scope, Store, StoreConfig, Txn, Watch};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::Runtime;

struct NoLift;

impl Lift for NoLift {
    fn lift(&self, _resource: &str, _json: &[u8]) -> Lifted {
        Lifted::default()
    }
}

/// An object of about 700 bytes, as a small pod is.
fn object() -> Object {
    let json = format!(r#"{{"kind":"Pod","metadata":{{"name":"x"}},"spec":{{"padding":"{}"}}}}"#, "p".repeat(640));
    Object::from_json(json.into_bytes()).expect("an object")
}

fn create(number: u64) -> Txn {
    Txn::put(Key::new("pods", "default", format!("pod-{number:012}")), object(), Expect::Absent)
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// A store in a new directory, and the directory.
fn store(runtime: &Runtime) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = runtime.block_on(Store::open(StoreConfig::new(dir.path()), Arc::new(NoLift))).expect("opens");
    (dir, store)
}

/// A store in a new directory that encrypts what the benchmarks write.
fn encrypted(runtime: &Runtime, cipher: &str) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a directory");
    let text = format!(
        "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [pods]\n  \
         providers:\n  - {cipher}: {{keys: [{{name: key1, secret: {}A=}}]}}\n",
        "a".repeat(42)
    );
    let encryption = Arc::new(Encryption::from_yaml(&text, "keys.yaml".as_ref()).expect("a configuration"));
    let config = StoreConfig { encryption, ..StoreConfig::new(dir.path()) };
    let store = runtime.block_on(Store::open(config, Arc::new(NoLift))).expect("opens");
    (dir, store)
}

/// `commits` creations by `writers` tasks.
async fn write(store: &Store, next: &Arc<AtomicU64>, writers: u64, commits: u64) -> Duration {
    let end = next.load(Ordering::Relaxed) + commits;
    let started = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|_| {
            let (store, next) = (store.clone(), next.clone());
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= end {
                        return;
                    }
                    store.commit(create(number)).await.expect("commits");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    let elapsed = started.elapsed();
    next.store(end, Ordering::Relaxed);
    elapsed
}

fn commits(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut group = criterion.benchmark_group("commits");
    group.throughput(Throughput::Elements(1)).sample_size(10).measurement_time(Duration::from_secs(3));
    for writers in [1, 8, 32, 128] {
        let (_dir, store) = store(&runtime);
        let next = Arc::new(AtomicU64::new(0));
        group.bench_function(format!("{writers} writers"), |bencher| {
            bencher.iter_custom(|commits| runtime.block_on(write(&store, &next, writers, commits)));
        });
        runtime.block_on(store.shutdown()).expect("in order");
    }
    for (cipher, writers) in [("aesgcm", 1), ("aesgcm", 32), ("secretbox", 32), ("aescbc", 32)] {
        let (_dir, store) = encrypted(&runtime, cipher);
        let next = Arc::new(AtomicU64::new(0));
        group.bench_function(format!("{writers} writers, encrypted by {cipher}"), |bencher| {
            bencher.iter_custom(|commits| runtime.block_on(write(&store, &next, writers, commits)));
        });
        runtime.block_on(store.shutdown()).expect("in order");
    }
}

fn lists(criterion: &mut Criterion) {
    const RECORDS: u64 = 10_000;
    let runtime = runtime();
    let (_dir, store) = store(&runtime);
    runtime.block_on(write(&store, &Arc::default(), 64, RECORDS));
    let scope = Scope::all("pods");
    let mut group = criterion.benchmark_group("list");
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("10000 records, copied as a reply", |bencher| {
        bencher.iter(|| {
            let snapshot = store.list(&scope);
            let mut reply = Vec::with_capacity(RECORDS as usize * 800);
            for record in snapshot.iter() {
                reply.extend_from_slice(&record.json);
                reply.push(b',');
            }
            black_box(reply)
        });
    });
    runtime.block_on(store.shutdown()).expect("in order");
}

/// Reads `events` events, touching the bytes of each.
async fn read(mut watch: Watch, events: u64) {
    let mut seen = 0;
    while seen < events {
        let batch = watch.next_batch(256).await.expect("open").expect("no error");
        seen += batch.len() as u64;
        black_box(batch.iter().map(|event| event.wire().len()).sum::<usize>());
    }
}

fn watches(criterion: &mut Criterion) {
    const WATCHERS: u64 = 1_000;
    let runtime = runtime();
    let (_dir, store) = store(&runtime);
    let next = Arc::new(AtomicU64::new(0));
    let mut group = criterion.benchmark_group("watch");
    group.throughput(Throughput::Elements(WATCHERS)).sample_size(10).measurement_time(Duration::from_secs(3));
    group.bench_function("events delivered to 1000 watchers, 32 writers", |bencher| {
        bencher.iter_custom(|commits| {
            runtime.block_on(async {
                let watch = || store.watch(Scope::all("pods").into(), store.revision()).expect("a watch");
                let readers: Vec<_> = (0..WATCHERS).map(|_| tokio::spawn(read(watch(), commits))).collect();
                let started = Instant::now();
                write(&store, &next, 32, commits).await;
                for reader in readers {
                    reader.await.expect("no panic");
                }
                started.elapsed()
            })
        });
    });
    runtime.block_on(store.shutdown()).expect("in order");
}

/// The start of a cluster: an empty one, and one with objects.
fn opens(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut group = criterion.benchmark_group("open");
    group.sample_size(10);
    for records in [0, 10_000] {
        let (dir, store) = store(&runtime);
        runtime.block_on(write(&store, &Arc::default(), 64, records));
        runtime.block_on(store.shutdown()).expect("in order");
        drop(store);
        group.bench_function(format!("{records} objects"), |bencher| {
            bencher.iter_custom(|times| {
                let mut total = Duration::ZERO;
                for _ in 0..times {
                    let started = Instant::now();
                    let opened = runtime.block_on(Store::open(StoreConfig::new(dir.path()), Arc::new(NoLift)));
                    total += started.elapsed();
                    runtime.block_on(opened.expect("opens").shutdown()).expect("in order");
                }
                total
            });
        });
    }
}

criterion_group!(benches, commits, lists, watches, opens);
criterion_main!(benches);
