//! What is accepted but probably not meant (`pkg/api/pod/warnings.go`), in Kubernetes' order.

mod containers;
mod volumes;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::kinds::json::{entries, has, integer, list, part, text};
use crate::kinds::warnings::{of_node_selector_term, renamed_label};
use crate::meta;
use crate::quantity::Quantity;

const NULL_SELECTOR: &str = "a null labelSelector results in matching no pod";
/// Annotations that do nothing any more.
const DEAD_ANNOTATIONS: [(&str, &str); 3] = [
    ("scheduler.alpha.kubernetes.io/critical-pod", "v1.16+; use the \"priorityClassName\" field instead"),
    ("security.alpha.kubernetes.io/sysctls", "v1.11+; use the \"sysctls\" field instead"),
    ("security.alpha.kubernetes.io/unsafe-sysctls", "v1.11+; use the \"sysctls\" field instead"),
];
const SECCOMP: &str = "non-functional in v1.27+; use the \"seccompProfile\" field instead";
const SECCOMP_OF_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";

/// Warnings for a pod.
pub(super) fn of_pod(pod: &Value) -> Vec<String> {
    let mut found = crate::kinds::warnings::of_name(pod, "the Pod's hostname");
    found.extend(of_spec_at(pod, "spec"));
    found
}

/// Warnings for the pod spec at a dotted path, and the metadata beside it.
pub(in crate::kinds) fn of_spec_at(object: &Value, path: &str) -> Vec<String> {
    let Some(spec) = meta::at(object, path).filter(|spec| spec.is_object()) else { return Vec::new() };
    let template = path.strip_suffix("spec").unwrap_or_default().trim_end_matches('.');
    let holder = if template.is_empty() { Some(object) } else { meta::at(object, template) };
    let all = holder.map(meta::annotations).unwrap_or_default();
    let notes =
        if template.is_empty() { "metadata.annotations".into() } else { format!("{template}.metadata.annotations") };
    let mut found = of_placement(spec, path);
    for (key, text) in DEAD_ANNOTATIONS.into_iter().filter(|(key, _)| all.contains_key(key)) {
        found.push(format!("{notes}[{key}]: non-functional in {text}"));
    }
    found.extend(volumes::of_volumes(spec, path));
    found.extend(of_lists(spec, path));
    if !has(spec, "securityContext.seccompProfile") && all.contains_key(SECCOMP_OF_POD) {
        found.push(format!("{notes}[{SECCOMP_OF_POD}]: {SECCOMP}"));
    }
    found.extend(containers::of_containers(spec, path, &all, &notes));
    found.extend(containers::of_ports(spec, path));
    if integer(spec, "terminationGracePeriodSeconds") < 0 {
        found.push(format!(
            "{path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"
        ));
    }
    found.extend(of_affinity(spec, path));
    found
}

fn of_placement(spec: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (key, _) in entries(spec, "nodeSelector") {
        found.extend(renamed_label(key).map(|text| format!("{path}.nodeSelector[{key}]: {text}")));
    }
    let affinity = part(spec, "affinity.nodeAffinity");
    let required =
        format!("{path}.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");
    let terms = list(&affinity, "requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");
    for (index, term) in terms.iter().enumerate() {
        found.extend(of_node_selector_term(term, &format!("{required}[{index}]")));
    }
    let preferred = format!("{path}.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution");
    for (index, weighted) in list(&affinity, "preferredDuringSchedulingIgnoredDuringExecution").iter().enumerate() {
        let path = format!("{preferred}[{index}].preference");
        found.extend(of_node_selector_term(&part(weighted, "preference"), &path));
    }
    for (index, constraint) in list(spec, "topologySpreadConstraints").iter().enumerate() {
        let path = format!("{path}.topologySpreadConstraints[{index}]");
        let key = text(constraint, "topologyKey");
        found.extend(renamed_label(key).map(|text| format!("{path}.topologyKey: {key} is {text}")));
        if !has(constraint, "labelSelector") {
            found.push(format!("{path}.labelSelector: {NULL_SELECTOR}"));
        }
    }
    found
}

/// Lists whose elements are told apart by a field.
fn of_lists(spec: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (field, key) in [("hostAliases", "ip"), ("imagePullSecrets", "name")] {
        let mut seen = BTreeSet::new();
        for (index, item) in list(spec, field).iter().enumerate() {
            let value = text(item, key);
            if !seen.insert(value) {
                found.push(format!("{path}.{field}[{index}].{key}: duplicate {key} {value:?}"));
            }
        }
    }
    for (index, _) in list(spec, "imagePullSecrets").iter().enumerate().filter(|(_, s)| text(s, "name").is_empty()) {
        found.push(format!("{path}.imagePullSecrets[{index}].name: invalid empty name \"\""));
    }
    found.extend(fractions(&part(spec, "overhead"), &format!("{path}.overhead")));
    found
}

/// Memory comes in whole bytes.
fn fractions(amounts: &Value, path: &str) -> Vec<String> {
    let of = |name: &str| {
        let amount = amounts.get(name)?;
        let shown = amount.as_str().map_or_else(|| amount.to_string(), str::to_string);
        let fractional = Quantity::from_value(amount).is_some_and(|quantity| quantity.milli_value() % 1000 != 0);
        fractional.then(|| format!("{path}[{name}]: fractional byte value {shown:?} is invalid, must be an integer"))
    };
    ["memory", "ephemeral-storage"].into_iter().filter_map(of).collect()
}

fn of_affinity(spec: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    for kind in ["podAffinity", "podAntiAffinity"] {
        let (affinity, path) = (part(spec, &format!("affinity.{kind}")), format!("{path}.affinity.{kind}"));
        for (field, below) in [
            ("requiredDuringSchedulingIgnoredDuringExecution", "labelSelector"),
            ("preferredDuringSchedulingIgnoredDuringExecution", "podAffinityTerm.labelSelector"),
        ] {
            for (index, _) in list(&affinity, field).iter().enumerate().filter(|(_, term)| !has(term, below)) {
                found.push(format!("{path}.{field}[{index}].{below}: {NULL_SELECTOR}"));
            }
        }
    }
    found
}
