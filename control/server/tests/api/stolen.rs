//! A stolen node certificate: each verb on each resource and subresource of the catalogue, with the credentials of a node that
//! has no pods, about objects that are not its own. What the authorizers let it ask for is this list and nothing else; whose
//! objects it may write, NodeRestriction says (nodes.rs).

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::{Cluster, config};
use crate::tenants::{is_refused, wants};

const REACHED: &[&str] = &[
    // What each node has to know, and no tenant keeps secret.
    "get csidrivers.storage.k8s.io",
    "list csidrivers.storage.k8s.io",
    "watch csidrivers.storage.k8s.io",
    "get runtimeclasses.node.k8s.io",
    "list runtimeclasses.node.k8s.io",
    "watch runtimeclasses.node.k8s.io",
    "get services",
    "list services",
    "watch services",
    "get endpoints",
    // What leads to Services: the node is its own proxy.
    "list endpointslices.discovery.k8s.io",
    "watch endpointslices.discovery.k8s.io",
    "get servicecidrs.networking.k8s.io",
    "list servicecidrs.networking.k8s.io",
    "watch servicecidrs.networking.k8s.io",
    // Who asks it for something, and whether he may.
    "create tokenreviews.authentication.k8s.io",
    "create subjectaccessreviews.authorization.k8s.io",
    "create localsubjectaccessreviews.authorization.k8s.io",
    // What everybody may ask about himself.
    "create selfsubjectreviews.authentication.k8s.io",
    "create selfsubjectaccessreviews.authorization.k8s.io",
    "create selfsubjectrulesreviews.authorization.k8s.io",
    // Its certificates.
    "create certificatesigningrequests.certificates.k8s.io",
    "get certificatesigningrequests.certificates.k8s.io",
    "list certificatesigningrequests.certificates.k8s.io",
    "watch certificatesigningrequests.certificates.k8s.io",
    // What happens to its pods.
    "create events",
    "patch events",
    "update events",
    "create events.events.k8s.io",
    "patch events.events.k8s.io",
    "update events.events.k8s.io",
    // Written, if NodeRestriction agrees.
    "create nodes",
    "patch nodes",
    "update nodes",
    "patch nodes/status",
    "update nodes/status",
    "create pods",
    "delete pods",
    "create pods/eviction",
    "patch pods/status",
    "update pods/status",
    "create csinodes.storage.k8s.io",
    "create resourceslices.resource.k8s.io",
];

#[tokio::test]
async fn a_stolen_node_certificate_reaches_what_every_node_must_and_nothing_else() {
    let mut config = config();
    config.limits.bookmark_interval = std::time::Duration::from_secs(1);
    let cluster = Cluster::with(config, |_| {}).await;
    for namespace in ["own", "foreign"] {
        let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
        cluster.post("/api/v1/namespaces", object).await.ok();
    }
    let node = coracle_server::User::new("system:node:n1", ["system:nodes".to_string()]);
    let mut reached = BTreeSet::new();
    for want in wants() {
        if !is_refused(&cluster, &node, &want).await {
            let part = if want.subresource.is_empty() { String::new() } else { format!("/{}", want.subresource) };
            let group =
                if want.resource.group.is_empty() { String::new() } else { format!(".{}", want.resource.group) };
            reached.insert(format!("{} {}{group}{part}", want.verb, want.resource.plural));
        }
    }
    let expected: BTreeSet<String> = REACHED.iter().map(|text| (*text).to_string()).collect();
    let (more, less): (Vec<_>, Vec<_>) =
        (reached.difference(&expected).collect(), expected.difference(&reached).collect());
    assert!(more.is_empty() && less.is_empty(), "it reaches {more:?}, and not {less:?}");
}
