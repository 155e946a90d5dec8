//! Warnings about workloads: what is odd about their templates, and names that make odd pod names.

use serde_json::Value;

use super::json::{integer, list, text};
use super::pod;
use crate::{meta, names};

/// Warnings about `spec.template`.
pub(super) fn of_template(workload: &Value) -> Vec<String> {
    pod::spec_warnings(workload, "spec.template.spec")
}

/// The same, and about a name that is no DNS label, since pods carry it in theirs.
pub(super) fn of_workload(workload: &Value) -> Vec<String> {
    let mut found = of_name(workload, "Pod names and hostnames");
    found.extend(of_template(workload));
    found
}

/// Completions of an indexed job, and pods at a time, above which its status may not hold all indexes.
const MANY_COMPLETIONS: i64 = 100_000;
const MANY_PODS: i64 = 10_000;
const TOO_MANY_INDEXES: &str = "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher \
     than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail";

/// Warnings about the spec of a job, found at a dotted path.
pub(super) fn of_job_spec(object: &Value, path: &str) -> Vec<String> {
    let number = |field: &str| integer(object, &format!("{path}.{field}"));
    let indexed = text(object, &format!("{path}.completionMode")) == "Indexed";
    let mut found = Vec::new();
    if indexed && number("completions") > MANY_COMPLETIONS && number("parallelism") > MANY_PODS {
        found.push(TOO_MANY_INDEXES.to_string());
    }
    found.extend(pod::spec_warnings(object, &format!("{path}.template.spec")));
    found
}

/// Warns when the object's name, which ends up in `what`, is no DNS label.
pub(super) fn of_name(object: &Value, what: &str) -> Vec<String> {
    let details = names::dns1123_label(meta::name(object));
    if details.is_empty() || meta::name(object).is_empty() {
        return Vec::new();
    }
    vec![format!(
        "metadata.name: this is used in {what}, which can result in surprising behavior; a DNS label is recommended: \
         [{}]",
        details.join(" ")
    )]
}

/// Labels of nodes that have been renamed: old name, since when, new name.
const RENAMED_LABELS: [(&str, &str, &str); 5] = [
    ("beta.kubernetes.io/arch", "v1.14", "kubernetes.io/arch"),
    ("beta.kubernetes.io/os", "v1.14", "kubernetes.io/os"),
    ("failure-domain.beta.kubernetes.io/region", "v1.17", "topology.kubernetes.io/region"),
    ("failure-domain.beta.kubernetes.io/zone", "v1.17", "topology.kubernetes.io/zone"),
    ("beta.kubernetes.io/instance-type", "v1.17", "node.kubernetes.io/instance-type"),
];

/// What to say about a label of nodes that has a new name.
pub(super) fn renamed_label(key: &str) -> Option<String> {
    let (_, since, new) = RENAMED_LABELS.iter().find(|(old, ..)| *old == key)?;
    Some(format!("deprecated since {since}; use \"{new}\" instead"))
}

/// Warnings about a term that selects nodes.
pub(super) fn of_node_selector_term(term: &Value, path: &str) -> Vec<String> {
    let of = |(index, expression): (usize, &Value)| {
        let key = text(expression, "key");
        renamed_label(key).map(|text| format!("{path}.matchExpressions[{index}].key: {key} is {text}"))
    };
    list(term, "matchExpressions").iter().enumerate().filter_map(of).collect()
}
