//! The store against a model that it must agree with: a map, and the map that its events make.

use std::collections::BTreeMap;
use std::sync::Arc;

use coracle_store::{Event, EventKind, Expect, Op, Record, Scope, Store, Txn};
use proptest::prelude::*;

use crate::{key, object, open};

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
    let row = |record: &Arc<Record>| (record.key.name.to_string(), (value_of(&record.json), record.revision));
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
