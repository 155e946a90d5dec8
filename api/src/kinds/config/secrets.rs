//! Rules of secrets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{count, secret_types};
use crate::catalog::{RowCells, Rules};
use crate::kinds::json::{object, set_if_zero, text};
use crate::kinds::table::{AGE, age, column, number};
use crate::names;

/// The rules of the row.
pub static SECRET: Rules = Rules {
    defaults,
    validate: secret_types::validate,
    validate_update: secret_types::validate_update,
    name_errors: names::subdomain_name,
    selectable: &[("type", |secret| text(secret, "type").to_string())],
    columns: &[
        column(
            "Type",
            "Used to facilitate programmatic handling of secret data. More info: \
             https://kubernetes.io/docs/concepts/configuration/secret/#secret-types",
        ),
        number(
            "Data",
            "Data contains the secret data. Each key must consist of alphanumeric characters, '-', '_' or '.'. The \
             serialized form of the secret data is a base64 encoded string, representing the arbitrary (possibly \
             non-string) data value here. Described in https://tools.ietf.org/html/rfc4648#section-4",
        ),
        AGE,
    ],
    cells: |secret, now_seconds| RowCells {
        cells: vec![json!(text(secret, "type")), json!(count(secret, "data")), age(secret, now_seconds)],
    },
    ..Rules::GENERIC
};

/// `stringData` is write-only: it becomes part of `data` and is never read back.
fn defaults(secret: &mut Value) {
    let Some(map) = secret.as_object_mut() else { return };
    set_if_zero(map, "type", "Opaque");
    let Some(Value::Object(plain)) = map.remove("stringData") else { return };
    let Some(data) = object(secret, "data") else { return };
    for (key, value) in plain {
        let encoded = STANDARD.encode(value.as_str().unwrap_or_default());
        data.insert(key, json!(encoded));
    }
}
