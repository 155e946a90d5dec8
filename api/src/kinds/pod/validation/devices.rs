//! Devices: volumes given to containers as such, and claims of those that drivers manage.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, PodResourceClaim, PodSpec};
use serde_json::Value;

use super::annotations::is_mirror;
use super::volumes::Volumes;
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::json;
use crate::names;

/// `volumeDevices`: claims given as devices, at paths where nothing else is.
pub(super) fn validate(errors: &mut Errors, container: &Container, volumes: &Volumes<'_>, path: &Path) {
    let mounts = container.volume_mounts.as_deref().unwrap_or_default();
    let mounted: BTreeSet<&str> = mounts.iter().map(|mount| mount.name.as_str()).collect();
    let mount_points: BTreeSet<&str> = mounts.iter().map(|mount| mount.mount_path.as_str()).collect();
    let (mut names, mut points) = (BTreeSet::new(), BTreeSet::new());
    for (index, device) in container.volume_devices.iter().flatten().enumerate() {
        let (name_path, point_path) = (path.index(index).child("name"), path.index(index).child("devicePath"));
        let (name, point) = (device.name.as_str(), device.device_path.as_str());
        if name.is_empty() {
            errors.required(&name_path, "");
        }
        if names.contains(name) {
            errors.invalid(&name_path, &name, "must be unique");
        }
        match volumes.get(name) {
            Some(true) => {}
            Some(false) => {
                let detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
                errors.invalid(&name_path, &name, detail);
            }
            None => errors.tell(|| FieldError::not_found(&name_path, &json(&name))),
        }
        if point.is_empty() {
            errors.required(&point_path, "");
        }
        if points.contains(point) {
            errors.invalid(&point_path, &point, "must be unique");
        }
        if point.split('/').any(|part| part == "..") {
            errors.invalid(&point_path, &point, "can not contain backsteps ('..')");
        } else {
            points.insert(point);
        }
        if mounted.contains(name) {
            errors.invalid(&name_path, &name, "must not already exist in volumeMounts");
        }
        if mount_points.contains(point) {
            errors.invalid(&point_path, &point, "must not already exist as a path in volumeMounts");
        }
        if !name.is_empty() {
            names.insert(name);
        }
    }
}

/// `resourceClaims`: each names one that exists, or a template to make one from.
pub(super) fn claims(errors: &mut Errors, spec: &PodSpec, pod: Option<&Value>, path: &Path) {
    let mut seen = BTreeSet::new();
    for (index, claim) in spec.resource_claims.iter().flatten().enumerate() {
        if pod.is_some_and(is_mirror) {
            errors.forbidden(&Path::unnamed(), "static pods do not support resource claims");
            continue;
        }
        let path = path.index(index);
        if claim.name.is_empty() || seen.insert(claim.name.as_str()) {
            errors.required_name(&path.child("name"), &claim.name, names::dns1123_label);
        } else {
            errors.duplicate(&path.child("name"), &claim.name);
        }
        origin(errors, claim, &path);
    }
}

fn origin(errors: &mut Errors, claim: &PodResourceClaim, path: &Path) {
    let (existing, template) = (claim.resource_claim_name.as_ref(), claim.resource_claim_template_name.as_ref());
    match (existing, template) {
        (Some(_), Some(_)) => {
            let detail = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified";
            errors.invalid(path, claim, detail);
        }
        (None, None) => {
            errors.invalid(path, claim, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`");
        }
        _ => {}
    }
    for (field, name) in [("resourceClaimName", existing), ("resourceClaimTemplateName", template)] {
        if let Some(name) = name {
            errors.named(&path.child(field), name, names::dns1123_subdomain);
        }
    }
}
