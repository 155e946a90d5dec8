//! Scalars: type checks and the forms that Go writes back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::json_error::json_type;
use super::time;
use crate::quantity::Quantity;
use crate::schema::Scalar;

/// Why a value is not of a scalar type.
pub(super) enum ScalarError {
    /// Another JSON type, or a number that does not fit: what was found.
    Mismatch(String),
    /// The text of an unmarshaler of its own.
    Text(String),
}

/// Checks a value that is not null and rewrites it in canonical form.
pub(super) fn normalize(value: &mut Value, scalar: Scalar) -> Result<(), ScalarError> {
    match scalar {
        Scalar::String if value.is_string() => Ok(()),
        Scalar::Bool if value.is_boolean() => Ok(()),
        Scalar::Double if value.is_number() => Ok(()),
        Scalar::Int32 => integer(value, i64::from(i32::MIN), i64::from(i32::MAX)).map_err(ScalarError::Mismatch),
        Scalar::Int64 => integer(value, i64::MIN, i64::MAX).map_err(ScalarError::Mismatch),
        Scalar::Bytes => bytes(value),
        Scalar::IntOrString => int_or_string(value),
        Scalar::Quantity => quantity(value),
        Scalar::Time => time_text(value, time::normalize_seconds),
        Scalar::MicroTime => time_text(value, time::normalize_micros),
        Scalar::String | Scalar::Bool | Scalar::Double => Err(ScalarError::Mismatch(json_type(value).into())),
    }
}

fn integer(value: &Value, min: i64, max: i64) -> Result<(), String> {
    match value {
        Value::Number(number) => match number.as_i64() {
            Some(number) if (min..=max).contains(&number) => Ok(()),
            _ => Err(format!("number {number}")),
        },
        other => Err(json_type(other).to_string()),
    }
}

fn int_or_string(value: &Value) -> Result<(), ScalarError> {
    if value.is_string() {
        return Ok(());
    }
    integer(value, i64::from(i32::MIN), i64::from(i32::MAX))
        .map_err(|found| ScalarError::Text(format!("json: cannot unmarshal {found} into Go value of type int32")))
}

/// Go reads the raw JSON, so a number will do, and an object is merely a badly written number.
fn quantity(value: &mut Value) -> Result<(), ScalarError> {
    let raw = match *value {
        Value::String(ref text) => text.trim().to_string(),
        ref other => other.to_string(),
    };
    let canonical = Quantity::normalize(&raw).map_err(|error| ScalarError::Text(error.to_string()))?;
    *value = json!(canonical);
    Ok(())
}

fn bytes(value: &mut Value) -> Result<(), ScalarError> {
    let Value::String(text) = value else { return Err(ScalarError::Mismatch(json_type(value).into())) };
    // Go's decoder skips line breaks, which hand-made secrets are full of.
    text.retain(|c| c != '\n' && c != '\r');
    let illegal = |at: usize| ScalarError::Text(format!("illegal base64 data at input byte {at}"));
    match STANDARD.decode(text.as_bytes()) {
        Ok(_) => Ok(()),
        Err(base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _)) => {
            Err(illegal(at))
        }
        Err(base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidPadding) => Err(illegal(text.len())),
    }
}

fn time_text(value: &mut Value, normalize: fn(&str) -> Result<String, String>) -> Result<(), ScalarError> {
    let Value::String(text) = value else {
        let found = json_type(value);
        return Err(ScalarError::Text(format!("json: cannot unmarshal {found} into Go value of type string")));
    };
    *text = normalize(text).map_err(ScalarError::Text)?;
    Ok(())
}
