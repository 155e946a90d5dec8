//! What is mounted into containers, and where.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, VolumeMount};

use super::volumes::Volumes;
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::json;
use crate::kinds::pod::volume_sources::local_path;

/// `volumeMounts`. Some fields are reported without the index of their mount, as Kubernetes does.
pub(super) fn validate(errors: &mut Errors, container: &Container, volumes: &Volumes<'_>, path: &Path) {
    let devices = container.volume_devices.as_deref().unwrap_or_default();
    let device_names: BTreeSet<&str> = devices.iter().map(|device| device.name.as_str()).collect();
    let device_points: BTreeSet<&str> = devices.iter().map(|device| device.device_path.as_str()).collect();
    let mut points = BTreeSet::new();
    for (index, mount) in container.volume_mounts.iter().flatten().enumerate() {
        let at = path.index(index);
        let (name_path, point_path) = (at.child("name"), at.child("mountPath"));
        if mount.name.is_empty() {
            errors.required(&name_path, "");
        }
        if !volumes.contains_key(mount.name.as_str()) {
            errors.tell(|| FieldError::not_found(&name_path, &json(&mount.name)));
        }
        if mount.mount_path.is_empty() {
            errors.required(&point_path, "");
        }
        if !points.insert(&mount.mount_path) {
            errors.invalid(&point_path, &mount.mount_path, "must be unique");
        }
        if device_names.contains(mount.name.as_str()) {
            errors.invalid(&name_path, &mount.name, "must not already exist in volumeDevices");
        }
        if device_points.contains(mount.mount_path.as_str()) {
            errors.invalid(&point_path, &mount.mount_path, "must not already exist as a path in volumeDevices");
        }
        sub_paths(errors, mount, path, &at);
        propagation(errors, mount, container, path);
        recursion(errors, mount, &path.child("recursiveReadOnly"));
    }
}

fn sub_paths(errors: &mut Errors, mount: &VolumeMount, path: &Path, at: &Path) {
    let sub_path = mount.sub_path.as_deref().unwrap_or_default();
    if !sub_path.is_empty() {
        local_path(errors, &path.child("subPath"), sub_path);
    }
    let expression = mount.sub_path_expr.as_deref().unwrap_or_default();
    if expression.is_empty() {
        return;
    }
    if !sub_path.is_empty() {
        let detail = "subPathExpr and subPath are mutually exclusive";
        errors.invalid(&at.child("subPathExpr"), &expression, detail);
    }
    local_path(errors, &path.child("subPathExpr"), expression);
}

fn propagation(errors: &mut Errors, mount: &VolumeMount, container: &Container, path: &Path) {
    let path = path.child("mountPropagation");
    let propagation = mount.mount_propagation.as_deref();
    errors.one_of_if_set(&path, propagation, &["Bidirectional", "HostToContainer", "None"]);
    let privileged = container.security_context.as_ref().is_some_and(|c| c.privileged == Some(true));
    if propagation == Some("Bidirectional") && !privileged {
        errors.forbidden(&path, "Bidirectional mount propagation is available only to privileged containers");
    }
}

fn recursion(errors: &mut Errors, mount: &VolumeMount, path: &Path) {
    let recursive = mount.recursive_read_only.as_deref();
    errors.one_of_if_set(path, recursive, &["Disabled", "Enabled", "IfPossible"]);
    if matches!(recursive, Some("Enabled" | "IfPossible")) {
        if mount.read_only != Some(true) {
            errors.forbidden(path, "may only be specified when readOnly is true");
        }
        if !matches!(mount.mount_propagation.as_deref(), None | Some("None")) {
            errors.forbidden(path, "may only be specified when mountPropagation is None or not specified");
        }
    }
}
