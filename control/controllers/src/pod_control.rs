//! Creating pods from templates and deleting them, with the events that tell of it.

use coracle_client::{EventRecorder, about, is_code, is_namespace_terminating, message};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Api, Client, Resource};

/// Longest `generateName` that leaves room for the five characters the server appends.
const MAX_PREFIX: usize = 63 - 5;

/// Writes pods in the name of one controller.
pub struct PodControl {
    /// The API server.
    pub client: Client,
    /// Tells events.
    pub recorder: EventRecorder,
}

/// A pod as `template` has it, owned by `owner`; its name begins with `prefix`.
pub fn pod_from_template(template: &PodTemplateSpec, namespace: &str, prefix: &str, owner: OwnerReference) -> Pod {
    let meta = template.metadata.clone().unwrap_or_default();
    let mut generate_name = format!("{prefix}-");
    if generate_name.len() > MAX_PREFIX {
        generate_name.truncate(MAX_PREFIX);
    }
    Pod {
        metadata: ObjectMeta {
            namespace: Some(namespace.to_owned()),
            generate_name: Some(generate_name),
            labels: meta.labels,
            annotations: meta.annotations,
            finalizers: meta.finalizers,
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    }
}

impl PodControl {
    /// Creates a pod for `owner`.
    ///
    /// # Errors
    /// The server's refusal, which an event tells too, unless the namespace is going away.
    pub async fn create<K: Resource<DynamicType = ()>>(&self, owner: &K, pod: &Pod) -> kube::Result<Pod> {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        match api.create(&PostParams::default(), pod).await {
            Ok(created) => {
                let name = created.metadata.name.as_deref().unwrap_or_default();
                self.recorder.normal(&about(owner), "SuccessfulCreate", format!("Created pod: {name}"));
                Ok(created)
            }
            Err(error) => {
                if !is_namespace_terminating(&error) {
                    self.recorder.warning(
                        &about(owner),
                        "FailedCreate",
                        format!("Error creating: {}", message(&error)),
                    );
                }
                Err(error)
            }
        }
    }

    /// Deletes a pod of `owner`; one that is gone already counts as deleted.
    ///
    /// # Errors
    /// The server's refusal, which an event tells too.
    pub async fn delete<K: Resource<DynamicType = ()>>(&self, owner: &K, pod: &Pod) -> kube::Result<()> {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let uid = Preconditions { uid: pod.metadata.uid.clone(), resource_version: None };
        match api.delete(name, &DeleteParams::default().preconditions(uid)).await {
            Ok(_) => {
                self.recorder.normal(&about(owner), "SuccessfulDelete", format!("Deleted pod: {name}"));
                Ok(())
            }
            Err(error) if is_code(&error, 404) || is_code(&error, 409) => Ok(()),
            Err(error) => {
                let text = format!("Error deleting pod {name:?}: {}", message(&error));
                self.recorder.warning(&about(owner), "FailedDelete", text);
                Err(error)
            }
        }
    }
}
