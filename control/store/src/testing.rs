//! What the crate's own tests share: a lift that knows labels and one field, and objects to store.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::{Expect, Key, Lift, Lifted, Object, Store, StoreConfig, Txn};

/// Lifts labels, `spec.nodeName` and the uid.
pub(crate) struct TestLift;

impl Lift for TestLift {
    fn lift(&self, _resource: &str, json: &[u8]) -> Lifted {
        let value: Value = serde_json::from_slice(json).expect("stored objects are JSON");
        let labels = value["metadata"]["labels"].as_object().into_iter().flatten();
        let labels = labels.map(|(key, value)| (key.as_str().into(), value.as_str().unwrap_or_default().into()));
        let node = value["spec"]["nodeName"].as_str().map(|node| ("spec.nodeName".into(), node.into()));
        Lifted::new(labels, node, [], value["metadata"]["uid"].as_str().unwrap_or_default())
    }
}

/// The lift, as the store takes it.
pub(crate) fn lift() -> Arc<dyn Lift> {
    Arc::new(TestLift)
}

/// A pod's key.
pub(crate) fn pod(namespace: &str, name: &str) -> Key {
    Key::new("pods", namespace, name)
}

/// An object with this node name.
pub(crate) fn on_node(name: &str, node: &str) -> Object {
    let json = serde_json::json!({"kind": "Pod", "metadata": {"name": name}, "spec": {"nodeName": node}});
    Object::from_json(json.to_string().into_bytes()).expect("an object")
}

/// A transaction that writes a pod whatever is there.
pub(crate) fn put(namespace: &str, name: &str, node: &str) -> Txn {
    Txn::put(pod(namespace, name), on_node(name, node), Expect::Any)
}

/// A store in `dir`.
pub(crate) async fn open(dir: &Path) -> Store {
    Store::open(StoreConfig::new(dir), lift()).await.expect("the store opens")
}
