//! Rules of the kinds of `flowcontrol.apiserver.k8s.io`: how requests queue (KEP-1040).

mod levels;
mod schemas;

pub use levels::PRIORITY_LEVEL_CONFIGURATION;
pub use schemas::FLOW_SCHEMA;

use std::collections::BTreeSet;

use serde_json::Value;

use super::check::Errors;
use super::json::{list, text};
use crate::field::{FieldError, Path};

/// Conditions have types, each at most once.
fn conditions(object: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, mut seen) = (Path::root("status").child("conditions"), BTreeSet::new());
    for (index, condition) in list(object, "status.conditions").iter().enumerate() {
        let (path, kind) = (path.index(index).child("type"), text(condition, "type"));
        if !seen.insert(kind) {
            errors.duplicate(&path, &kind);
        }
        if kind.is_empty() {
            errors.required(&path, "must not be empty");
        }
    }
    errors.0
}
