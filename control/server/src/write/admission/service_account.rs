//! `ServiceAccount`: every pod runs as one, and it exists; its token is mounted unless somebody says otherwise. What mirrors a
//! static pod has none, and nothing that only the API server could give it.

use std::time::Duration;

use async_trait::async_trait;
use coracle_api::pod::MIRROR_ANNOTATION;
use coracle_api::{ApiError, ApiResult};
use coracle_store::{Key, Scope, WatchScope};
use serde_json::{Value, json};

use super::{Admitted, Plugin, token_volume};
use crate::authz::node::{Vertex, references};
use crate::hub::Hub;

/// How long a pod waits for its account: the controller makes `default` a moment after a namespace, and whoever
/// creates both at once should not be told that it failed. Kubernetes looks ten times in a second.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) struct ServiceAccount;

#[async_trait]
impl Plugin for ServiceAccount {
    fn handles(&self, write: &Admitted<'_>) -> bool {
        write.creates("pods")
    }

    async fn admit(&self, hub: &Hub, write: &Admitted<'_>, object: &mut Value) -> ApiResult<()> {
        // What mirrors a static pod runs already, and without an account.
        if !object["spec"].is_object() || object["metadata"]["annotations"][MIRROR_ANNOTATION].is_string() {
            return Ok(());
        }
        let spec = &mut object["spec"];
        let given = spec["serviceAccountName"].as_str().or_else(|| spec["serviceAccount"].as_str());
        let name = given.filter(|n| !n.is_empty()).unwrap_or("default").to_string();
        spec["serviceAccountName"] = json!(name);
        // The old name of the field is kept in step for clients that still read it.
        spec["serviceAccount"] = json!(name);
        let account = wait_for(hub, write.namespace, &name).await.ok_or_else(|| {
            let namespace = write.namespace;
            let why =
                format!("error looking up service account {namespace}/{name}: serviceaccount \"{name}\" not found");
            ApiError::forbidden(write.resource, write.name, &why)
        })?;
        let spec = &mut object["spec"];
        if spec["imagePullSecrets"].as_array().is_none_or(Vec::is_empty) && !account["imagePullSecrets"].is_null() {
            spec["imagePullSecrets"] = account["imagePullSecrets"].clone();
        }
        let asked = spec["automountServiceAccountToken"].as_bool();
        if asked.or_else(|| account["automountServiceAccountToken"].as_bool()).unwrap_or(true) {
            token_volume::mount(spec);
        }
        Ok(())
    }

    async fn validate(&self, _: &Hub, write: &Admitted<'_>, object: &Value) -> ApiResult<()> {
        if !object["metadata"]["annotations"][MIRROR_ANNOTATION].is_string() {
            return Ok(());
        }
        let why = match () {
            () if object["spec"]["serviceAccountName"].as_str().is_some_and(|name| !name.is_empty()) => {
                "reference service accounts"
            }
            () if references(object).iter().any(|(vertex, _)| *vertex == Vertex::Secret) => "reference secrets",
            () => return Ok(()),
        };
        Err(ApiError::forbidden(write.resource, write.name, &format!("a mirror pod may not {why}")))
    }
}

/// The account, now or within [`PATIENCE`].
async fn wait_for(hub: &Hub, namespace: &str, name: &str) -> Option<Value> {
    let key = Key::new("serviceaccounts", namespace, name);
    let look = || serde_json::from_slice(&hub.store.get(&key)?.json).ok();
    let revision = hub.store.revision();
    if let Some(found) = look() {
        return Some(found);
    }
    let scope = WatchScope::new(Scope::namespaced("serviceaccounts", namespace)).named(name);
    let mut watch = hub.store.watch(scope, revision).ok()?;
    let arrival = async {
        // Any event about that name is a reason to look again; the end of the watch is one to give up.
        while let Some(Ok(_)) = watch.next_batch(1).await {
            if let Some(found) = look() {
                return Some(found);
            }
        }
        None
    };
    tokio::time::timeout(PATIENCE, arrival).await.ok().flatten()
}
