//! Says that a pod was refused: in its status, for whoever made it to try elsewhere, and as an event.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use super::Refusal;
use crate::{pods::subject, shared::Shared, static_pods::Target};

/// Pause after a write that failed; it grows to [`RETRY_LIMIT`].
const RETRY: Duration = Duration::from_millis(500);
/// The longest one.
const RETRY_LIMIT: Duration = Duration::from_secs(30);

/// Writes the pod's end, as often as it takes; that of a static pod to its mirror.
pub async fn refuse(shared: Arc<Shared>, pod: Arc<Pod>, refusal: Refusal) {
    let Refusal { reason, message } = refusal;
    shared.events.warning(&subject(&pod, None), reason, message.clone());
    shared.metrics.refused(reason);
    let status = json!({
        "phase": "Failed",
        "reason": reason,
        "message": format!("Pod was rejected: {message}"),
        "qosClass": coracle_api::pod::qos_class(&pod).as_str(),
        "observedGeneration": pod.metadata.generation,
        // The node has seen it, and says when, as kubelet does.
        "startTime": Timestamp::now(),
    });
    let mut pause = RETRY;
    loop {
        match write(&shared, &pod, &status).await {
            Ok(_) => return,
            // Gone, or another pod of the same name.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => return,
            Err(error) => tracing::warn!(%error, pod = pod.name_any(), "a pod that was refused could not be told so"),
        }
        tokio::time::sleep(pause).await;
        shared.link.up().await;
        pause = (pause * 2).min(RETRY_LIMIT);
    }
}

async fn write(shared: &Shared, pod: &Pod, status: &Value) -> kube::Result<()> {
    let (uid, namespace) = (pod.uid().unwrap_or_default(), pod.namespace().unwrap_or_default());
    let uid = match shared.mirrors.target(&uid, &namespace, &pod.name_any()).await {
        Target::Mirror(mirror) => mirror,
        // A write to a mirror that is not there fails, and is tried again.
        Target::Own | Target::Missing => uid,
    };
    let patch = Patch::Strategic(json!({ "metadata": { "uid": uid }, "status": status }));
    let api: Api<Pod> = Api::namespaced(shared.client.clone(), &namespace);
    let _turn = shared.status_turns.acquire().await;
    api.patch_status(&pod.name_any(), &PatchParams::default(), &patch).await.map(drop)
}
