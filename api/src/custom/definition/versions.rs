//! `spec`: group, scope, versions with their schemas, subresources and columns.
//!
//! Kubernetes keeps what all versions have in common at the top of its internal form, and its error paths show it:
//! `spec.validation.openAPIV3Schema…` where the versions' schemas are the same, `spec.versions[0].schema…` otherwise.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{conversion, flag, list, names, schema, text};
use crate::custom::rules::field_path;
use crate::custom::schema::{Schema, SchemaType};
use crate::field::{FieldError, Path};
use crate::names::{dns1035_label, dns1123_subdomain};

/// Fields that a version may make selectable.
const SELECTABLE_LIMIT: usize = 8;
const COLUMN_TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS: [&str; 8] = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
const DEPRECATION_LIMIT_BYTES: usize = 256;

/// All errors in a spec.
pub(super) fn spec_errors(spec: &Value, path: &Path) -> Vec<FieldError> {
    let mut errors = Vec::new();
    group_errors(text(spec, "group"), &path.child("group"), &mut errors);
    match text(spec, "scope") {
        "" => errors.push(FieldError::required(&path.child("scope"), "")),
        "Cluster" | "Namespaced" => {}
        other => {
            let supported = ["Cluster", "Namespaced"];
            errors.push(FieldError::not_supported(&path.child("scope"), &json!(other), &supported));
        }
    }
    let versions = list(spec, "versions");
    for (index, version) in versions.iter().enumerate() {
        let path = path.child("versions").index(index);
        if !version["schema"]["openAPIV3Schema"].is_object() {
            errors.push(FieldError::required(&path.child("schema").child("openAPIV3Schema"), "schemas are required"));
        }
    }
    for (index, version) in versions.iter().enumerate() {
        let path = path.child("versions").index(index);
        let name = text(version, "name");
        let details = dns1035_label(name);
        if !details.is_empty() {
            errors.push(FieldError::invalid(&path.child("name"), &json!(name), &details.join(",")));
        }
        deprecation_errors(version, &path.child("deprecationWarning"), &mut errors);
    }
    part_errors(versions, path, &mut errors);
    let mut seen = BTreeSet::new();
    if !versions.iter().all(|version| seen.insert(text(version, "name"))) {
        errors.push(FieldError::invalid(
            &path.child("versions"),
            &json!(versions),
            "must contain unique version names",
        ));
    }
    if versions.iter().filter(|version| flag(version, "storage")).count() != 1 {
        let detail = "must have exactly one version marked as storage version";
        errors.push(FieldError::invalid(&path.child("versions"), &json!(versions), detail));
    }
    errors.extend(names::required(&spec["names"], &path.child("names")));
    errors.extend(names::errors(&spec["names"], &path.child("names")));
    if flag(spec, "preserveUnknownFields") {
        let detail =
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        errors.push(FieldError::invalid(&path.child("preserveUnknownFields"), &json!(true), detail));
    }
    errors.extend(conversion::errors(&spec["conversion"], &path.child("conversion")));
    errors
}

fn group_errors(group: &str, path: &Path, errors: &mut Vec<FieldError>) {
    let details = dns1123_subdomain(group);
    if group.is_empty() {
        errors.push(FieldError::required(path, ""));
    } else if !details.is_empty() {
        errors.push(FieldError::invalid(path, &json!(group), &details.join(",")));
    } else if !group.contains('.') {
        errors.push(FieldError::invalid(path, &json!(group), "should be a domain with at least one dot"));
    }
}

/// Schemas, subresources, columns and selectable fields, each once if all versions have the same.
fn part_errors(versions: &[Value], path: &Path, errors: &mut Vec<FieldError>) {
    let shared = |field: &str| {
        let first = versions.first().and_then(|version| version.get(field)).filter(|value| !value.is_null())?;
        versions.iter().all(|version| version.get(field) == Some(first)).then_some(first)
    };
    let has_status = |version: &Value| version["subresources"]["status"].is_object();
    let each = |field: &'static str| {
        versions.iter().enumerate().filter_map(move |(index, version)| {
            let value = version.get(field).filter(|value| !value.is_null())?;
            Some((version, value, path.child("versions").index(index).child(field)))
        })
    };
    match shared("schema") {
        Some(value) => {
            let status = versions.iter().any(has_status);
            errors.extend(schema::errors(&value["openAPIV3Schema"], status, &path.child("validation")));
        }
        None => each("schema").for_each(|(version, value, path)| {
            errors.extend(schema::errors(&value["openAPIV3Schema"], has_status(version), &path));
        }),
    }
    match shared("subresources") {
        Some(value) => subresource_errors(value, &path.child("subresources"), errors),
        None => each("subresources").for_each(|(_, value, path)| subresource_errors(value, &path, errors)),
    }
    match shared("additionalPrinterColumns") {
        Some(value) => column_errors(value, &path.child("additionalPrinterColumns"), errors),
        None => each("additionalPrinterColumns").for_each(|(_, value, path)| column_errors(value, &path, errors)),
    }
    each("selectableFields").for_each(|(version, value, path)| selectable_errors(version, value, &path, errors));
}

fn deprecation_errors(version: &Value, path: &Path, errors: &mut Vec<FieldError>) {
    let Some(warning) = version.get("deprecationWarning").and_then(Value::as_str) else { return };
    let mut say = |detail: &str| errors.push(FieldError::invalid(path, &json!(warning), detail));
    if !flag(version, "deprecated") {
        say("can only be set for deprecated versions");
        return;
    }
    if warning.len() > DEPRECATION_LIMIT_BYTES {
        say("must be <= 256 characters long");
    }
    if warning.is_empty() {
        say("must not be an empty string");
    }
    if let Some((at, _)) = warning.char_indices().find(|(_, c)| c.is_control()) {
        say(&format!("must only contain printable UTF-8 characters; non-printable character found at index {at}"));
    }
}

fn subresource_errors(subresources: &Value, path: &Path, errors: &mut Vec<FieldError>) {
    let scale = &subresources["scale"];
    if !scale.is_object() {
        return;
    }
    let path = path.child("scale");
    for (field, roots, required) in [
        ("specReplicasPath", &[".spec."][..], true),
        ("statusReplicasPath", &[".status."], true),
        ("labelSelectorPath", &[".spec.", ".status."], false),
    ] {
        let (json_path, at) = (text(scale, field), path.child(field));
        if json_path.is_empty() {
            if required {
                errors.push(FieldError::required(&at, ""));
            }
        } else if !simple_path(json_path, &at, errors) {
        } else if !roots.iter().any(|root| json_path.starts_with(root)) {
            let where_to = match roots {
                [one] => one.trim_end_matches('.').to_string(),
                _ => "either .spec or .status".to_string(),
            };
            let detail = format!("should be a json path under {where_to}");
            errors.push(FieldError::invalid(&at, &json!(json_path), &detail));
        }
    }
}

/// Whether a path is in the simple form; says so if it is not. That it begins with a dot is all that is looked at: one that can't be
/// read finds nothing.
fn simple_path(json_path: &str, path: &Path, errors: &mut Vec<FieldError>) -> bool {
    let is_simple = json_path.starts_with('.');
    if !is_simple {
        let detail = "must be a simple json path starting with .";
        errors.push(FieldError::invalid(path, &json!(json_path), detail));
    }
    is_simple
}

fn column_errors(columns: &Value, path: &Path, errors: &mut Vec<FieldError>) {
    for (index, column) in columns.as_array().into_iter().flatten().enumerate() {
        let path = path.index(index);
        if text(column, "name").is_empty() {
            errors.push(FieldError::required(&path.child("name"), ""));
        }
        let (kind, types) = (text(column, "type"), format!("must be one of {}", COLUMN_TYPES.join(",")));
        if kind.is_empty() {
            errors.push(FieldError::required(&path.child("type"), &types));
        } else if !COLUMN_TYPES.contains(&kind) {
            errors.push(FieldError::invalid(&path.child("type"), &json!(kind), &types));
        }
        let format = text(column, "format");
        if !format.is_empty() && !COLUMN_FORMATS.contains(&format) {
            let detail = format!("must be one of {}", COLUMN_FORMATS.join(","));
            errors.push(FieldError::invalid(&path.child("format"), &json!(format), &detail));
        }
        match text(column, "jsonPath") {
            "" => errors.push(FieldError::required(&path.child("JSONPath"), "")),
            json_path => {
                simple_path(json_path, &path.child("JSONPath"), errors);
            }
        }
    }
}

fn selectable_errors(version: &Value, fields: &Value, path: &Path, errors: &mut Vec<FieldError>) {
    let Ok(schema) = Schema::parse(&version["schema"]["openAPIV3Schema"]) else { return };
    let mut seen = BTreeSet::new();
    for (index, field) in fields.as_array().into_iter().flatten().enumerate() {
        let at = path.index(index).child("jsonPath");
        let json_path = text(field, "jsonPath");
        let value = json!(json_path);
        if json_path.is_empty() {
            errors.push(FieldError::required(&at, ""));
            continue;
        }
        let (found, target) = match field_path(json_path, &schema, false) {
            Ok(found) => found,
            Err(error) => {
                errors.push(FieldError::invalid(&at, &value, &format!("is an invalid path: {error}")));
                continue;
            }
        };
        if found.as_str() == "metadata" || found.as_str().starts_with("metadata.") {
            errors.push(FieldError::invalid(&at, &value, "must not point to fields in metadata"));
        }
        if !matches!(target.ty, SchemaType::String | SchemaType::Boolean | SchemaType::Integer) {
            let detail = "must point to a field of type string, boolean or integer. Enum string fields and strings with \
                          formats are allowed.";
            errors.push(FieldError::invalid(&at, &value, detail));
        }
        if !seen.insert(found.to_string()) {
            errors.push(FieldError::duplicate(&at, &value));
        }
    }
    if seen.len() > SELECTABLE_LIMIT {
        errors.push(FieldError::too_many(path, seen.len(), SELECTABLE_LIMIT));
    }
}
