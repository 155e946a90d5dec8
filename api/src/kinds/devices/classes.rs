//! Classes of devices.

use crate::catalog::{RowCells, Rules};
use crate::field::Path;
use crate::kinds::check::Errors;
use crate::kinds::generation;
use crate::kinds::json::{part, sections};
use crate::kinds::table::{AGE, age};
use crate::names;

/// The rules of the row.
pub static DEVICE_CLASS: Rules = Rules {
    defaults: |class| sections(class, &["spec"]),
    prepare_create: generation::start,
    prepare_update: |new, old| generation::bump_if_changed(new, old, &["spec"]),
    validate: |class| {
        let mut errors = Errors::default();
        let (path, spec) = (Path::root("spec"), part(class, "spec"));
        super::selectors(&mut errors, &spec, &path);
        super::configurations(&mut errors, &spec, &path);
        errors.0
    },
    name_errors: names::subdomain_name,
    columns: &[AGE],
    cells: |class, now_seconds| RowCells { cells: vec![age(class, now_seconds)] },
    ..Rules::GENERIC
};
