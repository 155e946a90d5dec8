//! Volumes.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{DownwardAPIVolumeFile, KeyToPath, Volume, VolumeProjection};

use super::env;
use crate::field::Path;
use crate::kinds::check::Errors;
use crate::kinds::json::json;
use crate::kinds::pod::volume_sources;
use crate::kinds::volume_claim;
use crate::names;
use crate::quantity::Quantity;

const MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";
/// Shortest life of a projected token, in seconds.
const TOKEN_MIN_SECONDS: i64 = 600;
const TOKEN_MAX_SECONDS: i64 = 1 << 32;
const HOST_PATH_TYPES: &[&str] =
    &["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];

/// Checks the volumes and returns the names that containers can mount.
pub(super) fn validate<'a>(errors: &mut Errors, volumes: &'a [Volume], path: &Path) -> BTreeSet<&'a str> {
    let mut names_seen = BTreeSet::new();
    for (index, volume) in volumes.iter().enumerate() {
        let path = path.index(index);
        errors.required_name(&path.child("name"), &volume.name, names::dns1123_label);
        if !volume.name.is_empty() && !names_seen.insert(volume.name.as_str()) {
            errors.duplicate(&path.child("name"), &volume.name);
        }
        match sources(volume) {
            0 => errors.required(&path, "must specify a volume type"),
            1 => source(errors, volume, &path),
            _ => errors.forbidden(&path, "may not specify more than 1 volume type"),
        }
    }
    names_seen
}

/// How many sources the volume has: whatever is set besides its name.
fn sources(volume: &Volume) -> usize {
    json(volume).as_object().map_or(0, |map| map.keys().filter(|k| *k != "name").count())
}

fn source(errors: &mut Errors, volume: &Volume, path: &Path) {
    if let Some(empty) = &volume.empty_dir {
        let limit = empty.size_limit.as_ref().map(|l| l.0.parse::<Quantity>());
        if limit.is_some_and(|l| l.is_ok_and(Quantity::is_negative)) {
            let detail = "SizeLimit field must be a valid resource quantity";
            errors.forbidden(&path.child("emptyDir").child("sizeLimit"), detail);
        }
    }
    if let Some(host) = &volume.host_path {
        let path = path.child("hostPath");
        if host.path.is_empty() {
            errors.required(&path.child("path"), "");
        } else {
            no_backsteps(errors, &path.child("path"), &host.path);
        }
        errors.one_of_if_set(&path.child("type"), host.type_.as_deref(), HOST_PATH_TYPES);
    }
    if let Some(map) = &volume.config_map {
        let path = path.child("configMap");
        if map.name.is_empty() {
            errors.required(&path.child("name"), "");
        }
        mode(errors, &path.child("defaultMode"), map.default_mode);
        key_paths(errors, map.items.as_deref().unwrap_or_default(), &path.child("items"));
    }
    if let Some(secret) = &volume.secret {
        let path = path.child("secret");
        if secret.secret_name.as_deref().unwrap_or_default().is_empty() {
            errors.required(&path.child("secretName"), "");
        }
        mode(errors, &path.child("defaultMode"), secret.default_mode);
        key_paths(errors, secret.items.as_deref().unwrap_or_default(), &path.child("items"));
    }
    if let Some(downward) = &volume.downward_api {
        let path = path.child("downwardAPI");
        mode(errors, &path.child("defaultMode"), downward.default_mode);
        downward_files(errors, downward.items.as_deref().unwrap_or_default(), &path.child("items"));
    }
    if let Some(projected) = &volume.projected {
        let path = path.child("projected");
        mode(errors, &path.child("defaultMode"), projected.default_mode);
        for (index, source) in projected.sources.iter().flatten().enumerate() {
            projection(errors, source, &path.child("sources").index(index));
        }
    }
    if volume.persistent_volume_claim.as_ref().is_some_and(|c| c.claim_name.is_empty()) {
        errors.required(&path.child("persistentVolumeClaim").child("claimName"), "");
    }
    made(errors, volume, path);
}

/// Sources that say what a volume is made from.
fn made(errors: &mut Errors, volume: &Volume, path: &Path) {
    volume_sources::validate(errors, &json(volume), path);
    if let Some(ephemeral) = &volume.ephemeral {
        let path = path.child("ephemeral").child("volumeClaimTemplate");
        match &ephemeral.volume_claim_template {
            Some(template) => volume_claim::spec_errors(errors, &json(&template.spec), &path.child("spec")),
            None => errors.required(&path, ""),
        }
    }
    if let Some(image) = &volume.image {
        let path = path.child("image");
        let reference = image.reference.as_deref().unwrap_or_default();
        if reference.is_empty() {
            errors.required(&path.child("reference"), "");
        }
        errors.one_of_if_set(
            &path.child("pullPolicy"),
            image.pull_policy.as_deref(),
            &["Always", "IfNotPresent", "Never"],
        );
    }
    if let Some(reference) = volume.csi.as_ref().and_then(|csi| csi.node_publish_secret_ref.as_ref())
        && reference.name.is_empty()
    {
        errors.required(&path.child("csi").child("nodePublishSecretRef").child("name"), "");
    }
}

fn projection(errors: &mut Errors, source: &VolumeProjection, path: &Path) {
    let count = json(source).as_object().map_or(0, serde_json::Map::len);
    match count {
        0 => errors.required(path, "must specify at least one volume type per source"),
        1 => {}
        _ => errors.forbidden(path, "may not specify more than 1 volume type per source"),
    }
    if let Some(bundle) = &source.cluster_trust_bundle {
        let path = path.child("clusterTrustBundle");
        let is_set = |text: &Option<String>| text.as_ref().is_some_and(|t| !t.is_empty());
        match (is_set(&bundle.name), is_set(&bundle.signer_name)) {
            (true, true) => {
                errors.invalid(&path, bundle, "only one of name and signerName may be used");
            }
            (false, false) => errors.required(&path, "either name or signerName must be specified"),
            _ => {}
        }
        relative_path(errors, &path.child("path"), &bundle.path);
    }
    if let Some(map) = &source.config_map {
        let path = path.child("configMap");
        if map.name.is_empty() {
            errors.required(&path.child("name"), "");
        }
        key_paths(errors, map.items.as_deref().unwrap_or_default(), &path.child("items"));
    }
    if let Some(secret) = &source.secret {
        let path = path.child("secret");
        if secret.name.is_empty() {
            errors.required(&path.child("name"), "");
        }
        key_paths(errors, secret.items.as_deref().unwrap_or_default(), &path.child("items"));
    }
    if let Some(downward) = &source.downward_api {
        downward_files(
            errors,
            downward.items.as_deref().unwrap_or_default(),
            &path.child("downwardAPI").child("items"),
        );
    }
    if let Some(token) = &source.service_account_token {
        let path = path.child("serviceAccountToken");
        match token.expiration_seconds.unwrap_or(TOKEN_MIN_SECONDS) {
            seconds if seconds < TOKEN_MIN_SECONDS => {
                errors.invalid(
                    &path.child("expirationSeconds"),
                    &seconds,
                    "may not specify a duration less than 10 minutes",
                );
            }
            seconds if seconds > TOKEN_MAX_SECONDS => {
                let detail = "may not specify a duration larger than 2^32 seconds";
                errors.invalid(&path.child("expirationSeconds"), &seconds, detail);
            }
            _ => {}
        }
        relative_path(errors, &path.child("path"), &token.path);
    }
}

fn key_paths(errors: &mut Errors, items: &[KeyToPath], path: &Path) {
    for (index, item) in items.iter().enumerate() {
        let path = path.index(index);
        if item.key.is_empty() {
            errors.required(&path.child("key"), "");
        }
        relative_path(errors, &path.child("path"), &item.path);
        mode(errors, &path.child("mode"), item.mode);
    }
}

fn downward_files(errors: &mut Errors, files: &[DownwardAPIVolumeFile], path: &Path) {
    for (index, file) in files.iter().enumerate() {
        let path = path.index(index);
        relative_path(errors, &path.child("path"), &file.path);
        mode(errors, &path.child("mode"), file.mode);
        match (&file.field_ref, &file.resource_field_ref) {
            (Some(_), Some(_)) => {
                errors.invalid(&path, &"resource", "fieldRef and resourceFieldRef can not be specified simultaneously");
            }
            (Some(field), None) => {
                env::field_ref(errors, &field.field_path, env::VOLUME_FIELDS, &path.child("fieldRef"))
            }
            (None, Some(resource)) => {
                let path = path.child("resourceFieldRef");
                if resource.container_name.as_deref().unwrap_or_default().is_empty() {
                    errors.required(&path.child("containerName"), "");
                }
                env::resource_ref(errors, &resource.resource, resource.divisor.as_ref().map(|d| d.0.as_str()), &path);
            }
            (None, None) => errors.required(&path, "one of fieldRef and resourceFieldRef is required"),
        }
    }
}

fn mode(errors: &mut Errors, path: &Path, mode: Option<i32>) {
    if let Some(mode) = mode.filter(|m| !(0..=0o777).contains(m)) {
        errors.invalid(path, &mode, MODE);
    }
}

fn relative_path(errors: &mut Errors, path: &Path, text: &str) {
    if text.is_empty() {
        errors.required(path, "");
        return;
    }
    local_path(errors, path, text);
    if text.starts_with("..") && !text.starts_with("../") && text != ".." {
        errors.invalid(path, &text, "must not start with '..'");
    }
}

/// A path inside a volume.
pub(super) fn local_path(errors: &mut Errors, path: &Path, text: &str) {
    if text.starts_with('/') {
        errors.invalid(path, &text, "must be a relative path");
    }
    no_backsteps(errors, path, text);
}

pub(super) fn no_backsteps(errors: &mut Errors, path: &Path, text: &str) {
    if text.split('/').any(|part| part == "..") {
        errors.invalid(path, &text, "must not contain '..'");
    }
}
