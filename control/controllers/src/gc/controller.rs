//! Looks at one object after the other and carries out what is decided.

use super::monitors::Monitors;
use super::node::{FOREGROUND, Identity, Node, ORPHAN};
use super::process::{Standing, Verdict, verdict};
use crate::cluster::Cluster;
use crate::framework::{Key, Reconcile, ReconcileError, WorkQueue};
use async_trait::async_trait;
use coracle_client::{EventRecorder, is_code};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions, PropagationPolicy};
use kube::core::DynamicObject;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// A dependent that an owner waits for is waited for by its events; this is only in case one was missed.
const FOREGROUND_RECHECK: Duration = Duration::from_secs(30);

/// See the module's documentation. Its keys are uids.
pub struct GarbageCollector {
    cluster: Arc<Cluster>,
    monitors: Arc<Monitors>,
    recorder: EventRecorder,
}

impl GarbageCollector {
    /// A collector that watches nothing before [`GarbageCollector::monitor`].
    pub fn new(cluster: &Arc<Cluster>) -> Arc<GarbageCollector> {
        Arc::new(GarbageCollector {
            cluster: cluster.clone(),
            monitors: Arc::new(Monitors::new()),
            recorder: cluster.recorder.named("garbage-collector-controller"),
        })
    }

    /// What the watches know, for others who need to hear of everything.
    pub fn monitors(&self) -> Arc<Monitors> {
        self.monitors.clone()
    }

    /// Keeps the graph up to date for as long as it is polled.
    pub async fn monitor(&self) {
        self.monitors.run(&self.cluster.client, self.cluster.config.discovery_period).await;
    }

    /// The API of an object's resource.
    fn api(&self, identity: &Identity) -> Result<(Api<DynamicObject>, bool), ReconcileError> {
        let Some(served) = self.monitors.resource(&identity.api_version, &identity.kind) else {
            let Identity { api_version, kind, .. } = identity;
            return Err(ReconcileError::Invalid(format!("the server has no kind {kind} in {api_version}")));
        };
        let client = self.cluster.client.clone();
        let api = if served.namespaced {
            Api::namespaced_with(client, &identity.namespace, &served.resource)
        } else {
            Api::all_with(client, &served.resource)
        };
        Ok((api, served.namespaced))
    }

    /// The object's metadata as the server has it now; None if it is gone, or another one has its name.
    async fn live(&self, identity: &Identity, uid: &str) -> Result<Option<ObjectMeta>, ReconcileError> {
        let (api, namespaced) = self.api(identity)?;
        if namespaced && identity.namespace.is_empty() {
            // Only a cluster-wide object says so of its owner, and is wrong.
            return Ok(None);
        }
        let found = api.get_metadata_opt(&identity.name).await?;
        Ok(found.map(|object| object.metadata).filter(|meta| meta.uid.as_deref() == Some(uid)))
    }

    async fn look_at(&self, uid: &str, node: &Node) -> Result<Option<Duration>, ReconcileError> {
        if node.is_virtual {
            if self.live(&node.identity, uid).await?.is_none() {
                self.monitors.not_found(&node.identity, uid);
            }
            return Ok(None);
        }
        if node.orphan {
            self.orphan_dependents(uid, node).await?;
            return Ok(None);
        }
        if node.foreground {
            return self.wait_for_dependents(uid, node).await;
        }
        if node.deleting || node.owners.is_empty() {
            return Ok(None);
        }
        let Some(meta) = self.live(&node.identity, uid).await? else {
            self.monitors.remove(uid);
            return Ok(None);
        };
        let mut owners = Vec::new();
        for owner in meta.owner_references.clone().unwrap_or_default() {
            let standing = self.standing(&node.identity, uid, &owner).await?;
            owners.push((owner, standing));
        }
        match verdict(&meta, &owners, !node.dependents.is_empty()) {
            Verdict::Keep => {}
            Verdict::Release(uids) => self.drop_owners(&node.identity, &meta, &uids).await?,
            Verdict::Delete(policy) => {
                if policy == PropagationPolicy::Foreground && self.may_be_in_a_circle(node) {
                    self.unblock_owners(&node.identity, &meta).await?;
                }
                self.delete(&node.identity, uid, policy).await?;
            }
        }
        Ok(None)
    }

    /// How an owner stands. What the graph does not have is asked of the server before it is called gone.
    async fn standing(
        &self,
        dependent: &Identity,
        dependent_uid: &str,
        owner: &OwnerReference,
    ) -> Result<Standing, ReconcileError> {
        let mut identity = Identity::of_owner(owner, &dependent.namespace);
        let known = self.monitors.graph.lock().get(&owner.uid).filter(|node| !node.is_virtual).cloned();
        let (_, namespaced) = self.api(&identity)?;
        if let Some(known) = known.filter(|known| known.identity.is_meant(owner)) {
            if !namespaced || known.identity.namespace == dependent.namespace {
                return Ok(if known.foreground { Standing::Waiting } else { Standing::Solid });
            }
            self.tell_wrong_namespace(dependent, dependent_uid, owner);
        }
        if namespaced && dependent.namespace.is_empty() {
            // A cluster-wide object can't have an owner in a namespace; Kubernetes leaves such an object alone.
            self.tell_wrong_namespace(dependent, dependent_uid, owner);
            return Ok(Standing::Solid);
        }
        if !namespaced {
            identity.namespace.clear();
        }
        if self.monitors.is_absent(&identity, &owner.uid) {
            return Ok(Standing::Dangling);
        }
        Ok(match self.live(&identity, &owner.uid).await? {
            None => {
                self.monitors.set_absent(&identity, &owner.uid);
                Standing::Dangling
            }
            Some(meta) => {
                let foreground = meta.finalizers.iter().flatten().any(|f| f == FOREGROUND);
                if meta.deletion_timestamp.is_some() && foreground { Standing::Waiting } else { Standing::Solid }
            }
        })
    }

    /// Whether something that it owns waits for its own dependents already, as it does when it is among them.
    fn may_be_in_a_circle(&self, node: &Node) -> bool {
        let graph = self.monitors.graph.lock();
        node.dependents.iter().any(|dependent| graph.get(dependent).is_some_and(|dependent| dependent.foreground))
    }

    /// Its owners do not wait for it any more: in a circle they would for ever.
    async fn unblock_owners(&self, identity: &Identity, meta: &ObjectMeta) -> Result<(), ReconcileError> {
        let mut owners = meta.owner_references.clone().unwrap_or_default();
        let blocking = owners.iter_mut().filter(|owner| owner.block_owner_deletion == Some(true));
        let found = blocking.map(|owner| owner.block_owner_deletion = Some(false)).count();
        if found == 0 {
            return Ok(());
        }
        self.patch(identity, meta, json!({"ownerReferences": owners})).await
    }

    fn tell_wrong_namespace(&self, dependent: &Identity, dependent_uid: &str, owner: &OwnerReference) {
        let OwnerReference { api_version, kind, name, uid, .. } = owner;
        let reference = format!("{api_version}/{kind}, namespace: {}, name: {name}, uid: {uid}", dependent.namespace);
        let text = format!("ownerRef [{reference}] does not exist in namespace {:?}", dependent.namespace);
        let subject = Arc::new(k8s_openapi::api::core::v1::ObjectReference {
            api_version: Some(dependent.api_version.clone()),
            kind: Some(dependent.kind.clone()),
            name: Some(dependent.name.clone()),
            namespace: Some(dependent.namespace.clone()).filter(|namespace| !namespace.is_empty()),
            uid: Some(dependent_uid.to_owned()),
            ..Default::default()
        });
        self.recorder.warning(&subject, "OwnerRefInvalidNamespace", text);
    }

    async fn drop_owners(&self, identity: &Identity, meta: &ObjectMeta, uids: &[String]) -> Result<(), ReconcileError> {
        let mut rest = meta.owner_references.clone().unwrap_or_default();
        rest.retain(|owner| !uids.contains(&owner.uid));
        self.patch(identity, meta, json!({"ownerReferences": rest})).await
    }

    async fn drop_finalizer(&self, node: &Node, uid: &str, finalizer: &str) -> Result<(), ReconcileError> {
        let Some(meta) = self.live(&node.identity, uid).await? else { return Ok(()) };
        let mut rest = meta.finalizers.clone().unwrap_or_default();
        rest.retain(|f| f != finalizer);
        self.patch(&node.identity, &meta, json!({"finalizers": rest})).await
    }

    /// With the version that was read: what somebody else adds meanwhile must not be lost.
    async fn patch(
        &self,
        identity: &Identity,
        meta: &ObjectMeta,
        mut change: serde_json::Value,
    ) -> Result<(), ReconcileError> {
        change["uid"] = json!(meta.uid);
        change["resourceVersion"] = json!(meta.resource_version);
        let patch = Patch::Merge(json!({"metadata": change}));
        let (api, _) = self.api(identity)?;
        match api.patch_metadata(&identity.name, &PatchParams::default(), &patch).await {
            Err(error) if !is_code(&error, 404) => Err(error.into()),
            _ => Ok(()),
        }
    }

    async fn delete(&self, identity: &Identity, uid: &str, policy: PropagationPolicy) -> Result<(), ReconcileError> {
        let params = DeleteParams { propagation_policy: Some(policy), ..DeleteParams::default() }
            .preconditions(Preconditions { uid: Some(uid.to_owned()), resource_version: None });
        let (api, _) = self.api(identity)?;
        match api.delete(&identity.name, &params).await {
            // Gone, or another object of that name by now.
            Err(error) if is_code(&error, 404) || is_code(&error, 409) => Ok(()),
            result => Ok(result.map(drop)?),
        }
    }

    /// Its dependents forget the owner; then it may go.
    async fn orphan_dependents(&self, uid: &str, node: &Node) -> Result<(), ReconcileError> {
        for dependent_uid in &node.dependents {
            let Some(dependent) = self.monitors.graph.lock().get(dependent_uid).cloned() else { continue };
            if let Some(meta) = self.live(&dependent.identity, dependent_uid).await? {
                self.drop_owners(&dependent.identity, &meta, &[uid.to_owned()]).await?;
            }
        }
        self.drop_finalizer(node, uid, ORPHAN).await
    }

    /// The owner may go once no dependent blocks it.
    async fn wait_for_dependents(&self, uid: &str, node: &Node) -> Result<Option<Duration>, ReconcileError> {
        let blocking: Vec<String> = {
            let graph = self.monitors.graph.lock();
            let blocks = |dependent: &Node| {
                dependent.owners.iter().any(|owner| owner.uid == uid && owner.block_owner_deletion == Some(true))
            };
            let dependents = node.dependents.iter();
            dependents.filter(|d| graph.get(d).is_some_and(blocks)).cloned().collect()
        };
        if blocking.is_empty() {
            self.drop_finalizer(node, uid, FOREGROUND).await?;
            return Ok(None);
        }
        blocking.into_iter().for_each(|dependent| self.monitors.queue.add(Key::new("", dependent)));
        Ok(Some(FOREGROUND_RECHECK))
    }
}

#[async_trait]
impl Reconcile for GarbageCollector {
    fn name(&self) -> &'static str {
        "garbage-collector"
    }

    fn queue(&self) -> &WorkQueue {
        &self.monitors.queue
    }

    async fn prepare(&self) {
        self.monitors.wait_synced().await;
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>, ReconcileError> {
        let node = self.monitors.graph.lock().get(&key.name).cloned();
        match node {
            Some(node) => self.look_at(&key.name, &node).await,
            None => Ok(None),
        }
    }
}
