//! Containers and init containers.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, PodSpec};

use super::volumes::Volumes;
use super::{devices, env, mounts, ports, probes, resources, restart, security};
use crate::field::Path;
use crate::kinds::check::Errors;
use crate::names;
use crate::pod::is_sidecar;

pub(super) const PULL_POLICIES: &[&str] = &["Always", "IfNotPresent", "Never"];
const MESSAGE_POLICIES: &[&str] = &["File", "FallbackToLogsOnError"];

/// What containers depend on in the pod around them.
pub(super) struct Surroundings<'a> {
    pub(super) volumes: &'a Volumes<'a>,
    /// Names of the pod's claims of devices.
    pub(super) claims: BTreeSet<&'a str>,
    pub(super) restart_policy: &'a str,
    pub(super) grace_seconds: Option<i64>,
    /// The pod's users are the host's.
    pub(super) host_users: bool,
}

impl<'a> Surroundings<'a> {
    pub(super) fn of(spec: &'a PodSpec, volumes: &'a Volumes<'a>) -> Self {
        let claims = spec.resource_claims.iter().flatten().map(|claim| claim.name.as_str());
        Self {
            volumes,
            claims: claims.filter(|name| !name.is_empty()).collect(),
            restart_policy: spec.restart_policy.as_deref().unwrap_or_default(),
            grace_seconds: spec.termination_grace_period_seconds,
            host_users: spec.host_users.unwrap_or(true),
        }
    }
}

/// `containers` and `initContainers`
pub(super) fn validate(errors: &mut Errors, spec: &PodSpec, around: &Surroundings<'_>, path: &Path) {
    let containers = path.child("containers");
    if spec.containers.is_empty() {
        errors.required(&containers, "");
    }
    let mut seen = BTreeSet::new();
    for (index, container) in spec.containers.iter().enumerate() {
        let path = containers.index(index);
        common(errors, container, around, &path);
        if !seen.insert(container.name.as_str()) {
            errors.duplicate(&path.child("name"), &container.name);
        }
        probes::validate(errors, container, around.grace_seconds, &path);
        restart::validate(errors, container, &path);
    }
    ports::conflicts(errors, &spec.containers, &containers);
    let init_path = path.child("initContainers");
    for (index, container) in spec.init_containers.iter().flatten().enumerate() {
        let path = init_path.index(index);
        common(errors, container, around, &path);
        restart::validate(errors, container, &path);
        if seen.contains(container.name.as_str()) {
            errors.duplicate(&path.child("name"), &container.name);
        } else if !container.name.is_empty() {
            seen.insert(&container.name);
        }
        // They run one by one, so only the ports of each are in each other's way.
        ports::conflicts(errors, std::slice::from_ref(container), &init_path);
        init_only(errors, container, around, &path);
    }
}

/// What all containers of a pod have to comply with, ephemeral ones too.
pub(super) fn common(errors: &mut Errors, container: &Container, around: &Surroundings<'_>, path: &Path) {
    errors.required_name(&path.child("name"), &container.name, names::dns1123_label);
    if container.image.as_deref().unwrap_or_default().is_empty() {
        errors.required(&path.child("image"), "");
    }
    let message_policy = path.child("terminationMessagePolicy");
    errors.one_of(&message_policy, container.termination_message_policy.as_ref(), MESSAGE_POLICIES);
    ports::validate(errors, container.ports.as_deref().unwrap_or_default(), &path.child("ports"));
    env::validate(errors, container, path);
    mounts::validate(errors, container, around.volumes, &path.child("volumeMounts"));
    devices::validate(errors, container, around.volumes, &path.child("volumeDevices"));
    errors.one_of(&path.child("imagePullPolicy"), container.image_pull_policy.as_ref(), PULL_POLICIES);
    if let Some(requirements) = &container.resources {
        resources::of_container(errors, requirements, &around.claims, &path.child("resources"));
    }
    restart::resize(errors, container, around.restart_policy, &path.child("resizePolicy"));
    if let Some(context) = &container.security_context {
        security::of_container(errors, context, around.host_users, &path.child("securityContext"));
    }
}

/// An image without spaces around it; templates may have them.
pub(super) fn trimmed_image(errors: &mut Errors, container: &Container, path: &Path) {
    let image = container.image.as_deref().unwrap_or_default();
    if image.trim() != image {
        errors.invalid(&path.child("image"), &image, "must not have leading or trailing whitespace");
    }
}

/// An init container runs to its end: nothing probes it and no hook is called, unless it is a sidecar.
fn init_only(errors: &mut Errors, container: &Container, around: &Surroundings<'_>, path: &Path) {
    if is_sidecar(container) {
        return probes::validate(errors, container, around.grace_seconds, path);
    }
    for (field, set) in [
        ("lifecycle", container.lifecycle.is_some()),
        ("livenessProbe", container.liveness_probe.is_some()),
        ("readinessProbe", container.readiness_probe.is_some()),
        ("startupProbe", container.startup_probe.is_some()),
    ] {
        if set {
            errors.forbidden(&path.child(field), "may not be set for init containers without restartPolicy=Always");
        }
    }
    for (index, policy) in container.resize_policy.iter().flatten().enumerate() {
        if policy.restart_policy == "RestartContainer" {
            let path = path.child("resizePolicy").index(index).child("restartPolicy");
            let detail = "must not be set to 'RestartContainer' for non-sidecar initContainers";
            errors.invalid(&path, &policy.restart_policy, detail);
        }
    }
}
