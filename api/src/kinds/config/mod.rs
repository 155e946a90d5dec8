//! Rules of configuration objects.

mod data;
mod secret_types;
mod secrets;

use serde_json::{Value, json};

use super::json::list;
use super::table::{AGE, age, number};
use crate::catalog::{Column, RowCells, Rules};
use crate::names;

pub use secrets::SECRET;

/// The rules of the row.
pub static CONFIG_MAP: Rules = Rules {
    validate: data::validate_config_map,
    validate_update: |new, old| data::validate_immutable(new, old, &["data", "binaryData"]),
    name_errors: names::subdomain_name,
    columns: &[
        number(
            "Data",
            "Data contains the configuration data. Each key must consist of alphanumeric characters, '-', '_' or '.'. \
             Values with non-UTF-8 byte sequences must use the BinaryData field. The keys stored in Data must not \
             overlap with the keys in the BinaryData field, this is enforced during validation process.",
        ),
        AGE,
    ],
    cells: |map, now_seconds| RowCells {
        cells: vec![json!(count(map, "data") + count(map, "binaryData")), age(map, now_seconds)],
    },
    ..Rules::GENERIC
};

/// The rules of the row.
pub static SERVICE_ACCOUNT: Rules = Rules {
    warnings: |account| {
        let limited = crate::meta::annotations(account).contains_key(MOUNTABLE);
        let text = format!(
            "metadata.annotations[{MOUNTABLE}]: deprecated in v1.32+; prefer separate namespaces to isolate access to \
             mounted secrets"
        );
        limited.then_some(text).into_iter().collect()
    },
    name_errors: names::subdomain_name,
    columns: SERVICE_ACCOUNT_COLUMNS,
    cells: |account, now_seconds| RowCells {
        cells: vec![json!(list(account, "secrets").len()), age(account, now_seconds)],
    },
    ..Rules::GENERIC
};

/// Pods of the account mount only secrets that it lists.
const MOUNTABLE: &str = "kubernetes.io/enforce-mountable-secrets";

const SERVICE_ACCOUNT_COLUMNS: &[Column] = &[
    number(
        "Secrets",
        "Secrets is a list of the secrets in the same namespace that pods running using this ServiceAccount are allowed \
         to use. Pods are only limited to this list if this service account has a \
         \"kubernetes.io/enforce-mountable-secrets\" annotation set to \"true\".",
    ),
    AGE,
];

/// How many entries a map has.
fn count(object: &Value, key: &str) -> usize {
    object.get(key).and_then(Value::as_object).map_or(0, serde_json::Map::len)
}
