//! Rules of pods, and of the pod templates inside other kinds.

mod columns;
mod defaults;
mod fields;
mod prepare;
mod resource_defaults;

use crate::catalog::Rules;
use crate::names;

pub(super) use defaults::template_defaults;
pub(super) use resource_defaults::normalize_list;

/// The rules of the row.
pub static RULES: Rules = Rules {
    defaults: defaults::defaults,
    prepare_create: prepare::create,
    prepare_update: prepare::update,
    name_errors: names::subdomain_name,
    selectable: fields::SELECTABLE,
    columns: columns::COLUMNS,
    cells: columns::cells,
    ..Rules::GENERIC
};
