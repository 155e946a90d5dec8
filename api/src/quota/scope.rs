//! Which objects a quota is about: its scopes.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::pod::{QosClass, qos_class};

/// Whether the quota counts the object: every scope must match. Only pods (and claims, by their attributes class) have
/// scopes; a quota with scopes is about nothing else.
pub fn covers(quota: &Value, resource: &str, object: &Value) -> bool {
    let spec = &quota["spec"];
    let plain = spec["scopes"].as_array().into_iter().flatten();
    let plain = plain.map(|scope| json!({ "scopeName": scope, "operator": "Exists" }));
    let selected = spec["scopeSelector"]["matchExpressions"].as_array().into_iter().flatten().cloned();
    plain.chain(selected).all(|requirement| match resource {
        "pods" => pod_matches(&requirement, object),
        "persistentvolumeclaims" => claim_matches(&requirement, object),
        _ => false,
    })
}

/// Whether the pod ends by itself: it has a deadline.
pub fn is_terminating(pod: &Value) -> bool {
    pod["spec"]["activeDeadlineSeconds"].as_i64().is_some_and(|seconds| seconds >= 0)
}

fn pod_matches(requirement: &Value, pod: &Value) -> bool {
    let spec = &pod["spec"];
    let terminating = is_terminating(pod);
    match requirement["scopeName"].as_str().unwrap_or_default() {
        "Terminating" => terminating,
        "NotTerminating" => !terminating,
        "BestEffort" => is_best_effort(pod),
        "NotBestEffort" => !is_best_effort(pod),
        "PriorityClass" => selects(requirement, spec["priorityClassName"].as_str().unwrap_or_default()),
        "CrossNamespacePodAffinity" => uses_other_namespaces(spec),
        _ => false,
    }
}

/// A claim is of the class that it wants, of the one that it has, and of the one that it is on its way to.
fn claim_matches(requirement: &Value, claim: &Value) -> bool {
    let (spec, status) = (&claim["spec"], &claim["status"]);
    let classes = [
        &spec["volumeAttributesClassName"],
        &status["currentVolumeAttributesClassName"],
        &status["modifyVolumeStatus"]["targetVolumeAttributesClassName"],
    ];
    let mut classes = classes.into_iter().filter_map(Value::as_str).filter(|class| !class.is_empty()).peekable();
    requirement["scopeName"] == "VolumeAttributesClass"
        && match classes.peek() {
            None => selects(requirement, ""),
            Some(_) => classes.any(|class| selects(requirement, class)),
        }
}

fn selects(requirement: &Value, value: &str) -> bool {
    let among = || requirement["values"].as_array().is_some_and(|values| values.iter().any(|v| v == value));
    match requirement["operator"].as_str() {
        Some("In") => among(),
        Some("NotIn") => !among(),
        Some("DoesNotExist") => value.is_empty(),
        _ => !value.is_empty(),
    }
}

fn is_best_effort(pod: &Value) -> bool {
    let typed = serde_json::from_value::<Pod>(pod.clone());
    typed.is_ok_and(|pod| qos_class(&pod) == QosClass::BestEffort)
}

fn uses_other_namespaces(spec: &Value) -> bool {
    let names_some = |term: &Value| {
        term["namespaces"].as_array().is_some_and(|n| !n.is_empty()) || !term["namespaceSelector"].is_null()
    };
    ["podAffinity", "podAntiAffinity"].iter().any(|kind| {
        let affinity = &spec["affinity"][kind];
        let list = |name: &str| affinity[name].as_array().map(Vec::as_slice).unwrap_or_default().to_vec();
        list("requiredDuringSchedulingIgnoredDuringExecution").iter().any(names_some)
            || list("preferredDuringSchedulingIgnoredDuringExecution").iter().any(|t| names_some(&t["podAffinityTerm"]))
    })
}
