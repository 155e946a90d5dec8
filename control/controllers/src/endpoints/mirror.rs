//! The controller that mirrors Endpoints people write by hand, for Services without a selector, to EndpointSlices:
//! whoever routes reads nothing but slices (`pkg/controller/endpointslicemirroring`).

use super::mirrored::{MAX_ADDRESSES, MIRRORED_BY, groups, head, is_wanted};
use super::slices::{MANAGED_BY_LABEL, Plan, plan_for};
use crate::cluster::{Cluster, SERVICE_NAME_LABEL, slice_index};
use crate::framework::{Delta, Expectations, Key, Reconcile, ReconcileError, WorkQueue};
use async_trait::async_trait;
use coracle_client::{EventRecorder, about, is_code, is_namespace_terminating, message};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use std::sync::Arc;
use std::time::Duration;

/// See the module's documentation.
pub struct MirrorController {
    cluster: Arc<Cluster>,
    queue: WorkQueue,
    recorder: EventRecorder,
    /// Slices made that the watch has not shown: counting before would make them twice.
    expectations: Expectations,
}

impl MirrorController {
    /// The controller, listening to the informers it needs.
    pub fn new(cluster: &Arc<Cluster>) -> Arc<MirrorController> {
        let controller = Arc::new(MirrorController {
            cluster: cluster.clone(),
            queue: WorkQueue::new(),
            recorder: cluster.recorder.named("endpoint-slice-mirroring-controller"),
            expectations: Expectations::default(),
        });
        cluster.endpoints.enqueue_for(&controller);
        cluster.services.enqueue_for(&controller);
        cluster.slices.tell(&controller, Self::slice_changed);
        controller
    }

    fn slice_changed(&self, delta: &Delta<'_, EndpointSlice>) {
        let slice = delta.object();
        let service = slice.metadata.labels.as_ref().and_then(|labels| labels.get(SERVICE_NAME_LABEL));
        if let (true, Some(service), Some(namespace)) = (is_ours(slice), service, &slice.metadata.namespace) {
            let key = Key::new(namespace.clone(), service.clone());
            self.expectations.seen(&key, delta);
            self.queue.add_after(key, self.cluster.config.endpoint_batch);
        }
    }

    /// What is to be written for the Endpoints and the Service of this name as they are now.
    fn plan(&self, key: &Key) -> Plan {
        let mut existing = self.cluster.slices.store().indexed(&slice_index(&key.namespace, &key.name));
        existing.retain(|slice| is_ours(slice) && slice.metadata.deletion_timestamp.is_none());
        let service = self.cluster.services.store().get(key);
        let endpoints = self.cluster.endpoints.store().get(key);
        match (service, endpoints) {
            (Some(service), Some(endpoints)) if is_wanted(&service, &endpoints) => {
                let (groups, skipped) = groups(&endpoints);
                if skipped > 0 {
                    let text = format!(
                        "A max of {MAX_ADDRESSES} addresses can be mirrored to EndpointSlices per Endpoints subset. \
                         {skipped} addresses were skipped"
                    );
                    self.recorder.warning(&about(&*endpoints), "TooManyAddressesToMirror", text);
                }
                plan_for(&head(&endpoints), groups, existing)
            }
            _ => Plan { delete: existing, ..Plan::default() },
        }
    }

    /// One after the other: an Endpoints object has a thousand addresses at most, and people write few of them.
    async fn carry_out(&self, key: &Key, plan: Plan) -> kube::Result<()> {
        let api: Api<EndpointSlice> = Api::namespaced(self.cluster.client.clone(), &key.namespace);
        for slice in plan.create {
            self.expectations.expect_creations(key, 1);
            if let Err(error) = api.create(&PostParams::default(), &slice).await {
                self.expectations.created(key, 1);
                return Err(error);
            }
        }
        for slice in plan.update {
            let name = slice.metadata.name.clone().unwrap_or_default();
            api.replace(&name, &PostParams::default(), &slice).await?;
        }
        for slice in plan.delete {
            let name = slice.metadata.name.as_deref().unwrap_or_default();
            match api.delete(name, &DeleteParams::default()).await {
                Err(error) if !is_code(&error, 404) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn tell_failure(&self, key: &Key, error: &kube::Error) {
        if let Some(endpoints) = self.cluster.endpoints.store().get(key) {
            let text = format!("Error updating Endpoint Slices for Endpoints {key}: {}", message(error));
            self.recorder.warning(&about(&*endpoints), "FailedToUpdateEndpointSlices", text);
        }
    }
}

fn is_ours(slice: &EndpointSlice) -> bool {
    let labels = slice.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get(MANAGED_BY_LABEL)).is_some_and(|manager| manager == MIRRORED_BY)
}

#[async_trait]
impl Reconcile for MirrorController {
    fn name(&self) -> &'static str {
        "endpointslice-mirroring"
    }

    fn queue(&self) -> &WorkQueue {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>, ReconcileError> {
        if !self.expectations.satisfied(key) {
            return Ok(None);
        }
        match self.carry_out(key, self.plan(key)).await {
            Err(error) if is_namespace_terminating(&error) => {}
            Err(error) => {
                self.tell_failure(key, &error);
                return Err(error.into());
            }
            Ok(()) => {}
        }
        if self.cluster.endpoints.store().get(key).is_none() {
            self.expectations.forget(key);
        }
        Ok(None)
    }
}
