//! Validation of pods and of the pod templates inside other kinds (`pkg/apis/core/validation`), in Kubernetes' order.

mod affinity;
mod annotations;
mod containers;
mod devices;
mod dns;
mod downward;
mod env;
mod ephemeral;
mod hugepages;
mod identity;
mod mounts;
mod placement;
mod pod_resources;
mod ports;
mod probes;
mod projected;
mod resources;
mod restart;
mod security;
mod spread;
mod status;
mod system;
mod tolerations;
mod volumes;
mod windows;

use k8s_openapi::api::core::v1::PodSpec;
use serde_json::Value;

use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::ip;
use crate::kinds::json::decode;
use crate::{meta, metadata, names};

pub(super) use annotations::{APP_ARMOR, is_mirror, validate_update as annotation_updates};
pub use ephemeral::validate_ephemeral_update;
pub(in crate::kinds) use placement::{node_selector, taints};
pub(in crate::kinds) use ports::PROTOCOLS;
pub(in crate::kinds) use probes::port;
pub(super) use status::validate as status;
pub(in crate::kinds) use tolerations::of_json as tolerations;
pub(super) use tolerations::validate as toleration_list;

const RESTART_POLICIES: &[&str] = &["Always", "OnFailure", "Never"];
const DNS_POLICIES: &[&str] = &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
/// Largest user and group id.
const MAX_ID: i64 = i32::MAX as i64;

/// All errors in a pod.
pub(super) fn validate(pod: &Value) -> Vec<FieldError> {
    let path = Path::root("spec");
    let mut errors = Errors::default();
    let spec = match decode::<PodSpec>(pod, "spec") {
        Ok(spec) => spec,
        Err(error) => return vec![error],
    };
    annotations::validate(&mut errors, pod, &spec, &Path::root("metadata").child("annotations"));
    self::spec(&mut errors, &spec, Some(pod), &path);
    of_pods_only(&mut errors, &spec, &path);
    // A pod without a version is a new one.
    if meta::resource_version(pod).is_empty() {
        of_new_pods_only(&mut errors, pod, &spec, &path);
    }
    errors.0
}

/// What templates may say although no pod may.
fn of_pods_only(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    if spec.service_account_name.as_deref().unwrap_or_default().is_empty() {
        projected::tokens_without_account(errors, spec, &path.child("volumes"));
    }
    errors.not_negative(&path.child("terminationGracePeriodSeconds"), spec.termination_grace_period_seconds);
    let init = spec.init_containers.as_deref().unwrap_or_default();
    for (field, list) in [("containers", spec.containers.as_slice()), ("initContainers", init)] {
        for (index, container) in list.iter().enumerate() {
            containers::trimmed_image(errors, container, &path.child(field).index(index));
        }
    }
}

fn of_new_pods_only(errors: &mut Errors, pod: &Value, spec: &PodSpec, path: &Path) {
    // Only the `ephemeralcontainers` subresource adds them.
    if spec.ephemeral_containers.as_ref().is_some_and(|e| !e.is_empty()) {
        errors.forbidden(&path.child("ephemeralContainers"), "cannot be set on create");
    }
    let gated = spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty());
    if gated && spec.node_name.as_ref().is_some_and(|name| !name.is_empty()) {
        errors.forbidden(&path.child("nodeName"), "cannot be set until all schedulingGates have been cleared");
    }
    annotations::agree_with_fields(errors, pod, path);
}

/// All errors in a pod template at `path`.
pub(in crate::kinds) fn validate_template(template: &Value, path: &Path) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let spec_path = path.child("spec");
    let part = |name: &str| template.get("metadata").and_then(|m| m.get(name));
    errors.0.extend(metadata::labels(part("labels"), &path.child("labels")));
    errors.0.extend(metadata::annotations(part("annotations"), &path.child("annotations")));
    match decode::<PodSpec>(template, "spec") {
        Ok(spec) => {
            annotations::validate(&mut errors, template, &spec, &path.child("annotations"));
            self::spec(&mut errors, &spec, None, &spec_path);
            annotations::agree_with_fields(&mut errors, template, &spec_path);
            if spec.ephemeral_containers.as_ref().is_some_and(|e| !e.is_empty()) {
                let detail = "ephemeral containers not allowed in pod template";
                errors.forbidden(&spec_path.child("ephemeralContainers"), detail);
            }
        }
        Err(error) => errors.0.push(FieldError { path: spec_path, ..error }),
    }
    errors.0
}

/// The spec of a pod, or of a template when there is no `pod`.
fn spec(errors: &mut Errors, spec: &PodSpec, pod: Option<&Value>, path: &Path) {
    if spec.termination_grace_period_seconds.is_none() {
        errors.required(&path.child("terminationGracePeriodSeconds"), "");
    }
    let volume_list = spec.volumes.as_deref().unwrap_or_default();
    let volumes = volumes::validate(errors, volume_list, pod.map(meta::name), &path.child("volumes"));
    devices::claims(errors, spec, pod, &path.child("resourceClaims"));
    let surroundings = containers::Surroundings::of(spec, &volumes);
    containers::validate(errors, spec, &surroundings, path);
    ephemeral::validate(errors, spec, &surroundings, &path.child("ephemeralContainers"));
    pod_resources::validate(errors, spec, &surroundings, path);
    ports::host_network(errors, spec, pod.is_some(), &path.child("containers"));
    errors.one_of(&path.child("restartPolicy"), spec.restart_policy.as_ref(), RESTART_POLICIES);
    errors.one_of(&path.child("dnsPolicy"), spec.dns_policy.as_ref(), DNS_POLICIES);
    placement::labels_of_nodes(errors, spec, path);
    security::of_pod(errors, spec, path);
    placement::validate_affinity(errors, spec, path);
    dns::validate(errors, spec, &path.child("dnsConfig"));
    identity::gates(errors, spec, path);
    let constraints = spec.topology_spread_constraints.as_deref().unwrap_or_default();
    spread::validate(errors, constraints, &path.child("topologySpreadConstraints"));
    windows::host_process(errors, spec, path);
    system::host_users(errors, spec, path);
    identity::validate(errors, spec, path);
    system::validate(errors, spec, path);
    env::files_of_volumes(errors, spec, path);
}

/// `must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)` and the like.
pub(in crate::kinds) fn valid_address(errors: &mut Errors, path: &Path, address: &str) {
    ip::address(errors, path, address, &[]);
}

fn valid_id(errors: &mut Errors, path: &Path, id: Option<i64>) {
    if let Some(id) = id.filter(|id| !(0..=MAX_ID).contains(id)) {
        errors.invalid(path, &id, &names::out_of_range(0, MAX_ID));
    }
}
