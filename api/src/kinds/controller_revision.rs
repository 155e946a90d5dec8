//! Rules of controller revisions: what a stateful or daemon set was before an update.

use serde_json::{Value, json};

use super::check::Errors;
use super::json::{boolean, has, integer, list, text};
use super::table::{AGE, age, column, or_none};
use crate::catalog::{RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::names;

/// The rules of the row.
pub static RULES: Rules = Rules {
    validate,
    validate_update: |new, old| {
        let mut errors = Errors::default();
        errors.fixed(&Path::empty(), new, old, &["data"]);
        errors.0
    },
    name_errors: names::subdomain_name,
    columns: &[
        column("Controller", "Controller of the object"),
        column("Revision", "Revision indicates the revision of the state represented by Data."),
        AGE,
    ],
    cells: |revision, now_seconds| RowCells {
        cells: vec![or_none(&controller(revision)), json!(integer(revision, "revision")), age(revision, now_seconds)],
    },
    ..Rules::GENERIC
};

fn validate(revision: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, data) = (Path::root("data"), revision.get("data"));
    match data {
        _ if !has(revision, "data") => errors.required(&path, "data is mandatory"),
        Some(data) if !data.is_object() => {
            errors.invalid(&path, &"", "error parsing data: must be a valid JSON object")
        }
        _ => {}
    }
    errors.count(&Path::empty(), revision, "revision");
    errors.0
}

/// `statefulset.apps/web`
fn controller(revision: &Value) -> String {
    let owner = list(revision, "metadata.ownerReferences").iter().find(|owner| boolean(owner, "controller"));
    owner.map(describe).unwrap_or_default()
}

fn describe(owner: &Value) -> String {
    let kind = text(owner, "kind").to_lowercase();
    match text(owner, "apiVersion").split_once('/') {
        Some((group, _)) => format!("{kind}.{group}/{}", text(owner, "name")),
        None => format!("{kind}/{}", text(owner, "name")),
    }
}
