//! Validation of pods and of the pod templates inside other kinds (`pkg/apis/core/validation`).

mod affinity;
mod containers;
mod dns;
mod env;
mod ephemeral;
mod placement;
mod ports;
mod probes;
mod resources;
mod restart;
mod security;
mod spread;
mod volumes;

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::PodSpec;
use serde_json::Value;

use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::decode;
use crate::{meta, metadata, names};

pub use ephemeral::validate_ephemeral_update;
pub(in crate::kinds) use placement::{node_selector, taints, tolerations};
pub(in crate::kinds) use ports::PROTOCOLS;
pub(in crate::kinds) use probes::port;

const DNS_POLICIES: &[&str] = &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];
/// Largest user and group id.
const MAX_ID: i64 = u32::MAX as i64;

/// All errors in a pod.
pub(super) fn validate(pod: &Value) -> Vec<FieldError> {
    let path = Path::root("spec");
    let mut errors = Errors::default();
    match decode::<PodSpec>(pod, "spec") {
        Ok(spec) => {
            self::spec(&mut errors, &spec, &path);
            // Only the `ephemeralcontainers` subresource adds them. A pod without a version is a new one.
            if meta::resource_version(pod).is_empty()
                && spec.ephemeral_containers.as_ref().is_some_and(|e| !e.is_empty())
            {
                errors.forbidden(&path.child("ephemeralContainers"), "cannot be set on create");
            }
        }
        Err(error) => errors.0.push(error),
    }
    errors.0
}

/// All errors in a pod template at `path`.
pub(in crate::kinds) fn validate_template(template: &Value, path: &Path) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let metadata_path = path.child("metadata");
    let part = |name: &str| template.get("metadata").and_then(|m| m.get(name));
    errors.0.extend(metadata::labels(part("labels"), &metadata_path.child("labels")));
    errors.0.extend(metadata::annotations(part("annotations"), &metadata_path.child("annotations")));
    match decode::<PodSpec>(template, "spec") {
        Ok(spec) => {
            self::spec(&mut errors, &spec, &path.child("spec"));
            if spec.ephemeral_containers.as_ref().is_some_and(|e| !e.is_empty()) {
                let detail = "ephemeral containers not allowed in pod template";
                errors.forbidden(&path.child("spec").child("ephemeralContainers"), detail);
            }
        }
        Err(error) => errors.0.push(FieldError { path: path.child("spec"), ..error }),
    }
    errors.0
}

fn spec(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    let volumes = volumes::validate(errors, spec.volumes.as_deref().unwrap_or_default(), &path.child("volumes"));
    containers::validate(errors, spec, &volumes, path);
    policies(errors, spec, path);
    identity(errors, spec, path);
    placement::validate(errors, spec, path);
    if let Some(context) = &spec.security_context {
        security::of_pod(errors, context, spec, &path.child("securityContext"));
    }
    security::host_users(errors, spec, path);
    security::of_system(errors, spec, path);
    ephemeral::validate(errors, spec, &volumes, &path.child("ephemeralContainers"));
    claims(errors, spec, &path.child("resourceClaims"));
    if let Some(pod_level) = &spec.resources {
        resources::validate(errors, pod_level, &path.child("resources"));
    }
}

fn policies(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    let policy = path.child("restartPolicy");
    errors.one_of(&policy, spec.restart_policy.as_ref(), &["Always", "OnFailure", "Never"]);
    errors.one_of(&path.child("dnsPolicy"), spec.dns_policy.as_ref(), DNS_POLICIES);
    dns::validate(errors, spec, &path.child("dnsConfig"));
    errors.not_negative(&path.child("terminationGracePeriodSeconds"), spec.termination_grace_period_seconds);
    if let Some(seconds) = spec.active_deadline_seconds.filter(|s| !(1..=i64::from(i32::MAX)).contains(s)) {
        let detail = names::out_of_range(1, i64::from(i32::MAX));
        errors.invalid(&path.child("activeDeadlineSeconds"), &seconds, &detail);
    }
    if let Some(policy) = spec.preemption_policy.as_deref() {
        let supported = ["Never", "PreemptLowerPriority"];
        errors.one_of_if_set(&path.child("preemptionPolicy"), Some(policy), &supported);
    }
    let os = spec.os.as_ref().map(|os| os.name.as_str());
    errors.one_of_if_set(&path.child("os").child("name"), os, &["linux", "windows"]);
}

fn identity(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    for (field, value, rule) in [
        ("serviceAccountName", &spec.service_account_name, names::dns1123_subdomain as fn(&str) -> Vec<String>),
        ("nodeName", &spec.node_name, names::dns1123_subdomain),
        ("priorityClassName", &spec.priority_class_name, names::dns1123_subdomain),
        ("runtimeClassName", &spec.runtime_class_name, names::dns1123_subdomain),
        ("schedulerName", &spec.scheduler_name, names::dns1123_subdomain),
        ("hostname", &spec.hostname, names::dns1123_label),
        ("subdomain", &spec.subdomain, names::dns1123_label),
        ("hostnameOverride", &spec.hostname_override, names::dns1123_subdomain),
    ] {
        errors.named_if_set(&path.child(field), value.as_ref(), rule);
    }
    let aliases = path.child("hostAliases");
    for (index, alias) in spec.host_aliases.iter().flatten().enumerate() {
        valid_address(errors, &aliases.index(index).child("ip"), &alias.ip);
        let hostnames = aliases.index(index).child("hostnames");
        alias.hostnames.iter().flatten().for_each(|name| errors.named(&hostnames, name, names::dns1123_subdomain));
    }
    let gates = path.child("readinessGates");
    for (index, gate) in spec.readiness_gates.iter().flatten().enumerate() {
        errors.named(&gates.index(index).child("conditionType"), &gate.condition_type, names::qualified_name);
    }
    let (gates, mut seen) = (path.child("schedulingGates"), BTreeSet::new());
    for (index, gate) in spec.scheduling_gates.iter().flatten().enumerate() {
        errors.named(&gates.index(index).child("name"), &gate.name, names::qualified_name);
        if !seen.insert(&gate.name) {
            errors.duplicate(&gates.index(index).child("name"), &gate.name);
        }
    }
    if seen.is_empty() || spec.node_name.as_deref().unwrap_or_default().is_empty() {
        return;
    }
    errors.forbidden(&path.child("nodeName"), "cannot be set until all schedulingGates have been cleared");
}

/// Claims of devices: one that exists, or a template to make one from.
fn claims(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    let mut seen = BTreeSet::new();
    for (index, claim) in spec.resource_claims.iter().flatten().enumerate() {
        let path = path.index(index);
        errors.required_name(&path.child("name"), &claim.name, names::dns1123_label);
        if !seen.insert(&claim.name) {
            errors.duplicate(&path.child("name"), &claim.name);
        }
        let (existing, template) = (claim.resource_claim_name.as_ref(), claim.resource_claim_template_name.as_ref());
        match (existing, template) {
            (Some(_), Some(_)) => {
                let detail = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified";
                errors.invalid(&path, claim, detail);
            }
            (None, None) => {
                let detail = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`";
                errors.invalid(&path, claim, detail);
            }
            _ => {}
        }
        for (field, name) in [("resourceClaimName", existing), ("resourceClaimTemplateName", template)] {
            if let Some(name) = name {
                errors.named(&path.child(field), name, names::dns1123_subdomain);
            }
        }
    }
}

/// `must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`
pub(in crate::kinds) fn valid_address(errors: &mut Errors, path: &Path, address: &str) {
    if address.parse::<std::net::IpAddr>().is_err() {
        errors.invalid(path, &address, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
    }
}

fn valid_id(errors: &mut Errors, path: &Path, id: Option<i64>) {
    if let Some(id) = id.filter(|id| !(0..=MAX_ID).contains(id)) {
        errors.invalid(path, &id, &names::out_of_range(0, MAX_ID));
    }
}
