//! Rules of EndpointSlices.

use serde_json::{Map, Value, json};

use super::endpoint_validation;
use super::endpoints::abridged;
use crate::catalog::{Column, RowCells, Rules};
use crate::field::Path;
use crate::kinds::check::Errors;
use crate::kinds::generation;
use crate::kinds::json::{has, items, list, set_default, text};
use crate::kinds::table::{AGE, age, column};
use crate::{meta, names};

/// The rules of the row.
pub static ENDPOINT_SLICE: Rules = Rules {
    defaults,
    prepare_create: |slice| drop(meta::metadata_mut(slice).insert("generation".into(), json!(1))),
    prepare_update,
    validate: endpoint_validation::slice,
    validate_update: |new, old| {
        let mut errors = Errors::default();
        errors.unchanged(&Path::root("addressType"), &text(new, "addressType"), &text(old, "addressType"));
        errors.0
    },
    name_errors: names::subdomain_name,
    columns: COLUMNS,
    cells,
    ..Rules::GENERIC
};

const COLUMNS: &[Column] = &[
    column(
        "AddressType",
        "addressType specifies the type of address carried by this EndpointSlice. All addresses in this slice must be \
         the same type. This field is immutable after creation.",
    ),
    column(
        "Ports",
        "ports specifies the list of network ports exposed by each endpoint in this slice. Each port must have a \
         unique name. Each slice may include a maximum of 100 ports.",
    ),
    column(
        "Endpoints",
        "endpoints is a list of unique endpoints in this slice. Each slice may include a maximum of 1000 endpoints.",
    ),
    AGE,
];

fn defaults(slice: &mut Value) {
    items(slice, "endpoints").filter_map(Value::as_object_mut).for_each(|endpoint| {
        set_default(endpoint, "conditions", Map::new());
    });
    items(slice, "ports").filter_map(Value::as_object_mut).for_each(|port| {
        set_default(port, "name", "");
        set_default(port, "protocol", "TCP");
    });
}

/// There is no `spec`: everything but the metadata is the desired state.
fn prepare_update(new: &mut Value, old: &Value) {
    let differs = ["addressType", "endpoints", "ports"].iter().any(|field| new.get(field) != old.get(field));
    let labels_differ = meta::labels(new) != meta::labels(old);
    if differs || labels_differ {
        generation::bump(new, old);
    }
}

fn cells(slice: &Value, now_seconds: i64) -> RowCells {
    let ports: Vec<String> = list(slice, "ports").iter().map(port).collect();
    let endpoints = list(slice, "endpoints").iter().flat_map(|e| list(e, "addresses"));
    let addresses: Vec<String> = endpoints.filter_map(|a| Some(a.as_str()?.to_string())).collect();
    let or_unset = |text: String| json!(if text.is_empty() { "<unset>".to_string() } else { text });
    let cells = vec![
        json!(text(slice, "addressType")),
        or_unset(abridged(&ports)),
        or_unset(abridged(&addresses)),
        age(slice, now_seconds),
    ];
    RowCells { cells }
}

fn port(port: &Value) -> String {
    match port.get("port").and_then(Value::as_i64) {
        Some(number) => number.to_string(),
        None if has(port, "name") => text(port, "name").to_string(),
        None => "*".to_string(),
    }
}
