//! Checks of one value by itself.

use serde_json::{Number, Value, json};

use super::{formats, place};
use crate::custom::schema::{Checks, Schema, SchemaType};
use crate::field::{ErrorType, FieldError};

/// What is wrong with the type of the value.
pub(super) fn type_error(value: &Value, schema: &Schema, path: &str) -> Option<FieldError> {
    let wanted = if schema.int_or_string { "integer,string" } else { schema.ty.name() };
    if wanted.is_empty() {
        return None;
    }
    let fits = match value {
        Value::Null => schema.nullable,
        Value::Bool(_) => schema.ty == SchemaType::Boolean,
        Value::Number(number) => match (schema.int_or_string, schema.ty) {
            (true, _) | (_, SchemaType::Integer) => is_integer(number),
            (_, ty) => ty == SchemaType::Number,
        },
        Value::String(_) => schema.int_or_string || schema.ty == SchemaType::String,
        Value::Array(_) => schema.ty == SchemaType::Array,
        Value::Object(_) => schema.ty == SchemaType::Object,
    };
    if fits {
        return None;
    }
    let found = type_name(value);
    let detail = format!("{path} in body must be of type {wanted}: {found:?}");
    Some(FieldError::type_invalid(&place(path), &json!(found), &detail))
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if is_integer(number) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// `1` and `1.0` are integers.
fn is_integer(number: &Number) -> bool {
    number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|float| float.fract() == 0.0)
}

/// What else is wrong with the value.
pub(super) fn errors(value: &Value, schema: &Schema, path: &str) -> Vec<FieldError> {
    let checks = &schema.checks;
    let mut errors = Vec::new();
    if !checks.choices.is_empty() && !checks.choices.iter().any(|choice| same(choice, value)) {
        errors.push(unsupported(value, checks, path));
    }
    match value {
        Value::String(text) => text_errors(text, checks, path, &mut errors),
        Value::Number(number) => number_errors(number, checks, path, &mut errors),
        Value::Array(items) => list_errors(items, checks, path, &mut errors),
        Value::Object(fields) => {
            let count = fields.len() as i64;
            if checks.max_properties.is_some_and(|limit| count > limit) {
                errors.push(too_many(path, count, checks.max_properties.unwrap_or_default()));
            }
            if let Some(limit) = checks.min_properties.filter(|limit| count < *limit) {
                errors.push(invalid(path, &json!(count), &format!("should have at least {limit} properties")));
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
    errors
}

fn invalid(path: &str, value: &Value, what: &str) -> FieldError {
    FieldError::invalid(&place(path), value, &format!("{path} in body {what}"))
}

fn too_many(path: &str, count: i64, limit: i64) -> FieldError {
    let size = |number: i64| usize::try_from(number).unwrap_or_default();
    FieldError::too_many(&place(path), size(count), size(limit))
}

/// Equality as Go sees it: `1` and `1.0` are the same.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

fn unsupported(value: &Value, checks: &Checks, path: &str) -> FieldError {
    let text = |choice: &Value| choice.as_str().map_or_else(|| choice.to_string(), str::to_string);
    let choices: Vec<String> = checks.choices.iter().map(text).collect();
    let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
    FieldError::not_supported(&place(path), value, &choices)
}

fn text_errors(text: &str, checks: &Checks, path: &str, errors: &mut Vec<FieldError>) {
    let value = json!(text);
    let length = text.chars().count() as i64;
    if let Some(limit) = checks.max_length.filter(|limit| length > *limit) {
        errors.push(FieldError {
            kind: ErrorType::TooLong,
            path: place(path),
            body: format!("Too long: may not be more than {limit} bytes"),
        });
    }
    if let Some(limit) = checks.min_length.filter(|limit| length < *limit) {
        errors.push(invalid(path, &value, &format!("should be at least {limit} chars long")));
    }
    if let Some(pattern) = checks.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
        errors.push(invalid(path, &value, &format!("should match '{pattern}'")));
    }
    if !formats::format_matches(&checks.format, text) {
        let detail = format!("{path} in body must be of type {}: {text:?}", formats::normalized(&checks.format));
        errors.push(FieldError::type_invalid(&place(path), &value, &detail));
    }
}

fn number_errors(number: &Number, checks: &Checks, path: &str, errors: &mut Vec<FieldError>) {
    let value = Value::Number(number.clone());
    let Some(float) = number.as_f64() else { return };
    if let Some(factor) = checks.multiple_of
        && (factor <= 0.0 || (float / factor).fract() != 0.0)
    {
        errors.push(invalid(path, &value, &format!("should be a multiple of {factor}")));
    }
    match checks.maximum {
        Some((limit, true)) if float >= limit => {
            errors.push(invalid(path, &value, &format!("should be less than {limit}")));
        }
        Some((limit, false)) if float > limit => {
            errors.push(invalid(path, &value, &format!("should be less than or equal to {limit}")));
        }
        _ => {}
    }
    match checks.minimum {
        Some((limit, true)) if float <= limit => {
            errors.push(invalid(path, &value, &format!("should be greater than {limit}")));
        }
        Some((limit, false)) if float < limit => {
            errors.push(invalid(path, &value, &format!("should be greater than or equal to {limit}")));
        }
        _ => {}
    }
    let range = match checks.format.as_str() {
        "int32" => Some((f64::from(i32::MIN), f64::from(i32::MAX))),
        "uint32" => Some((0.0, f64::from(u32::MAX))),
        "int64" => Some((i64::MIN as f64, i64::MAX as f64)),
        _ => None,
    };
    if range.is_some_and(|(low, high)| float < low || float > high) {
        let detail = format!("Checked value must be of type integer with format {}", checks.format);
        errors.push(FieldError::invalid(&place(path), &value, &detail));
    }
}

fn list_errors(items: &[Value], checks: &Checks, path: &str, errors: &mut Vec<FieldError>) {
    let count = items.len() as i64;
    if let Some(limit) = checks.max_items.filter(|limit| count > *limit) {
        errors.push(too_many(path, count, limit));
    }
    if let Some(limit) = checks.min_items.filter(|limit| count < *limit) {
        errors.push(invalid(path, &json!(count), &format!("should have at least {limit} items")));
    }
    if checks.unique_items {
        let mut texts: Vec<String> = items.iter().map(ToString::to_string).collect();
        texts.sort_unstable();
        texts.dedup();
        if texts.len() < items.len() {
            errors.push(invalid(path, &json!(items), "shouldn't contain duplicates"));
        }
    }
}
