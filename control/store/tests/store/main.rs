//! The store through its façade: durability over reopening, who may open it, and a model it must agree with.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use coracle_store::{
    CommitError, Event, EventKind, Expect, Key, Lift, Lifted, Object, Op, OpenError, Scope, Store, StoreConfig, Txn,
    WatchError, WatchScope,
};
use proptest::prelude::*;

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

    fs::write(dir.path().join("format"), "2\n").expect("writes");
    assert!(matches!(attempt(1).await, OpenError::NewerVersion { found: 2, supported: 1 }));
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

/// One step of the property test: an operation on one of a few names, or a restart.
#[derive(Clone, Debug)]
enum Step {
    Txn(Vec<(u8, Action)>),
    Reopen,
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Create(u32),
    Update(u32),
    UpdateStale(u32),
    Force(u32),
    Delete,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let action = prop_oneof![
        any::<u32>().prop_map(Action::Create),
        any::<u32>().prop_map(Action::Update),
        any::<u32>().prop_map(Action::UpdateStale),
        any::<u32>().prop_map(Action::Force),
        Just(Action::Delete),
    ];
    let txn = prop::collection::vec((0..6_u8, action), 1..4).prop_map(Step::Txn);
    prop::collection::vec(prop_oneof![20 => txn, 1 => Just(Step::Reopen)], 1..60)
}

/// What should be stored: value and revision by name.
type Model = BTreeMap<String, (u32, u64)>;

/// The transaction of a step, and whether the model says that it happens.
fn transaction(model: &Model, ops: &[(u8, Action)]) -> (Txn, bool) {
    let mut seen = Vec::new();
    let mut happens = true;
    let mut txn = Txn::default();
    for (number, action) in ops {
        let name = format!("o{number}");
        if seen.contains(number) {
            continue;
        }
        seen.push(*number);
        let current = model.get(&name).map(|(_, revision)| *revision);
        let put = |value, expect| Op::Put { key: key(&name), object: object(&name, value), expect };
        let (op, holds) = match *action {
            Action::Create(value) => (put(value, Expect::Absent), current.is_none()),
            Action::Update(value) => (put(value, Expect::Revision(current.unwrap_or(1))), current.is_some()),
            Action::UpdateStale(value) => (put(value, Expect::Revision(current.map_or(1, |now| now - 1))), false),
            Action::Force(value) => (put(value, Expect::Any), true),
            Action::Delete => (Op::Delete { key: key(&name), expect: Expect::Any, last: None }, current.is_some()),
        };
        happens &= holds;
        txn.ops.push(op);
    }
    (txn, happens)
}

fn value_of(json: &[u8]) -> u32 {
    let value: serde_json::Value = serde_json::from_slice(json).expect("JSON");
    value["data"]["value"].as_u64().and_then(|value| value.try_into().ok()).expect("a value")
}

/// The model after `events` must be the store.
fn replay(model: &mut Model, events: &[Arc<Event>]) {
    for event in events {
        let name = event.record.key.name.to_string();
        let before = model.get(&name).map(|(_, revision)| *revision);
        assert_eq!(event.previous.as_ref().map(|previous| previous.revision), before);
        assert_eq!(event.kind == EventKind::Added, before.is_none());
        match event.kind {
            EventKind::Deleted => model.remove(&name),
            _ => model.insert(name, (value_of(&event.record.json), event.revision)),
        };
    }
}

fn stored(store: &Store) -> Model {
    let row =
        |record: &Arc<coracle_store::Record>| (record.key.name.to_string(), (value_of(&record.json), record.revision));
    store.list(&Scope::all("configmaps")).iter().map(row).collect()
}

async fn run(steps: Vec<Step>) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = open(dir.path()).await;
    let mut model = Model::new();
    let mut watched = Model::new();
    let mut watch = store.watch(Scope::all("configmaps").into(), store.revision()).expect("a watch");
    for step in steps {
        let Step::Txn(ops) = step else {
            store.shutdown().await.expect("in order");
            drop((store, watch));
            store = open(dir.path()).await;
            watch = store.watch(Scope::all("configmaps").into(), store.revision()).expect("a watch");
            assert_eq!(stored(&store), model);
            continue;
        };
        let (txn, happens) = transaction(&model, &ops);
        let before = store.revision();
        match store.commit(txn.clone()).await {
            Ok(committed) => {
                assert!(happens, "{txn:?}");
                assert_eq!(committed.revision, before + 1);
                for (op, record) in txn.ops.iter().zip(&committed.records) {
                    let name = op.key().name.to_string();
                    match op {
                        Op::Put { .. } => model.insert(name, (value_of(&record.json), committed.revision)),
                        Op::Delete { .. } => model.remove(&name),
                    };
                }
                let batch = watch.next_batch(100).await.expect("open").expect("no error");
                replay(&mut watched, &batch);
            }
            Err(error) => {
                assert!(!happens, "{error}: {txn:?}");
                assert_eq!(store.revision(), before);
            }
        }
        assert_eq!(stored(&store), model);
        assert_eq!(watched, model);
    }
    store.shutdown().await.expect("in order");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_store_agrees_with_a_map(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        runtime.block_on(run(steps));
    }
}
