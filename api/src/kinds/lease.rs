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
