//! Writes one binding: `POST pods/NAME/binding`.

use crate::pod_info::PodInfo;
use k8s_openapi::api::core::v1::{Binding, ObjectReference, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client};

/// Binds `pod` to `node`. The uid makes the server refuse if the name is another pod's by now.
///
/// # Errors
/// The server's answer, or why there was none.
pub async fn bind(client: Client, pod: &PodInfo, node: &str) -> kube::Result<()> {
    let binding = Binding {
        metadata: ObjectMeta {
            name: Some(pod.name.clone()),
            namespace: Some(pod.namespace.clone()),
            uid: Some(pod.uid.clone()),
            ..ObjectMeta::default()
        },
        target: ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Node".to_owned()),
            name: Some(node.to_owned()),
            ..ObjectReference::default()
        },
    };
    let api: Api<Pod> = Api::namespaced(client, &pod.namespace);
    api.create_subresource::<Binding, serde_json::Value>("binding", &pod.name, &PostParams::default(), &binding)
        .await
        .map(drop)
}
