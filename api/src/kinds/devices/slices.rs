//! Slices of what devices there are.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::driver_name;
use crate::catalog::{RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::kinds::check::Errors;
use crate::kinds::generation;
use crate::kinds::json::{boolean, has, integer, list, part, text};
use crate::kinds::table::{AGE, age, column};
use crate::names;
use crate::selector::FieldSelectorError;

const DEVICES_LIMIT: usize = 128;
const POOL_NAME_LIMIT_BYTES: usize = 253;
const ONE_PLACE: &str = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required";

/// The rules of the row.
pub static RESOURCE_SLICE: Rules = Rules {
    prepare_create: generation::start,
    prepare_update: |new, old| generation::bump_if_changed(new, old, &["spec"]),
    validate,
    validate_update: |new, old| {
        let mut errors = Errors::default();
        let (path, new, old) = (Path::root("spec"), part(new, "spec"), part(old, "spec"));
        errors.fixed(&path, &new, &old, &["driver", "nodeName"]);
        if part(&new, "pool.name") != part(&old, "pool.name") {
            let path = path.child("pool").child("name");
            errors.invalid(&path, &part(&new, "pool.name"), crate::metadata::IMMUTABLE);
        }
        errors.0
    },
    name_errors: names::subdomain_name,
    selectable: &[
        ("spec.nodeName", |slice| text(slice, "spec.nodeName").to_string()),
        ("spec.driver", |slice| text(slice, "spec.driver").to_string()),
    ],
    unknown_label: |label| {
        let kind = "resource.k8s.io/v1, Kind=ResourceSlice";
        FieldSelectorError::UnsupportedHere(format!("field label not supported for {kind}: {label}"))
    },
    columns: &[
        column(
            "Node",
            "NodeName identifies the node which provides the resources in this pool. A field selector can be \
                 used to list only ResourceSlice objects belonging to a certain node.\n\nThis field can be used to \
                 limit access from nodes to ResourceSlices with the same node name. It also indicates to \
                 autoscalers that adding new nodes of the same type as some old node might also make new resources \
                 available.\n\nExactly one of NodeName, NodeSelector, AllNodes, and PerDeviceNodeSelection must be \
                 set. This field is immutable.",
        ),
        column(
            "Driver",
            "Driver identifies the DRA driver providing the capacity information. A field selector can be used \
                 to list only ResourceSlice objects with a certain driver name.\n\nMust be a DNS subdomain and \
                 should end with a DNS domain owned by the vendor of the driver. It should use only lower case \
                 characters. This field is immutable.",
        ),
        column(
            "Pool",
            "Name is used to identify the pool. For node-local devices, this is often the node name, but this \
                 is not required.\n\nIt must not be longer than 253 characters and must consist of one or more DNS \
                 sub-domains separated by slashes. This field is immutable.",
        ),
        AGE,
    ],
    cells: |slice, now_seconds| RowCells {
        cells: vec![
            json!(text(slice, "spec.nodeName")),
            json!(text(slice, "spec.driver")),
            json!(text(slice, "spec.pool.name")),
            age(slice, now_seconds),
        ],
    },
    ..Rules::GENERIC
};

fn validate(slice: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, spec) = (Path::root("spec"), part(slice, "spec"));
    driver_name(&mut errors, text(&spec, "driver"), &path.child("driver"));
    pool(&mut errors, &part(&spec, "pool"), &path.child("pool"));
    let places = [
        has(&spec, "nodeName"),
        has(&spec, "nodeSelector"),
        boolean(&spec, "allNodes"),
        boolean(&spec, "perDeviceNodeSelection"),
    ];
    match places.iter().filter(|set| **set).count() {
        0 => errors.required(&path, ONE_PLACE),
        1 => {}
        _ => errors.invalid(&path, &"{multiple}", ONE_PLACE),
    }
    let (path, devices) = (path.child("devices"), list(&spec, "devices"));
    if devices.len() > DEVICES_LIMIT {
        errors.0.push(FieldError::too_many(&path, devices.len(), DEVICES_LIMIT));
    }
    let mut seen = BTreeSet::new();
    for (index, device) in devices.iter().enumerate() {
        let (path, name) = (path.index(index).child("name"), text(device, "name"));
        errors.required_name(&path, name, names::dns1123_label);
        if !name.is_empty() && !seen.insert(name) {
            errors.duplicate(&path, &name);
        }
    }
    errors.0
}

fn pool(errors: &mut Errors, pool: &Value, path: &Path) {
    let name = text(pool, "name");
    if name.is_empty() {
        errors.required(&path.child("name"), "");
    } else if name.len() > POOL_NAME_LIMIT_BYTES {
        errors.0.push(FieldError::too_long(&path.child("name"), POOL_NAME_LIMIT_BYTES));
    } else {
        name.split('/').for_each(|part| errors.named(&path.child("name"), part, names::dns1123_subdomain));
    }
    if integer(pool, "resourceSliceCount") <= 0 {
        let path = path.child("resourceSliceCount");
        errors.invalid(&path, &integer(pool, "resourceSliceCount"), "must be greater than zero");
    }
    errors.count(path, pool, "generation");
}
