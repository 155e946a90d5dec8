//! How important groups and versions are: what discovery lists first, and what the objects of local APIServices say.

use serde_json::Value;

/// The group that APIServices are in stands before all others.
const FIRST: i64 = 20_000;

/// Groups of CustomResourceDefinitions, and others that nobody has ranked.
pub(crate) const CUSTOM_GROUP: i64 = 1_000;
pub(crate) const CUSTOM_VERSION: i64 = 100;

/// The built-in groups, as kube-apiserver ranks them.
const GROUPS: [(&str, i64); 23] = [
    ("", 18_000),
    ("apps", 17_800),
    ("events.k8s.io", 17_750),
    ("authentication.k8s.io", 17_700),
    ("authorization.k8s.io", 17_600),
    ("autoscaling", 17_500),
    ("batch", 17_400),
    ("certificates.k8s.io", 17_300),
    ("networking.k8s.io", 17_200),
    ("policy", 17_100),
    ("rbac.authorization.k8s.io", 17_000),
    ("storage.k8s.io", 16_800),
    ("apiextensions.k8s.io", 16_700),
    ("admissionregistration.k8s.io", 16_700),
    ("scheduling.k8s.io", 16_600),
    ("coordination.k8s.io", 16_500),
    ("node.k8s.io", 16_300),
    ("discovery.k8s.io", 16_200),
    ("flowcontrol.apiserver.k8s.io", 16_100),
    ("internal.apiserver.k8s.io", 16_000),
    ("resource.k8s.io", 15_900),
    ("storagemigration.k8s.io", 15_800),
    // As the manifest of metrics-server has it.
    ("metrics.k8s.io", 100),
];

/// The rank of a group.
pub(crate) fn group(name: &str) -> i64 {
    if name == super::OWN_GROUP {
        return FIRST;
    }
    GROUPS.iter().find(|(group, _)| *group == name).map_or(CUSTOM_GROUP, |(_, rank)| *rank)
}

/// The rank of a built-in version among those of its group.
pub(crate) fn version(group: &str, version: &str) -> i64 {
    match (group, version) {
        ("", "v1") => 1,
        ("autoscaling", "v2") => 30,
        ("metrics.k8s.io", _) => 100,
        ("flowcontrol.apiserver.k8s.io", "v1") => 21,
        (_, stable) if !stable.contains("alpha") && !stable.contains("beta") => 15,
        _ => 9,
    }
}

/// `spec.groupPriorityMinimum` and `spec.versionPriority` of an APIService.
pub(crate) fn of_spec(spec: &Value) -> (i64, i64) {
    let number = |field: &str| spec[field].as_i64().unwrap_or_default();
    (number("groupPriorityMinimum"), number("versionPriority"))
}
