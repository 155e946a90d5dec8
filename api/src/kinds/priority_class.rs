//! Rules of priority classes.

use serde_json::{Value, json};

use super::check::Errors;
use super::generation;
use super::json::{boolean, integer, set_default, text};
use super::table::{AGE, age, column, flag, number};
use crate::catalog::{RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::{meta, names};

/// The classes that every cluster has, with their values.
pub const SYSTEM_CLASSES: [(&str, i64); 2] =
    [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];
/// More than this is for the system.
const USER_LIMIT: i64 = 1_000_000_000;

/// The rules of the row.
pub static RULES: Rules = Rules {
    defaults: |class| {
        if let Some(map) = class.as_object_mut() {
            set_default(map, "preemptionPolicy", "PreemptLowerPriority");
            set_default(map, "value", 0);
        }
    },
    prepare_create: generation::start,
    validate,
    validate_update: |new, old| {
        let mut errors = Errors::default();
        if integer(new, "value") != integer(old, "value") {
            errors.forbidden(&Path::root("value"), "may not be changed in an update.");
        }
        errors.fixed(&Path::empty(), new, old, &["preemptionPolicy"]);
        errors.0
    },
    name_errors: names::subdomain_name,
    columns: &[
        number(
            "Value",
            "value represents the integer value of this priority class. This is the actual priority that pods \
                 receive when they have the name of this class in their pod spec.",
        ),
        flag(
            "Global-Default",
            "globalDefault specifies whether this PriorityClass should be considered as the default priority \
                 for pods that do not have any priority class. Only one PriorityClass can be marked as \
                 `globalDefault`. However, if more than one PriorityClasses exists with their `globalDefault` field \
                 set to true, the smallest value of such global default PriorityClasses will be used as the default \
                 priority.",
        ),
        AGE,
        column(
            "PreemptionPolicy",
            "preemptionPolicy is the Policy for preempting pods with lower priority. One of Never, \
                 PreemptLowerPriority. Defaults to PreemptLowerPriority if unset.",
        ),
    ],
    cells: |class, now_seconds| RowCells {
        cells: vec![
            json!(integer(class, "value")),
            json!(boolean(class, "globalDefault")),
            age(class, now_seconds),
            json!(text(class, "preemptionPolicy")),
        ],
    },
    ..Rules::GENERIC
};

fn validate(class: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (name, value) = (meta::name(class), integer(class, "value"));
    if name.starts_with("system-") {
        let reason = match SYSTEM_CLASSES.iter().find(|(system, _)| *system == name) {
            None => Some(format!("{name} is not a known system priority class")),
            Some((_, expected)) if *expected != value => {
                Some(format!("value of {name} PriorityClass must be {expected}"))
            }
            Some(_) if boolean(class, "globalDefault") => {
                Some(format!("globalDefault of {name} PriorityClass must be false"))
            }
            Some(_) => None,
        };
        if let Some(reason) = reason {
            let detail =
                format!("priority class names with 'system-' prefix are reserved for system use only. error: {reason}");
            errors.forbidden(&Path::root("metadata").child("name"), &detail);
        }
    } else if value > USER_LIMIT {
        let detail = format!("maximum allowed value of a user defined priority is {USER_LIMIT}");
        errors.forbidden(&Path::root("value"), &detail);
    }
    let policies = ["Never", "PreemptLowerPriority"];
    errors.choice_if_set(&Path::empty(), class, "preemptionPolicy", &policies);
    errors.0
}
