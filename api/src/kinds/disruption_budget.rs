//! Rules of pod disruption budgets.

use serde_json::{Value, json};

use super::check::Errors;
use super::json::{carry_over, has, integer, list, part, sections, set_default};
use super::table::{AGE, age, column, number};
use super::{amount, conditions};
use crate::catalog::{RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::names;

const COUNTS: [&str; 4] = ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"];

/// The rules of the row.
pub static RULES: Rules = Rules {
    defaults: |budget| {
        sections(budget, &["spec"]);
        sections(budget, &["status"]);
        if let Some(status) = budget.get_mut("status").and_then(Value::as_object_mut) {
            COUNTS.iter().for_each(|count| set_default(status, count, 0));
        }
    },
    prepare_create: |budget| {
        budget["status"] =
            json!({ "currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0 });
    },
    prepare_update: |new, old| carry_over(new, old, "status"),
    validate,
    validate_status: |new, _| {
        let mut errors = Errors::default();
        let status = part(new, "status");
        conditions::validate(&mut errors, list(&status, "conditions"), &Path::root("status").child("conditions"));
        COUNTS.iter().for_each(|count| errors.count(&Path::root("status"), &status, count));
        errors.0
    },
    name_errors: names::subdomain_name,
    columns: &[
        column("Min Available", "The minimum number of pods that must be available."),
        column("Max Unavailable", "The maximum number of pods that may be unavailable."),
        number("Allowed Disruptions", "Calculated number of pods that may be disrupted at this time."),
        AGE,
    ],
    cells: |budget, now_seconds| RowCells {
        cells: vec![
            shown(&part(budget, "spec.minAvailable")),
            shown(&part(budget, "spec.maxUnavailable")),
            json!(integer(budget, "status.disruptionsAllowed")),
            age(budget, now_seconds),
        ],
    },
    ..Rules::GENERIC
};

fn shown(amount: &Value) -> Value {
    match amount {
        Value::Null => json!("N/A"),
        Value::String(text) => json!(text),
        number => json!(number.to_string()),
    }
}

fn validate(budget: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, spec) = (Path::root("spec"), part(budget, "spec"));
    if has(&spec, "minAvailable") && has(&spec, "maxUnavailable") {
        errors.invalid(&path, &spec, "minAvailable and maxUnavailable cannot be both set");
    }
    for field in ["minAvailable", "maxUnavailable"] {
        amount::validate(&mut errors, &part(&spec, field), &path.child(field));
        amount::at_most_all(&mut errors, &part(&spec, field), &path.child(field));
    }
    errors.selector(&path, &spec, "selector");
    errors.choice_if_set(&path, &spec, "unhealthyPodEvictionPolicy", &["AlwaysAllow", "IfHealthyBudget"]);
    errors.0
}
