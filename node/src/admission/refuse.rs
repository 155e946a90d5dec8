//! Says that a pod was refused: in its status, for whoever made it to try elsewhere, and as an event.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::Refusal;
use crate::{pods::subject, shared::Shared};

/// Pause after a write that failed; it grows to [`RETRY_LIMIT`].
const RETRY: Duration = Duration::from_millis(500);
/// The longest one.
const RETRY_LIMIT: Duration = Duration::from_secs(30);

/// Writes the pod's end, as often as it takes.
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
    });
    let patch = Patch::Strategic(json!({ "metadata": { "uid": pod.uid() }, "status": status }));
    let api: Api<Pod> = Api::namespaced(shared.client.clone(), &pod.namespace().unwrap_or_default());
    let mut pause = RETRY;
    loop {
        let written = {
            let _turn = shared.status_turns.acquire().await;
            api.patch_status(&pod.name_any(), &PatchParams::default(), &patch).await
        };
        match written {
            Ok(_) => return,
            // Gone, or another pod of the same name.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => return,
            Err(error) => tracing::warn!(%error, pod = pod.name_any(), "a pod that was refused could not be told so"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_LIMIT);
    }
}
