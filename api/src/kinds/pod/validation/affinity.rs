//! Affinity between pods, and the label keys that narrow a term down to one version of a workload (KEP-3633).

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
    label_keys(errors, keys, term.label_selector.as_ref(), &path.child("matchLabelKeys"));
    label_keys(errors, mismatch, term.label_selector.as_ref(), &path.child("mismatchLabelKeys"));
    for (index, key) in keys.unwrap_or_default().iter().enumerate() {
        if mismatch.unwrap_or_default().contains(key) {
            let detail = "exists in both matchLabelKeys and mismatchLabelKeys";
            errors.invalid(&path.child("matchLabelKeys").index(index), key, detail);
        }
    }
    topology_key(errors, &term.topology_key, &path.child("topologyKey"));
}

/// A selector, if it is there.
pub(super) fn label_selector(errors: &mut Errors, selector: Option<&LabelSelector>, path: &Path) {
    if let Some(selector) = selector {
        selector_errors(errors, &json(selector), path);
    }
}

/// The label of nodes that says which are one place.
pub(super) fn topology_key(errors: &mut Errors, key: &str, path: &Path) {
    if key.is_empty() {
        errors.required(path, "can not be empty");
    }
    errors.named(path, key, names::qualified_name);
}

/// Keys whose values come from the pod itself; they add to a selector that must be there and not say them already.
pub(super) fn label_keys(errors: &mut Errors, keys: Option<&[String]>, selector: Option<&LabelSelector>, path: &Path) {
    let keys = keys.unwrap_or_default();
    let Some(selector) = selector else {
        if !keys.is_empty() {
            errors.forbidden(path, "must not be specified when labelSelector is not set");
        }
        return;
    };
    let selects = |key: &String| {
        selector.match_labels.as_ref().is_some_and(|labels| labels.contains_key(key))
            || selector.match_expressions.iter().flatten().any(|expression| expression.key == *key)
    };
    for (index, key) in keys.iter().enumerate() {
        let path = path.index(index);
        errors.named(&path, key, names::qualified_name);
        if selects(key) {
            errors.invalid(&path, key, "exists in both matchLabelKeys and labelSelector");
        }
    }
}
