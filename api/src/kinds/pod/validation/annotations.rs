//! Annotations that mean something to pods: profiles from before there were fields for them, mirrors of static pods.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{PodSpec, Toleration};
use serde_json::Value;

use super::system::each_container;
use super::tolerations;
use crate::field::Path;
use crate::kinds::check::Errors;
use crate::kinds::json::{part, text};
use crate::kinds::pod::volume_sources::local_path;
use crate::meta;
use crate::pod::MIRROR_ANNOTATION;

const TOLERATIONS: &str = "scheduler.alpha.kubernetes.io/tolerations";
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
const SECCOMP_OF_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_OF_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
pub(in crate::kinds::pod) const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

/// Whether the pod stands for one that a node runs by itself.
pub(in crate::kinds::pod) fn is_mirror(pod: &Value) -> bool {
    meta::annotations(pod).contains_key(MIRROR_ANNOTATION)
}

/// The annotations of a pod or template.
pub(super) fn validate(errors: &mut Errors, object: &Value, spec: &PodSpec, path: &Path) {
    let all = meta::annotations(object);
    if let Some(value) = all.get(MIRROR_ANNOTATION)
        && spec.node_name.as_deref().unwrap_or_default().is_empty()
    {
        errors.invalid(&path.key(MIRROR_ANNOTATION), value, "must set spec.nodeName if mirror pod annotation is set");
    }
    if let Some(given) = all.get(TOLERATIONS).filter(|value| !value.is_empty()) {
        match serde_json::from_str::<Vec<Toleration>>(given) {
            Ok(list) => tolerations::validate(errors, &list, &path.child(TOLERATIONS)),
            Err(error) => errors.invalid(path, &TOLERATIONS, &error.to_string()),
        }
    }
    if let Some(cost) = all.get(DELETION_COST).filter(|cost| !is_cost(cost)) {
        errors.invalid(&path.key(DELETION_COST), cost, "must be a 32bit integer");
    }
    if let Some(profile) = all.get(SECCOMP_OF_POD) {
        seccomp(errors, profile, &path.child(SECCOMP_OF_POD));
    }
    for (key, profile) in all.iter().filter(|(key, _)| key.starts_with(SECCOMP_OF_CONTAINER)) {
        seccomp(errors, profile, &path.child(key));
    }
    app_armor(errors, object, spec, path);
}

/// A number as it is printed, so that it has one form.
fn is_cost(cost: &str) -> bool {
    let plain = cost.strip_prefix('-').unwrap_or(cost);
    let leading = plain.starts_with('0') && plain != "0";
    !cost.starts_with('+') && !leading && cost.parse::<i32>().is_ok()
}

fn seccomp(errors: &mut Errors, profile: &str, path: &Path) {
    match profile.strip_prefix("localhost/") {
        Some(file) => local_path(errors, path, file),
        None if matches!(profile, "runtime/default" | "docker/default" | "unconfined") => {}
        None => errors.invalid(path, &profile, "must be a valid seccomp profile"),
    }
}

fn app_armor(errors: &mut Errors, object: &Value, spec: &PodSpec, path: &Path) {
    let init = spec.init_containers.iter().flatten().map(|c| &c.name);
    let names = init.chain(spec.containers.iter().map(|c| &c.name));
    let names: BTreeSet<&str> =
        names.chain(spec.ephemeral_containers.iter().flatten().map(|c| &c.name)).map(String::as_str).collect();
    for (key, profile) in meta::annotations(object) {
        let Some(container) = key.strip_prefix(APP_ARMOR) else { continue };
        if !names.contains(container) {
            errors.invalid(&path.key(key), &container, "container not found");
        }
        let known = matches!(profile, "" | "runtime/default" | "unconfined") || profile.starts_with("localhost/");
        if !known {
            errors.invalid(&path.key(key), &profile, &format!("invalid AppArmor profile name: {profile:?}"));
        }
    }
}

/// Where both an annotation and a field name a profile, it is the same. `path` is that of the spec.
pub(super) fn agree_with_fields(errors: &mut Errors, object: &Value, path: &Path) {
    let (all, spec) = (meta::annotations(object), part(object, "spec"));
    let seccomp = part(&spec, "securityContext.seccompProfile");
    if let Some(annotation) = all.get(SECCOMP_OF_POD) {
        let path = path.child("securityContext").child("seccompProfile");
        agrees(errors, annotation, &seccomp, "seccomp", &path);
    }
    each_container(&spec, path, |container, path| {
        if let Some(annotation) = all.get(format!("{SECCOMP_OF_CONTAINER}{}", text(container, "name")).as_str()) {
            let field = part(container, "securityContext.seccompProfile");
            agrees(errors, annotation, &field, "seccomp", &path.child("securityContext").child("seccompProfile"));
        }
    });
    if text(&spec, "os.name") == "windows" {
        return;
    }
    let of_pod = part(&spec, "securityContext.appArmorProfile");
    each_container(&spec, path, |container, path| {
        if let Some(annotation) = all.get(format!("{APP_ARMOR}{}", text(container, "name")).as_str()) {
            let own = part(container, "securityContext.appArmorProfile");
            let field = if own.is_null() { &of_pod } else { &own };
            agrees(errors, annotation, field, "apparmor", &path.child("securityContext").child("appArmorProfile"));
        }
    });
}

fn agrees(errors: &mut Errors, annotation: &str, field: &Value, what: &str, path: &Path) {
    let same_type = match text(field, "type") {
        "Unconfined" => annotation == "unconfined",
        "RuntimeDefault" => annotation == "runtime/default" || (what == "seccomp" && annotation == "docker/default"),
        "Localhost" => annotation.starts_with("localhost/"),
        _ => true,
    };
    if !same_type {
        errors.forbidden(&path.child("type"), &format!("{what} type in annotation and field must match"));
    } else if text(field, "type") == "Localhost"
        && annotation.strip_prefix("localhost/") != field["localhostProfile"].as_str()
    {
        let detail = format!("{what} profile in annotation and field must match");
        errors.forbidden(&path.child("localhostProfile"), &detail);
    }
}

/// Annotations that stay as they were made.
pub(in crate::kinds::pod) fn validate_update(errors: &mut Errors, new: &Value, old: &Value) {
    let path = Path::root("metadata").child("annotations");
    let (now, before) = (meta::annotations(new), meta::annotations(old));
    let mut fixed = |key: &str, app_armor: &str, mirror: &str| {
        if key.starts_with(APP_ARMOR) {
            errors.forbidden(&path.key(key), app_armor);
        }
        if key == MIRROR_ANNOTATION {
            errors.forbidden(&path.key(key), mirror);
        }
    };
    for (key, _) in before.iter().filter(|(key, value)| now.get(*key) != Some(value)) {
        fixed(key, "may not remove or update AppArmor annotations", "may not remove or update mirror pod annotation");
    }
    for key in now.keys().filter(|key| !before.contains_key(*key)) {
        fixed(key, "may not add AppArmor annotations", "may not add mirror pod annotation");
    }
}
