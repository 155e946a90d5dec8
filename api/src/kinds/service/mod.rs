//! Rules of Services and their endpoints.

mod columns;
mod defaults;
mod endpoint_slices;
mod endpoint_validation;
mod endpoints;
mod prepare;
mod validation;

use super::json::text;
use crate::catalog::Rules;
use crate::names;

pub use endpoint_slices::ENDPOINT_SLICE;
pub use endpoints::ENDPOINTS;

/// The rules of the row.
pub static SERVICE: Rules = Rules {
    defaults: defaults::defaults,
    prepare_create: prepare::create,
    prepare_update: prepare::update,
    validate: validation::validate,
    validate_update: validation::validate_update,
    name_errors: names::label_1035_name,
    selectable: &[
        ("spec.clusterIP", |s| text(s, "spec.clusterIP").to_string()),
        ("spec.type", |s| text(s, "spec.type").to_string()),
    ],
    columns: columns::COLUMNS,
    cells: columns::cells,
    ..Rules::GENERIC
};
