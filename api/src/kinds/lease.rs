//! Rules of leases.

use serde_json::{Value, json};

use super::check::{Errors, NOT_NEGATIVE};
use super::json::{has, integer, text};
use super::table::{AGE, age, column};
use crate::catalog::{RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::names;

/// The rules of the row.
pub static RULES: Rules = Rules {
    // Coordinated leader election (KEP-4355) is off by default, and its fields are dropped then.
    prepare_create: |lease| {
        if let Some(spec) = lease.get_mut("spec").and_then(Value::as_object_mut) {
            ["strategy", "preferredHolder"].iter().for_each(|field| drop(spec.remove(*field)));
        }
    },
    prepare_update: |new, old| {
        for field in ["strategy", "preferredHolder"] {
            if !has(old, &format!("spec.{field}"))
                && let Some(spec) = new.get_mut("spec").and_then(Value::as_object_mut)
            {
                spec.remove(field);
            }
        }
    },
    validate,
    name_errors: names::subdomain_name,
    columns: &[column("Holder", "holderIdentity contains the identity of the holder of a current lease."), AGE],
    cells: |lease, now_seconds| RowCells {
        cells: vec![json!(text(lease, "spec.holderIdentity")), age(lease, now_seconds)],
    },
    ..Rules::GENERIC
};

fn validate(lease: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("spec");
    let seconds = integer(lease, "spec.leaseDurationSeconds");
    if has(lease, "spec.leaseDurationSeconds") && seconds <= 0 {
        errors.invalid(&path.child("leaseDurationSeconds"), &seconds, "must be greater than 0");
    }
    let transitions = integer(lease, "spec.leaseTransitions");
    if transitions < 0 {
        errors.invalid(&path.child("leaseTransitions"), &transitions, NOT_NEGATIVE);
    }
    if has(lease, "spec.holderIdentity") && text(lease, "spec.holderIdentity").is_empty() {
        errors.invalid(&path.child("holderIdentity"), &"", "must not be empty");
    }
    errors.0
}
