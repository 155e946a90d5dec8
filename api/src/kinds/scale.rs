//! How the `scale` subresource is shown in a table. It is no resource of its own: what it scales is.

use serde_json::json;

use super::json::integer;
use super::table::{AGE, age, number};
use crate::catalog::{RowCells, Rules};

/// The rules of the row.
pub static RULES: Rules = Rules {
    columns: &[
        number("Desired", "replicas is the desired number of instances for the scaled object."),
        number("Available", "replicas is the actual number of observed instances of the scaled object."),
        AGE,
    ],
    cells: |scale, now_seconds| RowCells {
        cells: vec![
            json!(integer(scale, "spec.replicas")),
            json!(integer(scale, "status.replicas")),
            age(scale, now_seconds),
        ],
    },
    ..Rules::GENERIC
};
