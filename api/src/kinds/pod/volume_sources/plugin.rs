//! Volumes that a driver makes.

use serde_json::Value;

use super::Owner;
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::{entries, text};
use crate::names;

const MAX_DRIVER_BYTES: usize = 63;
const SECRETS: [&str; 4] =
    ["controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef"];

pub(super) fn flex(errors: &mut Errors, source: &Value, path: &Path) {
    for (key, _) in entries(source, "options") {
        let namespace = key.split_once('/').map_or(key.as_str(), |(namespace, _)| namespace);
        let normalized = format!(".{}", namespace.to_lowercase());
        if normalized.ends_with(".kubernetes.io") || normalized.ends_with(".k8s.io") {
            errors.invalid(&path.child("options").key(key), key, "kubernetes.io and k8s.io namespaces are reserved");
        }
    }
}

/// The name of a CSI driver, which becomes part of paths and labels.
pub(in crate::kinds) fn driver_name(errors: &mut Errors, name: &str, path: &Path) {
    if name.is_empty() {
        return errors.required(path, "");
    }
    if name.len() > MAX_DRIVER_BYTES {
        errors.0.push(FieldError::too_long(path, MAX_DRIVER_BYTES));
    }
    names::dns1123_subdomain(&name.to_lowercase()).iter().for_each(|detail| errors.invalid(path, &name, detail));
}

pub(super) fn csi(errors: &mut Errors, source: &Value, path: &Path, owner: Owner<'_>) {
    driver_name(errors, text(source, "driver"), &path.child("driver"));
    if owner.is_persistent() {
        errors.filled(path, source, "volumeHandle");
        for field in SECRETS {
            if let Some(reference) = source.get(field).filter(|r| !r.is_null()) {
                persistent_secret(errors, reference, &path.child(field));
            }
        }
    } else if let Some(reference) = source.get("nodePublishSecretRef").filter(|r| !r.is_null()) {
        match text(reference, "name") {
            "" => errors.required(&path.child("nodePublishSecretRef").child("name"), ""),
            name => errors.named(&path.child("name"), name, names::dns1123_subdomain),
        }
    }
}

fn persistent_secret(errors: &mut Errors, reference: &Value, path: &Path) {
    errors.required_name(&path.child("name"), text(reference, "name"), names::dns1123_subdomain);
    errors.required_name(&path.child("namespace"), text(reference, "namespace"), names::dns1123_label);
}
