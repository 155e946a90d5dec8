//! `ServiceAccount`: every pod runs as one, and it exists; its token is mounted unless somebody says otherwise. What mirrors a
//! static pod has none, and nothing that only the API server could give it.

mod mountable;

use std::time::Duration;

use async_trait::async_trait;
use coracle_api::pod::MIRROR_ANNOTATION;
use coracle_api::{ApiResult, meta};
use coracle_store::{Key, Scope, WatchScope};
use serde_json::{Value, json};

use super::{Action, Admitted, Plugin, token_volume};
use crate::authz::node::{Vertex, references};
use crate::hub::Hub;

/// How long a pod waits for its account: the controller makes `default` a moment after a namespace, and whoever
/// creates both at once should not be told that it failed. Kubernetes looks ten times in a second.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) struct ServiceAccount;

#[async_trait]
impl Plugin for ServiceAccount {
    fn handles(&self, write: &Admitted<'_>) -> bool {
        write.creates("pods") || is_debugging(write)
    }

    async fn admit(&self, hub: &Hub, write: &Admitted<'_>, object: &mut Value) -> ApiResult<()> {
        if !write.creates("pods") || !object["spec"].is_object() {
            return Ok(());
        }
        // What mirrors a static pod runs already, and without an account.
        if is_mirror(object) {
            return check_mirror(write, object);
        }
        let spec = &mut object["spec"];
        let given = spec["serviceAccountName"].as_str().or_else(|| spec["serviceAccount"].as_str());
        let name = given.filter(|n| !n.is_empty()).unwrap_or("default").to_string();
        spec["serviceAccountName"] = json!(name);
        // The old name of the field is kept in step for clients that still read it.
        spec["serviceAccount"] = json!(name);
        let account = account(hub, write, &name).await?;
        let spec = &mut object["spec"];
        if spec["imagePullSecrets"].as_array().is_none_or(Vec::is_empty) && !account["imagePullSecrets"].is_null() {
            spec["imagePullSecrets"] = account["imagePullSecrets"].clone();
        }
        let asked = spec["automountServiceAccountToken"].as_bool();
        if asked.or_else(|| account["automountServiceAccountToken"].as_bool()).unwrap_or(true) {
            token_volume::mount(spec);
        }
        mountable::check_pod(&account, object).map_err(|why| write.forbidden(&why))
    }

    /// Once more: others may have changed the pod since.
    async fn validate(&self, hub: &Hub, write: &Admitted<'_>, object: &Value) -> ApiResult<()> {
        let is_new = write.creates("pods");
        if is_new && is_mirror(object) {
            return check_mirror(write, object);
        }
        let name = object["spec"]["serviceAccountName"].as_str().unwrap_or_default();
        if name.is_empty() {
            let (namespace, pod) = (write.namespace, meta::name(object));
            return Err(write.forbidden(&format!("no service account specified for pod {namespace}/{pod}")));
        }
        let account = account(hub, write, name).await?;
        let checked =
            if is_new { mountable::check_pod(&account, object) } else { mountable::check_ephemeral(&account, object) };
        checked.map_err(|why| write.forbidden(&why))
    }
}

/// Whether containers are added to a pod that is there.
fn is_debugging(write: &Admitted<'_>) -> bool {
    write.action == Action::Update && write.subresource == "ephemeralcontainers" && write.concerns("", "pods")
}

fn is_mirror(pod: &Value) -> bool {
    pod["metadata"]["annotations"][MIRROR_ANNOTATION].is_string()
}

fn check_mirror(write: &Admitted<'_>, pod: &Value) -> ApiResult<()> {
    let spec = &pod["spec"];
    let why = match () {
        () if spec["serviceAccountName"].as_str().is_some_and(|name| !name.is_empty()) => "reference service accounts",
        () if references(pod).iter().any(|(vertex, _)| *vertex == Vertex::Secret) => "reference secrets",
        () if has_token(spec) => "use ServiceAccountToken volume projections",
        () => return Ok(()),
    };
    Err(write.forbidden(&format!("a mirror pod may not {why}")))
}

fn has_token(spec: &Value) -> bool {
    let volumes = spec["volumes"].as_array().into_iter().flatten();
    let mut sources = volumes.flat_map(|volume| volume["projected"]["sources"].as_array().into_iter().flatten());
    sources.any(|source| source["serviceAccountToken"].is_object())
}

async fn account(hub: &Hub, write: &Admitted<'_>, name: &str) -> ApiResult<Value> {
    let namespace = write.namespace;
    wait_for(hub, namespace, name).await.ok_or_else(|| {
        let missing = format!("serviceaccount \"{name}\" not found");
        write.forbidden(&format!("error looking up service account {namespace}/{name}: {missing}"))
    })
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
