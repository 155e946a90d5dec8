//! What a pod's author may not decide: its status.

use k8s_openapi::api::core::v1::{Pod, PodSpec};
use serde_json::{Value, json};

use crate::kinds::json::{carry_over, decode, list};
use crate::pod::qos_class;

/// A new pod is pending, in the class that its resources put it in.
pub(super) fn create(object: &mut Value) {
    let spec: PodSpec = decode(object, "spec").unwrap_or_default();
    let class = qos_class(&Pod { spec: Some(spec), ..Pod::default() });
    let mut status = json!({ "phase": "Pending", "qosClass": class.as_str() });
    if !list(object, "spec.schedulingGates").is_empty() {
        status["conditions"] = json!([{
            "type": "PodScheduled",
            "status": "False",
            "reason": "SchedulingGated",
            "message": "Scheduling is blocked due to non-empty scheduling gates",
        }]);
    }
    object["status"] = status;
}

/// The status belongs to the node.
pub(super) fn update(new: &mut Value, old: &Value) {
    carry_over(new, old, "status");
}
