//! The store through its façade: durability over reopening, who may open it, and a model it must agree with.

mod encryption;
mod model;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use coracle_store::{
    CommitError, EventKind, Expect, Key, Lift, Lifted, Object, Op, OpenError, Scope, Store, StoreConfig, Txn,
    WatchError, WatchScope,
};

struct NoLift;

impl Lift for NoLift {
    fn lift(&self, _resource: &str, _json: &[u8]) -> Lifted {
        Lifted::default()
    }
}

async fn open(dir: &Path) -> Store {
    Store::open(StoreConfig::new(dir), Arc::new(NoLift)).await.expect("the store opens")
}

fn object(name: &str, value: u32) -> Object {
    let json = format!(r#"{{"metadata":{{"name":"{name}"}},"data":{{"value":{value}}}}}"#);
    Object::from_json(json.into_bytes()).expect("an object")
}

fn key(name: &str) -> Key {
    Key::new("configmaps", "default", name)
}

#[tokio::test]
async fn what_was_written_is_there_again_and_revisions_go_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).await;
    assert_eq!(store.revision(), 1);
    let first = store.commit(Txn::put(key("a"), object("a", 1), Expect::Absent)).await.expect("commits");
    let second = store.commit(Txn::put(key("b"), object("b", 2), Expect::Absent)).await.expect("commits");
    assert!(first.revision < second.revision);
    store.shutdown().await.expect("in order");
    assert!(matches!(
        store.commit(Txn::put(key("c"), object("c", 3), Expect::Any)).await,
        Err(CommitError::Unavailable(_))
    ));
    assert!(store.get(&key("a")).is_some(), "reads still work");
    drop(store);

    let store = open(dir.path()).await;
    assert_eq!(store.revision(), second.revision);
    let record = store.get(&key("b")).expect("kept");
    assert_eq!(record.json, second.records[0].json);
    assert_eq!((record.revision, record.create_revision), (second.revision, second.revision));
    let third = store.commit(Txn::delete(key("a"), Expect::Revision(first.revision), None)).await.expect("commits");
    assert_eq!(third.revision, second.revision + 1);
    let stale = store.watch(Scope::all("configmaps").into(), 1);
    assert!(matches!(stale, Err(WatchError::Expired(_))), "the history starts again");
    let mut watch = store.watch(Scope::all("configmaps").into(), second.revision).expect("a watch");
    let batch = watch.next_batch(10).await.expect("open").expect("no error");
    assert_eq!(batch.len(), 1);
    assert_eq!(batch[0].kind, EventKind::Deleted);
    store.shutdown().await.expect("in order");
}

#[tokio::test]
async fn a_directory_has_one_user() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).await;
    match Store::open(StoreConfig::new(dir.path()), Arc::new(NoLift)).await {
        Err(OpenError::InUse { path, holder }) => {
            assert_eq!(path, dir.path());
            assert_eq!(holder, format!("process {}", std::process::id()));
        }
        other => panic!("{other:?}"),
    }
    store.shutdown().await.expect("in order");
    open(dir.path()).await.shutdown().await.expect("in order");
}

#[tokio::test]
async fn a_dropped_store_lets_go_of_its_directory() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).await;
    store.commit(Txn::put(key("a"), object("a", 1), Expect::Absent)).await.expect("commits");
    drop(store);
    let deadline = Instant::now() + Duration::from_secs(10);
    let store = loop {
        match Store::open(StoreConfig::new(dir.path()), Arc::new(NoLift)).await {
            Ok(store) => break store,
            Err(OpenError::InUse { .. }) if Instant::now() < deadline => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    assert!(store.get(&key("a")).is_some());
    store.shutdown().await.expect("in order");
}

#[tokio::test]
async fn what_cannot_be_opened_is_said_to_be_so() {
    let dir = tempfile::tempdir().expect("a directory");
    open(dir.path()).await.shutdown().await.expect("in order");
    let attempt = async |node_id| {
        let config = StoreConfig { node_id, ..StoreConfig::new(dir.path()) };
        Store::open(config, Arc::new(NoLift)).await.expect_err("must not open")
    };
    assert!(matches!(attempt(7).await, OpenError::OtherNode { found: 1, given: 7 }));

    fs::write(dir.path().join("format"), "3\n").expect("writes");
    assert!(matches!(attempt(1).await, OpenError::NewerVersion { found: 3, supported: 2 }));
    fs::write(dir.path().join("format"), "?").expect("writes");
    assert!(matches!(attempt(1).await, OpenError::Corrupt { .. }));
    fs::remove_file(dir.path().join("format")).expect("removes");
    assert!(matches!(attempt(1).await, OpenError::Corrupt { .. }));
    fs::write(dir.path().join("format"), "1\n").expect("writes");

    let database = dir.path().join("store.redb");
    let whole = fs::read(&database).expect("reads");
    fs::write(&database, &whole[..whole.len() / 2]).expect("writes");
    assert!(matches!(attempt(1).await, OpenError::Corrupt { .. }), "{}", attempt(1).await);
    fs::write(&database, b"this is not a database, whatever its name says").expect("writes");
    assert!(matches!(attempt(1).await, OpenError::Corrupt { .. }), "{}", attempt(1).await);
    fs::write(&database, &whole).expect("writes");
    open(dir.path()).await.shutdown().await.expect("in order");
}

#[tokio::test]
async fn transactions_that_make_no_sense_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = StoreConfig { max_txn_bytes: 1_000, ..StoreConfig::new(dir.path()) };
    let store = Store::open(config, Arc::new(NoLift)).await.expect("opens");
    let op = |name: &str| Op::Put { key: key(name), object: object("x", 1), expect: Expect::Any };
    for ops in [vec![], vec![op("a"), op("b"), op("a")], vec![op("")], vec![op("a\0b")]] {
        assert!(matches!(store.commit(Txn::new(ops)).await, Err(CommitError::Invalid(_))));
    }
    let large = object(&"x".repeat(2_000), 1);
    assert!(matches!(
        store.commit(Txn::put(key("a"), large, Expect::Any)).await,
        Err(CommitError::TooLarge { limit_bytes: 1_000, .. })
    ));
    assert_eq!(store.revision(), 1);
    store.shutdown().await.expect("in order");
}

#[tokio::test]
async fn a_revision_can_be_waited_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).await;
    assert!(!store.wait_for(2, Instant::now() + Duration::from_millis(5)).await);
    let waiter = {
        let store = store.clone();
        tokio::spawn(async move { store.wait_for(2, Instant::now() + Duration::from_secs(30)).await })
    };
    let mut future = store.watch(Scope::all("configmaps").into(), 2).expect("a future revision is waited for");
    store.commit(Txn::put(key("a"), object("a", 1), Expect::Any)).await.expect("commits");
    assert!(waiter.await.expect("no panic"));
    store.commit(Txn::put(key("b"), object("b", 1), Expect::Any)).await.expect("commits");
    let batch = future.next_batch(10).await.expect("open").expect("no error");
    assert_eq!(batch.iter().map(|event| event.revision).collect::<Vec<_>>(), [3]);
    store.shutdown().await.expect("in order");
    assert!(future.next_batch(10).await.is_none(), "watches end with the store");
}

#[tokio::test]
async fn metrics_are_exposed() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).await;
    let mut registry = prometheus_client::registry::Registry::default();
    store.register_metrics(&mut registry);
    let _watch = store.watch(WatchScope::new(Scope::all("configmaps")), 1).expect("a watch");
    store.commit(Txn::put(key("a"), object("a", 1), Expect::Any)).await.expect("commits");
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("encodes");
    for line in [
        "store_revision 2",
        "store_watchers 1",
        r#"store_objects{resource="configmaps"} 1"#,
        "store_commit_duration_seconds_count 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    store.shutdown().await.expect("in order");
}
