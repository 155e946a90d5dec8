//! Rules of replica sets.

use serde_json::{Map, Value, json};

use super::check::Errors;
use super::json::{carry_over, integer, sections, set_default};
use super::table::{AGE, CONTAINERS, IMAGES, age, number, of_containers, selector, wide};
use super::{pod, warnings, workload};
use crate::catalog::{Column, RowCells, Rules, ScalePaths};
use crate::field::{FieldError, Path};
use crate::names;

/// The rules of the row.
pub static RULES: Rules = Rules {
    defaults,
    prepare_create: |set| set["status"] = json!({ "replicas": 0 }),
    prepare_update: |new, old| carry_over(new, old, "status"),
    validate,
    validate_update: workload::selector_stays,
    validate_status: |new, _| {
        let mut errors = Errors::default();
        let parts = ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"];
        workload::status_counts(&mut errors, new, &[], &parts, &[workload::TERMINATING, "observedGeneration"]);
        errors.0
    },
    warnings: warnings::of_workload,
    name_errors: names::subdomain_name,
    selectable: &[("status.replicas", |set| integer(set, "status.replicas").to_string())],
    columns: COLUMNS,
    cells,
    scale: Some(ScalePaths::WORKLOAD),
    ..Rules::GENERIC
};

const COLUMNS: &[Column] = &[
    number(
        "Desired",
        "Replicas is the number of desired pods. This is a pointer to distinguish between explicit zero and \
         unspecified. Defaults to 1. More info: \
         https://kubernetes.io/docs/concepts/workloads/controllers/replicaset",
    ),
    number(
        "Current",
        "Replicas is the most recently observed number of non-terminating pods. More info: \
         https://kubernetes.io/docs/concepts/workloads/controllers/replicaset",
    ),
    number("Ready", "The number of non-terminating pods targeted by this ReplicaSet with a Ready Condition."),
    AGE,
    CONTAINERS,
    IMAGES,
    wide(
        "Selector",
        "Selector is a label query over pods that should match the replica count. Label keys and values that must \
         match in order to be controlled by this replica set. It must match the pod template's labels. More info: \
         https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors",
    ),
];

fn defaults(set: &mut Value) {
    sections(set, &["spec", "template", "spec"]);
    let Some(spec) = set.get_mut("spec").filter(|s| s.is_object()) else { return };
    spec.get_mut("template").into_iter().for_each(pod::template_defaults);
    if let Some(map) = spec.as_object_mut() {
        set_default(map, "replicas", 1);
    }
    if let Some(map) = set.as_object_mut() {
        set_default(map, "status", Map::new());
    }
}

fn cells(set: &Value, now_seconds: i64) -> RowCells {
    let cells = vec![
        json!(integer(set, "spec.replicas")),
        json!(integer(set, "status.replicas")),
        json!(integer(set, "status.readyReplicas")),
        age(set, now_seconds),
        of_containers(set, "name"),
        of_containers(set, "image"),
        selector(set.pointer("/spec/selector")),
    ];
    RowCells { cells }
}

fn validate(set: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("spec");
    if set.get("spec").is_none_or(|s| !s.is_object()) {
        errors.required(&path, "");
        return errors.0;
    }
    errors.not_negative(&path.child("replicas"), Some(integer(set, "spec.replicas")));
    errors.not_negative(&path.child("minReadySeconds"), Some(integer(set, "spec.minReadySeconds")));
    workload::validate(&mut errors, set, "replicaset");
    errors.0
}
