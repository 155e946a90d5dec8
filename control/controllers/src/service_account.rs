//! Every namespace has a ServiceAccount `default` and, if the cluster's CA is known, a ConfigMap `kube-root-ca.crt`.

use crate::cluster::Cluster;
use crate::framework::{Key, Reconcile, ReconcileError, WorkQueue};
use async_trait::async_trait;
use coracle_client::{is_code, is_namespace_terminating};
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::PostParams;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const DEFAULT_ACCOUNT: &str = "default";
const ROOT_CA: &str = "kube-root-ca.crt";
const CA_KEY: &str = "ca.crt";
const DESCRIPTION: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal \
                           endpoints such as the internal service IP or kubernetes.default.svc. No other usage is \
                           guaranteed across distributions of Kubernetes clusters.";

/// See the module's documentation.
pub struct ServiceAccountController {
    cluster: Arc<Cluster>,
    queue: WorkQueue,
}

impl ServiceAccountController {
    /// The controller, listening to the informers it needs.
    pub fn new(cluster: &Arc<Cluster>) -> Arc<ServiceAccountController> {
        let controller = Arc::new(ServiceAccountController { cluster: cluster.clone(), queue: WorkQueue::new() });
        cluster.namespaces.enqueue_for(&controller);
        cluster.service_accounts.tell(&controller, |this, delta| this.namespace_of(&delta.object().metadata));
        cluster.root_cas.tell(&controller, |this, delta| this.namespace_of(&delta.object().metadata));
        controller
    }

    fn namespace_of(&self, meta: &ObjectMeta) {
        self.queue.add(Key::new("", meta.namespace.clone().unwrap_or_default()));
    }

    async fn ensure_account(&self, namespace: &str) -> kube::Result<()> {
        if self.cluster.service_accounts.store().get(&Key::new(namespace, DEFAULT_ACCOUNT)).is_some() {
            return Ok(());
        }
        let account = ServiceAccount {
            metadata: ObjectMeta {
                name: Some(DEFAULT_ACCOUNT.to_owned()),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            ..ServiceAccount::default()
        };
        let api: Api<ServiceAccount> = Api::namespaced(self.cluster.client.clone(), namespace);
        created(api.create(&PostParams::default(), &account).await.map(drop))
    }

    async fn ensure_root_ca(&self, namespace: &str) -> kube::Result<()> {
        let Some(pem) = &self.cluster.config.root_ca_pem else { return Ok(()) };
        let api: Api<ConfigMap> = Api::namespaced(self.cluster.client.clone(), namespace);
        let data = BTreeMap::from([(CA_KEY.to_owned(), pem.clone())]);
        if let Some(existing) = self.cluster.root_cas.store().get(&Key::new(namespace, ROOT_CA)) {
            if existing.data.as_ref() == Some(&data) {
                return Ok(());
            }
            // Whatever else somebody put there goes: the map says what to trust.
            let mut wanted: ConfigMap = (*existing).clone();
            wanted.data = Some(data);
            return api.replace(ROOT_CA, &PostParams::default(), &wanted).await.map(drop);
        }
        let map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(ROOT_CA.to_owned()),
                namespace: Some(namespace.to_owned()),
                annotations: Some([("kubernetes.io/description".to_owned(), DESCRIPTION.to_owned())].into()),
                ..ObjectMeta::default()
            },
            data: Some(data),
            ..ConfigMap::default()
        };
        created(api.create(&PostParams::default(), &map).await.map(drop))
    }
}

/// Somebody else having made it is as good, and a namespace on its way out needs nothing.
fn created(result: kube::Result<()>) -> kube::Result<()> {
    match result {
        Err(error) if is_code(&error, 409) || is_code(&error, 404) || is_namespace_terminating(&error) => Ok(()),
        result => result,
    }
}

#[async_trait]
impl Reconcile for ServiceAccountController {
    fn name(&self) -> &'static str {
        "serviceaccount"
    }

    fn queue(&self) -> &WorkQueue {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Option<Duration>, ReconcileError> {
        let Some(namespace) = self.cluster.namespaces.store().get(key) else { return Ok(None) };
        if namespace.metadata.deletion_timestamp.is_some() {
            return Ok(None);
        }
        self.ensure_account(&key.name).await?;
        self.ensure_root_ca(&key.name).await?;
        Ok(None)
    }
}
