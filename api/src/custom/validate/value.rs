//! Checks of one value by itself.

use serde_json::{Number, Value, json};

use super::{formats, place};
use crate::custom::schema::{Checks, Schema, SchemaType};
use crate::field::{ErrorType, FieldError};

/// Largest integer that is sure to be one in a JSON number with a point or an exponent.
const SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// What is wrong with the type of the value.
pub(super) fn type_error(value: &Value, schema: &Schema, path: &str) -> Option<FieldError> {
    let wanted = if schema.int_or_string { "integer,string" } else { schema.ty.name() };
    if wanted.is_empty() || fits(value, schema) {
        return None;
    }
    let format = schema.checks.format.as_str();
    let is_numeric = schema.int_or_string || matches!(schema.ty, SchemaType::Integer | SchemaType::Number);
    let (wanted, found) = match value {
        Value::Null => (wanted, "null"),
        // A format stands for the type: texts are judged by it, other values are told of it.
        Value::String(_) | Value::Array(_) if !format.is_empty() && !is_numeric => return None,
        Value::Bool(_) | Value::Object(_) if !format.is_empty() => (format, ""),
        Value::Number(number) if !format.is_empty() => (format, if number.is_i64() { "int64" } else { "float64" }),
        _ => (wanted, type_name(value)),
    };
    let detail = format!("{path} in body must be of type {wanted}: {found:?}");
    Some(FieldError::type_invalid(&place(path), &json!(found), &detail))
}

fn fits(value: &Value, schema: &Schema) -> bool {
    match value {
        Value::Null => schema.nullable,
        Value::Bool(_) => schema.ty == SchemaType::Boolean,
        Value::Number(number) => match (schema.int_or_string, schema.ty) {
            (true, _) | (_, SchemaType::Integer) => is_integer(number),
            (_, ty) => ty == SchemaType::Number,
        },
        Value::String(_) => schema.int_or_string || schema.ty == SchemaType::String,
        Value::Array(_) => schema.ty == SchemaType::Array,
        Value::Object(_) => schema.ty == SchemaType::Object,
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// `1` and `1.0` are integers.
fn is_integer(number: &Number) -> bool {
    let is_whole = |float: f64| float.fract() == 0.0 && float.abs() <= SAFE_INTEGER;
    number.is_i64() || number.as_f64().is_some_and(is_whole)
}

fn invalid(path: &str, value: &Value, what: &str) -> FieldError {
    FieldError::invalid(&place(path), value, &format!("{path} in body {what}"))
}

fn too_many(path: &str, count: usize, limit: i64) -> FieldError {
    FieldError::too_many(&place(path), count, usize::try_from(limit).unwrap_or_default())
}

/// Equality as Go sees it: `1` and `1.0` are the same.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

/// A value that is not among those of `enum`.
pub(super) fn choice_error(value: &Value, checks: &Checks, path: &str) -> Option<FieldError> {
    if checks.choices.is_empty() || checks.choices.iter().any(|choice| same(choice, value)) {
        return None;
    }
    let text = |choice: &Value| choice.as_str().map_or_else(|| choice.to_string(), str::to_string);
    let choices: Vec<String> = checks.choices.iter().map(text).collect();
    let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
    let shown = if value.is_null() { json!("null") } else { value.clone() };
    Some(FieldError::not_supported(&place(path), &shown, &choices))
}

/// The first thing that is wrong with a text.
pub(super) fn text_error(text: &str, checks: &Checks, path: &str) -> Option<FieldError> {
    let value = json!(text);
    let length = text.chars().count() as i64;
    if let Some(limit) = checks.max_length.filter(|limit| length > *limit) {
        return Some(FieldError {
            kind: ErrorType::TooLong,
            path: place(path),
            body: format!("Too long: may not be more than {limit} bytes"),
        });
    }
    if let Some(limit) = checks.min_length.filter(|limit| length < *limit) {
        return Some(invalid(path, &value, &format!("should be at least {limit} chars long")));
    }
    let pattern = checks.pattern.as_ref().filter(|pattern| !pattern.is_match(text))?;
    Some(invalid(path, &value, &format!("should match '{pattern}'")))
}

/// A text that is not of its `format`.
pub(super) fn format_error(text: &str, checks: &Checks, path: &str) -> Option<FieldError> {
    if formats::format_matches(&checks.format, text) {
        return None;
    }
    let detail = format!("{path} in body must be of type {}: {text:?}", checks.format);
    Some(FieldError::type_invalid(&place(path), &json!(text), &detail))
}

/// What is wrong with a number: that it is no multiple, too small or too large.
pub(super) fn number_errors(number: &Number, checks: &Checks, path: &str) -> Vec<FieldError> {
    let value = Value::Number(number.clone());
    let mut errors = Vec::new();
    let Some(float) = number.as_f64() else { return errors };
    // Integers are compared as integers, whatever the limit is.
    let integer = number.as_i64();
    let limit_of = |limit: f64| if integer.is_some() { limit.trunc() } else { limit };
    let shown = |limit: f64| if integer.is_some() { format!("{:.0}", limit.trunc()) } else { go_float(limit) };
    let order = |limit: f64| match integer {
        Some(integer) => integer.partial_cmp(&(limit.trunc() as i64)),
        None => float.partial_cmp(&limit),
    };
    if let Some(factor) = checks.multiple_of {
        let divisor = if limit_of(factor) == 0.0 { factor } else { limit_of(factor) };
        if divisor <= 0.0 || !is_multiple(float, divisor) {
            errors.push(invalid(path, &value, &format!("should be a multiple of {}", shown(factor))));
        }
    }
    if let Some((limit, exclusive)) = checks.minimum {
        let order = order(limit);
        if order.is_some_and(|order| order.is_lt() || (exclusive && order.is_eq())) {
            let how = if exclusive { "greater than" } else { "greater than or equal to" };
            errors.push(invalid(path, &value, &format!("should be {how} {}", shown(limit))));
        }
    }
    if let Some((limit, exclusive)) = checks.maximum {
        let order = order(limit);
        if order.is_some_and(|order| order.is_gt() || (exclusive && order.is_eq())) {
            let how = if exclusive { "less than" } else { "less than or equal to" };
            errors.push(invalid(path, &value, &format!("should be {how} {}", shown(limit))));
        }
    }
    errors
}

fn is_multiple(value: f64, factor: f64) -> bool {
    let times = if factor < 1.0 { 1.0 / factor * value } else { value / factor };
    // Fractions such as 0.1 are not exact: what is as good as whole is whole.
    (times - times.round()).abs() <= f64::EPSILON * times.abs().max(1.0)
}

/// A number as Go writes it by default: with an exponent from a million on.
fn go_float(number: f64) -> String {
    let scientific = format!("{number:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let Ok(power) = exponent.parse::<i32>() else { return scientific };
    if (-4..6).contains(&power) {
        return number.to_string();
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", power.abs())
}

/// What is wrong with the length of a list, or with elements that are there twice.
pub(super) fn list_errors(items: &[Value], checks: &Checks, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let count = items.len() as i64;
    if let Some(limit) = checks.min_items.filter(|limit| count < *limit) {
        errors.push(invalid(path, &json!(count), &format!("should have at least {limit} items")));
    }
    if let Some(limit) = checks.max_items.filter(|limit| count > *limit) {
        errors.push(too_many(path, items.len(), limit));
    }
    if checks.unique_items {
        let mut texts: Vec<String> = items.iter().map(ToString::to_string).collect();
        texts.sort_unstable();
        texts.dedup();
        if texts.len() < items.len() {
            errors.push(invalid(path, &json!(""), "shouldn't contain duplicates"));
        }
    }
    errors
}

/// An object with too few or too many fields.
pub(super) fn size_error(count: usize, checks: &Checks, path: &str) -> Option<FieldError> {
    let size = count as i64;
    if let Some(limit) = checks.min_properties.filter(|limit| size < *limit) {
        return Some(invalid(path, &json!(limit), &format!("should have at least {limit} properties")));
    }
    let limit = checks.max_properties.filter(|limit| size > *limit)?;
    Some(too_many(path, count, limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_go_writes_them() {
        for (number, text) in [
            (10.0, "10"),
            (0.5, "0.5"),
            (999_999.0, "999999"),
            (1_000_000.0, "1e+06"),
            (2_147_483_647.0, "2.147483647e+09"),
            (0.000_01, "1e-05"),
            (-1.5, "-1.5"),
        ] {
            assert_eq!(go_float(number), text);
        }
    }
}
