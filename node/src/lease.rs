//! The node's Lease: the sign of life that the control plane counts on.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        coordination::v1::{Lease, LeaseSpec},
        core::v1::Node,
    },
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, OwnerReference},
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::link::Link;

/// Where the Leases of nodes are.
const NAMESPACE: &str = "kube-node-lease";
/// How long a Lease holds (kubelet `nodeLeaseDurationSeconds`).
const DURATION_SECONDS: i32 = 40;
/// How often it is renewed: a quarter of that.
const RENEW_PERIOD: Duration = Duration::from_secs(10);
/// How soon a renewal that failed is tried again.
const RETRY_PERIOD: Duration = Duration::from_secs(2);

/// Renews the Lease of `node` until `shutdown`. `client` is the server's own: this is how the link knows of it.
pub async fn run_lease(client: Client, link: Arc<Link>, node: Node, shutdown: CancellationToken) {
    let leases: Api<Lease> = Api::namespaced(client, NAMESPACE);
    let name = node.metadata.name.clone().unwrap_or_default();
    loop {
        let renewed = link.probe(renew(&leases, &name, &node)).await;
        if let Err(error) = &renewed
            && link.is_up()
        {
            tracing::warn!(%error, "the node's lease could not be renewed; trying again in 2 s");
        }
        let pause = async {
            tokio::time::sleep(RETRY_PERIOD).await;
            if renewed.is_ok() {
                // Whoever doubts that the server is there is told soon.
                let _ = timeout(RENEW_PERIOD - RETRY_PERIOD, link.doubted()).await;
            }
        };
        if shutdown.run_until_cancelled(pause).await.is_none() {
            return;
        }
    }
}

async fn renew(leases: &Api<Lease>, name: &str, node: &Node) -> kube::Result<()> {
    let now = MicroTime(Timestamp::now());
    let patch = json!({"spec": {"holderIdentity": name, "leaseDurationSeconds": DURATION_SECONDS, "renewTime": now}});
    match leases.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await {
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        patched => return patched.map(drop),
    }
    // The Lease goes when the Node does.
    let owner = OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Node".to_owned(),
        name: name.to_owned(),
        uid: node.metadata.uid.clone().unwrap_or_default(),
        ..OwnerReference::default()
    };
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(NAMESPACE.to_owned()),
        owner_references: Some(vec![owner]),
        ..ObjectMeta::default()
    };
    let spec = LeaseSpec {
        holder_identity: Some(name.to_owned()),
        lease_duration_seconds: Some(DURATION_SECONDS),
        renew_time: Some(now),
        ..LeaseSpec::default()
    };
    leases.create(&PostParams::default(), &Lease { metadata, spec: Some(spec) }).await.map(drop)
}
