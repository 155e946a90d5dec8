//! How pods spread over places.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::TopologySpreadConstraint;

use super::affinity;
use crate::field::Path;
use crate::kinds::check::Errors;

const ACTIONS: &[&str] = &["DoNotSchedule", "ScheduleAnyway"];
const POLICIES: &[&str] = &["Honor", "Ignore"];
const POSITIVE: &str = "must be greater than zero";

/// `topologySpreadConstraints`
pub(super) fn validate(errors: &mut Errors, constraints: &[TopologySpreadConstraint], path: &Path) {
    let places = constraints.iter().enumerate();
    let last: BTreeMap<_, usize> =
        places.map(|(index, it)| ((it.topology_key.as_str(), it.when_unsatisfiable.as_str()), index)).collect();
    for (index, constraint) in constraints.iter().enumerate() {
        let path = path.index(index);
        if constraint.max_skew <= 0 {
            errors.invalid(&path.child("maxSkew"), &constraint.max_skew, POSITIVE);
        }
        if constraint.topology_key.is_empty() {
            errors.required(&path.child("topologyKey"), "can not be empty");
        }
        let action = constraint.when_unsatisfiable.as_str();
        errors.one_of_if_set(&path.child("whenUnsatisfiable"), Some(action), ACTIONS);
        if last.get(&(constraint.topology_key.as_str(), action)).is_some_and(|last| *last > index) {
            let pair = format!("{{{}, {action}}}", constraint.topology_key);
            errors.duplicate(&path.child("{topologyKey, whenUnsatisfiable}"), &pair);
        }
        min_domains(errors, constraint, &path.child("minDomains"));
        let policy = constraint.node_affinity_policy.as_deref();
        errors.one_of_if_set(&path.child("nodeAffinityPolicy"), policy, POLICIES);
        errors.one_of_if_set(&path.child("nodeTaintsPolicy"), constraint.node_taints_policy.as_deref(), POLICIES);
        let selector = constraint.label_selector.as_ref();
        affinity::label_keys(errors, constraint.match_label_keys.as_deref(), None, selector, &path);
        affinity::label_selector(errors, selector, &path.child("labelSelector"));
    }
}

fn min_domains(errors: &mut Errors, constraint: &TopologySpreadConstraint, path: &Path) {
    let Some(domains) = constraint.min_domains else { return };
    if domains <= 0 {
        errors.invalid(path, &domains, POSITIVE);
    }
    if constraint.when_unsatisfiable != "DoNotSchedule" {
        let action = &constraint.when_unsatisfiable;
        let detail = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}");
        errors.invalid(path, &domains, &detail);
    }
}
