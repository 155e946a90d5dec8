//! `spec.names` and `status.acceptedNames`.

use serde_json::{Value, json};

use super::{list, text};
use crate::field::{FieldError, Path};
use crate::names::dns1035_label;

/// Errors in names that are there.
pub(super) fn errors(names: &Value, path: &Path) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for field in ["plural", "singular"] {
        label(text(names, field), &path.child(field), &mut errors);
    }
    for field in ["kind", "listKind"] {
        let name = text(names, field);
        let details = dns1035_label(&name.to_lowercase());
        if !name.is_empty() && !details.is_empty() {
            let detail = format!("may have mixed case, but should otherwise match: {}", details.join(","));
            errors.push(FieldError::invalid(&path.child(field), &json!(name), &detail));
        }
    }
    let (kind, list_kind) = (text(names, "kind"), text(names, "listKind"));
    if !kind.is_empty() && kind == list_kind {
        let detail = "kind and listKind may not be the same";
        errors.push(FieldError::invalid(&path.child("listKind"), &json!(list_kind), detail));
    }
    for field in ["shortNames", "categories"] {
        for (index, name) in list(names, field).iter().enumerate() {
            let name = name.as_str().unwrap_or_default();
            let details = dns1035_label(name);
            if !details.is_empty() {
                errors.push(FieldError::invalid(&path.child(field).index(index), &json!(name), &details.join(",")));
            }
        }
    }
    errors
}

/// Names that a spec can't do without.
pub(super) fn required(names: &Value, path: &Path) -> Vec<FieldError> {
    let fields = ["plural", "singular", "kind", "listKind"].into_iter();
    fields
        .filter(|field| text(names, field).is_empty())
        .map(|field| FieldError::required(&path.child(field), ""))
        .collect()
}

fn label(name: &str, path: &Path, errors: &mut Vec<FieldError>) {
    let details = dns1035_label(name);
    if !name.is_empty() && !details.is_empty() {
        errors.push(FieldError::invalid(path, &json!(name), &details.join(",")));
    }
}
