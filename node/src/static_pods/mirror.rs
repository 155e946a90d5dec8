//! Makes mirrors, and removes those that are wrong.

use std::{sync::Arc, time::Duration};

use coracle_api::pod::MIRROR_ANNOTATION;
use k8s_openapi::{
    api::core::v1::{Node, Pod, PodStatus},
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    HASH,
    mirrors::{Name, Todo},
};
use crate::shared::Shared;

/// Pause after something that failed.
const RETRY: Duration = Duration::from_secs(5);

/// Keeps the mirrors as they should be, until `shutdown`.
pub async fn run_mirrors(shared: Arc<Shared>, node: String, shutdown: CancellationToken) {
    let work = async {
        loop {
            let mut failed = false;
            for todo in shared.mirrors.todo() {
                if let Err(error) = act(&shared, &node, todo).await {
                    tracing::warn!(%error, "a mirror pod could not be brought up to date; trying again in 5 s");
                    failed = true;
                }
            }
            match failed {
                true => {
                    tokio::time::sleep(RETRY).await;
                    shared.link.up().await;
                }
                false => shared.mirrors.changed.notified().await,
            }
        }
    };
    shutdown.run_until_cancelled(work).await;
}

async fn act(shared: &Shared, node: &str, todo: Todo) -> kube::Result<()> {
    match todo {
        Todo::Create(pod, status) => create(shared, node, &pod, status).await,
        Todo::Delete(name, uid) => delete(shared, name, uid).await,
    }
}

async fn create(shared: &Shared, node: &str, pod: &Pod, status: Option<Box<PodStatus>>) -> kube::Result<()> {
    let nodes: Api<Node> = Api::all(shared.client.clone());
    let uid = nodes.get(node).await?.metadata.uid.unwrap_or_default();
    let mirror = mirror_of(pod, node, uid);
    let pods: Api<Pod> =
        Api::namespaced(shared.client.clone(), mirror.metadata.namespace.as_deref().unwrap_or_default());
    let name = mirror.metadata.name.clone().unwrap_or_default();
    let made = match pods.create(&PostParams::default(), &mirror).await {
        Ok(made) => made,
        // The watch brings it.
        Err(kube::Error::Api(status)) if status.code == 409 => return Ok(()),
        Err(error) => return Err(error),
    };
    if let Some(status) = status {
        let patch = json!({ "metadata": { "uid": made.metadata.uid }, "status": status });
        pods.patch_status(&name, &PatchParams::default(), &Patch::Strategic(patch)).await?;
    }
    Ok(())
}

/// The mirror of a static pod: the same, marked, and gone with the Node.
fn mirror_of(pod: &Pod, node: &str, node_uid: String) -> Pod {
    let mut mirror = pod.clone();
    mirror.metadata.uid = None;
    mirror.status = None;
    let hash = pod.metadata.annotations.as_ref().and_then(|all| all.get(HASH)).cloned().unwrap_or_default();
    mirror.metadata.annotations.get_or_insert_default().insert(MIRROR_ANNOTATION.to_owned(), hash);
    mirror.metadata.owner_references = Some(vec![OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Node".to_owned(),
        name: node.to_owned(),
        uid: node_uid,
        controller: Some(true),
        ..OwnerReference::default()
    }]);
    mirror
}

async fn delete(shared: &Shared, (namespace, name): Name, uid: String) -> kube::Result<()> {
    let pods: Api<Pod> = Api::namespaced(shared.client.clone(), &namespace);
    let preconditions = Some(Preconditions { uid: Some(uid), resource_version: None });
    let parameters = DeleteParams { grace_period_seconds: Some(0), preconditions, ..DeleteParams::default() };
    match pods.delete(&name, &parameters).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_is_the_pod_with_a_mark_and_an_owner() {
        let pod = json!({"metadata": {"name": "web-n", "namespace": "ns", "uid": "h", "annotations": {HASH: "h"}},
            "spec": {"nodeName": "n", "containers": [{"name": "c"}]}, "status": {"phase": "Running"}});
        let mirror = mirror_of(&serde_json::from_value(pod).unwrap(), "n", "node-uid".into());
        assert!(mirror.metadata.uid.is_none() && mirror.status.is_none());
        assert_eq!(mirror.metadata.annotations.unwrap()[MIRROR_ANNOTATION], "h");
        let owner = &mirror.metadata.owner_references.unwrap()[0];
        assert_eq!((&*owner.kind, &*owner.uid, owner.controller), ("Node", "node-uid", Some(true)));
        assert_eq!(mirror.spec.unwrap().node_name.as_deref(), Some("n"));
    }
}
