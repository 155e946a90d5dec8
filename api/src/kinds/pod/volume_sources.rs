//! Sources of volumes that pods and persistent volumes have in common: their defaults and what each must say.

use serde_json::Value;

use crate::field::Path;
use crate::kinds::check::Errors;
use crate::kinds::json::{boolean, integer, object, part, set_default, set_if_zero, text, texts};
use crate::names;

const MAX_DRIVER_BYTES: usize = 63;
const MAX_LUN: i64 = 255;

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

/// (source, fields that must not be empty)
const REQUIRED: &[(&str, &[&str])] = &[
    ("awsElasticBlockStore", &["volumeID"]),
    ("azureDisk", &["diskName", "diskURI"]),
    ("azureFile", &["secretName", "shareName"]),
    ("cinder", &["volumeID"]),
    ("csi", &["driver"]),
    ("flexVolume", &["driver"]),
    ("gcePersistentDisk", &["pdName"]),
    ("gitRepo", &["repository"]),
    ("glusterfs", &["endpoints", "path"]),
    ("iscsi", &["targetPortal", "iqn"]),
    ("local", &["path"]),
    ("nfs", &["server", "path"]),
    ("photonPersistentDisk", &["pdID"]),
    ("portworxVolume", &["volumeID"]),
    ("quobyte", &["registry", "volume"]),
    ("rbd", &["image"]),
    ("scaleIO", &["gateway", "system", "volumeName"]),
    ("vsphereVolume", &["volumePath"]),
];

/// Checks whichever of these sources is there.
pub(in crate::kinds) fn validate(errors: &mut Errors, holder: &Value, path: &Path) {
    for (source, fields) in REQUIRED {
        if let Some(value) = holder.get(*source).filter(|v| v.is_object()) {
            fields.iter().for_each(|field| errors.filled(&path.child(source), value, field));
        }
    }
    let at = |source: &str| (part(holder, source), path.child(source));
    disk(errors, at("gcePersistentDisk"), at("awsElasticBlockStore"));
    network(errors, at("iscsi"), at("nfs"));
    fibre_channel(errors, at("fc"));
    ceph(errors, at("cephfs"), at("rbd"));
    csi(errors, at("csi"));
    let (local, local_path) = at("local");
    if text(&local, "path").split('/').any(|part| part == "..") {
        errors.invalid(&local_path.child("path"), &text(&local, "path"), "must not contain '..'");
    }
}

type Source = (Value, Path);

fn disk(errors: &mut Errors, gce: Source, aws: Source) {
    for (source, path) in [gce, aws] {
        let partition = integer(&source, "partition");
        if !(0..=MAX_LUN).contains(&partition) {
            errors.invalid(&path.child("partition"), &partition, &names::out_of_range(0, MAX_LUN));
        }
    }
}

fn network(errors: &mut Errors, (iscsi, iscsi_path): Source, (nfs, nfs_path): Source) {
    let iqn = text(&iscsi, "iqn");
    if !iqn.is_empty() && !["iqn", "eui", "naa"].iter().any(|prefix| iqn.starts_with(prefix)) {
        errors.invalid(&iscsi_path.child("iqn"), &iqn, "must be valid format starting with iqn, eui, or naa");
    }
    if !(0..=MAX_LUN).contains(&integer(&iscsi, "lun")) {
        errors.invalid(&iscsi_path.child("lun"), &integer(&iscsi, "lun"), &names::out_of_range(0, MAX_LUN));
    }
    let chap = boolean(&iscsi, "chapAuthDiscovery") || boolean(&iscsi, "chapAuthSession");
    if chap && part(&iscsi, "secretRef").is_null() {
        errors.required(&iscsi_path.child("secretRef"), "");
    }
    let path = text(&nfs, "path");
    if !path.is_empty() && !path.starts_with('/') {
        errors.invalid(&nfs_path.child("path"), &path, "must be an absolute path");
    }
}

fn fibre_channel(errors: &mut Errors, (source, path): Source) {
    if source.is_null() {
        return;
    }
    match (texts(&source, "targetWWNs").is_empty(), texts(&source, "wwids").is_empty()) {
        (true, true) => {
            let detail = "must specify either targetWWNs or wwids, but not both";
            errors.required(&path.child("targetWWNs"), detail);
        }
        (false, false) => {
            let detail = "targetWWNs and wwids can not be specified simultaneously";
            errors.invalid(&path.child("targetWWNs"), &part(&source, "targetWWNs"), detail);
        }
        (false, true) if part(&source, "lun").is_null() => {
            errors.required(&path.child("lun"), "lun is required if targetWWNs is specified");
        }
        (false, true) if !(0..=MAX_LUN).contains(&integer(&source, "lun")) => {
            errors.invalid(&path.child("lun"), &integer(&source, "lun"), &names::out_of_range(0, MAX_LUN));
        }
        _ => {}
    }
}

fn ceph(errors: &mut Errors, (cephfs, cephfs_path): Source, (rbd, rbd_path): Source) {
    for (source, path) in [(cephfs, cephfs_path), (rbd, rbd_path)] {
        if source.is_object() && texts(&source, "monitors").is_empty() {
            errors.required(&path.child("monitors"), "");
        }
    }
}

fn csi(errors: &mut Errors, (source, path): Source) {
    let driver = text(&source, "driver");
    if driver.len() > MAX_DRIVER_BYTES {
        errors.0.push(crate::field::FieldError::too_long(&path.child("driver"), MAX_DRIVER_BYTES));
    } else if !driver.is_empty() {
        let details = names::dns1123_subdomain(&driver.to_lowercase());
        details.iter().for_each(|detail| errors.invalid(&path.child("driver"), &driver, detail));
    }
}
