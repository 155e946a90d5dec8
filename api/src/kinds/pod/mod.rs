//! Rules of pods, and of the pod templates inside other kinds.

mod columns;
mod defaults;
mod fields;
mod prepare;
mod resource_defaults;
mod update;
mod validation;
pub(super) mod volume_sources;
mod warnings;

use crate::catalog::Rules;
use crate::names;

pub(super) use defaults::template_defaults;
pub(super) use resource_defaults::{normalize_field, normalize_list};
pub(super) use update::compare;
pub use update::validate_resize;
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
    warnings: warnings::of_pod,
    name_errors: names::subdomain_name,
    selectable: fields::SELECTABLE,
    columns: columns::COLUMNS,
    cells: columns::cells,
    ..Rules::GENERIC
};
