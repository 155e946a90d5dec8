//! Objects for many pods at once: each is read from the API server once per round.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

use async_trait::async_trait;
use k8s_openapi::api::{
    core::v1::{ConfigMap, PersistentVolume, PersistentVolumeClaim, Pod, Secret},
    node::v1::RuntimeClass,
};
use parking_lot::Mutex;

use super::objects::{Objects, Token};

/// Objects that are remembered of each kind in one round; others are read again for each pod.
const REMEMBERED_LIMIT: usize = 256;

type Known<K> = Mutex<HashMap<(String, String), Option<K>>>;

/// One round of refreshes.
pub struct Batch<'a> {
    source: &'a dyn Objects,
    config_maps: Known<ConfigMap>,
    secrets: Known<Secret>,
}

impl Batch<'_> {
    /// A round that has read nothing yet.
    pub fn new(source: &dyn Objects) -> Batch<'_> {
        Batch { source, config_maps: Known::default(), secrets: Known::default() }
    }
}

fn remember<K: Hash + Eq, V>(known: &Mutex<HashMap<K, V>>, key: K, value: V) {
    let mut known = known.lock();
    if known.len() < REMEMBERED_LIMIT {
        known.insert(key, value);
    }
}

#[async_trait]
impl Objects for Batch<'_> {
    async fn config_map(&self, namespace: &str, name: &str) -> Result<Option<ConfigMap>, kube::Error> {
        let key = (namespace.to_owned(), name.to_owned());
        if let Some(known) = self.config_maps.lock().get(&key) {
            return Ok(known.clone());
        }
        let read = self.source.config_map(namespace, name).await?;
        remember(&self.config_maps, key, read.clone());
        Ok(read)
    }

    async fn secret(&self, namespace: &str, name: &str) -> Result<Option<Secret>, kube::Error> {
        let key = (namespace.to_owned(), name.to_owned());
        if let Some(known) = self.secrets.lock().get(&key) {
            return Ok(known.clone());
        }
        let read = self.source.secret(namespace, name).await?;
        remember(&self.secrets, key, read.clone());
        Ok(read)
    }

    async fn token(&self, pod: &Pod, audience: Option<&str>, seconds: Option<i64>) -> Result<Token, kube::Error> {
        self.source.token(pod, audience, seconds).await
    }

    async fn claim(&self, namespace: &str, name: &str) -> Result<Option<PersistentVolumeClaim>, kube::Error> {
        self.source.claim(namespace, name).await
    }

    async fn persistent_volume(&self, name: &str) -> Result<Option<PersistentVolume>, kube::Error> {
        self.source.persistent_volume(name).await
    }

    async fn runtime_class(&self, name: &str) -> Result<Option<RuntimeClass>, kube::Error> {
        self.source.runtime_class(name).await
    }

    async fn node_labels(&self, name: &str) -> Option<BTreeMap<String, String>> {
        self.source.node_labels(name).await
    }
}
