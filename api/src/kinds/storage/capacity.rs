//! How much storage a CSI driver can still give in a part of the cluster.

use serde_json::{Value, json};

use crate::catalog::{RowCells, Rules};
use crate::field::Path;
use crate::kinds::check::{Errors, NOT_NEGATIVE};
use crate::kinds::json::text;
use crate::kinds::pod::normalize_field;
use crate::kinds::table::{column, or_unset};
use crate::names;
use crate::quantity::Quantity;

/// The rules of the row.
pub static CSI_STORAGE_CAPACITY: Rules = Rules {
    defaults: |capacity| {
        if let Some(map) = capacity.as_object_mut() {
            normalize_field(map, "capacity");
            normalize_field(map, "maximumVolumeSize");
        }
    },
    validate: |capacity| {
        let mut errors = Errors::default();
        let (root, class) = (Path::empty(), text(capacity, "storageClassName"));
        errors.required_name(&root.child("storageClassName"), class, names::dns1123_subdomain);
        errors.selector(&root, capacity, "nodeTopology");
        for field in ["capacity", "maximumVolumeSize"] {
            let amount = capacity.get(field).unwrap_or(&Value::Null);
            if Quantity::from_value(amount).is_some_and(Quantity::is_negative) {
                errors.invalid(&root.child(field), amount, NOT_NEGATIVE);
            }
        }
        errors.0
    },
    validate_update: |new, old| {
        let mut errors = Errors::default();
        errors.fixed(&Path::empty(), new, old, &["nodeTopology", "storageClassName"]);
        errors.0
    },
    name_errors: names::subdomain_name,
    columns: &[
        column(
            "StorageClassName",
            "storageClassName represents the name of the StorageClass that the reported capacity applies to. It \
                 must meet the same requirements as the name of a StorageClass object (non-empty, DNS subdomain). \
                 If that object no longer exists, the CSIStorageCapacity object is obsolete and should be removed \
                 by its creator. This field is immutable.",
        ),
        column(
            "Capacity",
            "capacity is the value reported by the CSI driver in its GetCapacityResponse for a \
                 GetCapacityRequest with topology and parameters that match the previous fields.\n\nThe semantic is \
                 currently (CSI spec 1.2) defined as: The available capacity, in bytes, of the storage that can be \
                 used to provision volumes. If not set, that information is currently unavailable.",
        ),
    ],
    cells: |capacity, _| RowCells {
        cells: vec![json!(text(capacity, "storageClassName")), or_unset(text(capacity, "capacity"))],
    },
    ..Rules::GENERIC
};
