//! Validation of values by a schema, with the texts of `k8s.io/kube-openapi/pkg/validation`.
//!
//! On updates errors are ratcheted (KEP-4008): what a part of the object has not changed is not held against it.

mod correlate;
mod formats;
mod value;

use std::collections::BTreeMap;

use serde_json::Value;

use super::schema::{Schema, SchemaType};
use crate::field::{FieldError, Path};
pub(crate) use correlate::Correlation;
pub use formats::format_matches;

/// All errors of a value. With an old value, errors in unchanged parts are left out.
pub fn value_errors(value: &Value, old: Option<&Value>, schema: &Schema, path: &str) -> Vec<FieldError> {
    node(value, Correlation::new(old), schema, path).errors
}

/// What validating a part found.
#[derive(Debug, Default)]
struct Findings {
    errors: Vec<FieldError>,
    /// How much was validated: of several alternatives that fail, the one that went furthest is explained.
    reached: usize,
}

impl Findings {
    fn merge(&mut self, other: Self) {
        self.errors.extend(other.errors);
        self.reached += other.reached;
    }
}

fn node(value: &Value, old: Correlation<'_>, schema: &Schema, path: &str) -> Findings {
    let mut found = Findings { errors: Vec::new(), reached: 1 };
    // What has not changed may stay as it is.
    if old.is_unchanged(value) {
        return found;
    }
    if let Some(error) = value::type_error(value, schema, path) {
        found.errors.push(error);
        return found;
    }
    found.reached += 1;
    if value.is_null() {
        return found;
    }
    found.errors.extend(value::errors(value, schema, path));
    compound(value, schema, path, &mut found);
    match value {
        Value::Object(fields) => {
            for name in &schema.checks.required {
                if !fields.contains_key(name) {
                    found.errors.push(FieldError::required(&place(&join(path, name)), ""));
                }
            }
            for (name, field) in fields {
                if let Some(below) = schema.property(name) {
                    found.merge(node(field, old.member(name, schema), below, &join(path, name)));
                }
            }
        }
        Value::Array(items) => {
            if let Some(below) = &schema.items {
                let elements = old.elements(schema);
                for (index, item) in items.iter().enumerate() {
                    let old = elements.of(item);
                    found.merge(node(item, old, below, &format!("{path}[{index}]")));
                }
            }
        }
        _ => {}
    }
    found
}

/// `allOf`, `anyOf`, `oneOf` and `not`. They are not ratcheted one by one: only the whole value is.
fn compound(value: &Value, schema: &Schema, path: &str, found: &mut Findings) {
    let checks = &schema.checks;
    let try_one = |schema: &Schema| node(value, Correlation::new(None), schema, path);
    let whole = |text: String| FieldError::invalid(&Path::empty(), &Value::from(""), &text);
    if !checks.any_of.is_empty() && !is_int_or_string(schema) {
        let results: Vec<Findings> = checks.any_of.iter().map(|schema| try_one(schema)).collect();
        if results.iter().all(|result| !result.errors.is_empty()) {
            found.errors.push(whole(format!("{path:?} must validate at least one schema (anyOf)")));
            found.merge(best(results));
        }
    }
    if !checks.one_of.is_empty() {
        let results: Vec<Findings> = checks.one_of.iter().map(|schema| try_one(schema)).collect();
        match results.iter().filter(|result| result.errors.is_empty()).count() {
            1 => {}
            0 => {
                let text = format!("{path:?} must validate one and only one schema (oneOf). Found none valid");
                found.errors.push(whole(text));
                found.merge(best(results));
            }
            count => found.errors.push(whole(format!(
                "{path:?} must validate one and only one schema (oneOf). Found {count} valid alternatives"
            ))),
        }
    }
    if !checks.all_of.is_empty() {
        let results: Vec<Findings> = checks.all_of.iter().map(|schema| try_one(schema)).collect();
        let valid = results.iter().filter(|result| result.errors.is_empty()).count();
        if valid < results.len() {
            let none = if valid == 0 { ". None validated" } else { "" };
            found.errors.push(whole(format!("{path:?} must validate all the schemas (allOf){none}")));
        }
        results.into_iter().for_each(|result| found.merge(result));
    }
    if let Some(not) = &checks.not
        && try_one(not).errors.is_empty()
    {
        found.errors.push(whole(format!("{path:?} must not validate the schema (not)")));
    }
}

/// The usual `anyOf` beside `x-kubernetes-int-or-string` says nothing that the type check does not.
fn is_int_or_string(schema: &Schema) -> bool {
    schema.int_or_string
        && matches!(schema.checks.any_of.as_slice(), [a, b] if [a.ty, b.ty] == [SchemaType::Integer, SchemaType::String])
}

fn best(results: Vec<Findings>) -> Findings {
    let mut best: Option<Findings> = None;
    for result in results {
        if best.as_ref().is_none_or(|best| result.reached > best.reached) {
            best = Some(result);
        }
    }
    best.unwrap_or_default()
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

/// The path of an error: the validator's spelling as it is.
fn place(path: &str) -> Path {
    if path.is_empty() { Path::empty() } else { Path::root(path) }
}

/// Elements by a text that tells them apart.
type ByKey<'v> = BTreeMap<String, &'v Value>;
