//! Environment variables and where their values come from.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, EnvFromSource, EnvVarSource, FileKeySelector, PodSpec, Volume};

use super::downward;
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::json;
use crate::kinds::pod::volume_sources::no_backsteps;
use crate::names;

const NO_SOURCE: &str =
    "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";

/// `env` and `envFrom`
pub(super) fn validate(errors: &mut Errors, container: &Container, path: &Path) {
    let env = path.child("env");
    for (index, variable) in container.env.iter().flatten().enumerate() {
        let path = env.index(index);
        errors.required_name(&path.child("name"), &variable.name, names::env_var_name);
        if let Some(source) = &variable.value_from {
            let has_value = variable.value.as_ref().is_some_and(|v| !v.is_empty());
            value_from(errors, source, has_value, &path.child("valueFrom"));
        }
    }
    let env_from = path.child("envFrom");
    for (index, source) in container.env_from.iter().flatten().enumerate() {
        all_of(errors, source, &env_from.index(index));
        // How many there are is reported about the list, not the element.
        match usize::from(source.config_map_ref.is_some()) + usize::from(source.secret_ref.is_some()) {
            0 => errors.invalid(&env_from, &"", "must specify one of: `configMapRef` or `secretRef`"),
            1 => {}
            _ => errors.invalid(&env_from, &"", "may not have more than one field specified at a time"),
        }
    }
}

fn all_of(errors: &mut Errors, source: &EnvFromSource, path: &Path) {
    errors.named_if_set(&path.child("prefix"), source.prefix.as_ref(), names::env_var_name);
    // A name that could still get a suffix is good enough.
    let rule = |name: &str| names::subdomain_name(name, true);
    if let Some(reference) = &source.config_map_ref {
        errors.required_name(&path.child("configMapRef").child("name"), &reference.name, rule);
    }
    if let Some(reference) = &source.secret_ref {
        errors.required_name(&path.child("secretRef").child("name"), &reference.name, rule);
    }
}

fn value_from(errors: &mut Errors, source: &EnvVarSource, has_value: bool, path: &Path) {
    let mut sources = 0;
    if let Some(reference) = &source.field_ref {
        sources += 1;
        downward::field_ref(errors, reference, downward::ENV_FIELDS, &path.child("fieldRef"));
    }
    if let Some(reference) = &source.resource_field_ref {
        sources += 1;
        downward::resource_ref(errors, reference, false, &path.child("resourceFieldRef"));
    }
    if let Some(reference) = &source.config_map_key_ref {
        sources += 1;
        key_ref(errors, &reference.name, &reference.key, &path.child("configMapKeyRef"));
    }
    if let Some(reference) = &source.secret_key_ref {
        sources += 1;
        key_ref(errors, &reference.name, &reference.key, &path.child("secretKeyRef"));
    }
    if let Some(reference) = &source.file_key_ref {
        sources += 1;
        file_ref(errors, reference, &path.child("fileKeyRef"));
    }
    match sources {
        0 => errors.invalid(path, &"", NO_SOURCE),
        _ if has_value => errors.invalid(path, &"", "may not be specified when `value` is not empty"),
        1 => {}
        _ => errors.invalid(path, &"", "may not have more than one field specified at a time"),
    }
}

fn key_ref(errors: &mut Errors, name: &str, key: &str, path: &Path) {
    errors.named(&path.child("name"), name, names::dns1123_subdomain);
    errors.required_name(&path.child("key"), key, names::config_map_key);
}

fn file_ref(errors: &mut Errors, reference: &FileKeySelector, path: &Path) {
    errors.required_name(&path.child("key"), &reference.key, names::env_var_name);
    errors.required_name(&path.child("volumeName"), &reference.volume_name, names::dns1123_label);
    match reference.path.as_str() {
        "" => errors.required(&path.child("path"), ""),
        file => no_backsteps(errors, &path.child("path"), file),
    }
}

/// Files with variables are written by an earlier container, so they are in a volume that starts empty (KEP-3721).
pub(super) fn files_of_volumes(errors: &mut Errors, spec: &PodSpec, path: &Path) {
    let init = spec.init_containers.as_deref().unwrap_or_default();
    // The first of a name counts.
    let volumes: BTreeMap<&str, &Volume> =
        spec.volumes.iter().flatten().rev().map(|it| (it.name.as_str(), it)).collect();
    let lists = [("initContainers", init), ("containers", spec.containers.as_slice())];
    let mut check = |variables: Option<&Vec<k8s_openapi::api::core::v1::EnvVar>>, path: Path| {
        for (index, variable) in variables.into_iter().flatten().enumerate() {
            let Some(file) = variable.value_from.as_ref().and_then(|source| source.file_key_ref.as_ref()) else {
                continue;
            };
            let path = path.child("env").index(index).child("valueFrom").child("fileKeyRef").child("volumeName");
            match volumes.get(file.volume_name.as_str()) {
                None => errors.tell(|| FieldError::not_found(&path, &json(&file.volume_name))),
                Some(volume) if volume.empty_dir.is_none() => {
                    errors.invalid(&path, &file.volume_name, "referenced volume must be of type emptyDir");
                }
                Some(_) => {}
            }
        }
    };
    for (field, containers) in lists {
        for (index, container) in containers.iter().enumerate() {
            check(container.env.as_ref(), path.child(field).index(index));
        }
    }
    for (index, container) in spec.ephemeral_containers.iter().flatten().enumerate() {
        check(container.env.as_ref(), path.child("ephemeralContainers").index(index));
    }
}
