//! Writing a pod's status, and its final deletion.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use serde_json::Value;

use super::live::LivePod;
use crate::{shared::Shared, static_pods::Target};

/// What became of a write.
#[derive(Debug, PartialEq, Eq)]
pub enum Written {
    /// It was taken.
    Done,
    /// There is no such pod any more (or another one of the same name).
    Gone,
    /// It failed and may be tried again.
    Failed(String),
}

/// Patches the pod's status.
pub async fn write_status(shared: Arc<Shared>, live: Arc<LivePod>, mut patch: Value) -> Written {
    match shared.mirrors.target(&live.uid, &live.namespace, &live.name).await {
        Target::Own => {}
        Target::Mirror(uid) => patch["metadata"]["uid"] = uid.into(),
        Target::Missing => return Written::Failed("the mirror of this static pod is not made yet".to_owned()),
    }
    let _turn = shared.status_turns.acquire().await;
    shared.metrics.status_writes.inc();
    let api: Api<Pod> = Api::namespaced(shared.client.clone(), &live.namespace);
    // Only whether it was taken is asked for: the object comes back on the watch.
    match api.patch_status(&live.name, &PatchParams::default(), &Patch::Strategic(patch)).await {
        Ok(_) => Written::Done,
        Err(kube::Error::Api(status)) if status.code == 404 => Written::Gone,
        Err(error) => Written::Failed(error.to_string()),
    }
}

/// Deletes the pod for good: nothing of it is left on this node.
pub async fn delete(shared: Arc<Shared>, live: Arc<LivePod>) -> Written {
    let _turn = shared.status_turns.acquire().await;
    let api: Api<Pod> = Api::namespaced(shared.client.clone(), &live.namespace);
    let preconditions = Preconditions { uid: Some(live.uid.clone()), resource_version: None };
    let parameters =
        DeleteParams { grace_period_seconds: Some(0), preconditions: Some(preconditions), ..DeleteParams::default() };
    match api.delete(&live.name, &parameters).await {
        Ok(_) => Written::Done,
        // A conflict is the precondition: the name belongs to another pod now.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Written::Gone,
        Err(error) => Written::Failed(error.to_string()),
    }
}
