//! Containers, init containers and what is mounted into them.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, PodSpec, VolumeMount};

use super::{env, ports, probes, resources, restart, security, volumes};
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
    let pod_policy = spec.restart_policy.as_deref().unwrap_or_default();
    let mut seen = BTreeSet::new();
    for (index, container) in spec.containers.iter().enumerate() {
        let path = containers.index(index);
        common(errors, container, volumes, &path);
        unique(errors, &mut seen, container, &path);
        probes::validate(errors, container, &path);
        restart::validate(errors, container, pod_policy, &path);
    }
    for (index, container) in spec.init_containers.iter().flatten().enumerate() {
        let path = init_path.index(index);
        common(errors, container, volumes, &path);
        unique(errors, &mut seen, container, &path);
        init_only(errors, container, &path);
        restart::validate(errors, container, pod_policy, &path);
    }
    let host_network = spec.host_network.unwrap_or_default();
    ports::conflicts(errors, &spec.containers, host_network, &containers);
}

fn unique<'a>(errors: &mut Errors, seen: &mut BTreeSet<&'a str>, container: &'a Container, path: &Path) {
    if !container.name.is_empty() && !seen.insert(&container.name) {
        errors.duplicate(&path.child("name"), &container.name);
    }
}

pub(super) fn common(errors: &mut Errors, container: &Container, volumes: &BTreeSet<&str>, path: &Path) {
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
    mounts(errors, container, volumes, &path.child("volumeMounts"));
    devices(errors, container, volumes, &path.child("volumeDevices"));
    if let Some(requirements) = &container.resources {
        resources::validate(errors, requirements, &path.child("resources"));
    }
    if let Some(context) = &container.security_context {
        security::of_container(errors, context, &path.child("securityContext"));
    }
}

/// An init container runs to its end: nothing probes it and no hook is called, unless it is a sidecar.
fn init_only(errors: &mut Errors, container: &Container, path: &Path) {
    if is_sidecar(container) {
        probes::validate(errors, container, path);
        return;
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
}

fn mounts(errors: &mut Errors, container: &Container, volumes: &BTreeSet<&str>, path: &Path) {
    let mut points = BTreeSet::new();
    for (index, mount) in container.volume_mounts.iter().flatten().enumerate() {
        let path = path.index(index);
        mount_options(errors, mount, container, &path);
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

fn mount_options(errors: &mut Errors, mount: &VolumeMount, container: &Container, path: &Path) {
    let privileged = container.security_context.as_ref().is_some_and(|c| c.privileged == Some(true));
    let propagation = mount.mount_propagation.as_deref();
    let propagation_path = path.child("mountPropagation");
    errors.one_of_if_set(&propagation_path, propagation, &["Bidirectional", "HostToContainer", "None"]);
    if propagation == Some("Bidirectional") && !privileged {
        let detail = "Bidirectional mount propagation is available only to privileged containers";
        errors.forbidden(&propagation_path, detail);
    }
    let Some(recursive) = mount.recursive_read_only.as_deref() else { return };
    let path = path.child("recursiveReadOnly");
    errors.one_of_if_set(&path, Some(recursive), &["Disabled", "Enabled", "IfPossible"]);
    if matches!(recursive, "Enabled" | "IfPossible") {
        if mount.read_only != Some(true) {
            errors.forbidden(&path, "may only be specified when readOnly is true");
        }
        if !matches!(propagation, None | Some("None")) {
            errors.forbidden(&path, "may only be specified when mountPropagation is None or not specified");
        }
    }
}

/// Volumes given as devices, at paths where nothing else is.
fn devices(errors: &mut Errors, container: &Container, volumes: &BTreeSet<&str>, path: &Path) {
    let mounted = |device: &str| container.volume_mounts.iter().flatten().any(|mount| mount.mount_path == device);
    let (mut names, mut points) = (BTreeSet::new(), BTreeSet::new());
    for (index, device) in container.volume_devices.iter().flatten().enumerate() {
        let path = path.index(index);
        if device.name.is_empty() {
            errors.required(&path.child("name"), "");
        } else if !volumes.contains(device.name.as_str()) {
            errors.0.push(FieldError::not_found(&path.child("name"), &serde_json::json!(device.name)));
        } else if !names.insert(&device.name) {
            errors.invalid(&path.child("name"), &device.name, "must be unique");
        }
        let path = path.child("devicePath");
        if device.device_path.is_empty() {
            errors.required(&path, "");
        } else if !points.insert(&device.device_path) {
            errors.invalid(&path, &device.device_path, "must be unique");
        } else if mounted(&device.device_path) {
            errors.invalid(&path, &device.device_path, "must not already exist as a path in volumeMounts");
        } else {
            volumes::no_backsteps(errors, &path, &device.device_path);
        }
    }
}
