//! Counts what a namespace uses, quota by quota.

use super::changes::{pod_gives_back, service_gives_back};
use crate::cluster::Cluster;
use crate::discovery::Served;
use crate::framework::{Delta, Key, Reconcile, ReconcileError, WorkQueue};
use crate::gc::Monitors;
use async_trait::async_trait;
use coracle_api::pod::ResourceList;
use coracle_api::quantity::Quantity;
use coracle_api::quota::{amounts, counts_resource, covers, list, usage};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, ResourceQuota, Service};
use kube::Api;
use kube::api::{ListParams, PostParams};
use kube::core::DynamicObject;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Everything is counted again this often, in case something was missed (Kubernetes: five minutes).
const RECOUNT: Duration = Duration::from_secs(300);

/// Objects fetched at a time.
const PAGE: u32 = 500;

/// Pages of one resource that are counted: more would be half a million objects in one namespace.
const MAX_PAGES: usize = 1000;

/// Resources whose objects are looked into; of others it is enough to know how many there are.
const LOOKED_INTO: [&str; 4] = ["pods", "services", "persistentvolumeclaims", "resourceclaims.resource.k8s.io"];

/// See the module's documentation.
pub struct QuotaController {
    cluster: Arc<Cluster>,
    monitors: Arc<Monitors>,
    queue: WorkQueue,
}

impl QuotaController {
    /// The controller, listening to the informers and to the garbage collector's watches, which see everything go.
    pub fn new(cluster: &Arc<Cluster>, monitors: &Arc<Monitors>) -> Arc<QuotaController> {
        let controller =
            Arc::new(QuotaController { cluster: cluster.clone(), monitors: monitors.clone(), queue: WorkQueue::new() });
        cluster.quotas.tell(&controller, Self::quota_changed);
        cluster.pods.tell(&controller, Self::pod_changed);
        cluster.services.tell(&controller, Self::service_changed);
        let this = Arc::downgrade(&controller);
        monitors.on_gone(move |namespace| {
            if let Some(this) = this.upgrade() {
                this.recount(namespace);
            }
        });
        let this = Arc::downgrade(&controller);
        monitors.on_seen(move |served| {
            if let Some(this) = this.upgrade() {
                this.recount_all(&qualified(served));
            }
        });
        controller
    }

    /// Only a changed limit is worth counting for: `status` is written by this controller and the server.
    fn quota_changed(&self, delta: &Delta<'_, ResourceQuota>) {
        let is_told = |quota: &ResourceQuota| {
            let hard = quota.spec.as_ref().and_then(|s| s.hard.as_ref());
            hard == quota.status.as_ref().and_then(|s| s.hard.as_ref())
        };
        match delta {
            Delta::Deleted(_) => {}
            Delta::Updated(old, new)
                if old.metadata.resource_version != new.metadata.resource_version && is_told(new) => {}
            other => self.queue.add(Key::of(&other.object().metadata)),
        }
    }

    fn pod_changed(&self, delta: &Delta<'_, Pod>) {
        if let Delta::Updated(old, new) = delta
            && pod_gives_back(old, new)
        {
            self.recount(new.metadata.namespace.as_deref().unwrap_or_default());
        }
    }

    fn service_changed(&self, delta: &Delta<'_, Service>) {
        if let Delta::Updated(old, new) = delta
            && service_gives_back(old, new)
        {
            self.recount(new.metadata.namespace.as_deref().unwrap_or_default());
        }
    }

    fn recount(&self, namespace: &str) {
        for quota in self.cluster.quotas.store().in_namespace(namespace) {
            self.queue.add(Key::of(&quota.metadata));
        }
    }

    /// Counts again wherever the resource is limited: until it was watched, nobody saw its objects go.
    fn recount_all(&self, resource: &str) {
        for quota in self.cluster.quotas.store().all() {
            let hard = quota.spec.as_ref().and_then(|spec| spec.hard.as_ref());
            if hard.is_some_and(|hard| hard.keys().any(|name| counts_resource(resource, name))) {
                self.queue.add(Key::of(&quota.metadata));
            }
        }
    }

    /// What the namespace uses of everything that the quota limits.
    async fn count(&self, namespace: &str, quota: &Value, hard: &ResourceList) -> kube::Result<ResourceList> {
        let mut used: ResourceList = hard.keys().map(|name| (name.clone(), Quantity::ZERO)).collect();
        for served in self.monitors.served().iter().filter(|served| served.namespaced && served.can(&["list"])) {
            let resource = qualified(served);
            if !hard.keys().any(|name| counts_resource(&resource, name)) {
                continue;
            }
            let cost = if LOOKED_INTO.contains(&resource.as_str()) {
                self.look_into(namespace, served, &resource, quota).await?
            } else {
                self.how_many(namespace, served, &resource, quota).await?
            };
            for (name, amount) in cost {
                if let Some(total) = used.get_mut(&name) {
                    *total += amount;
                }
            }
        }
        Ok(used)
    }

    async fn look_into(
        &self,
        namespace: &str,
        served: &Served,
        resource: &str,
        quota: &Value,
    ) -> kube::Result<ResourceList> {
        let api: Api<DynamicObject> = Api::namespaced_with(self.cluster.client.clone(), namespace, &served.resource);
        let (mut total, mut page) = (ResourceList::new(), ListParams::default().limit(PAGE));
        for _ in 0..MAX_PAGES {
            let found = api.list(&page).await?;
            let now = Timestamp::now();
            for object in &found.items {
                let object = json!(object);
                if covers(quota, resource, &object) {
                    for (name, amount) in usage(resource, &object, now) {
                        *total.entry(name).or_default() += amount;
                    }
                }
            }
            match found.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => break,
            }
        }
        Ok(total)
    }

    async fn how_many(
        &self,
        namespace: &str,
        served: &Served,
        resource: &str,
        quota: &Value,
    ) -> kube::Result<ResourceList> {
        if !covers(quota, resource, &Value::Null) {
            return Ok(ResourceList::new());
        }
        let api: Api<DynamicObject> = Api::namespaced_with(self.cluster.client.clone(), namespace, &served.resource);
        // The server says how many are behind the first.
        let found = api.list_metadata(&ListParams::default().limit(1)).await?;
        let shown = i64::try_from(found.items.len()).unwrap_or(i64::MAX);
        let count = shown.saturating_add(found.metadata.remaining_item_count.unwrap_or(0));
        let one = usage(resource, &Value::Null, Timestamp::now());
        Ok(one.into_iter().map(|(name, amount)| (name, amount.times(count))).collect())
    }
}

/// `pods`, `jobs.batch`
fn qualified(served: &Served) -> String {
    let (plural, group) = (&served.resource.plural, &served.resource.group);
    if group.is_empty() { plural.clone() } else { format!("{plural}.{group}") }
}

#[async_trait]
impl Reconcile for QuotaController {
    fn name(&self) -> &'static str {
        "resourcequota"
    }

    fn queue(&self) -> &WorkQueue {
        &self.queue
    }

    async fn prepare(&self) {
        // Before, the resources of the server are not known.
        self.monitors.wait_synced().await;
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>, ReconcileError> {
        let api: Api<ResourceQuota> = Api::namespaced(self.cluster.client.clone(), &key.namespace);
        // From the server, and before anything is counted: what is admitted from now on makes the write below fail.
        let Some(quota) = api.get_opt(&key.name).await? else { return Ok(None) };
        let value = json!(quota);
        let hard = amounts(value.pointer("/spec/hard"));
        let used = self.count(&key.namespace, &value, &hard).await?;
        let told = |field: &str| amounts(value.pointer(&format!("/status/{field}")));
        if told("hard") != hard || told("used") != used {
            let mut next = value.clone();
            next["status"] = json!({ "hard": value["spec"]["hard"], "used": list(&used) });
            let next: ResourceQuota =
                serde_json::from_value(next).map_err(|error| ReconcileError::Invalid(error.to_string()))?;
            api.replace_status(&key.name, &PostParams::default(), &next).await?;
        }
        Ok(Some(RECOUNT))
    }
}
