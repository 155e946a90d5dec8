//! Applying what a mutation comes to (`.../policy/mutating/patch`): a configuration that is merged as by server-side apply,
//! or a JSON patch.

use coracle_api::apply::merge_configuration;
use coracle_api::cel::{Struct, Value as Cel};
use coracle_api::decode::{FieldValidation, decode, decode_as};
use coracle_api::{ApiError, Resource};
use serde_json::{Map, Value, json};

use super::super::super::Action;
use super::super::super::webhooks::{Asked, apply_steps, first_wrong};

/// Why nothing comes of a mutation.
#[derive(Debug)]
pub(super) enum Failure {
    /// What the policy wants can't be done. Its `failurePolicy` decides.
    Policy(String),
    /// The request is refused.
    Request(ApiError),
}

/// The new object, or none if it is the same.
pub(super) type Patched = Result<Option<Value>, Failure>;

fn policy(why: impl Into<String>) -> Failure {
    Failure::Policy(why.into())
}

/// Merges an `Object` into the object.
pub(super) fn configured(asked: &Asked<'_>, row: Option<&Resource>, object: &Value, value: &Cel<'_>) -> Patched {
    is_typed(asked, row)?;
    let Cel::Struct(own) = value else {
        let ty = value.type_name();
        return Err(policy(format!("unsupported return type from ApplyConfiguration expression: {ty}")));
    };
    own.check_names().map_err(|error| policy(format!("type mismatch: {error}")))?;
    let config = value.to_json().map_err(|error| policy(format!("invalid return type: {error}")))?;
    let merged = merge_configuration(asked.row(row), object, config);
    let merged = merged.map_err(|why| policy(format!("error applying patch: {why}")))?;
    Ok(defaulted(asked, row, object, merged))
}

/// Applies a list of `JSONPatch` to the object. A `test` that fails is no failure: nothing is changed.
pub(super) fn patched(asked: &Asked<'_>, row: Option<&Resource>, object: &Value, value: &Cel<'_>) -> Patched {
    is_typed(asked, row)?;
    let Cel::List(items) = value else {
        return Err(policy("type mismatch: JSONPatchType.expression should evaluate to array"));
    };
    let steps = items.iter().map(|item| step(&item)).collect::<Result<Vec<Value>, Failure>>()?;
    let Ok(raw) = apply_steps(asked.write.resource, object, &steps) else {
        let why = first_wrong(asked.write.resource, object, &steps);
        return if why.ends_with(": test failed") { Ok(None) } else { Err(policy(format!("JSONPath: {why}"))) };
    };
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    let decoded = match asked.row(row) {
        Some(row) => decode(row, raw, FieldValidation::Strict),
        None => decode_as(text("apiVersion"), text("kind"), raw, FieldValidation::Strict),
    };
    let (new, _) = decoded.map_err(|error| Failure::Request(ApiError::internal(error.message)))?;
    Ok(defaulted(asked, row, object, new))
}

/// Only of what has a schema can be known what merging means; options of connections have none.
fn is_typed(asked: &Asked<'_>, row: Option<&Resource>) -> Result<(), Failure> {
    if asked.write.action != Action::Connect {
        return Ok(());
    }
    let kind = asked.kind_in(row);
    Err(Failure::Request(ApiError::unavailable(format!(
        "Resource kind {}/{}, Kind={} not found. There can be a delay between when CustomResourceDefinitions are created \
         and when they are available.",
        kind.group, kind.version, kind.kind
    ))))
}

fn defaulted(asked: &Asked<'_>, row: Option<&Resource>, object: &Value, mut new: Value) -> Option<Value> {
    if let Some(row) = asked.row(row) {
        row.defaults(&mut new);
    }
    (new != *object).then_some(new)
}

/// One step of a JSON patch.
fn step(value: &Cel<'_>) -> Result<Value, Failure> {
    let Cel::Struct(own) = value else {
        let ty = value.type_name();
        return Err(policy(format!(
            "type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch, got element of {ty}"
        )));
    };
    let text = |field: &str| match own.field(field) {
        Some(Cel::String(text)) => text.into_owned(),
        _ => String::new(),
    };
    let mut step = Map::new();
    step.insert("op".into(), json!(text("op")));
    step.insert("path".into(), json!(text("path")));
    if !text("from").is_empty() {
        step.insert("from".into(), json!(text("from")));
    }
    if let Some(value) = value_of(own)? {
        step.insert("value".into(), value);
    }
    Ok(Value::Object(step))
}

fn value_of(step: &Struct<'_>) -> Result<Option<Value>, Failure> {
    let Some(value) = step.field("value") else { return Ok(None) };
    if let Cel::Struct(own) = &value {
        own.check_names().map_err(|error| policy(format!("type mismatch: {error}")))?;
    }
    let json = value.to_json().map_err(|error| {
        policy(format!("JSONPath valueExpression evaluated to a type that could not marshal to JSON: {error}"))
    })?;
    Ok(Some(json))
}
