//! Pods: a node makes the images of its static pods, and tells how its own pods are.

use coracle_api::{ApiError, ApiResult, meta};
use coracle_store::Key;
use serde_json::{Value, json};

use super::Deed;
use crate::authz::node::{Vertex, references};
use crate::write::admission::{Action, stored};

const MIRROR: &str = "kubernetes.io/config.mirror";

pub(super) fn check(deed: &Deed<'_>) -> ApiResult<()> {
    let (node, action) = (deed.node, deed.write.action);
    match (deed.write.subresource, action) {
        ("", Action::Create) => created(deed),
        ("", Action::Delete) => {
            own(deed, &format!("node {node:?} can only delete pods with spec.nodeName set to itself"))
        }
        ("", _) => deed.refuse(format!(
            "unexpected operation {:?}, node {node:?} can only create and delete mirror pods",
            deed.operation()
        )),
        ("status", Action::Update) => status(deed),
        ("eviction", Action::Create) => evicted(deed),
        ("status", _) => deed.refuse(format!("unexpected operation {:?}", deed.operation())),
        ("eviction", _) => deed.refuse(format!("unexpected operation {}", deed.operation())),
        (other, _) => {
            deed.refuse(format!("unexpected pod subresource {other:?}, only 'status' and 'eviction' are allowed"))
        }
    }
}

/// The pod that is there must be the node's.
fn own(deed: &Deed<'_>, why: &str) -> ApiResult<()> {
    let old = deed.write.old.unwrap_or(deed.object);
    if old["spec"]["nodeName"] == deed.node { Ok(()) } else { deed.refuse(why) }
}

fn status(deed: &Deed<'_>) -> ApiResult<()> {
    let node = deed.node;
    own(deed, &format!("node {node:?} can only update pod status for pods with spec.nodeName set to itself"))?;
    if meta::labels(deed.object) != meta::labels(deed.write.old.unwrap_or(&Value::Null)) {
        return deed.refuse(format!("node {node:?} cannot update labels through pod status"));
    }
    // They say which claims the node may read.
    let is_kept = |field: &str| {
        let status = |pod: &Value| Some(pod["status"][field].clone()).filter(|status| *status != json!([]));
        status(deed.object).unwrap_or_default() == deed.write.old.and_then(status).unwrap_or_default()
    };
    if !is_kept("resourceClaimStatuses") {
        // The last word is upstream's.
        return deed.refuse(format!("node {node:?} cannot update resource claim statues"));
    }
    if !is_kept("extendedResourceClaimStatus") {
        return deed.refuse(format!("node {node:?} cannot update extended resource claim status"));
    }
    Ok(())
}

fn evicted(deed: &Deed<'_>) -> ApiResult<()> {
    let (hub, write) = (deed.hub, deed.write);
    let pod = stored(hub, "pods", write.namespace, write.name);
    let pod = pod.ok_or_else(|| ApiError::not_found(write.resource, write.name))?;
    if pod["spec"]["nodeName"] == deed.node {
        return Ok(());
    }
    deed.refuse(format!("node {} can only evict pods with spec.nodeName set to itself", deed.node))
}

fn created(deed: &Deed<'_>) -> ApiResult<()> {
    let (node, pod) = (deed.node, deed.object);
    if !meta::annotations(pod).contains_key(MIRROR) {
        return deed
            .refuse(format!("pod does not have {MIRROR:?} annotation, node {node:?} can only create mirror pods"));
    }
    if pod["spec"]["nodeName"] != node {
        return deed.refuse(format!("node {node:?} can only create pods with spec.nodeName set to itself"));
    }
    owned(deed)?;
    // A node would get at whatever its pods may read.
    let named = references(pod);
    let refused = [
        (Vertex::ServiceAccount, "a service account"),
        (Vertex::Secret, "secrets"),
        (Vertex::ConfigMap, "configmaps"),
        (Vertex::Claim, "persistentvolumeclaims"),
    ];
    if let Some((_, what)) = refused.iter().find(|(vertex, _)| named.iter().any(|(own, _)| own == vertex)) {
        return deed.refuse(format!("node {node:?} can not create pods that reference {what}"));
    }
    if pod["spec"]["resourceClaims"].as_array().is_some_and(|claims| !claims.is_empty()) {
        return deed.refuse(format!("node {node:?} can not create pods that reference resourceclaims"));
    }
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    let sources = volumes.flat_map(|volume| volume["projected"]["sources"].as_array().into_iter().flatten());
    if sources.into_iter().any(|source| source["clusterTrustBundle"].is_object()) {
        return deed.refuse(format!("node {node:?} can not create pods that reference clustertrustbundles"));
    }
    Ok(())
}

/// The pod must go when the Node goes.
fn owned(deed: &Deed<'_>) -> ApiResult<()> {
    let (node, pod) = (deed.node, deed.object);
    let owners = pod["metadata"]["ownerReferences"].as_array().map(Vec::as_slice).unwrap_or_default();
    let [owner] = owners else {
        let how = if owners.is_empty() { "an" } else { "a single" };
        return deed.refuse(format!("node {node:?} can only create pods with {how} owner reference set to itself"));
    };
    if owner["apiVersion"] != "v1" || owner["kind"] != "Node" || owner["name"] != node {
        return deed.refuse(format!("node {node:?} can only create pods with an owner reference set to itself"));
    }
    if owner["controller"] != true {
        return deed
            .refuse(format!("node {node:?} can only create pods with a controller owner reference set to itself"));
    }
    if owner["blockOwnerDeletion"] == true {
        return deed.refuse(format!("node {node:?} must not set blockOwnerDeletion on an owner reference"));
    }
    let record = deed.hub.store.get(&Key::new("nodes", "", node));
    let nodes = deed.hub.row("v1", "nodes")?;
    let uid = record.ok_or_else(|| ApiError::not_found(&nodes, node))?.lifted.uid.to_string();
    let named = owner["uid"].as_str().unwrap_or_default();
    if named != uid {
        return deed.refuse(format!("node {node} UID mismatch: expected {named} got {uid}"));
    }
    Ok(())
}
