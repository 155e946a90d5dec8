//! What is accepted but probably not meant (`pkg/api/pod/warnings.go`).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::kinds::json::{integer, list, text};
use crate::meta;
use crate::quantity::Quantity;

/// Node labels that have been renamed: old name, since when, new name.
const RENAMED_LABELS: [(&str, &str, &str); 6] = [
    ("beta.kubernetes.io/arch", "v1.14", "kubernetes.io/arch"),
    ("beta.kubernetes.io/os", "v1.14", "kubernetes.io/os"),
    ("failure-domain.beta.kubernetes.io/region", "v1.17", "topology.kubernetes.io/region"),
    ("failure-domain.beta.kubernetes.io/zone", "v1.17", "topology.kubernetes.io/zone"),
    ("failure-domain.kubernetes.io/region", "v1.17", "topology.kubernetes.io/region"),
    ("failure-domain.kubernetes.io/zone", "v1.17", "topology.kubernetes.io/zone"),
];

/// Warnings for a pod.
pub(super) fn of_pod(pod: &Value) -> Vec<String> {
    let mut found = crate::kinds::warnings::of_name(pod, "the Pod's hostname");
    found.extend(of_spec_at(pod, "spec"));
    found
}

/// Warnings for the pod spec at a dotted path.
pub(in crate::kinds) fn of_spec_at(object: &Value, path: &str) -> Vec<String> {
    meta::at(object, path).map(|spec| of_spec(spec, path)).unwrap_or_default()
}

fn of_spec(spec: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (old, since, new) in RENAMED_LABELS {
        if spec.get("nodeSelector").is_some_and(|s| s.get(old).is_some()) {
            found.push(format!("{path}.nodeSelector[{old}]: deprecated since {since}; use \"{new}\" instead"));
        }
    }
    for (index, secret) in list(spec, "imagePullSecrets").iter().enumerate() {
        if text(secret, "name").is_empty() {
            found.push(format!("{path}.imagePullSecrets[{index}].name: invalid empty name \"\""));
        }
    }
    if integer(spec, "terminationGracePeriodSeconds") < 0 {
        found.push(format!(
            "{path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"
        ));
    }
    for (index, volume) in list(spec, "volumes").iter().enumerate() {
        if volume.get("gitRepo").is_some() {
            found.push(format!(
                "{path}.volumes[{index}].gitRepo: deprecated in v1.11, and disabled by default in v1.33+"
            ));
        }
    }
    let mut ports = BTreeMap::new();
    for (index, container) in list(spec, "containers").iter().enumerate() {
        let path = format!("{path}.containers[{index}]");
        of_container(container, &path, &mut found);
        duplicate_ports(container, &path, &mut ports, &mut found);
    }
    for (index, container) in list(spec, "initContainers").iter().enumerate() {
        of_container(container, &format!("{path}.initContainers[{index}]"), &mut found);
    }
    found
}

fn of_container(container: &Value, path: &str, found: &mut Vec<String>) {
    for part in ["limits", "requests"] {
        for name in ["memory", "ephemeral-storage"] {
            let amount = container.get("resources").and_then(|r| r.get(part)?.get(name));
            if let Some(amount) = amount.filter(|a| Quantity::from_value(a).is_some_and(|q| !q.is_whole())) {
                found.push(format!(
                    "{path}.resources.{part}[{name}]: fractional byte value {amount} is invalid, must be an integer"
                ));
            }
        }
    }
    let variables = list(container, "env");
    for (index, variable) in variables.iter().enumerate() {
        let name = text(variable, "name");
        if variables[..index].iter().any(|earlier| text(earlier, "name") == name) && !name.is_empty() {
            found.push(format!(
                "{path}.env[{index}]: hides previous definition of \"{name}\", which may be dropped when using apply"
            ));
        }
    }
}

type Port = (i64, String, i64, String);

/// The same port twice is lost when the list is merged by port and protocol.
fn duplicate_ports(container: &Value, path: &str, seen: &mut BTreeMap<Port, String>, found: &mut Vec<String>) {
    for (index, port) in list(container, "ports").iter().enumerate() {
        let port_path = format!("{path}.ports[{index}]");
        let key = (
            integer(port, "containerPort"),
            text(port, "protocol").to_string(),
            integer(port, "hostPort"),
            text(port, "hostIP").to_string(),
        );
        match seen.get(&key) {
            Some(first) => found.push(format!("{port_path}: duplicate port definition with {first}")),
            None => drop(seen.insert(key, port_path)),
        }
    }
}
