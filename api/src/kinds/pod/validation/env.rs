//! Environment variables and where their values come from.

use k8s_openapi::api::core::v1::{Container, EnvVarSource};

use crate::field::Path;
use crate::kinds::check::Errors;
use crate::{names, pod, quantity::Quantity};

const ENV_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// Fields that volumes of the downward API can show.
pub(super) const VOLUME_FIELDS: &[&str] =
    &["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
const ENV_RESOURCES: &[&str] = &[
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

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
        let path = env_from.index(index);
        errors.named_if_set(&path.child("prefix"), source.prefix.as_ref(), names::env_var_name);
        let mut sources = 0;
        if let Some(reference) = &source.config_map_ref {
            sources += 1;
            errors.required_name(&path.child("configMapRef").child("name"), &reference.name, names::dns1123_subdomain);
        }
        if let Some(reference) = &source.secret_ref {
            sources += 1;
            errors.required_name(&path.child("secretRef").child("name"), &reference.name, names::dns1123_subdomain);
        }
        match sources {
            0 => errors.invalid(&path, &"", "must specify one of: `configMapRef` or `secretRef`"),
            1 => {}
            _ => errors.invalid(&path, &"", "may not have more than one field specified at a time"),
        }
    }
}

fn value_from(errors: &mut Errors, source: &EnvVarSource, has_value: bool, path: &Path) {
    let mut sources = 0;
    if let Some(reference) = &source.field_ref {
        sources += 1;
        field_ref(errors, &reference.field_path, ENV_FIELDS, &path.child("fieldRef"));
    }
    if let Some(reference) = &source.resource_field_ref {
        sources += 1;
        let path = path.child("resourceFieldRef");
        resource_ref(errors, &reference.resource, reference.divisor.as_ref().map(|d| d.0.as_str()), &path);
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
        let path = path.child("fileKeyRef");
        errors.required_name(&path.child("key"), &reference.key, names::env_var_name);
        errors.required_name(&path.child("volumeName"), &reference.volume_name, names::dns1123_label);
        if reference.path.is_empty() {
            errors.required(&path.child("path"), "");
        }
    }
    match sources {
        0 => {
            let detail = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or \
                          `fileKeyRef`";
            errors.invalid(path, &"", detail);
        }
        _ if has_value => errors.invalid(path, &"", "may not be specified when `value` is not empty"),
        1 => {}
        _ => errors.invalid(path, &"", "may not have more than one field specified at a time"),
    }
}

fn key_ref(errors: &mut Errors, name: &str, key: &str, path: &Path) {
    errors.required_name(&path.child("name"), name, names::dns1123_subdomain);
    errors.required_name(&path.child("key"), key, names::config_map_key);
}

/// A `fieldPath` is one of these, or a single label or annotation.
pub(super) fn field_ref(errors: &mut Errors, field: &str, supported: &[&str], path: &Path) {
    let path = path.child("fieldPath");
    if field.is_empty() {
        errors.required(&path, "");
    } else if let Some((map, key)) = pod::subscript(field) {
        match map {
            "metadata.labels" => errors.named(&path, key, names::qualified_name),
            "metadata.annotations" => {
                let details = names::qualified_name(&key.to_lowercase());
                details.iter().for_each(|detail| errors.invalid(&path, &key, detail));
            }
            _ => errors.invalid(&path, &field, "does not support subscript"),
        }
    } else if !supported.contains(&field) {
        errors.not_supported(&path, field, supported);
    }
}

/// A `resourceFieldRef` names a resource of the downward API and a divisor that suits it.
pub(super) fn resource_ref(errors: &mut Errors, resource: &str, divisor: Option<&str>, path: &Path) {
    if resource.is_empty() {
        errors.required(&path.child("resource"), "");
        return;
    }
    let huge_pages = ["limits.hugepages-", "requests.hugepages-"].iter().any(|p| resource.starts_with(p));
    if !huge_pages && !ENV_RESOURCES.contains(&resource) {
        errors.not_supported(&path.child("resource"), resource, ENV_RESOURCES);
        return;
    }
    let divisor = divisor.unwrap_or("0");
    let supported: &[&str] = if resource.ends_with(".cpu") {
        &["1", "1m"]
    } else {
        &["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"]
    };
    let unset = divisor.parse::<Quantity>().is_ok_and(Quantity::is_zero);
    if !unset && !supported.contains(&divisor) {
        let detail = if resource.ends_with(".cpu") {
            "only divisor's values 1m and 1 are supported with the cpu resource".to_string()
        } else {
            let (last, first) = supported.split_last().expect("the list above is not empty");
            let name = resource.split_once('.').map_or(resource, |(_, name)| name);
            format!("only divisor's values {}, {last} are supported with the {name} resource", first.join(", "))
        };
        errors.invalid(&path.child("divisor"), &divisor, &detail);
    }
}
