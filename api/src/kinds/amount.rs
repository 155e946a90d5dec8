//! Counts that may be percentages: `maxUnavailable`, `maxSurge`, `minAvailable`.

use serde_json::Value;

use super::check::Errors;
use crate::field::Path;

const PERCENT: &str = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or \
     '93%', regex used for validation is '[0-9]+%')";

/// The number, without the `%` of a percentage; `None` for a text that is no percentage.
pub(super) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => {
            let digits = text.strip_suffix('%')?;
            (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
        }
        _ => None,
    }
}

/// A count that is not negative, or a percentage.
pub(super) fn validate(errors: &mut Errors, value: &Value, path: &Path) {
    match value {
        Value::Number(number) => errors.not_negative(path, number.as_i64()),
        Value::String(_) if number(value).is_none() => errors.invalid(path, value, PERCENT),
        _ => {}
    }
}

/// A percentage of at most all.
pub(super) fn at_most_all(errors: &mut Errors, value: &Value, path: &Path) {
    if value.is_string() && number(value) > Some(100) {
        errors.invalid(path, value, "must not be greater than 100%");
    }
}
