//! What secrets of the well-known types must hold.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::data::{LIMIT_BYTES, decoded_bytes, entries, validate_immutable};
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::json::text;
use crate::{meta, names};

/// Stands for the content of a secret in error texts.
const REDACTED: &str = "<secret contents redacted>";
const ACCOUNT_ANNOTATION: &str = "kubernetes.io/service-account.name";

pub(super) fn validate(secret: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let data = Path::root("data");
    let mut total_bytes = 0;
    for (key, value) in entries(secret, "data") {
        errors.named(&data.key(key), key, names::config_map_key);
        total_bytes += decoded_bytes(value);
    }
    if total_bytes > LIMIT_BYTES {
        errors.0.push(FieldError::too_long(&data, LIMIT_BYTES));
    }
    required_keys(&mut errors, secret, &data);
    errors.0
}

fn required_keys(errors: &mut Errors, secret: &Value, data: &Path) {
    let has = |key: &str| secret.get("data").is_some_and(|d| d.get(key).is_some());
    let required: &[&str] = match text(secret, "type") {
        "kubernetes.io/service-account-token" => {
            if meta::annotations(secret).get(ACCOUNT_ANNOTATION).is_none_or(|name| name.is_empty()) {
                errors.required(&Path::root("metadata").child("annotations").key(ACCOUNT_ANNOTATION), "");
            }
            &[]
        }
        "kubernetes.io/dockercfg" => return docker_config(errors, secret, data, ".dockercfg"),
        "kubernetes.io/dockerconfigjson" => return docker_config(errors, secret, data, ".dockerconfigjson"),
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => &["username", "password"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        _ => &[],
    };
    for key in required.iter().filter(|key| !has(key)) {
        errors.required(&data.key(key), "");
    }
}

fn docker_config(errors: &mut Errors, secret: &Value, data: &Path, key: &str) {
    let Some(encoded) = secret.get("data").and_then(|d| d.get(key)).and_then(Value::as_str) else {
        return errors.required(&data.key(key), "");
    };
    let decoded = STANDARD.decode(encoded).unwrap_or_default();
    if let Err(error) = serde_json::from_slice::<Value>(&decoded) {
        errors.invalid(&data.key(key), &REDACTED, &error.to_string());
    }
}

pub(super) fn validate_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    errors.unchanged(&Path::root("type"), &text(new, "type"), &text(old, "type"));
    errors.0.extend(validate_immutable(new, old, &["data"]));
    errors.0
}
