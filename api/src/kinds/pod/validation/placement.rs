//! Where a pod may run: node selectors, affinity, tolerations, spread.

use k8s_openapi::api::core::v1::{NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodSpec, Taint, Toleration};
use serde::Deserialize;
use serde_json::Value;

use super::{affinity, spread};
use crate::field::Path;
use crate::kinds::check::Errors;
use crate::kinds::json::json;
use crate::{metadata, names};

const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];

pub(super) fn validate(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    errors.0.extend(metadata::labels(spec.node_selector.as_ref().map(json).as_ref(), &path.child("nodeSelector")));
    let tolerations = path.child("tolerations");
    for (index, toleration) in spec.tolerations.iter().flatten().enumerate() {
        self::toleration(errors, toleration, &tolerations.index(index));
    }
    if let Some(node) = spec.affinity.as_ref().and_then(|a| a.node_affinity.as_ref()) {
        let path = path.child("affinity").child("nodeAffinity");
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
            term(errors, &preferred.preference, &path.child("preference"));
        }
    }
    if let Some(affinity) = &spec.affinity {
        affinity::validate(errors, affinity, &path.child("affinity"));
    }
    let constraints = spec.topology_spread_constraints.as_deref().unwrap_or_default();
    spread::validate(errors, constraints, &path.child("topologySpreadConstraints"));
}

fn term(errors: &mut Errors, term: &NodeSelectorTerm, path: &Path) {
    for (index, requirement) in term.match_expressions.iter().flatten().enumerate() {
        self::requirement(errors, requirement, &path.child("matchExpressions").index(index));
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

fn toleration(errors: &mut Errors, toleration: &Toleration, path: &Path) {
    let key = toleration.key.as_deref().unwrap_or_default();
    let (operator, value) = (toleration.operator.as_deref().unwrap_or_default(), toleration.value.as_deref());
    if key.is_empty() {
        if operator != "Exists" {
            let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errors.invalid(&path.child("operator"), &operator, detail);
        }
    } else {
        errors.named(&path.child("key"), key, names::qualified_name);
    }
    match (operator, value.unwrap_or_default()) {
        ("" | "Equal", value) => errors.named(&path.child("operator"), value, names::label_value),
        ("Exists", "") => {}
        ("Exists", _) => {
            errors.invalid(
                &path.child("operator"),
                &toleration.value,
                "value must be empty when `operator` is 'Exists'",
            );
        }
        (other, _) => errors.not_supported(&path.child("operator"), other, &["Equal", "Exists"]),
    }
    let effect = toleration.effect.as_deref().unwrap_or_default();
    if toleration.toleration_seconds.is_some() && effect != "NoExecute" {
        let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
        errors.invalid(&path.child("effect"), &effect, detail);
    }
    errors.one_of_if_set(&path.child("effect"), Some(effect).filter(|e| !e.is_empty()), EFFECTS);
}

/// A list of tolerations held as JSON.
pub(in crate::kinds) fn tolerations(errors: &mut Errors, list: &Value, path: &Path) {
    match Option::<Vec<Toleration>>::deserialize(list) {
        Ok(tolerations) => {
            for (index, toleration) in tolerations.iter().flatten().enumerate() {
                self::toleration(errors, toleration, &path.index(index));
            }
        }
        Err(error) => errors.invalid(path, list, &error.to_string()),
    }
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
        self::term(errors, term, &path.index(index));
    }
}

/// The taints of a node.
pub(in crate::kinds) fn taints(errors: &mut Errors, taints: &[Taint], path: &Path) {
    let mut seen = std::collections::BTreeSet::new();
    for (index, taint) in taints.iter().enumerate() {
        let path = path.index(index);
        errors.named(&path.child("key"), &taint.key, names::qualified_name);
        errors.named(&path.child("value"), taint.value.as_deref().unwrap_or_default(), names::label_value);
        errors.one_of(&path.child("effect"), Some(&taint.effect), EFFECTS);
        if !seen.insert((&taint.key, &taint.effect)) {
            errors.duplicate(&path, taint);
        }
    }
}
