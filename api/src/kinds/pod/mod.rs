//! Rules of pods, and of the pod templates inside other kinds.

mod app_armor;
mod columns;
mod defaults;
mod fields;
mod gates;
mod label_keys;
mod prepare;
mod resize;
mod resource_defaults;
mod update;
mod validation;
pub(super) mod volume_sources;
mod warnings;

use crate::catalog::Rules;
use crate::names;

pub(super) use defaults::template_defaults;
pub use resize::{take_resize, validate_resize};
pub(super) use resource_defaults::{normalize_field, normalize_list};
pub(super) use update::{compare, shown};
pub use validation::validate_ephemeral_update;
pub(super) use validation::{PROTOCOLS, node_selector, port, taints, tolerations, valid_address, validate_template};
pub(super) use warnings::of_spec_at as spec_warnings;

/// The rules of the row.
pub static RULES: Rules = Rules {
    defaults: defaults::defaults,
    prepare_create: prepare::create,
    prepare_update: prepare::update,
    validate: validation::validate,
    validate_update: update::validate,
    prepare_status: prepare::status,
    validate_status: validation::status,
    warnings: warnings::of_pod,
    warns_on_update: false,
    name_errors: names::subdomain_name,
    selectable: fields::SELECTABLE,
    field_aliases: fields::ALIASES,
    columns: columns::COLUMNS,
    cells: columns::cells,
    row_conditions: columns::row_conditions,
    ..Rules::GENERIC
};
