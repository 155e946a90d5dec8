//! The downward API: fields and resources of a pod that its containers can read.

use k8s_openapi::api::core::v1::{DownwardAPIVolumeFile, ObjectFieldSelector, ResourceFieldSelector};

use super::volumes::{mode, relative_path};
use crate::field::Path;
use crate::kinds::check::Errors;
use crate::quantity::Quantity;
use crate::{names, pod};

pub(super) const ENV_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
const VOLUME_FIELDS: &[&str] =
    &["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
/// Fields that exist, although not everywhere.
const OTHER_FIELDS: &[&str] =
    &["metadata.annotations", "metadata.labels", "spec.restartPolicy", "spec.schedulerName", "status.phase"];
const RESOURCES: &[&str] = &[
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
const BYTES: &[&str] = &["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];

/// One file of a volume. The path is that of the source: Kubernetes does not say which of its files it means.
pub(super) fn file(errors: &mut Errors, file: &DownwardAPIVolumeFile, path: &Path) {
    relative_path(errors, &path.child("path"), &file.path);
    match (&file.field_ref, &file.resource_field_ref) {
        (Some(field), other) => {
            field_ref(errors, field, VOLUME_FIELDS, &path.child("fieldRef"));
            if other.is_some() {
                let detail = "fieldRef and resourceFieldRef can not be specified simultaneously";
                errors.invalid(path, &"resource", detail);
            }
        }
        (None, Some(resource)) => resource_ref(errors, resource, true, &path.child("resourceFieldRef")),
        (None, None) => errors.required(path, "one of fieldRef and resourceFieldRef is required"),
    }
    mode(errors, &path.child("mode"), file.mode);
}

/// A `fieldPath` is one of these, or a single label or annotation.
pub(super) fn field_ref(errors: &mut Errors, reference: &ObjectFieldSelector, supported: &[&str], path: &Path) {
    let version = reference.api_version.as_deref().unwrap_or_default();
    if version.is_empty() {
        return errors.required(&path.child("apiVersion"), "");
    }
    let (field, field_path) = (reference.field_path.as_str(), path.child("fieldPath"));
    if field.is_empty() {
        return errors.required(&field_path, "");
    }
    let subscript = pod::subscript(field);
    if version != "v1" {
        let detail = format!("error converting fieldPath: unsupported pod version: {version}");
        return errors.invalid(&field_path, &field, &detail);
    }
    match subscript {
        Some(("metadata.labels", key)) => errors.named(path, key, names::qualified_name),
        Some(("metadata.annotations", key)) => errors.named(path, &key.to_lowercase(), names::qualified_name),
        Some(_) => {
            let detail = format!("error converting fieldPath: field label does not support subscript: {field}");
            errors.invalid(&field_path, &field, &detail);
        }
        None => {
            // What it was called before there was a v1.
            let field = if field == "spec.host" { "spec.nodeName" } else { field };
            if !ENV_FIELDS.contains(&field) && !OTHER_FIELDS.contains(&field) {
                let detail = format!("error converting fieldPath: field label not supported: {field}");
                errors.invalid(&field_path, &field, &detail);
            } else if !supported.contains(&field) {
                errors.not_supported(&field_path, field, supported);
            }
        }
    }
}

fn is_huge_pages(resource: &str) -> bool {
    ["limits.hugepages-", "requests.hugepages-"].iter().any(|prefix| resource.starts_with(prefix))
}

/// A `resourceFieldRef` names a resource of the downward API and a divisor that suits it.
pub(super) fn resource_ref(errors: &mut Errors, reference: &ResourceFieldSelector, in_volume: bool, path: &Path) {
    let resource = reference.resource.as_str();
    if in_volume && reference.container_name.as_deref().unwrap_or_default().is_empty() {
        errors.required(&path.child("containerName"), "");
    } else if resource.is_empty() {
        errors.required(&path.child("resource"), "");
    } else if !RESOURCES.contains(&resource) && !is_huge_pages(resource) {
        errors.not_supported(&path.child("resource"), resource, RESOURCES);
    }
    let divisor = reference.divisor.as_ref().map_or("0", |d| d.0.as_str());
    if divisor.parse::<Quantity>().is_ok_and(Quantity::is_zero) {
        return;
    }
    let (supported, what): (&[&str], &str) = match resource {
        "limits.cpu" | "requests.cpu" => (&["1m", "1"], "cpu"),
        "limits.memory" | "requests.memory" => (BYTES, "memory"),
        "limits.ephemeral-storage" | "requests.ephemeral-storage" => (BYTES, "local ephemeral storage"),
        huge if is_huge_pages(huge) => (BYTES, "hugepages"),
        _ => return,
    };
    if !supported.contains(&divisor) {
        let listed = if what == "cpu" { "1m and 1".to_string() } else { supported.join(", ") };
        let detail = format!("only divisor's values {listed} are supported with the {what} resource");
        errors.invalid(&path.child("divisor"), &resource, &detail);
    }
}
