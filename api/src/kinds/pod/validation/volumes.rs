//! Volumes of pods.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{EphemeralVolumeSource, KeyToPath, Volume};
use serde_json::{Value, json as object};

use super::{containers, downward, projected};
use crate::field::Path;
use crate::kinds::check::Errors;
use crate::kinds::json::{entries, json};
use crate::kinds::pod::volume_sources::{self, Owner, interface_name, local_path};
use crate::kinds::volume_claim;
use crate::quantity::Quantity;
use crate::{metadata, names};

const MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";
/// The order in which Kubernetes looks for sources.
const ORDER: &[&str] = &[
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "flexVolume",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "storageos",
    "projected",
    "scaleIO",
    "csi",
    "ephemeral",
    "image",
];

/// The volumes that can be mounted, by name, and whether each is made of a claim.
pub(super) type Volumes<'a> = BTreeMap<&'a str, bool>;

/// Checks the volumes and returns those that are fine. `pod` is the name of the pod, if it is one and has one.
pub(super) fn validate<'a>(errors: &mut Errors, volumes: &'a [Volume], pod: Option<&str>, path: &Path) -> Volumes<'a> {
    let pod = pod.filter(|name| !name.is_empty());
    let made = volumes.iter().filter(|volume| volume.ephemeral.is_some());
    let made: BTreeSet<String> = made.filter_map(|volume| pod.map(|pod| format!("{pod}-{}", volume.name))).collect();
    let mut fine = Volumes::new();
    for (index, volume) in volumes.iter().enumerate() {
        let (path, before) = (path.index(index), errors.0.len());
        source(errors, volume, pod, &path);
        errors.required_name(&path.child("name"), &volume.name, names::dns1123_label);
        if fine.contains_key(volume.name.as_str()) {
            errors.duplicate(&path.child("name"), &volume.name);
        }
        if errors.0.len() == before {
            fine.insert(&volume.name, volume.persistent_volume_claim.is_some() || volume.ephemeral.is_some());
        }
        if let Some(claim) = volume.persistent_volume_claim.as_ref().filter(|claim| made.contains(&claim.claim_name)) {
            let path = path.child("persistentVolumeClaim").child("claimName");
            let detail = "must not reference a PVC that gets created for an ephemeral volume";
            errors.invalid(&path, &claim.claim_name, detail);
        }
    }
    fine
}

fn source(errors: &mut Errors, volume: &Volume, pod: Option<&str>, path: &Path) {
    let holder = json(volume);
    volume_sources::only_one(errors, &holder, ORDER, path, |errors, source, value| {
        let at = path.child(source);
        match source {
            "emptyDir" => empty(errors, value, &at),
            "secret" => keys(
                errors,
                volume.secret.as_ref().map(|s| (s.items.as_deref(), s.default_mode)),
                value,
                "secretName",
                &at,
            ),
            "configMap" => keys(
                errors,
                volume.config_map.as_ref().map(|s| (s.items.as_deref(), s.default_mode)),
                value,
                "name",
                &at,
            ),
            "persistentVolumeClaim" => errors.filled(&at, value, "claimName"),
            "downwardAPI" => {
                let Some(source) = &volume.downward_api else { return };
                mode(errors, &at.child("defaultMode"), source.default_mode);
                source.items.iter().flatten().for_each(|file| downward::file(errors, file, &at));
            }
            "projected" => {
                if let Some(source) = &volume.projected {
                    projected::validate(errors, source, &at);
                }
            }
            "ephemeral" => {
                if let Some(source) = &volume.ephemeral {
                    ephemeral(errors, source, volume, pod, path);
                }
            }
            "image" => {
                errors.filled(&at, value, "reference");
                errors.choice(&at, value, "pullPolicy", containers::PULL_POLICIES);
            }
            other => volume_sources::check(errors, other, value, path, Owner::Pod),
        }
    });
    interface_name(errors, &holder, path);
}

fn empty(errors: &mut Errors, source: &Value, path: &Path) {
    let limit = source.get("sizeLimit").and_then(Quantity::from_value);
    if limit.is_some_and(Quantity::is_negative) {
        errors.forbidden(&path.child("sizeLimit"), "SizeLimit field must be a valid resource quantity");
    }
}

/// Files made of the keys of an object.
fn keys(
    errors: &mut Errors,
    source: Option<(Option<&[KeyToPath]>, Option<i32>)>,
    value: &Value,
    name_field: &str,
    path: &Path,
) {
    let Some((items, default_mode)) = source else { return };
    errors.filled(path, value, name_field);
    mode(errors, &path.child("defaultMode"), default_mode);
    key_paths(errors, items.unwrap_or_default(), &path.child("items"));
}

pub(super) fn key_paths(errors: &mut Errors, items: &[KeyToPath], path: &Path) {
    for (index, item) in items.iter().enumerate() {
        let path = path.index(index);
        if item.key.is_empty() {
            errors.required(&path.child("key"), "");
        }
        relative_path(errors, &path.child("path"), &item.path);
        mode(errors, &path.child("mode"), item.mode);
    }
}

/// A claim that lives as long as the pod, made from a template that has nothing in its metadata but labels and
/// annotations.
fn ephemeral(errors: &mut Errors, source: &EphemeralVolumeSource, volume: &Volume, pod: Option<&str>, path: &Path) {
    let at = path.child("ephemeral").child("volumeClaimTemplate");
    match &source.volume_claim_template {
        None => errors.required(&at, ""),
        Some(template) => {
            let (metadata, meta_path) = (json(&template.metadata), at.child("metadata"));
            errors.0.extend(metadata::annotations(metadata.get("annotations"), &meta_path.child("annotations")));
            errors.0.extend(metadata::labels(metadata.get("labels"), &meta_path.child("labels")));
            for (field, _) in entries(&object!({ "m": metadata }), "m").filter(|(_, value)| !value.is_null()) {
                if !matches!(field.as_str(), "annotations" | "labels") {
                    errors.forbidden(&meta_path.child(field), "cannot be set");
                }
            }
            volume_claim::spec_errors(errors, &json(&template.spec), &at.child("spec"));
        }
    }
    let Some(claim) = pod.filter(|_| !volume.name.is_empty()).map(|pod| format!("{pod}-{}", volume.name)) else {
        return;
    };
    for detail in names::dns1123_subdomain(&claim) {
        errors.invalid(&path.child("name"), &volume.name, &format!("PVC name {claim:?}: {detail}"));
    }
}

pub(super) fn mode(errors: &mut Errors, path: &Path, mode: Option<i32>) {
    if let Some(mode) = mode.filter(|m| !(0..=0o777).contains(m)) {
        errors.invalid(path, &mode, MODE);
    }
}

/// The path of a file in a volume, whose own bookkeeping has names that begin with two dots.
pub(super) fn relative_path(errors: &mut Errors, path: &Path, text: &str) {
    if text.is_empty() {
        return errors.required(path, "");
    }
    local_path(errors, path, text);
    if text.starts_with("..") && !text.starts_with("../") && text != ".." {
        errors.invalid(path, &text, "must not start with '..'");
    }
}
