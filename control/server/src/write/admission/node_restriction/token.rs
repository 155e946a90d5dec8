//! Tokens: a node asks for those of its own pods.

use coracle_api::{ApiError, ApiResult};
use serde_json::Value;

use super::Deed;
use crate::authz::{Attributes, Subject};
use crate::write::admission::{Action, stored};

pub(super) fn check(deed: &Deed<'_>) -> ApiResult<()> {
    let write = deed.write;
    if write.action != Action::Create || write.subresource != "token" {
        return Ok(());
    }
    let spec = &deed.object["spec"];
    let bound = &spec["boundObjectRef"];
    let text = |field: &str| bound[field].as_str().unwrap_or_default();
    if text("apiVersion") != "v1" || text("kind") != "Pod" || text("name").is_empty() {
        return deed.refuse("node requested token not bound to a pod");
    }
    if text("uid").is_empty() {
        return deed.refuse("node requested token with a pod binding without a uid");
    }
    let pods = deed.hub.row("v1", "pods")?;
    let pod = stored(deed.hub, "pods", write.namespace, text("name"));
    let pod = pod.ok_or_else(|| ApiError::not_found(&pods, text("name")))?;
    if pod["metadata"]["uid"] != bound["uid"] {
        return deed.refuse(format!(
            "the UID in the bound object reference ({}) does not match the UID in record. The object might have been \
             deleted and then recreated",
            text("uid")
        ));
    }
    if pod["spec"]["nodeName"] != deed.node {
        return deed.refuse("node requested token bound to a pod scheduled on a different node");
    }
    audiences(deed, spec, &pod)
}

/// Whom the token is for must stand in the pod (KEP-4412's restriction), or be allowed to this node.
fn audiences(deed: &Deed<'_>, spec: &Value, pod: &Value) -> ApiResult<()> {
    let own = deed.hub.issuer.audience();
    for audience in spec["audiences"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if audience != own && !is_named(pod, audience) && !is_allowed(deed, audience) {
            return deed.refuse(format!("audience {audience:?} not found in pod spec volume"));
        }
    }
    Ok(())
}

fn is_named(pod: &Value, audience: &str) -> bool {
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    let sources = volumes.flat_map(|volume| volume["projected"]["sources"].as_array().into_iter().flatten());
    sources.into_iter().any(|source| source["serviceAccountToken"]["audience"] == audience)
}

fn is_allowed(deed: &Deed<'_>, audience: &str) -> bool {
    let target = Subject::Resource {
        group: "",
        resource: audience,
        subresource: "",
        namespace: deed.write.namespace,
        name: deed.write.name,
    };
    deed.hub.authorizer.allows(deed.write.user, &Attributes::new("request-serviceaccounts-token-audience", target))
}
