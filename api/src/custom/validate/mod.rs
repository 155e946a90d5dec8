//! Validation of values by a schema, with the texts of `k8s.io/kube-openapi/pkg/validation`.
//!
//! On updates errors are ratcheted (KEP-4008): what a part of the object has not changed is not held against it.

mod correlate;
mod formats;
mod value;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::schema::{Schema, SchemaType};
use crate::field::{FieldError, Path, take_over};
pub(crate) use correlate::Correlation;
pub use formats::{format_is_known, format_matches};

/// All errors of a value. With an old value, errors in unchanged parts are left out.
pub fn value_errors(value: &Value, old: Option<&Value>, schema: &Schema, path: &str) -> Vec<FieldError> {
    node(value, Correlation::new(old), schema, path).errors
}

/// What validating a part found.
#[derive(Debug, Default)]
struct Findings {
    errors: Vec<FieldError>,
    /// How much was looked at: of several alternatives that fail, the one that went furthest is explained.
    reached: usize,
}

impl Findings {
    fn merge(&mut self, other: Self) {
        take_over(&mut self.errors, other.errors);
        self.reached += other.reached;
    }

    /// Takes the errors of a check that applies to the value.
    fn check(&mut self, errors: impl IntoIterator<Item = FieldError>) {
        self.errors.extend(errors);
        self.reached += 1;
    }
}

fn node(value: &Value, old: Correlation<'_>, schema: &Schema, path: &str) -> Findings {
    let mut found = Findings { errors: Vec::new(), reached: 1 };
    // What has not changed may stay as it is.
    if old.is_unchanged(value) {
        return found;
    }
    let wrong = value::type_error(value, schema, path);
    found.reached += usize::from(wrong.is_none());
    found.check(wrong);
    let checks = &schema.checks;
    match value {
        Value::Null => found.check(value::choice_error(value, checks, path)),
        Value::Bool(_) => {
            compound(value, schema, path, &mut found);
            found.check(value::choice_error(value, checks, path));
        }
        Value::String(text) => {
            compound(value, schema, path, &mut found);
            found.check(value::text_error(text, checks, path));
            found.check(value::format_error(text, checks, path));
            found.check(value::choice_error(value, checks, path));
        }
        Value::Number(number) => {
            compound(value, schema, path, &mut found);
            found.check(value::number_errors(number, checks, path));
            found.check(value::choice_error(value, checks, path));
        }
        Value::Array(items) => {
            compound(value, schema, path, &mut found);
            elements(items, old, schema, path, &mut found);
            found.check(value::choice_error(value, checks, path));
        }
        Value::Object(fields) => {
            compound(value, schema, path, &mut found);
            found.check(value::choice_error(value, checks, path));
            members(fields, old, schema, path, &mut found);
        }
    }
    found
}

fn elements(items: &[Value], old: Correlation<'_>, schema: &Schema, path: &str, found: &mut Findings) {
    if let Some(below) = &schema.items {
        let elements = old.elements(schema);
        for (index, item) in items.iter().enumerate() {
            found.merge(node(item, elements.of(item), below, &format!("{path}[{index}]")));
        }
    }
    found.check(value::list_errors(items, &schema.checks, path));
}

fn members(fields: &Map<String, Value>, old: Correlation<'_>, schema: &Schema, path: &str, found: &mut Findings) {
    // Whoever has too few or too many is told nothing else about them.
    if let Some(error) = value::size_error(fields.len(), &schema.checks, path) {
        return found.check(Some(error));
    }
    for (name, field) in fields {
        if let Some(below) = schema.property(name) {
            found.merge(node(field, old.member(name, schema), below, &join(path, name)));
        }
    }
    let missing = schema.checks.required.iter().filter(|name| !fields.contains_key(*name));
    found.check(missing.map(|name| FieldError::required(&place(&join(path, name)), "")));
}

/// `allOf`, `anyOf`, `oneOf` and `not`. They are not ratcheted one by one: only the whole value is.
fn compound(value: &Value, schema: &Schema, path: &str, found: &mut Findings) {
    let checks = &schema.checks;
    let try_all = |schemas: &[Arc<Schema>]| -> Vec<Findings> {
        schemas.iter().map(|schema| node(value, Correlation::new(None), schema, path)).collect()
    };
    if !checks.any_of.is_empty() && !is_int_or_string(schema) {
        let results = try_all(&checks.any_of);
        if results.iter().all(|result| !result.errors.is_empty()) {
            found.errors.push(whole(format!("{path:?} must validate at least one schema (anyOf)")));
            found.merge(best(results));
        }
    }
    if !checks.one_of.is_empty() {
        let results = try_all(&checks.one_of);
        let only = format!("{path:?} must validate one and only one schema (oneOf).");
        match results.iter().filter(|result| result.errors.is_empty()).count() {
            1 => {}
            0 => {
                found.errors.push(whole(format!("{only} Found none valid")));
                found.merge(best(results));
            }
            count => found.errors.push(whole(format!("{only} Found {count} valid alternatives"))),
        }
    }
    if !checks.all_of.is_empty() {
        let results = try_all(&checks.all_of);
        let (all, valid) = (results.len(), results.iter().filter(|result| result.errors.is_empty()).count());
        results.into_iter().for_each(|result| found.merge(result));
        if valid < all {
            let none = if valid == 0 { ". None validated" } else { "" };
            found.errors.push(whole(format!("{path:?} must validate all the schemas (allOf){none}")));
        }
    }
    if let Some(not) = &checks.not
        && node(value, Correlation::new(None), not, path).errors.is_empty()
    {
        found.errors.push(whole(format!("{path:?} must not validate the schema (not)")));
    }
    found.reached += 1;
}

/// An error that names its place in the text only.
fn whole(text: String) -> FieldError {
    FieldError::invalid(&Path::empty(), &Value::from(""), &text)
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
