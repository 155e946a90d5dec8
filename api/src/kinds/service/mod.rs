//! Rules of Services and their endpoints.

mod addresses;
mod columns;
mod defaults;
mod endpoint_slices;
mod endpoint_validation;
mod endpoints;
mod policies;
mod prepare;
mod validation;
mod warnings;

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
    prepare_status: prepare::status,
    validate_status: policies::validate_status,
    warnings: warnings::warnings,
    name_errors: names::label_name,
    selectable: &[
        ("spec.clusterIP", |s| text(s, "spec.clusterIP").to_string()),
        ("spec.type", |s| text(s, "spec.type").to_string()),
    ],
    columns: columns::COLUMNS,
    cells: columns::cells,
    ..Rules::GENERIC
};
