//! What a persistent volume must be.

use serde_json::{Value, json};

use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::{has, part, text, texts};
use crate::kinds::pod::node_selector;
use crate::kinds::pod::volume_sources::{self, Owner};
use crate::kinds::volume_claim;
use crate::{meta, names};

/// The fields of the spec that say where the volume comes from, in the order in which Kubernetes looks for them.
pub(super) const SOURCES: &[&str] = &[
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "flocker",
    "nfs",
    "rbd",
    "quobyte",
    "cephfs",
    "iscsi",
    "cinder",
    "fc",
    "flexVolume",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "scaleIO",
    "local",
    "storageos",
    "csi",
];

pub(super) fn validate(volume: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, spec) = (Path::root("spec"), part(volume, "spec"));
    let modes = texts(&spec, "accessModes");
    if modes.is_empty() {
        errors.required(&path.child("accessModes"), "");
    }
    volume_claim::access_modes(&mut errors, &modes, &path.child("accessModes"));
    capacity(&mut errors, &spec, &path.child("capacity"));
    let policies = ["Delete", "Recycle", "Retain"];
    errors.choice_if_set(&path, &spec, "persistentVolumeReclaimPolicy", &policies);
    node_affinity(&mut errors, &spec, &path);
    sources(&mut errors, &spec, meta::name(volume), &path);
    let is_root = |host: &str| host.starts_with('/') && host.split('/').all(|part| matches!(part, "" | "." | ".."));
    if is_root(text(&spec, "hostPath.path")) && text(&spec, "persistentVolumeReclaimPolicy") == "Recycle" {
        let detail = "may not be 'recycle' for a hostPath mount of '/'";
        errors.forbidden(&path.child("persistentVolumeReclaimPolicy"), detail);
    }
    let class = text(&spec, "storageClassName");
    if !class.is_empty() {
        errors.named(&path.child("storageClassName"), class, names::dns1123_subdomain);
    }
    errors.choice_if_set(&path, &spec, "volumeMode", volume_claim::VOLUME_MODES);
    attributes_class(&mut errors, &spec, &path);
    errors.0
}

/// Where the volume comes from: one source, complete.
pub(in crate::kinds) fn sources(errors: &mut Errors, spec: &Value, name: &str, path: &Path) {
    volume_sources::only_one(errors, spec, SOURCES, path, |errors, source, value| {
        volume_sources::check(errors, source, value, path, Owner::Persistent(name));
        if source == "local" && !has(spec, "nodeAffinity") {
            errors.required(&path.child("nodeAffinity"), "Local volume requires node affinity");
        }
    });
}

fn capacity(errors: &mut Errors, spec: &Value, path: &Path) {
    let amounts = part(spec, "capacity").as_object().cloned().unwrap_or_default();
    if amounts.is_empty() {
        errors.required(path, "");
    }
    if !amounts.contains_key("storage") || amounts.len() > 1 {
        errors.0.push(FieldError::not_supported(path, &json!(amounts), &["storage"]));
    }
    for (name, amount) in &amounts {
        volume_claim::basic(errors, amount, &path.key(name));
        volume_claim::positive(errors, amount, &path.key(name));
    }
}

fn node_affinity(errors: &mut Errors, spec: &Value, path: &Path) {
    if !has(spec, "nodeAffinity") {
        return;
    }
    let path = path.child("nodeAffinity").child("required");
    match spec.pointer("/nodeAffinity/required").filter(|required| !required.is_null()) {
        Some(required) => node_selector(errors, required, &path),
        None => errors.required(&path, "must specify required node constraints"),
    }
}

fn attributes_class(errors: &mut Errors, spec: &Value, path: &Path) {
    if !has(spec, "volumeAttributesClassName") {
        return;
    }
    let class = path.child("volumeAttributesClassName");
    match text(spec, "volumeAttributesClassName") {
        "" => errors.required(&class, "an empty string is disallowed"),
        name => errors.named(&class, name, names::dns1123_subdomain),
    }
    if !has(spec, "csi") {
        errors.required(&path.child("csi"), "has to be specified when using volumeAttributesClassName");
    }
}
