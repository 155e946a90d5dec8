//! The Namespace controller: deletes, reports, finalizes.

use super::conditions::conditions;
use super::content::{Deletion, Remains};
use crate::cluster::Cluster;
use crate::discovery::discover;
use crate::framework::{Key, Reconcile, ReconcileError, WorkQueue};
use async_trait::async_trait;
use coracle_client::is_code;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, NamespaceStatus};
use kube::Api;
use kube::api::PostParams;
use std::sync::Arc;
use std::time::Duration;

/// The finalizer that holds a namespace until its content is gone.
const FINALIZER: &str = "kubernetes";
/// Content is looked at again after at least this,
const RECHECK_MIN: Duration = Duration::from_millis(100);
/// and at most this, growing with the time the deletion takes.
const RECHECK_MAX: Duration = Duration::from_secs(5);

/// See the module's documentation.
pub struct NamespaceController {
    cluster: Arc<Cluster>,
    queue: WorkQueue,
}

impl NamespaceController {
    /// The controller, listening to the informers it needs.
    pub fn new(cluster: &Arc<Cluster>) -> Arc<NamespaceController> {
        let controller = Arc::new(NamespaceController { cluster: cluster.clone(), queue: WorkQueue::new() });
        cluster.namespaces.tell(&controller, |this, delta| {
            if delta.object().metadata.deletion_timestamp.is_some() {
                this.queue.add(Key::of(&delta.object().metadata));
            }
        });
        controller
    }

    async fn report(&self, namespace: &Namespace, remains: &Remains) -> Result<(), ReconcileError> {
        let old = namespace.status.clone().unwrap_or_default();
        let told = conditions(old.conditions.as_deref().unwrap_or_default(), remains, Timestamp::now());
        let new = NamespaceStatus { phase: Some("Terminating".to_owned()), conditions: Some(told) };
        if old == new {
            return Ok(());
        }
        let mut updated = namespace.clone();
        updated.status = Some(new);
        let api: Api<Namespace> = Api::all(self.cluster.client.clone());
        let name = namespace.metadata.name.as_deref().unwrap_or_default();
        match api.replace_status(name, &PostParams::default(), &updated).await {
            Err(error) if is_code(&error, 404) => Ok(()),
            result => Ok(result.map(drop)?),
        }
    }

    async fn finalize(&self, namespace: &Namespace) -> Result<(), ReconcileError> {
        let name = namespace.metadata.name.as_deref().unwrap_or_default();
        let mut updated = namespace.clone();
        if let Some(finalizers) = updated.spec.as_mut().and_then(|s| s.finalizers.as_mut()) {
            finalizers.retain(|finalizer| finalizer != FINALIZER);
        }
        let api: Api<Namespace> = Api::all(self.cluster.client.clone());
        let body = serde_json::to_vec(&updated).map_err(kube::Error::SerdeError)?;
        let request = http::Request::put(format!("{}/{name}/finalize", api.resource_url()))
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(kube::Error::HttpError)?;
        match self.cluster.client.request::<serde_json::Value>(request).await {
            Err(error) if is_code(&error, 404) => Ok(()),
            result => Ok(result.map(drop)?),
        }
    }
}

#[async_trait]
impl Reconcile for NamespaceController {
    fn name(&self) -> &'static str {
        "namespace"
    }

    fn queue(&self) -> &WorkQueue {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>, ReconcileError> {
        let Some(namespace) = self.cluster.namespaces.store().get(key) else { return Ok(None) };
        let Some(deleted_at) = namespace.metadata.deletion_timestamp.as_ref() else { return Ok(None) };
        let finalizers = namespace.spec.as_ref().and_then(|s| s.finalizers.as_deref()).unwrap_or_default();
        if !finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
            return Ok(None);
        }
        let discovered = discover(&self.cluster.client).await?;
        let age = Timestamp::now().duration_since(deleted_at.0).unsigned_abs();
        let age_seconds = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
        let deletion = Deletion { client: &self.cluster.client, namespace: &key.name, age_seconds };
        let remains = deletion.delete_all(&discovered).await;
        if remains.is_empty() {
            self.finalize(&namespace).await?;
            return Ok(None);
        }
        self.report(&namespace, &remains).await?;
        Ok(Some((age / 4).clamp(RECHECK_MIN, RECHECK_MAX)))
    }
}
