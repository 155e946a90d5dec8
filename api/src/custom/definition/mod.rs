//! `CustomResourceDefinition`: validation (`apiextensions-apiserver/pkg/apis/apiextensions/validation`). Its other rules are with those
//! of the other kinds (`kinds/custom_definition.rs`).

mod approval;
mod conversion;
mod names;
mod schema;
mod schema_defaults;
mod schema_rules;
mod structural;
mod update;
mod versions;

use serde_json::Value;

use crate::field::{FieldError, Path};

pub use update::{errors as definition_update_errors, status_errors as definition_status_errors};

/// The type of the condition that says that a definition is served.
const ESTABLISHED: &str = "Established";

/// All errors in a definition by itself.
pub fn definition_errors(definition: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let spec = &definition["spec"];
    let wanted = format!("{}.{}", text(&spec["names"], "plural"), text(spec, "group"));
    if crate::meta::name(definition) != wanted {
        let path = Path::root("metadata").child("name");
        let name = Value::from(crate::meta::name(definition));
        errors.push(FieldError::invalid(&path, &name, "must be spec.names.plural+\".\"+spec.group"));
    }
    errors.extend(versions::spec_errors(spec, &Path::root("spec")));
    let status = Path::root("status");
    errors.extend(names::errors(&definition["status"]["acceptedNames"], &status.child("acceptedNames")));
    errors.extend(update::stored_version_errors(definition, &status.child("storedVersions")));
    errors.extend(approval::errors(definition));
    errors
}

/// A text field, empty when absent.
pub(super) fn text<'v>(object: &'v Value, field: &str) -> &'v str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The elements of a list field.
fn list<'v>(object: &'v Value, field: &str) -> &'v [Value] {
    object.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Whether a field is there and true.
fn flag(object: &Value, field: &str) -> bool {
    object.get(field).and_then(Value::as_bool).unwrap_or_default()
}
