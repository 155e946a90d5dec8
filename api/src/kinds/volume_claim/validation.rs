//! What the spec of a claim, or of a claim template inside another kind, must be.

use serde_json::Value;

use crate::field::Path;
use crate::kinds::check::{Errors, same};
use crate::kinds::json::{has, part, text, texts};
use crate::names;
use crate::quantity::Quantity;

/// How a volume can be mounted.
const ACCESS_MODES: &[&str] = &["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
/// Whether a volume is mounted or given as a device.
pub(in crate::kinds) const VOLUME_MODES: &[&str] = &["Block", "Filesystem"];

/// All errors in the spec of a claim.
pub(in crate::kinds) fn spec_errors(errors: &mut Errors, spec: &Value, path: &Path) {
    let modes = texts(spec, "accessModes");
    if modes.is_empty() {
        errors.required(&path.child("accessModes"), "at least 1 access mode is required");
    }
    errors.selector(path, spec, "selector");
    access_modes(errors, &modes, &path.child("accessModes"));
    let storage_path = path.child("resources").key("storage");
    match spec.pointer("/resources/requests/storage") {
        None => errors.required(&storage_path, ""),
        Some(amount) => positive(errors, amount, &storage_path),
    }
    let class = |errors: &mut Errors, field: &str| match text(spec, field) {
        "" => {}
        name => errors.named(&path.child(field), name, names::dns1123_subdomain),
    };
    class(errors, "storageClassName");
    errors.choice_if_set(path, spec, "volumeMode", VOLUME_MODES);
    for field in ["dataSource", "dataSourceRef"] {
        if has(spec, field) {
            source(errors, &part(spec, field), &path.child(field));
        }
    }
    let (one, other) = (part(spec, "dataSource"), part(spec, "dataSourceRef"));
    if !one.is_null() && !other.is_null() && !same(&one, &other) {
        errors.invalid(path, &path.child("dataSource").to_string(), "must match dataSourceRef");
    }
    class(errors, "volumeAttributesClassName");
}

/// Modes that exist; a volume for one pod is for nobody else.
pub(in crate::kinds) fn access_modes(errors: &mut Errors, modes: &[&str], path: &Path) {
    for mode in modes.iter().filter(|mode| !ACCESS_MODES.contains(mode)) {
        errors.not_supported(path, mode, ACCESS_MODES);
    }
    let others = |mode: &&str| *mode != "ReadWriteOncePod" && ACCESS_MODES.contains(mode);
    if modes.contains(&"ReadWriteOncePod") && modes.iter().any(others) {
        errors.forbidden(path, "may not use ReadWriteOncePod with other access modes");
    }
}

/// An amount of storage that is more than nothing.
pub(in crate::kinds) fn positive(errors: &mut Errors, amount: &Value, path: &Path) {
    if Quantity::from_value(amount).is_some_and(|quantity| quantity.is_negative() || quantity.is_zero()) {
        errors.invalid(path, amount, "must be greater than zero");
    }
}

/// An amount that is not negative, in other words than usual.
pub(in crate::kinds) fn basic(errors: &mut Errors, amount: &Value, path: &Path) {
    if Quantity::from_value(amount).is_some_and(Quantity::is_negative) {
        errors.invalid(path, amount, "must be a valid resource quantity");
    }
}

fn source(errors: &mut Errors, source: &Value, path: &Path) {
    errors.filled(path, source, "name");
    errors.filled(path, source, "kind");
    let (group, kind) = (text(source, "apiGroup"), text(source, "kind"));
    if group.is_empty() && kind != "PersistentVolumeClaim" {
        errors.invalid(path, &kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
    }
    if !group.is_empty() {
        errors.named(&path.child("apiGroup"), group, names::dns1123_subdomain);
    }
}
