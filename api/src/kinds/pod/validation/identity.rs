//! Who and where a pod is: names, priorities, deadlines, gates.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::PodSpec;

use super::{resources, tolerations, valid_address};
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::names;

/// What a kernel takes for a host's name.
const HOSTNAME_LIMIT_BYTES: usize = 64;
const PREEMPTION_POLICIES: &[&str] = &["PreemptLowerPriority", "Never"];

/// `readinessGates` and `schedulingGates`
pub(super) fn gates(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    let gates = path.child("readinessGates");
    for (index, gate) in spec.readiness_gates.iter().flatten().enumerate() {
        errors.named(&gates.index(index).child("conditionType"), &gate.condition_type, names::qualified_name);
    }
    let (gates, mut seen) = (path.child("schedulingGates"), BTreeSet::new());
    for (index, gate) in spec.scheduling_gates.iter().flatten().enumerate() {
        errors.named(&gates.index(index), &gate.name, names::qualified_name);
        if !seen.insert(&gate.name) {
            errors.duplicate(&gates.index(index), &gate.name);
        }
    }
}

/// Everything else that is a name or a number of the pod as a whole.
pub(super) fn validate(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    hostname_override(errors, spec, &path.child("hostnameOverride"));
    let name = |errors: &mut Errors, field: &str, value: &Option<String>| {
        errors.named_if_set(&path.child(field), value.as_ref(), names::dns1123_subdomain);
    };
    name(errors, "serviceAccountName", &spec.service_account_name);
    name(errors, "nodeName", &spec.node_name);
    if let Some(seconds) = spec.active_deadline_seconds.filter(|s| !(1..=i64::from(i32::MAX)).contains(s)) {
        let detail = names::out_of_range(1, i64::from(i32::MAX));
        errors.invalid(&path.child("activeDeadlineSeconds"), &seconds, &detail);
    }
    errors.named_if_set(&path.child("hostname"), spec.hostname.as_ref(), names::dns1123_label);
    errors.named_if_set(&path.child("subdomain"), spec.subdomain.as_ref(), names::dns1123_label);
    let tolerated = spec.tolerations.as_deref().unwrap_or_default();
    tolerations::validate(errors, tolerated, &path.child("tolerations"));
    host_aliases(errors, spec, &path.child("hostAliases"));
    name(errors, "priorityClassName", &spec.priority_class_name);
    if let Some(class) = &spec.runtime_class_name {
        errors.named(&path.child("runtimeClassName"), class, names::dns1123_subdomain);
    }
    if spec.preemption_policy.is_some() {
        errors.one_of(&path.child("preemptionPolicy"), spec.preemption_policy.as_ref(), PREEMPTION_POLICIES);
    }
    if let Some(overhead) = &spec.overhead {
        resources::overhead(errors, overhead, &path.child("overhead"));
    }
}

fn hostname_override(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    let Some(name) = &spec.hostname_override else { return };
    if spec.set_hostname_as_fqdn == Some(true) {
        errors.forbidden(path, "may not be specified when setHostnameAsFQDN is true");
    }
    if spec.host_network == Some(true) {
        errors.forbidden(path, "may not be specified when hostNetwork is true");
    }
    if name.len() > HOSTNAME_LIMIT_BYTES {
        errors.0.push(FieldError::too_long(path, HOSTNAME_LIMIT_BYTES));
    }
    errors.named(path, name, names::dns1123_subdomain);
}

fn host_aliases(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    for (index, alias) in spec.host_aliases.iter().flatten().enumerate() {
        let path = path.index(index);
        valid_address(errors, &path.child("ip"), &alias.ip);
        for (index, name) in alias.hostnames.iter().flatten().enumerate() {
            errors.named(&path.child("hostnames").index(index), name, names::dns1123_subdomain);
        }
    }
}
