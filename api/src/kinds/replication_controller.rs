//! Rules of replication controllers.

use serde_json::{Map, Value, json};

use super::check::Errors;
use super::json::{carry_over, has, integer, object, part, sections, set_default};
use super::table::{AGE, CONTAINERS, IMAGES, age, map, number, of_containers, wide};
use super::{pod, warnings, workload};
use crate::catalog::{Column, RowCells, Rules, ScalePaths};
use crate::field::{FieldError, Path};
use crate::{metadata, names};

/// The rules of the row.
pub static RULES: Rules = Rules {
    defaults,
    prepare_create: |controller| controller["status"] = json!({ "replicas": 0 }),
    prepare_update: |new, old| carry_over(new, old, "status"),
    validate,
    validate_status: |new, _| {
        let mut errors = Errors::default();
        let parts = ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"];
        workload::status_counts(&mut errors, new, &[], &parts, &["observedGeneration"]);
        errors.0
    },
    warnings: warnings::of_workload,
    name_errors: names::subdomain_name,
    selectable: &[("status.replicas", |controller| integer(controller, "status.replicas").to_string())],
    columns: COLUMNS,
    cells,
    scale: Some(ScalePaths {
        spec_replicas: "spec.replicas",
        status_replicas: "status.replicas",
        selector: "spec.selector",
    }),
    ..Rules::GENERIC
};

const COLUMNS: &[Column] = &[
    number(
        "Desired",
        "Replicas is the number of desired replicas. This is a pointer to distinguish between explicit zero and \
             unspecified. Defaults to 1. More info: \
             https://kubernetes.io/docs/concepts/workloads/controllers/replicationcontroller#what-is-a-replicationcontroller",
    ),
    number(
        "Current",
        "Replicas is the most recently observed number of replicas. More info: \
             https://kubernetes.io/docs/concepts/workloads/controllers/replicationcontroller#what-is-a-replicationcontroller",
    ),
    number("Ready", "The number of ready replicas for this replication controller."),
    AGE,
    CONTAINERS,
    IMAGES,
    wide(
        "Selector",
        "Selector is a label query over pods that should match the Replicas count. If Selector is empty, it is \
             defaulted to the labels present on the Pod template. Label keys and values that must match in order to \
             be controlled by this replication controller, if empty defaulted to labels on Pod template. More info: \
             https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors",
    ),
];

/// A controller without a selector, or without labels, has those of its template.
fn defaults(controller: &mut Value) {
    sections(controller, &["spec"]);
    let labels = part(controller, "spec.template.metadata.labels");
    let is_empty = |value: &Value| value.as_object().is_none_or(Map::is_empty);
    if let Some(spec) = controller.get_mut("spec").filter(|s| s.is_object()) {
        spec.get_mut("template").into_iter().for_each(|template| {
            sections(template, &["spec"]);
            pod::template_defaults(template);
        });
        if !is_empty(&labels) && is_empty(&part(spec, "selector")) {
            spec["selector"] = labels.clone();
        }
        if let Some(map) = spec.as_object_mut() {
            set_default(map, "replicas", 1);
        }
    }
    if !is_empty(&labels)
        && is_empty(&part(controller, "metadata.labels"))
        && let Some(metadata) = object(controller, "metadata")
    {
        metadata.insert("labels".into(), labels);
    }
    if let Some(map) = controller.as_object_mut() {
        set_default(map, "status", Map::new());
    }
}

fn cells(controller: &Value, now_seconds: i64) -> RowCells {
    let cells = vec![
        json!(integer(controller, "spec.replicas")),
        json!(integer(controller, "status.replicas")),
        json!(integer(controller, "status.readyReplicas")),
        age(controller, now_seconds),
        of_containers(controller, "name"),
        of_containers(controller, "image"),
        json!(map(controller.pointer("/spec/selector"))),
    ];
    RowCells { cells }
}

fn validate(controller: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("spec");
    errors.count(&path, controller.get("spec").unwrap_or(&Value::Null), "minReadySeconds");
    let selector = part(controller, "spec.selector");
    errors.0.extend(metadata::labels(Some(&selector).filter(|s| s.is_object()), &path.child("selector")));
    if selector.as_object().is_none_or(Map::is_empty) {
        errors.required(&path.child("selector"), "");
    }
    errors.not_negative(&path.child("replicas"), Some(integer(controller, "spec.replicas")));
    let template_path = path.child("template");
    match controller.pointer("/spec/template").filter(|t| !t.is_null()) {
        None => errors.required(&template_path, ""),
        Some(template) => {
            workload::labels_match(&mut errors, Some(&selector), template, &template_path);
            errors.0.extend(pod::validate_template(template, &template_path));
            workload::runs_always(&mut errors, template, &template_path, "ReplicationController");
        }
    }
    if !has(controller, "spec.replicas") {
        errors.required(&path.child("replicas"), "");
    }
    errors.0
}
