//! Warnings about workloads: what is odd about their templates, and names that make odd pod names.

use serde_json::Value;

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
