//! Rules of API services: which groups and versions are served, and by whom.

use serde_json::{Value, json};

use super::check::Errors;
use super::generation;
use super::json::{boolean, carry_over, has, integer, list, object, part, set_default, text};
use super::table::{AGE, age, column};
use crate::catalog::{RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::{meta, names};

/// The rules of the row.
pub static RULES: Rules = Rules {
    defaults: |service| {
        if has(service, "spec.service")
            && let Some(reference) = service.get_mut("spec").and_then(|spec| object(spec, "service"))
        {
            set_default(reference, "port", 443);
        }
        let _ = object(service, "status");
    },
    prepare_create: |service| {
        generation::none(service);
        service["status"] = json!({});
        if !has(service, "spec.service") {
            service["status"]["conditions"] = json!([{
                "type": "Available",
                "status": "True",
                "reason": "Local",
                "message": "Local APIServices are always available",
                "lastTransitionTime": part(service, "metadata.creationTimestamp"),
            }]);
        }
    },
    prepare_update: |new, old| carry_over(new, old, "status"),
    validate,
    name_errors: |name, _| names::path_segment(name),
    columns: &[
        column("Service", "The reference to the service that hosts this API endpoint."),
        column("Available", "Whether this service is available."),
        AGE,
    ],
    cells: |service, now_seconds| RowCells {
        cells: vec![json!(host(service)), json!(available(service)), age(service, now_seconds)],
    },
    ..Rules::GENERIC
};

fn host(service: &Value) -> String {
    if !has(service, "spec.service") {
        return "Local".to_string();
    }
    format!("{}/{}", text(service, "spec.service.namespace"), text(service, "spec.service.name"))
}

fn available(service: &Value) -> String {
    match list(service, "status.conditions").iter().find(|c| text(c, "type") == "Available") {
        None => "Unknown".to_string(),
        Some(condition) if text(condition, "status") == "True" => "True".to_string(),
        Some(condition) => format!("{} ({})", text(condition, "status"), text(condition, "reason")),
    }
}

fn validate(service: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, spec) = (Path::root("spec"), part(service, "spec"));
    let (group, version) = (text(&spec, "group"), text(&spec, "version"));
    let wanted = format!("{version}.{group}");
    if meta::name(service) != wanted {
        let detail = format!("must be `spec.version+\".\"+spec.group`: \"{wanted}\"");
        errors.invalid(&Path::root("metadata").child("name"), &meta::name(service), &detail);
    }
    if group.is_empty() && version != "v1" {
        let detail = "only v1 may have an empty group and it better be legacy kube";
        errors.required(&path.child("group"), detail);
    } else if !group.is_empty() {
        errors.named(&path.child("group"), group, names::dns1123_subdomain);
    }
    errors.named(&path.child("version"), version, names::dns1035_label);
    for (field, limit) in [("groupPriorityMinimum", 20_000), ("versionPriority", 1_000)] {
        let priority = integer(&spec, field);
        if !(1..=limit).contains(&priority) {
            errors.invalid(&path.child(field), &priority, &format!("must be positive and less than {limit}"));
        }
    }
    let (bundle, insecure) = (text(&spec, "caBundle"), boolean(&spec, "insecureSkipTLSVerify"));
    let (bundle_path, insecure_path) = (path.child("caBundle"), path.child("insecureSkipTLSVerify"));
    if !has(&spec, "service") {
        if !bundle.is_empty() {
            let value = format!("{} bytes", bundle.len());
            errors.invalid(&bundle_path, &value, "local APIServices may not have a caBundle");
        }
        if insecure {
            errors.invalid(&insecure_path, &insecure, "local APIServices may not have insecureSkipTLSVerify");
        }
        return errors.0;
    }
    let (path, reference) = (path.child("service"), part(&spec, "service"));
    errors.filled(&path, &reference, "namespace");
    errors.filled(&path, &reference, "name");
    let details = names::port_number(integer(&reference, "port"));
    if !details.is_empty() {
        let detail = format!("port is not valid: {}", details.join(","));
        errors.invalid(&path.child("port"), &integer(&reference, "port"), &detail);
    }
    if insecure && !bundle.is_empty() {
        errors.invalid(&insecure_path, &insecure, "may not be true if caBundle is present");
    }
    errors.0
}
