//! What a container may do with its buckets at once.

use std::{fs, sync::mpsc, time::Duration};

use futures::{FutureExt, poll};
use wasmtime::component::Resource;

use super::{
    bindings::store::{Host, HostBucket},
    *,
};

const PATIENCE: Duration = Duration::from_secs(20);

fn buckets(volume: &std::path::Path) -> Arc<Buckets> {
    let bucket = Bucket { name: "v".into(), host_path: volume.canonicalize().unwrap(), read_only: false };
    Buckets::new(vec![bucket], None, DescriptorBudget::new(1000, None))
}

/// Each operation has a thread while it lasts: the ninth has its turn when one of eight has ended.
#[tokio::test]
async fn operations_under_way_are_bounded() {
    let volume = tempfile::tempdir().unwrap();
    let buckets = buckets(volume.path());
    let (begin, begun) = mpsc::channel();
    let operation = || {
        let ((finish, finished), begin) = (mpsc::channel::<()>(), begin.clone());
        let work = move |_: &Place| {
            begin.send(()).unwrap();
            finished.recv_timeout(PATIENCE).map_err(|error| Error::Other(error.to_string()))
        };
        (finish, buckets.clone().work(OpenBucket(0), work).boxed())
    };
    let mut under_way: Vec<_> = (0..limits::BUCKET_OPERATIONS).map(|_| operation()).collect();
    for (_, work) in &mut under_way {
        assert!(poll!(work).is_pending());
        begun.recv_timeout(PATIENCE).unwrap();
    }
    let (last, mut waiting) = operation();
    assert!(poll!(&mut waiting).is_pending());
    assert!(begun.try_recv().is_err(), "it has no turn");
    let (first, work) = under_way.remove(0);
    first.send(()).unwrap();
    work.await.unwrap();
    assert!(poll!(&mut waiting).is_pending());
    begun.recv_timeout(PATIENCE).unwrap();
    last.send(()).unwrap();
    waiting.await.unwrap();
    for (finish, work) in under_way {
        finish.send(()).unwrap();
        work.await.unwrap();
    }
}

/// An operation that finds no descriptor left is an error of its call, and leaves its turn to others.
#[tokio::test]
async fn operations_count_among_the_descriptors() {
    let volume = tempfile::tempdir().unwrap();
    let bucket = Bucket { name: "v".into(), host_path: volume.path().canonicalize().unwrap(), read_only: false };
    let descriptors = DescriptorBudget::new(directory::DESCRIPTORS, None);
    let buckets = Buckets::new(vec![bucket], None, descriptors.clone());
    let held = descriptors.take().unwrap();
    for _ in 0..=limits::BUCKET_OPERATIONS {
        let refused = buckets.clone().work(OpenBucket(0), |_| Ok(())).await.unwrap_err();
        assert_eq!(refused.to_string(), "too many files are open");
    }
    drop(held);
    buckets.work(OpenBucket(0), |_| Ok(())).await.unwrap();
}

/// A guest is given so many keys at a time, and all of them in the end.
#[tokio::test]
async fn a_guest_is_given_a_page_of_keys_at_a_time() {
    let volume = tempfile::tempdir().unwrap();
    let buckets = buckets(volume.path());
    let directory = volume.path().join(".keyvalue");
    fs::create_dir(&directory).unwrap();
    for number in 0..=limits::KEYS_PER_PAGE {
        fs::write(directory.join(format!("={number:04}")), "").unwrap();
    }
    let mut table = ResourceTable::new();
    let mut guest = KeyValue { buckets: &buckets, table: &mut table };
    let bucket = guest.open("v".into()).await.unwrap();
    let first = guest.list_keys(Resource::new_borrow(bucket.rep()), None).await.unwrap();
    assert_eq!(first.keys.len(), limits::KEYS_PER_PAGE);
    let rest = guest.list_keys(Resource::new_borrow(bucket.rep()), Some(first.cursor.unwrap())).await.unwrap();
    assert_eq!((rest.keys.len(), rest.cursor), (1, None));
    let mut all = [first.keys, rest.keys].concat();
    all.sort();
    let expected: Vec<String> = (0..=limits::KEYS_PER_PAGE).map(|number| format!("{number:04}")).collect();
    assert_eq!(all, expected);
}
