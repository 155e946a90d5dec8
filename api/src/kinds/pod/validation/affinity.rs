//! Affinity between pods, and how they are spread.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Affinity, PodAffinityTerm, TopologySpreadConstraint, WeightedPodAffinityTerm};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::field::Path;
use crate::kinds::check::Errors;
use crate::kinds::json::json;
use crate::kinds::workload::selector_errors;
use crate::names;

const POLICIES: &[&str] = &["Honor", "Ignore"];

/// The terms about other pods.
pub(super) fn pods(errors: &mut Errors, affinity: &Affinity, path: &Path) {
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
    for (index, term) in terms.unwrap_or_default().iter().enumerate() {
        self::term(errors, term, &path.index(index));
    }
}

fn preferred(errors: &mut Errors, terms: Option<&[WeightedPodAffinityTerm]>, path: &Path) {
    let path = path.child("preferredDuringSchedulingIgnoredDuringExecution");
    for (index, weighted) in terms.unwrap_or_default().iter().enumerate() {
        let path = path.index(index);
        if !(1..=100).contains(&weighted.weight) {
            errors.invalid(&path.child("weight"), &weighted.weight, "must be in the range 1-100");
        }
        term(errors, &weighted.pod_affinity_term, &path.child("podAffinityTerm"));
    }
}

fn term(errors: &mut Errors, term: &PodAffinityTerm, path: &Path) {
    selector(errors, term.label_selector.as_ref(), &path.child("labelSelector"));
    selector(errors, term.namespace_selector.as_ref(), &path.child("namespaceSelector"));
    for namespace in term.namespaces.iter().flatten() {
        errors.named(&path.child("namespace"), namespace, names::dns1123_label);
    }
    let key = path.child("topologyKey");
    if term.topology_key.is_empty() {
        errors.required(&key, "can not be empty");
    }
    for detail in names::qualified_name(&term.topology_key) {
        errors.invalid(&key, &term.topology_key, &detail);
    }
}

fn selector(errors: &mut Errors, selector: Option<&LabelSelector>, path: &Path) {
    if let Some(selector) = selector {
        selector_errors(errors, &json(selector), path);
    }
}

/// `topologySpreadConstraints`
pub(super) fn spread(errors: &mut Errors, constraints: &[TopologySpreadConstraint], path: &Path) {
    let mut seen = BTreeSet::new();
    for (index, constraint) in constraints.iter().enumerate() {
        let path = path.index(index);
        self::constraint(errors, constraint, &path);
        let (key, action) = (&constraint.topology_key, &constraint.when_unsatisfiable);
        if !seen.insert((key, action)) {
            errors.duplicate(&path.child("{topologyKey, whenUnsatisfiable}"), &format!("{{{key}, {action}}}"));
        }
    }
}

fn constraint(errors: &mut Errors, constraint: &TopologySpreadConstraint, path: &Path) {
    let action = constraint.when_unsatisfiable.as_str();
    if constraint.max_skew <= 0 {
        errors.invalid(&path.child("maxSkew"), &constraint.max_skew, "must be greater than 0");
    }
    if constraint.topology_key.is_empty() {
        errors.required(&path.child("topologyKey"), "can not be empty");
    }
    errors.one_of_if_set(&path.child("whenUnsatisfiable"), Some(action), &["DoNotSchedule", "ScheduleAnyway"]);
    if let Some(domains) = constraint.min_domains {
        let path = path.child("minDomains");
        if domains <= 0 {
            errors.invalid(&path, &domains, "must be greater than 0");
        }
        if action != "DoNotSchedule" {
            let detail = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}");
            errors.invalid(&path, &domains, &detail);
        }
    }
    let policies = [
        ("nodeAffinityPolicy", &constraint.node_affinity_policy),
        ("nodeTaintsPolicy", &constraint.node_taints_policy),
    ];
    for (field, policy) in policies {
        errors.one_of_if_set(&path.child(field), policy.as_deref(), POLICIES);
    }
    selector(errors, constraint.label_selector.as_ref(), &path.child("labelSelector"));
}
