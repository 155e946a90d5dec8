//! Sources of volumes that pods and persistent volumes have in common: their defaults and what each must say.

mod cloud;
mod network;
mod plugin;

use serde_json::Value;

pub(in crate::kinds::pod) use network::interface_name;
pub(in crate::kinds) use plugin::driver_name;

use crate::field::Path;
use crate::kinds::check::Errors;
use crate::kinds::json::{has, object, set_default, set_if_zero, text};

/// Whose volume it is: persistent ones name secrets in other namespaces, and some texts differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::kinds) enum Owner<'a> {
    /// A pod.
    Pod,
    /// The persistent volume of this name.
    Persistent(&'a str),
}

impl Owner<'_> {
    fn is_persistent(self) -> bool {
        self != Self::Pod
    }
}

/// Fills the defaults of whichever source is there. `holder` is a pod's volume or the spec of a persistent volume.
pub(in crate::kinds) fn defaults(holder: &mut Value) {
    let mut in_source = |source: &str, fields: &[(&str, Value)]| {
        if holder.get(source).is_none_or(Value::is_null) {
            return;
        }
        if let Some(map) = object(holder, source) {
            fields.iter().for_each(|(field, value)| match value {
                Value::String(text) if !text.is_empty() => set_if_zero(map, field, value.clone()),
                _ => set_default(map, field, value.clone()),
            });
        }
    };
    in_source("hostPath", &[("type", "".into())]);
    in_source("iscsi", &[("iscsiInterface", "default".into())]);
    in_source("rbd", &[("pool", "rbd".into()), ("user", "admin".into()), ("keyring", "/etc/ceph/keyring".into())]);
    in_source("scaleIO", &[("storageMode", "ThinProvisioned".into()), ("fsType", "xfs".into())]);
    in_source(
        "azureDisk",
        &[
            ("cachingMode", "ReadWrite".into()),
            ("kind", "Shared".into()),
            ("fsType", "ext4".into()),
            ("readOnly", false.into()),
        ],
    );
}

/// Sources that do nothing any more: (source, its name in the warning, since when).
const GONE: [(&str, &str, &str); 9] = [
    ("photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    ("scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
];

/// Warnings about the source of a volume at `path`.
pub(in crate::kinds) fn warnings(holder: &Value, path: &str) -> Vec<String> {
    let gone = GONE.iter().filter(|(source, ..)| has(holder, source));
    gone.map(|(_, name, since)| format!("{path}.{name}: {since}")).collect()
}

/// Checks that there is one source among those in `order`. The first that is there is checked, any other is one too many.
pub(in crate::kinds) fn only_one(
    errors: &mut Errors,
    holder: &Value,
    order: &[&str],
    path: &Path,
    check: impl FnOnce(&mut Errors, &str, &Value),
) {
    let mut present = order.iter().filter(|source| has(holder, source));
    match present.next() {
        Some(first) => check(errors, first, &holder[*first]),
        None => errors.required(path, "must specify a volume type"),
    }
    for more in present {
        errors.forbidden(&path.child(conflict_name(more)), "may not specify more than 1 volume type");
    }
}

/// Two sources go by other names in that complaint.
fn conflict_name(source: &str) -> &str {
    match source {
        "cephfs" => "cephFS",
        "downwardAPI" => "downwarAPI",
        same => same,
    }
}

/// (source, fields that must not be empty)
const REQUIRED: &[(&str, &[&str])] = &[
    ("awsElasticBlockStore", &["volumeID"]),
    ("azureDisk", &["diskName", "diskURI"]),
    ("azureFile", &["secretName", "shareName"]),
    ("cinder", &["volumeID"]),
    ("flexVolume", &["driver"]),
    ("gcePersistentDisk", &["pdName"]),
    ("gitRepo", &["repository"]),
    ("glusterfs", &["endpoints", "path"]),
    ("nfs", &["server", "path"]),
    ("photonPersistentDisk", &["pdID"]),
    ("portworxVolume", &["volumeID"]),
    ("scaleIO", &["gateway", "system", "volumeName"]),
    ("vsphereVolume", &["volumePath"]),
];
const HOST_PATH_TYPES: &[&str] =
    &["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];

/// Checks one source that `parent` holds.
pub(in crate::kinds) fn check(errors: &mut Errors, source: &str, value: &Value, parent: &Path, owner: Owner<'_>) {
    // What is inside of this one is reported under another name.
    let path = &parent.child(if source == "gcePersistentDisk" { "persistentDisk" } else { source });
    if let Some((_, fields)) = REQUIRED.iter().find(|(name, _)| *name == source) {
        fields.iter().for_each(|field| errors.filled(path, value, field));
    }
    match source {
        "hostPath" => host_path(errors, value, path),
        "local" if text(value, "path").is_empty() => errors.required(&path.child("path"), ""),
        "local" => no_backsteps(errors, &path.child("path"), text(value, "path")),
        "gitRepo" => local_path(errors, &path.child("directory"), text(value, "directory")),
        "gcePersistentDisk" | "awsElasticBlockStore" => cloud::partition(errors, value, path),
        "azureFile" => cloud::azure_file(errors, value, path),
        "azureDisk" => cloud::azure_disk(errors, value, path),
        "cinder" => secret_ref(errors, value, path, owner),
        "storageos" => cloud::storage_os(errors, value, path, owner),
        "flocker" => cloud::flocker(errors, value, path),
        "quobyte" => network::quobyte(errors, value, path),
        "nfs" => network::nfs(errors, value, path),
        "iscsi" => network::iscsi(errors, value, path, owner),
        "fc" => network::fibre_channel(errors, value, path),
        "glusterfs" => network::gluster(errors, value, path),
        "rbd" | "cephfs" => network::ceph(errors, source, value, path),
        "flexVolume" => plugin::flex(errors, value, path),
        "csi" => plugin::csi(errors, value, path, owner),
        _ => {}
    }
}

fn host_path(errors: &mut Errors, source: &Value, path: &Path) {
    let host = text(source, "path");
    if host.is_empty() {
        return errors.required(&path.child("path"), "");
    }
    no_backsteps(errors, &path.child("path"), host);
    errors.choice_if_set(path, source, "type", HOST_PATH_TYPES);
}

/// A reference to a secret that is there says which one.
fn secret_ref(errors: &mut Errors, source: &Value, path: &Path, owner: Owner<'_>) {
    let Some(reference) = source.get("secretRef").filter(|r| !r.is_null()) else { return };
    errors.filled(&path.child("secretRef"), reference, "name");
    if owner.is_persistent() {
        errors.filled(&path.child("secretRef"), reference, "namespace");
    }
}

/// A path inside a volume.
pub(in crate::kinds::pod) fn local_path(errors: &mut Errors, path: &Path, text: &str) {
    if text.starts_with('/') {
        errors.invalid(path, &text, "must be a relative path");
    }
    no_backsteps(errors, path, text);
}

/// A path that does not lead up.
pub(in crate::kinds::pod) fn no_backsteps(errors: &mut Errors, path: &Path, text: &str) {
    if text.split('/').any(|part| part == "..") {
        errors.invalid(path, &text, "must not contain '..'");
    }
}
