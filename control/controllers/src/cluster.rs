//! What all controllers share: the client, one informer per resource, and the event recorder.

use crate::account_tokens::{self, account_index, account_of};
use crate::config::ControllersConfig;
use crate::framework::Informer;
use crate::slim_pod::slim_pod;
use coracle_client::EventRecorder;
use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{
    ConfigMap, Endpoints, Namespace, Node, Pod, ReplicationController, ResourceQuota, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::runtime::watcher::Config;
use kube::{Api, Client};
use std::fmt::Debug;
use std::sync::Arc;

/// Where nodes keep their leases.
pub const NODE_LEASES: &str = "kube-node-lease";

/// See the module's documentation.
pub struct Cluster {
    /// The API server.
    pub client: Client,
    /// What the controllers were told.
    pub config: ControllersConfig,
    /// Tells events.
    pub recorder: EventRecorder,
    /// All pods, indexed by node, without what no controller reads (see [`slim_pod`]).
    pub pods: Informer<Pod>,
    /// All replica sets.
    pub replica_sets: Informer<ReplicaSet>,
    /// All replication controllers.
    pub replication_controllers: Informer<ReplicationController>,
    /// All resource quotas.
    pub quotas: Informer<ResourceQuota>,
    /// All deployments.
    pub deployments: Informer<Deployment>,
    /// All jobs.
    pub jobs: Informer<Job>,
    /// All services.
    pub services: Informer<Service>,
    /// All endpoint slices, indexed by namespace and service.
    pub slices: Informer<EndpointSlice>,
    /// All endpoints.
    pub endpoints: Informer<Endpoints>,
    /// All namespaces.
    pub namespaces: Informer<Namespace>,
    /// All nodes.
    pub nodes: Informer<Node>,
    /// The nodes' leases.
    pub leases: Informer<Lease>,
    /// All service accounts.
    pub service_accounts: Informer<ServiceAccount>,
    /// The secrets that hold tokens of service accounts, indexed by namespace and account.
    pub account_secrets: Informer<Secret>,
    /// The config maps called `kube-root-ca.crt`.
    pub root_cas: Informer<ConfigMap>,
    /// All policies that validate.
    pub validating_policies: Informer<ValidatingAdmissionPolicy>,
    /// All requests for certificates.
    pub signing_requests: Informer<CertificateSigningRequest>,
    /// All roles of the cluster.
    pub cluster_roles: Informer<ClusterRole>,
}

/// The label by which a slice names its service.
pub const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";

/// The key under which slices are indexed.
pub fn slice_index(namespace: &str, service: &str) -> String {
    format!("{namespace}/{service}")
}

impl Cluster {
    /// Informers that watch nothing yet.
    pub fn new(client: Client, config: ControllersConfig, recorder: EventRecorder) -> Cluster {
        let (all, resync) = (Config::default(), config.resync);
        let named = |name: &str| Config::default().fields(&format!("metadata.name={name}"));
        Cluster {
            pods: Informer::new(
                Api::all(client.clone()),
                all.clone(),
                Some(|pod: &Pod| pod.spec.as_ref().and_then(|s| s.node_name.clone())),
                resync,
            )
            .slimmed(slim_pod),
            slices: Informer::new(
                Api::all(client.clone()),
                all.clone(),
                Some(|slice: &EndpointSlice| {
                    let service = slice.metadata.labels.as_ref()?.get(SERVICE_NAME_LABEL)?;
                    Some(slice_index(slice.metadata.namespace.as_deref()?, service))
                }),
                resync,
            ),
            replica_sets: Informer::new(Api::all(client.clone()), all.clone(), None, resync),
            replication_controllers: Informer::new(Api::all(client.clone()), all.clone(), None, resync),
            quotas: Informer::new(Api::all(client.clone()), all.clone(), None, resync),
            deployments: Informer::new(Api::all(client.clone()), all.clone(), None, resync),
            jobs: Informer::new(Api::all(client.clone()), all.clone(), None, resync),
            services: Informer::new(Api::all(client.clone()), all.clone(), None, resync),
            endpoints: Informer::new(Api::all(client.clone()), all.clone(), None, resync),
            namespaces: Informer::new(Api::all(client.clone()), all.clone(), None, resync),
            nodes: Informer::new(Api::all(client.clone()), all.clone(), None, resync),
            validating_policies: Informer::new(Api::all(client.clone()), all.clone(), None, resync),
            signing_requests: Informer::new(Api::all(client.clone()), all.clone(), None, resync),
            cluster_roles: Informer::new(Api::all(client.clone()), all.clone(), None, resync),
            service_accounts: Informer::new(Api::all(client.clone()), all.clone(), None, resync),
            leases: Informer::new(Api::namespaced(client.clone(), NODE_LEASES), all, None, resync),
            account_secrets: Informer::new(
                Api::all(client.clone()),
                Config::default().fields(&format!("type={}", account_tokens::TYPE)),
                Some(|secret: &Secret| Some(account_index(secret.metadata.namespace.as_deref()?, account_of(secret)?))),
                resync,
            ),
            root_cas: Informer::new(Api::all(client.clone()), named("kube-root-ca.crt"), None, resync),
            client,
            config,
            recorder,
        }
    }

    /// Watches everything for as long as it is polled, each resource in a task of its own.
    pub async fn watch(self: &Arc<Self>) {
        let mut tasks = tokio::task::JoinSet::new();
        let runs: [fn(Arc<Cluster>) -> futures::future::BoxFuture<'static, ()>; 18] = [
            |c| Box::pin(async move { c.pods.run().await }),
            |c| Box::pin(async move { c.replica_sets.run().await }),
            |c| Box::pin(async move { c.replication_controllers.run().await }),
            |c| Box::pin(async move { c.quotas.run().await }),
            |c| Box::pin(async move { c.deployments.run().await }),
            |c| Box::pin(async move { c.jobs.run().await }),
            |c| Box::pin(async move { c.services.run().await }),
            |c| Box::pin(async move { c.slices.run().await }),
            |c| Box::pin(async move { c.endpoints.run().await }),
            |c| Box::pin(async move { c.namespaces.run().await }),
            |c| Box::pin(async move { c.nodes.run().await }),
            |c| Box::pin(async move { c.leases.run().await }),
            |c| Box::pin(async move { c.service_accounts.run().await }),
            |c| Box::pin(async move { c.account_secrets.run().await }),
            |c| Box::pin(async move { c.root_cas.run().await }),
            |c| Box::pin(async move { c.validating_policies.run().await }),
            |c| Box::pin(async move { c.signing_requests.run().await }),
            |c| Box::pin(async move { c.cluster_roles.run().await }),
        ];
        for run in runs {
            tasks.spawn(run(self.clone()));
        }
        // A watch that ends or panics takes the others along: whoever supervises this starts them all afresh.
        drop(tasks.join_next().await);
    }

    /// Waits until every informer has its first list.
    pub async fn wait_synced(&self) {
        async fn one<K>(informer: &Informer<K>)
        where
            K: kube::Resource + Clone + Debug + serde::de::DeserializeOwned + Send + Sync + 'static,
        {
            informer.wait_synced().await;
        }
        futures::join!(
            one(&self.pods),
            one(&self.replica_sets),
            one(&self.replication_controllers),
            one(&self.quotas),
            one(&self.deployments),
            one(&self.jobs),
            one(&self.services),
            one(&self.slices),
            one(&self.endpoints),
            one(&self.namespaces),
            one(&self.nodes),
            one(&self.leases),
            one(&self.service_accounts),
            one(&self.account_secrets),
            one(&self.root_cas),
            one(&self.validating_policies),
            one(&self.signing_requests),
            one(&self.cluster_roles),
        );
    }
}
