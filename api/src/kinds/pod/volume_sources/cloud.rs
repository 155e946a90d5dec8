//! Disks and shares of clouds.

use serde_json::Value;

use super::{Owner, secret_ref};
use crate::field::Path;
use crate::kinds::check::Errors;
use crate::kinds::json::{has, integer, text};
use crate::names;

const MAX_PARTITION: i64 = 255;
const CACHING_MODES: &[&str] = &["None", "ReadOnly", "ReadWrite"];
const DISK_KINDS: &[&str] = &["Dedicated", "Managed", "Shared"];
const MANAGED_DISK: &str =
    "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}";
const BLOB_DISK: &str = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd";

pub(super) fn partition(errors: &mut Errors, source: &Value, path: &Path) {
    let partition = integer(source, "partition");
    if !(0..=MAX_PARTITION).contains(&partition) {
        // 0 stands for the whole disk, which the text does not say.
        errors.invalid(&path.child("partition"), &partition, &names::out_of_range(1, MAX_PARTITION));
    }
}

pub(super) fn azure_file(errors: &mut Errors, source: &Value, path: &Path) {
    if has(source, "secretNamespace") {
        errors.filled(path, source, "secretNamespace");
    }
}

pub(super) fn azure_disk(errors: &mut Errors, source: &Value, path: &Path) {
    errors.choice_if_set(path, source, "cachingMode", CACHING_MODES);
    errors.choice_if_set(path, source, "kind", DISK_KINDS);
    if !has(source, "kind") {
        return;
    }
    let (uri, managed) = (text(source, "diskURI"), text(source, "kind") == "Managed");
    let (prefix, form) = if managed { ("/subscriptions/", MANAGED_DISK) } else { ("https://", BLOB_DISK) };
    if !uri.starts_with(prefix) {
        errors.not_supported(&path.child("diskURI"), uri, &[form]);
    }
}

pub(super) fn storage_os(errors: &mut Errors, source: &Value, path: &Path, owner: Owner<'_>) {
    errors.required_name(&path.child("volumeName"), text(source, "volumeName"), names::dns1123_label);
    match text(source, "volumeNamespace") {
        "" => {}
        namespace => errors.named(&path.child("volumeNamespace"), namespace, names::dns1123_label),
    }
    secret_ref(errors, source, path, owner);
}

pub(super) fn flocker(errors: &mut Errors, source: &Value, path: &Path) {
    let name = text(source, "datasetName");
    match (name.is_empty(), text(source, "datasetUUID").is_empty()) {
        (true, true) => errors.required(path, "one of datasetName and datasetUUID is required"),
        (false, false) => {
            errors.invalid(path, &"resource", "datasetName and datasetUUID can not be specified simultaneously");
        }
        _ => {}
    }
    if name.contains('/') {
        errors.invalid(&path.child("datasetName"), &name, "must not contain '/'");
    }
}
