//! The controller of EndpointSlices and Endpoints: one key per Service, changes of a few milliseconds taken together.

use super::slices::{MANAGED_BY, MANAGED_BY_LABEL, plan};
use super::{legacy, source};
use crate::cluster::{Cluster, SERVICE_NAME_LABEL, slice_index};
use crate::framework::{Delta, Expectations, Key, MAX_PARALLEL_WRITES, Reconcile, ReconcileError, WorkQueue};
use async_trait::async_trait;
use coracle_api::pod;
use coracle_api::selector::LabelSelector;
use coracle_client::{is_code, is_namespace_terminating};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryFutureExt, stream};
use k8s_openapi::api::core::v1::{Endpoints, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a `v1` Endpoints object rests after a write, for each of its addresses.
const LEGACY_REST_PER_ADDRESS: Duration = Duration::from_millis(1);
/// And at most, as its readers should not wait longer for news.
const LEGACY_REST_MAX: Duration = Duration::from_secs(1);

/// See the module's documentation.
pub struct EndpointsController {
    cluster: Arc<Cluster>,
    queue: WorkQueue,
    /// Slices made that the watch has not shown: counting before would make them twice.
    expectations: Expectations,
    /// When each `v1` Endpoints was written last.
    legacy_written: Mutex<HashMap<Key, Instant>>,
}

impl EndpointsController {
    /// The controller, listening to the informers it needs.
    pub fn new(cluster: &Arc<Cluster>) -> Arc<EndpointsController> {
        let controller = Arc::new(EndpointsController {
            cluster: cluster.clone(),
            queue: WorkQueue::new(),
            expectations: Expectations::default(),
            legacy_written: Mutex::default(),
        });
        cluster.services.enqueue_for(&controller);
        cluster.pods.tell(&controller, Self::pod_changed);
        cluster.slices.tell(&controller, Self::slice_changed);
        cluster.endpoints.tell(&controller, |this, delta| {
            if let Delta::Deleted(gone) = delta {
                this.queue.add(Key::of(&gone.metadata));
            }
        });
        controller
    }

    fn pod_changed(&self, delta: &Delta<'_, Pod>) {
        let pod = delta.object();
        match delta {
            Delta::Updated(old, new) if !matters(old, new) => return,
            Delta::Updated(old, new) if old.metadata.labels != new.metadata.labels => self.enqueue_services_of(old),
            _ => {}
        }
        self.enqueue_services_of(pod);
    }

    fn enqueue_services_of(&self, pod: &Pod) {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let labels = pod.metadata.labels.clone().unwrap_or_default();
        for service in self.cluster.services.store().in_namespace(namespace) {
            if selector(&service).is_some_and(|selector| is_subset(selector, &labels)) {
                self.queue.add_after(Key::of(&service.metadata), self.cluster.config.endpoint_batch);
            }
        }
    }

    fn slice_changed(&self, delta: &Delta<'_, EndpointSlice>) {
        let slice = delta.object();
        let labels = slice.metadata.labels.clone().unwrap_or_default();
        if labels.get(MANAGED_BY_LABEL).map(String::as_str) == Some(MANAGED_BY)
            && let (Some(service), Some(namespace)) = (labels.get(SERVICE_NAME_LABEL), &slice.metadata.namespace)
        {
            let key = Key::new(namespace.clone(), service.clone());
            self.expectations.seen(&key, delta);
            self.queue.add_after(key, self.cluster.config.endpoint_batch);
        }
    }

    fn pods_of(&self, namespace: &str, selector: &BTreeMap<String, String>) -> Vec<Arc<Pod>> {
        let selector = LabelSelector::from_map(selector);
        let mut pods = self.cluster.pods.store().in_namespace(namespace);
        pods.retain(|pod| pod.metadata.labels.as_ref().is_some_and(|labels| selector.matches(labels)));
        pods
    }

    fn slices_of(&self, key: &Key) -> Vec<Arc<EndpointSlice>> {
        let mut slices = self.cluster.slices.store().indexed(&slice_index(&key.namespace, &key.name));
        slices.retain(|slice| {
            slice.metadata.labels.as_ref().and_then(|l| l.get(MANAGED_BY_LABEL)).map(String::as_str) == Some(MANAGED_BY)
                && slice.metadata.deletion_timestamp.is_none()
        });
        slices
    }

    async fn write_slices(&self, service: &Service, key: &Key, groups: Vec<source::Group>) -> kube::Result<()> {
        let plan = plan(service, groups, self.slices_of(key));
        let api: Api<EndpointSlice> = Api::namespaced(self.cluster.client.clone(), &key.namespace);
        let api = &api;
        let params = PostParams::default();
        let params = &params;
        let mut writes: Vec<BoxFuture<'_, kube::Result<()>>> = Vec::new();
        if !plan.create.is_empty() {
            self.expectations.expect_creations(key, plan.create.len());
        }
        for slice in plan.create {
            let create = async move { api.create(params, &slice).await.map(drop) };
            writes.push(create.inspect_err(|_| self.expectations.created(key, 1)).boxed());
        }
        for slice in plan.update {
            let name = slice.metadata.name.clone().unwrap_or_default();
            writes.push(async move { api.replace(&name, params, &slice).await.map(drop) }.boxed());
        }
        for slice in plan.delete {
            writes.push(delete_slice(api, slice).boxed());
        }
        // All of them, even after a failure: a write dropped half way would leave an expectation nobody meets.
        let results: Vec<kube::Result<()>> = stream::iter(writes).buffer_unordered(MAX_PARALLEL_WRITES).collect().await;
        results.into_iter().collect()
    }

    /// How long the `v1` object must rest: it lists all addresses, so that a large one is written less often.
    fn legacy_rest(&self, key: &Key, groups: &[source::Group]) -> Option<Duration> {
        let addresses: usize = groups.iter().map(|group| group.endpoints.len()).sum();
        let pause = LEGACY_REST_PER_ADDRESS.saturating_mul(u32::try_from(addresses).unwrap_or(u32::MAX));
        let written = *self.legacy_written.lock().get(key)?;
        pause.min(LEGACY_REST_MAX).checked_sub(written.elapsed()).filter(|rest| !rest.is_zero())
    }

    async fn write_endpoints(&self, service: &Service, key: &Key, groups: &[source::Group]) -> kube::Result<()> {
        let api: Api<Endpoints> = Api::namespaced(self.cluster.client.clone(), &key.namespace);
        let old = self.cluster.endpoints.store().get(key);
        let new = legacy::endpoints(service, groups, old.as_deref());
        match old {
            Some(old) if legacy::is_same(&old, &new) => Ok(()),
            Some(_) => {
                self.legacy_written.lock().insert(key.clone(), Instant::now());
                api.replace(&key.name, &PostParams::default(), &new).await.map(drop)
            }
            None => api.create(&PostParams::default(), &new).await.map(drop),
        }
    }

    async fn delete_all(&self, key: &Key) -> kube::Result<()> {
        let api: Api<EndpointSlice> = Api::namespaced(self.cluster.client.clone(), &key.namespace);
        for slice in self.slices_of(key) {
            delete_slice(&api, slice).await?;
        }
        if self.cluster.endpoints.store().get(key).is_some_and(|old| is_managed(&old)) {
            let api: Api<Endpoints> = Api::namespaced(self.cluster.client.clone(), &key.namespace);
            match api.delete(&key.name, &DeleteParams::default()).await {
                Err(error) if !is_code(&error, 404) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

async fn delete_slice(api: &Api<EndpointSlice>, slice: Arc<EndpointSlice>) -> kube::Result<()> {
    let name = slice.metadata.name.as_deref().unwrap_or_default();
    match api.delete(name, &DeleteParams::default()).await {
        Err(error) if !is_code(&error, 404) => Err(error),
        _ => Ok(()),
    }
}

/// Endpoints of a Service without selector are its user's own.
fn is_managed(endpoints: &Endpoints) -> bool {
    endpoints.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key("endpoints.kubernetes.io/managed-by"))
}

/// The selector of a Service that has one, and is not a mere name for something outside.
fn selector(service: &Service) -> Option<&BTreeMap<String, String>> {
    let spec = service.spec.as_ref().filter(|s| s.type_.as_deref() != Some("ExternalName"))?;
    spec.selector.as_ref().filter(|selector| !selector.is_empty())
}

fn is_subset(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// Whether an update of a pod can change an endpoint.
fn matters(old: &Pod, new: &Pod) -> bool {
    let address = |pod: &Pod| pod.status.as_ref().map(|s| (s.pod_ip.clone(), s.pod_ips.clone()));
    let node = |pod: &Pod| pod.spec.as_ref().and_then(|s| s.node_name.clone());
    pod::is_ready(old) != pod::is_ready(new)
        || pod::is_terminal(old) != pod::is_terminal(new)
        || pod::is_deleting(old) != pod::is_deleting(new)
        || old.metadata.labels != new.metadata.labels
        || address(old) != address(new)
        || node(old) != node(new)
        || std::ptr::eq(old, new)
}

#[async_trait]
impl Reconcile for EndpointsController {
    fn name(&self) -> &'static str {
        "endpoints"
    }

    fn queue(&self) -> &WorkQueue {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>, ReconcileError> {
        let Some(service) = self.cluster.services.store().get(key) else {
            self.expectations.forget(key);
            self.legacy_written.lock().remove(key);
            self.delete_all(key).await?;
            return Ok(None);
        };
        if service.metadata.deletion_timestamp.is_some() || !self.expectations.satisfied(key) {
            return Ok(None);
        }
        let Some(selector) = selector(&service) else { return Ok(None) };
        let groups = source::groups(&service, &self.pods_of(&key.namespace, selector));
        let rest = self.legacy_rest(key, &groups);
        let legacy = async { if rest.is_some() { Ok(()) } else { self.write_endpoints(&service, key, &groups).await } };
        let slices = self.write_slices(&service, key, groups.clone());
        let (slices, legacy) = futures::join!(slices, legacy);
        for result in [slices, legacy] {
            match result {
                Err(error) if is_namespace_terminating(&error) => return Ok(None),
                result => result?,
            }
        }
        Ok(rest)
    }
}
