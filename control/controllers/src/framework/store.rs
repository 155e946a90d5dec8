//! The objects of one resource as the watch last showed them, with the indexes controllers ask for.
//!
//! Invariant: every object is in each index exactly under what its current version says.

use super::key::Key;
use super::owner::controller_of;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use parking_lot::RwLock;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// What an additional index is keyed by; None leaves the object out.
pub type IndexFn<K> = fn(&K) -> Option<String>;

/// See the module's documentation.
pub struct Store<K> {
    inner: RwLock<Inner<K>>,
    extra: Option<IndexFn<K>>,
}

struct Inner<K> {
    objects: HashMap<Key, Arc<K>>,
    by_namespace: Index,
    by_controller: Index,
    by_extra: Index,
}

#[derive(Default)]
struct Index(HashMap<String, BTreeSet<Key>>);

impl Index {
    fn put(&mut self, value: String, key: &Key) {
        self.0.entry(value).or_default().insert(key.clone());
    }

    fn take(&mut self, value: &str, key: &Key) {
        if let Some(keys) = self.0.get_mut(value) {
            keys.remove(key);
            if keys.is_empty() {
                self.0.remove(value);
            }
        }
    }
}

impl<K: Resource> Store<K> {
    /// An empty store; `extra` keys one more index.
    pub fn new(extra: Option<IndexFn<K>>) -> Store<K> {
        let inner = Inner {
            objects: HashMap::new(),
            by_namespace: Index::default(),
            by_controller: Index::default(),
            by_extra: Index::default(),
        };
        Store { inner: RwLock::new(inner), extra }
    }

    /// The object of this key.
    pub fn get(&self, key: &Key) -> Option<Arc<K>> {
        self.inner.read().objects.get(key).cloned()
    }

    /// All objects.
    pub fn all(&self) -> Vec<Arc<K>> {
        self.inner.read().objects.values().cloned().collect()
    }

    /// How many objects there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.inner.read().objects.len()
    }

    /// The objects of a namespace.
    pub fn in_namespace(&self, namespace: &str) -> Vec<Arc<K>> {
        let inner = self.inner.read();
        inner.pick(&inner.by_namespace, namespace)
    }

    /// The objects whose controller has this uid.
    pub fn controlled_by(&self, uid: &str) -> Vec<Arc<K>> {
        let inner = self.inner.read();
        inner.pick(&inner.by_controller, uid)
    }

    /// The objects of a namespace that no controller owns.
    pub fn orphans(&self, namespace: &str) -> Vec<Arc<K>> {
        let inner = self.inner.read();
        inner.pick(&inner.by_controller, &orphans_of(namespace))
    }

    /// The objects under `value` in the additional index.
    pub fn indexed(&self, value: &str) -> Vec<Arc<K>> {
        let inner = self.inner.read();
        inner.pick(&inner.by_extra, value)
    }

    /// Takes in an object; what was there before.
    pub fn insert(&self, key: Key, object: Arc<K>) -> Option<Arc<K>> {
        let mut inner = self.inner.write();
        let old = inner.objects.insert(key.clone(), object.clone());
        if let Some(old) = &old {
            self.unindex(&mut inner, &key, old);
        }
        inner.by_namespace.put(key.namespace.clone(), &key);
        inner.by_controller.put(controller_key(object.meta()), &key);
        if let Some(value) = self.extra.and_then(|extra| extra(&object)) {
            inner.by_extra.put(value, &key);
        }
        old
    }

    /// Takes an object out.
    pub fn remove(&self, key: &Key) -> Option<Arc<K>> {
        let mut inner = self.inner.write();
        let old = inner.objects.remove(key)?;
        self.unindex(&mut inner, key, &old);
        Some(old)
    }

    /// The keys that are not in `present`.
    pub fn missing(&self, present: &HashSet<Key>) -> Vec<Key> {
        self.inner.read().objects.keys().filter(|key| !present.contains(*key)).cloned().collect()
    }

    fn unindex(&self, inner: &mut Inner<K>, key: &Key, old: &K) {
        inner.by_namespace.take(&key.namespace, key);
        inner.by_controller.take(&controller_key(old.meta()), key);
        if let Some(value) = self.extra.and_then(|extra| extra(old)) {
            inner.by_extra.take(&value, key);
        }
    }
}

impl<K> Inner<K> {
    fn pick(&self, index: &Index, value: &str) -> Vec<Arc<K>> {
        index.0.get(value).into_iter().flatten().filter_map(|key| self.objects.get(key).cloned()).collect()
    }
}

/// A slash keeps it apart from uids.
fn orphans_of(namespace: &str) -> String {
    format!("orphans/{namespace}")
}

fn controller_key(meta: &ObjectMeta) -> String {
    match controller_of(meta) {
        Some(owner) => owner.uid.clone(),
        None => orphans_of(meta.namespace.as_deref().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

    fn object(name: &str, controller: Option<&str>) -> Arc<ConfigMap> {
        let owner = |uid: &str| OwnerReference { uid: uid.into(), controller: Some(true), ..OwnerReference::default() };
        Arc::new(ConfigMap {
            metadata: ObjectMeta {
                name: Some(name.into()),
                namespace: Some("ns".into()),
                owner_references: controller.map(|uid| vec![owner(uid)]),
                ..ObjectMeta::default()
            },
            ..ConfigMap::default()
        })
    }

    #[test]
    fn indexes_follow_the_object() {
        let store = Store::new(Some(|o: &ConfigMap| o.metadata.name.as_ref().map(|n| n[..1].to_owned())));
        let key = Key::new("ns", "a1");
        assert!(store.insert(key.clone(), object("a1", None)).is_none());
        store.insert(Key::new("ns", "a2"), object("a2", Some("u1")));
        assert_eq!(store.orphans("ns").len(), 1);
        assert_eq!(store.indexed("a").len(), 2);
        store.insert(key.clone(), object("a1", Some("u1")));
        assert_eq!((store.orphans("ns").len(), store.controlled_by("u1").len()), (0, 2));
        assert_eq!(store.missing(&HashSet::from([key.clone()])), [Key::new("ns", "a2")]);
        store.remove(&key);
        assert_eq!((store.in_namespace("ns").len(), store.controlled_by("u1").len(), store.len()), (1, 1, 1));
        assert!(store.get(&key).is_none());
    }
}
