//! One `openAPIV3Schema`: everything that can be wrong with it, in the order in which Kubernetes looks.

use std::sync::Arc;

use serde_json::{Value, json};

use super::schema_rules::{self, Costs};
use super::{schema_defaults, structural, text};
use crate::custom::schema::{Schema, SchemaError};
use crate::field::{FieldError, Path};

/// What may stand at the root beside `properties` when `status` is a subresource: nothing that a write to the status alone
/// could break. JSON names; the error text has Go's.
const AT_ROOT: [(&str, &str); 22] = [
    ("description", "Description"),
    ("type", "Type"),
    ("format", "Format"),
    ("title", "Title"),
    ("maximum", "Maximum"),
    ("exclusiveMaximum", "ExclusiveMaximum"),
    ("minimum", "Minimum"),
    ("exclusiveMinimum", "ExclusiveMinimum"),
    ("maxLength", "MaxLength"),
    ("minLength", "MinLength"),
    ("pattern", "Pattern"),
    ("maxItems", "MaxItems"),
    ("minItems", "MinItems"),
    ("uniqueItems", "UniqueItems"),
    ("multipleOf", "MultipleOf"),
    ("required", "Required"),
    ("items", "Items"),
    ("properties", "Properties"),
    ("externalDocs", "ExternalDocs"),
    ("example", "Example"),
    ("x-kubernetes-preserve-unknown-fields", "XPreserveUnknownFields"),
    ("x-kubernetes-validations", "XValidations"),
];

/// All errors in a schema; `path` is that of the `validation` or `schema` that holds it.
pub(super) fn errors(schema: &Value, has_status: bool, path: &Path) -> Vec<FieldError> {
    if !schema.is_object() {
        return Vec::new();
    }
    let at = path.child("openAPIV3Schema");
    let mut errors = Vec::new();
    if has_status {
        root_errors(schema, &at, &mut errors);
    }
    if schema.get("nullable") == Some(&json!(true)) {
        errors.push(FieldError::forbidden(&at.child("nullable"), "nullable cannot be true at the root"));
    }
    let parsed = Schema::parse(schema);
    let mut costs = None;
    match &parsed {
        // Patterns have errors of their own below.
        Err(SchemaError::Pattern(..)) => errors.extend(structural::errors(schema, &at)),
        Err(error) => {
            errors.push(FieldError::invalid(&at, &json!(""), &error.to_string()));
            return errors;
        }
        Ok(tree) => {
            let mut found = structural::errors(schema, &at);
            if found.is_empty() {
                found = schema_defaults::errors(tree, &at);
            }
            if found.is_empty() {
                costs = Some(Costs::new(Arc::clone(tree)));
            }
            errors.extend(found);
        }
    }
    errors.extend(schema_rules::errors(schema, &at, costs.as_mut()));
    if let Some(costs) = &costs {
        errors.extend(costs.total_errors(&at));
    }
    errors
}

fn root_errors(schema: &Value, at: &Path, errors: &mut Vec<FieldError>) {
    let ty = text(schema, "type");
    if !ty.is_empty() && ty != "object" {
        let detail =
            "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled";
        errors.push(FieldError::invalid(&at.child("type"), &json!(ty), detail));
        return;
    }
    let fields = schema.as_object().into_iter().flatten();
    let is_other = |(name, value): &(&String, &Value)| {
        !value.is_null() && **value != json!(false) && !AT_ROOT.iter().any(|(own, _)| own == name)
    };
    if fields.into_iter().any(|field| is_other(&field)) {
        let names: Vec<&str> = AT_ROOT.iter().map(|(_, go)| *go).collect();
        let allowed = names.join(" ");
        let detail = format!(
            "only [{allowed}] fields are allowed at the root of the schema if the status subresource is enabled"
        );
        errors.push(FieldError::invalid(at, schema, &detail));
    }
}
