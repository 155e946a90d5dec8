//! Rules of leases.

use serde_json::json;

use super::json::text;
use super::table::{AGE, age, column};
use crate::catalog::{RowCells, Rules};
use crate::names;

/// The rules of the row.
pub static RULES: Rules = Rules {
    name_errors: names::subdomain_name,
    columns: &[column("Holder", "holderIdentity contains the identity of the holder of a current lease."), AGE],
    cells: |lease, now_seconds| RowCells {
        cells: vec![json!(text(lease, "spec.holderIdentity")), age(lease, now_seconds)],
    },
    ..Rules::GENERIC
};
