//! What a pod's author may not decide: its status; and what the pod's node may not.

use std::collections::{BTreeMap, VecDeque};

use k8s_openapi::api::core::v1::{Pod, PodSpec};
use serde_json::{Value, json};

use super::{app_armor, gates, label_keys};
use crate::kinds::json::{carry_over, decode, has, integer, items, list, text};
use crate::pod::qos_class;

/// A new pod is pending, in the class that its resources put it in.
pub(super) fn create(object: &mut Value) {
    label_keys::merge(object);
    app_armor::fields_of_annotations(object);
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

/// What nodes that are older than a field leave out of the status is kept.
pub(super) fn status(new: &mut Value, old: &Value) {
    let (Some(status), Some(before)) = (new.get_mut("status").filter(|s| s.is_object()), old.get("status")) else {
        return;
    };
    if text(status, "qosClass").is_empty() {
        carry_over(status, before, "qosClass");
    }
    for field in ["resourceClaimStatuses", "extendedResourceClaimStatus"] {
        if !has(status, field) {
            carry_over(status, before, field);
        }
    }
    if integer(status, "observedGeneration") == 0 {
        carry_over(status, before, "observedGeneration");
    }
    // There may be several conditions of a type, so each old one counts once.
    let mut old_conditions: BTreeMap<&str, VecDeque<&Value>> = BTreeMap::new();
    for condition in list(before, "conditions") {
        old_conditions.entry(text(condition, "type")).or_default().push_back(condition);
    }
    for condition in items(status, "conditions") {
        let Some(before) = old_conditions.get_mut(text(condition, "type")).and_then(VecDeque::pop_front) else {
            continue;
        };
        if integer(condition, "observedGeneration") == 0 {
            carry_over(condition, before, "observedGeneration");
        }
    }
    gates::drop_disabled_status(status);
}
