//! Volumes that are put together from several sources.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    KeyToPath, PodSpec, ProjectedVolumeSource, ServiceAccountTokenProjection, VolumeProjection,
};

use super::downward;
use super::volumes::{key_paths, mode, relative_path};
use crate::field::Path;
use crate::kinds::check::Errors;

/// Shortest life of a projected token, in seconds.
const TOKEN_MIN_SECONDS: i64 = 600;
const TOKEN_MAX_SECONDS: i64 = 1 << 32;

/// `projected`
pub(super) fn validate(errors: &mut Errors, source: &ProjectedVolumeSource, path: &Path) {
    mode(errors, &path.child("defaultMode"), source.default_mode);
    let mut paths = BTreeSet::new();
    for (index, projection) in source.sources.iter().flatten().enumerate() {
        one(errors, projection, &mut paths, path, &path.child("sources").index(index));
    }
}

fn one<'a>(
    errors: &mut Errors,
    source: &'a VolumeProjection,
    paths: &mut BTreeSet<&'a str>,
    volume: &Path,
    path: &Path,
) {
    let mut sources = 0;
    if let Some(secret) = &source.secret {
        sources += 1;
        let items = secret.items.as_deref().unwrap_or_default();
        keys(errors, &secret.name, items, paths, volume, &path.child("secret"));
    }
    if let Some(map) = &source.config_map {
        sources += 1;
        let items = map.items.as_deref().unwrap_or_default();
        keys(errors, &map.name, items, paths, volume, &path.child("configMap"));
    }
    if let Some(source) = &source.downward_api {
        sources += 1;
        for file in source.items.iter().flatten() {
            downward::file(errors, file, &path.child("downwardAPI"));
            if !file.path.is_empty() && !paths.insert(&file.path) {
                errors.invalid(volume, &file.path, "conflicting duplicate paths");
            }
        }
    }
    if let Some(source) = &source.service_account_token {
        sources += 1;
        token(errors, source, volume, &path.child("serviceAccountToken"));
    }
    if sources > 1 {
        errors.forbidden(path, "may not specify more than 1 volume type per source");
    }
}

fn keys<'a>(
    errors: &mut Errors,
    name: &str,
    items: &'a [KeyToPath],
    paths: &mut BTreeSet<&'a str>,
    volume: &Path,
    path: &Path,
) {
    if name.is_empty() {
        errors.required(&path.child("name"), "");
    }
    key_paths(errors, items, &path.child("items"));
    for item in items.iter().filter(|item| !item.path.is_empty()) {
        if !paths.insert(&item.path) {
            errors.invalid(volume, &name, "conflicting duplicate paths");
        }
    }
}

fn token(errors: &mut Errors, token: &ServiceAccountTokenProjection, volume: &Path, path: &Path) {
    let path = path.child("expirationSeconds");
    match token.expiration_seconds.unwrap_or_default() {
        seconds if seconds < TOKEN_MIN_SECONDS => {
            errors.invalid(&path, &seconds, "may not specify a duration less than 10 minutes");
        }
        seconds if seconds > TOKEN_MAX_SECONDS => {
            errors.invalid(&path, &seconds, "may not specify a duration larger than 2^32 seconds");
        }
        _ => {}
    }
    relative_path(errors, &volume.child("path"), &token.path);
}

/// A token is somebody's.
pub(super) fn tokens_without_account(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    for (index, volume) in spec.volumes.iter().flatten().enumerate() {
        let sources = volume.projected.iter().flat_map(|p| p.sources.iter().flatten());
        for (source, _) in sources.enumerate().filter(|(_, source)| source.service_account_token.is_some()) {
            let path = path.index(index).child("projected").child("sources").index(source).child("serviceAccountToken");
            errors.forbidden(&path, "must not be specified when serviceAccountName is not set");
        }
    }
}
