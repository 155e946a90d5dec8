//! Containers, init containers and what is mounted into them.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, PodSpec, SecurityContext, VolumeMount};

use super::{env, ports, probes, resources, valid_id, volumes};
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::names;
use crate::pod::is_sidecar;

const PULL_POLICIES: &[&str] = &["Always", "IfNotPresent", "Never"];
const MESSAGE_POLICIES: &[&str] = &["FallbackToLogsOnError", "File"];

/// All containers of a pod. `volumes` are the names that can be mounted.
pub(super) fn validate(errors: &mut Errors, spec: &PodSpec, volumes: &BTreeSet<&str>, path: &Path) {
    let (containers, init_path) = (path.child("containers"), path.child("initContainers"));
    if spec.containers.is_empty() {
        errors.required(&containers, "");
    }
    let mut seen = BTreeSet::new();
    for (index, container) in spec.containers.iter().enumerate() {
        let path = containers.index(index);
        common(errors, container, volumes, &path);
        unique(errors, &mut seen, container, &path);
        probes::validate(errors, container, &path);
        let policy = container.restart_policy.as_deref();
        errors.one_of_if_set(&path.child("restartPolicy"), policy, &["Always", "Never", "OnFailure"]);
    }
    for (index, container) in spec.init_containers.iter().flatten().enumerate() {
        let path = init_path.index(index);
        common(errors, container, volumes, &path);
        unique(errors, &mut seen, container, &path);
        init_only(errors, container, &path);
    }
    let host_network = spec.host_network.unwrap_or_default();
    ports::conflicts(errors, &spec.containers, host_network, &containers);
}

fn unique<'a>(errors: &mut Errors, seen: &mut BTreeSet<&'a str>, container: &'a Container, path: &Path) {
    if !container.name.is_empty() && !seen.insert(&container.name) {
        errors.duplicate(&path.child("name"), &container.name);
    }
}

fn common(errors: &mut Errors, container: &Container, volumes: &BTreeSet<&str>, path: &Path) {
    errors.required_name(&path.child("name"), &container.name, names::dns1123_label);
    match container.image.as_deref().unwrap_or_default() {
        "" => errors.required(&path.child("image"), ""),
        image if image.trim() != image => {
            errors.invalid(&path.child("image"), &image, "must not have leading or trailing whitespace");
        }
        _ => {}
    }
    errors.one_of(&path.child("imagePullPolicy"), container.image_pull_policy.as_ref(), PULL_POLICIES);
    let message_policy = path.child("terminationMessagePolicy");
    errors.one_of(&message_policy, container.termination_message_policy.as_ref(), MESSAGE_POLICIES);
    ports::validate(errors, container.ports.as_deref().unwrap_or_default(), &path.child("ports"));
    env::validate(errors, container, path);
    mounts(errors, container.volume_mounts.as_deref().unwrap_or_default(), volumes, &path.child("volumeMounts"));
    if let Some(requirements) = &container.resources {
        resources::validate(errors, requirements, &path.child("resources"));
    }
    if let Some(context) = &container.security_context {
        security_context(errors, context, &path.child("securityContext"));
    }
}

/// An init container runs to its end: nothing probes it and no hook is called, unless it is a sidecar.
fn init_only(errors: &mut Errors, container: &Container, path: &Path) {
    if is_sidecar(container) {
        probes::validate(errors, container, path);
        return;
    }
    let policy = container.restart_policy.as_deref();
    errors.one_of_if_set(&path.child("restartPolicy"), policy, &["Always", "Never", "OnFailure"]);
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
}

fn mounts(errors: &mut Errors, mounts: &[VolumeMount], volumes: &BTreeSet<&str>, path: &Path) {
    let mut points = BTreeSet::new();
    for (index, mount) in mounts.iter().enumerate() {
        let path = path.index(index);
        if mount.name.is_empty() {
            errors.required(&path.child("name"), "");
        } else if !volumes.contains(mount.name.as_str()) {
            errors.0.push(FieldError::not_found(&path.child("name"), &serde_json::json!(mount.name)));
        }
        if mount.mount_path.is_empty() {
            errors.required(&path.child("mountPath"), "");
        } else if !points.insert(&mount.mount_path) {
            errors.invalid(&path.child("mountPath"), &mount.mount_path, "must be unique");
        }
        for (field, sub_path) in [("subPath", &mount.sub_path), ("subPathExpr", &mount.sub_path_expr)] {
            if let Some(text) = sub_path.as_deref().filter(|t| !t.is_empty()) {
                volumes::local_path(errors, &path.child(field), text);
            }
        }
        let both = [&mount.sub_path, &mount.sub_path_expr].iter().all(|p| p.as_ref().is_some_and(|t| !t.is_empty()));
        if both {
            let detail = "subPathExpr and subPath are mutually exclusive";
            errors.invalid(&path.child("subPathExpr"), &mount.sub_path_expr, detail);
        }
    }
}

fn security_context(errors: &mut Errors, context: &SecurityContext, path: &Path) {
    valid_id(errors, &path.child("runAsUser"), context.run_as_user);
    valid_id(errors, &path.child("runAsGroup"), context.run_as_group);
    if context.allow_privilege_escalation == Some(false) && context.privileged == Some(true) {
        let detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
        errors.invalid(path, context, detail);
    }
}
