//! Rules of Events in both API groups, which show the same stored objects.

mod columns;
mod conversion;
mod fields;
mod validation;

use crate::catalog::Rules;
use crate::names;

pub use conversion::{from_core, to_core};

/// The rules of the row.
pub static CORE: Rules = Rules {
    validate: validation::core,
    name_errors: names::subdomain_name,
    selectable: fields::SELECTABLE,
    columns: columns::COLUMNS,
    cells: columns::cells,
    ..Rules::GENERIC
};

/// The rules of the row.
pub static EVENTS_V1: Rules = Rules {
    validate: validation::events_v1,
    validate_new: validation::new_events_v1,
    validate_update: validation::events_v1_update,
    name_errors: names::subdomain_name,
    selectable: fields::SELECTABLE_V1,
    field_aliases: fields::ALIASES_V1,
    columns: columns::COLUMNS,
    cells: |event, now_seconds| columns::cells(&to_core(event.clone()), now_seconds),
    from_storage: Some(from_core),
    to_storage: Some(to_core),
    ..Rules::GENERIC
};
