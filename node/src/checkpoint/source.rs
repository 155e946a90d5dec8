//! Where pods have other objects from: the API server, and the checkpoint while that can't be reached.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use coracle_client::is_unreachable;
use k8s_openapi::api::{
    core::v1::{ConfigMap, PersistentVolume, PersistentVolumeClaim, Pod, Secret},
    node::v1::RuntimeClass,
};
use kube::Client;
use serde::{Serialize, de::DeserializeOwned};

use super::{Checkpoint, Key};
use crate::volumes::{Objects, Token};

/// Objects by the server's word. Only when nobody answers are they what they were when they were read last: a refusal, or
/// that there is no such object, is an answer.
#[derive(Clone)]
pub struct ObjectSource {
    client: Client,
    checkpoint: Arc<Checkpoint>,
    /// The pod that they are for.
    user: Option<Arc<str>>,
}

impl ObjectSource {
    /// Objects for nobody in particular: what is kept for pods is brought up to date.
    pub fn new(client: Client, checkpoint: Arc<Checkpoint>) -> ObjectSource {
        ObjectSource { client, checkpoint, user: None }
    }

    /// Objects for the pod of this UID.
    pub fn of(&self, uid: &str) -> ObjectSource {
        ObjectSource { user: Some(uid.into()), ..self.clone() }
    }

    async fn read<K>(
        &self,
        key: Key,
        asking: impl Future<Output = Result<Option<K>, kube::Error>>,
    ) -> Result<Option<K>, kube::Error>
    where
        K: kube::Resource + Serialize + DeserializeOwned + Send + 'static,
    {
        match asking.await {
            Ok(Some(object)) => {
                self.checkpoint.keep_version(key, &object, self.user.as_deref());
                Ok(Some(object))
            }
            Ok(None) => {
                self.checkpoint.forget(&key);
                Ok(None)
            }
            Err(error) => self.kept(key, error).await.map(Some),
        }
    }

    /// What is kept, if the server was not there to ask.
    async fn kept<T: DeserializeOwned + Send + 'static>(&self, key: Key, error: kube::Error) -> Result<T, kube::Error> {
        if !is_unreachable(&error) {
            return Err(error);
        }
        let checkpoint = Arc::clone(&self.checkpoint);
        let kept = tokio::task::spawn_blocking(move || checkpoint.get(&key)).await;
        kept.ok().flatten().ok_or(error)
    }
}

#[async_trait]
impl Objects for ObjectSource {
    async fn config_map(&self, namespace: &str, name: &str) -> Result<Option<ConfigMap>, kube::Error> {
        self.read(Key::namespaced("configmap", namespace, name), self.client.config_map(namespace, name)).await
    }

    async fn secret(&self, namespace: &str, name: &str) -> Result<Option<Secret>, kube::Error> {
        self.read(Key::namespaced("secret", namespace, name), self.client.secret(namespace, name)).await
    }

    /// A token that is kept may have expired. The pod starts with it all the same: there is nobody to show it to, and the
    /// first thing that happens when the server is back is that it is replaced.
    async fn token(&self, pod: &Pod, audience: Option<&str>, seconds: Option<i64>) -> Result<Token, kube::Error> {
        let key = Key::token(pod.metadata.uid.as_deref().unwrap_or_default(), audience, seconds);
        match self.client.token(pod, audience, seconds).await {
            Ok(token) => {
                self.checkpoint.keep(key, &token, None);
                Ok(token)
            }
            Err(error) => self.kept(key, error).await,
        }
    }

    async fn claim(&self, namespace: &str, name: &str) -> Result<Option<PersistentVolumeClaim>, kube::Error> {
        self.read(Key::namespaced("claim", namespace, name), self.client.claim(namespace, name)).await
    }

    async fn persistent_volume(&self, name: &str) -> Result<Option<PersistentVolume>, kube::Error> {
        self.read(Key::cluster("volume", name), self.client.persistent_volume(name)).await
    }

    async fn runtime_class(&self, name: &str) -> Result<Option<RuntimeClass>, kube::Error> {
        self.read(Key::cluster("class", name), self.client.runtime_class(name)).await
    }

    /// Those of the moment: where a pod may be was judged when they were known.
    async fn node_labels(&self, name: &str) -> Option<BTreeMap<String, String>> {
        self.client.node_labels(name).await
    }
}
