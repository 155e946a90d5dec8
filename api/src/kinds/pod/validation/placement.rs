//! Where a pod may run: node selectors and affinity; and the taints that keep it away.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodSpec, Taint};
use serde::Deserialize;
use serde_json::Value;

use super::affinity;
use crate::field::Path;
use crate::kinds::check::Errors;
use crate::kinds::json::json;
use crate::{metadata, names};

pub(super) const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// `nodeSelector`
pub(super) fn labels_of_nodes(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    errors.0.extend(metadata::labels(spec.node_selector.as_ref().map(json).as_ref(), &path.child("nodeSelector")));
}

/// `affinity`
pub(super) fn validate_affinity(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    let Some(affinity) = &spec.affinity else { return };
    let path = path.child("affinity");
    if let Some(node) = &affinity.node_affinity {
        let path = path.child("nodeAffinity");
        if let Some(required) = &node.required_during_scheduling_ignored_during_execution {
            required_terms(errors, required, &path.child("requiredDuringSchedulingIgnoredDuringExecution"));
        }
        let path = path.child("preferredDuringSchedulingIgnoredDuringExecution");
        for (index, preferred) in node.preferred_during_scheduling_ignored_during_execution.iter().flatten().enumerate()
        {
            let path = path.index(index);
            if !(1..=100).contains(&preferred.weight) {
                errors.invalid(&path.child("weight"), &preferred.weight, "must be in the range 1-100");
            }
            // A preference for something that no node can have does no harm.
            term(errors, &preferred.preference, false, &path.child("preference"));
        }
    }
    affinity::validate(errors, affinity, &path);
}

fn term(errors: &mut Errors, term: &NodeSelectorTerm, check_values: bool, path: &Path) {
    for (index, requirement) in term.match_expressions.iter().flatten().enumerate() {
        let path = path.child("matchExpressions").index(index);
        self::requirement(errors, requirement, &path);
        for (index, value) in requirement.values.iter().flatten().enumerate().filter(|_| check_values) {
            errors.named(&path.child("values").index(index), value, names::label_value);
        }
    }
    for (index, requirement) in term.match_fields.iter().flatten().enumerate() {
        field_requirement(errors, requirement, &path.child("matchFields").index(index));
    }
}

/// Nodes have one field to be chosen by: their name.
fn field_requirement(errors: &mut Errors, requirement: &NodeSelectorRequirement, path: &Path) {
    let values = requirement.values.as_deref().unwrap_or_default();
    match requirement.operator.as_str() {
        "In" | "NotIn" if values.len() != 1 => {
            let detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
            errors.required(&path.child("values"), detail);
        }
        "In" | "NotIn" => {}
        other => errors.invalid(&path.child("operator"), &other, "not a valid selector operator"),
    }
    if requirement.key == "metadata.name" {
        for (index, name) in values.iter().enumerate() {
            errors.named(&path.child("values").index(index), name, names::dns1123_subdomain);
        }
    } else {
        errors.invalid(&path.child("key"), &requirement.key, "not a valid field selector key");
    }
}

fn requirement(errors: &mut Errors, requirement: &NodeSelectorRequirement, path: &Path) {
    let count = requirement.values.as_ref().map_or(0, Vec::len);
    let values = path.child("values");
    match requirement.operator.as_str() {
        "In" | "NotIn" if count == 0 => {
            errors.required(&values, "must be specified when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if count > 0 => {
            errors.forbidden(&values, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        }
        "Gt" | "Lt" if count != 1 => {
            errors.required(&values, "must be specified single value when `operator` is 'Lt' or 'Gt'");
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        other => errors.invalid(&path.child("operator"), &other, "not a valid selector operator"),
    }
    errors.named(&path.child("key"), &requirement.key, names::qualified_name);
}

/// A node selector held as JSON.
pub(in crate::kinds) fn node_selector(errors: &mut Errors, selector: &Value, path: &Path) {
    match NodeSelector::deserialize(selector) {
        Ok(selector) => required_terms(errors, &selector, path),
        Err(error) => errors.invalid(path, selector, &error.to_string()),
    }
}

fn required_terms(errors: &mut Errors, selector: &NodeSelector, path: &Path) {
    let path = path.child("nodeSelectorTerms");
    if selector.node_selector_terms.is_empty() {
        errors.required(&path, "must have at least one node selector term");
    }
    for (index, term) in selector.node_selector_terms.iter().enumerate() {
        self::term(errors, term, true, &path.index(index));
    }
}

/// The taints of a node.
pub(in crate::kinds) fn taints(errors: &mut Errors, taints: &[Taint], path: &Path) {
    let mut seen = BTreeSet::new();
    for (index, taint) in taints.iter().enumerate() {
        let path = path.index(index);
        errors.named(&path.child("key"), &taint.key, names::qualified_name);
        let value = taint.value.as_deref().unwrap_or_default();
        let details = names::label_value(value);
        if !details.is_empty() {
            errors.invalid(&path.child("value"), &value, &details.join(";"));
        }
        errors.one_of(&path.child("effect"), Some(&taint.effect), EFFECTS);
        if !seen.insert((&taint.key, &taint.effect)) {
            errors.duplicate(&path, taint);
            if let Some(error) = errors.0.last_mut() {
                error.body.push_str(": taints must be unique by key and effect pair");
            }
        }
    }
}
