//! Tokens: a node asks for those of its own pods.

use coracle_api::{ApiError, ApiResult};

use super::{Deed, audience};
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
    audience::check(deed, &spec["audiences"], &pod)
}
