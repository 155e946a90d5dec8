//! Affinity between pods, and the label keys that narrow a term down to one version of a workload (KEP-3633).

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Affinity, PodAffinityTerm, WeightedPodAffinityTerm};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::field::Path;
use crate::kinds::check::Errors;
use crate::kinds::json::json;
use crate::kinds::workload::selector_errors;
use crate::names;

/// `podAffinity` and `podAntiAffinity`
pub(super) fn validate(errors: &mut Errors, affinity: &Affinity, path: &Path) {
    if let Some(pods) = &affinity.pod_affinity {
        let path = path.child("podAffinity");
        required(errors, pods.required_during_scheduling_ignored_during_execution.as_deref(), &path);
        preferred(errors, pods.preferred_during_scheduling_ignored_during_execution.as_deref(), &path);
    }
    if let Some(pods) = &affinity.pod_anti_affinity {
        let path = path.child("podAntiAffinity");
        required(errors, pods.required_during_scheduling_ignored_during_execution.as_deref(), &path);
        preferred(errors, pods.preferred_during_scheduling_ignored_during_execution.as_deref(), &path);
    }
}

fn required(errors: &mut Errors, terms: Option<&[PodAffinityTerm]>, path: &Path) {
    let path = path.child("requiredDuringSchedulingIgnoredDuringExecution");
    for (index, term) in terms.into_iter().flatten().enumerate() {
        self::term(errors, term, &path.index(index));
    }
}

fn preferred(errors: &mut Errors, terms: Option<&[WeightedPodAffinityTerm]>, path: &Path) {
    let path = path.child("preferredDuringSchedulingIgnoredDuringExecution");
    for (index, weighted) in terms.into_iter().flatten().enumerate() {
        let path = path.index(index);
        if !(1..=100).contains(&weighted.weight) {
            errors.invalid(&path.child("weight"), &weighted.weight, "must be in the range 1-100");
        }
        term(errors, &weighted.pod_affinity_term, &path.child("podAffinityTerm"));
    }
}

fn term(errors: &mut Errors, term: &PodAffinityTerm, path: &Path) {
    label_selector(errors, term.label_selector.as_ref(), &path.child("labelSelector"));
    label_selector(errors, term.namespace_selector.as_ref(), &path.child("namespaceSelector"));
    for name in term.namespaces.iter().flatten() {
        errors.named(&path.child("namespace"), name, names::dns1123_label);
    }
    let (keys, mismatch) = (term.match_label_keys.as_deref(), term.mismatch_label_keys.as_deref());
    label_keys(errors, keys, mismatch, term.label_selector.as_ref(), path);
    let topology = path.child("topologyKey");
    if term.topology_key.is_empty() {
        errors.required(&topology, "can not be empty");
    }
    errors.named(&topology, &term.topology_key, names::qualified_name);
}

/// A selector, if it is there.
pub(super) fn label_selector(errors: &mut Errors, selector: Option<&LabelSelector>, path: &Path) {
    if let Some(selector) = selector {
        selector_errors(errors, &json(selector), path);
    }
}

/// Keys whose values come from the pod itself. A selector must be there, which by now has what they add to it; one that
/// said the same before has it twice.
pub(super) fn label_keys(
    errors: &mut Errors,
    keys: Option<&[String]>,
    mismatch: Option<&[String]>,
    selector: Option<&LabelSelector>,
    path: &Path,
) {
    for (field, keys) in [("matchLabelKeys", keys), ("mismatchLabelKeys", mismatch)] {
        let (path, keys) = (path.child(field), keys.unwrap_or_default());
        if selector.is_none() && !keys.is_empty() {
            errors.forbidden(&path, "must not be specified when labelSelector is not set");
            continue;
        }
        for (index, key) in keys.iter().enumerate() {
            errors.named(&path.index(index), key, names::qualified_name);
        }
    }
    let keys = keys.unwrap_or_default();
    if let Some(selector) = selector {
        let places: BTreeMap<&String, usize> = keys.iter().enumerate().map(|(index, key)| (key, index)).collect();
        let mut selected: BTreeSet<&String> = selector.match_labels.iter().flatten().map(|(key, _)| key).collect();
        for expression in selector.match_expressions.iter().flatten() {
            if let Some(index) = places.get(&expression.key)
                && selected.contains(&expression.key)
            {
                let detail = "exists in both matchLabelKeys and labelSelector";
                errors.invalid(&path.index(*index), &expression.key, detail);
            }
            selected.insert(&expression.key);
        }
    }
    let mismatch: BTreeSet<&String> = mismatch.unwrap_or_default().iter().collect();
    for (index, key) in keys.iter().enumerate().filter(|(_, key)| mismatch.contains(key)) {
        let detail = "exists in both matchLabelKeys and mismatchLabelKeys";
        errors.invalid(&path.child("matchLabelKeys").index(index), key, detail);
    }
}
