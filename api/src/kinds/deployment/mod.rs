//! Rules of deployments.

mod validation;

use serde_json::{Map, Value, json};

use super::json::{carry_over, integer, object, sections, set_default, set_if_zero, text};
use super::table::{AGE, CONTAINERS, IMAGES, age, column, of_containers, selector, wide};
use super::{generation, pod, warnings, workload};
use crate::catalog::{Column, RowCells, Rules, ScalePaths};
use crate::names;

/// The rules of the row.
pub static RULES: Rules = Rules {
    defaults,
    prepare_create: |deployment| deployment["status"] = json!({}),
    prepare_update,
    validate: validation::validate,
    validate_update: workload::selector_stays,
    validate_status: validation::validate_status,
    warnings: warnings::of_workload,
    name_errors: names::subdomain_name,
    columns: COLUMNS,
    cells,
    scale: Some(ScalePaths::WORKLOAD),
    ..Rules::GENERIC
};

const COLUMNS: &[Column] = &[
    column("Ready", "Number of the pod with ready state"),
    column(
        "Up-to-date",
        "Total number of non-terminating pods targeted by this deployment that have the desired template spec.",
    ),
    column(
        "Available",
        "Total number of available non-terminating pods (ready for at least minReadySeconds) targeted by this \
         deployment.",
    ),
    AGE,
    CONTAINERS,
    IMAGES,
    wide(
        "Selector",
        "Label selector for pods. Existing ReplicaSets whose pods are selected by this will be the ones affected by \
         this deployment. It must match the pod template's labels.",
    ),
];

fn defaults(deployment: &mut Value) {
    sections(deployment, &["spec", "template", "spec"]);
    let Some(spec) = deployment.get_mut("spec").filter(|s| s.is_object()) else { return };
    spec.get_mut("template").into_iter().for_each(pod::template_defaults);
    if let Some(strategy) = object(spec, "strategy") {
        set_if_zero(strategy, "type", "RollingUpdate");
    }
    if text(spec, "strategy.type") == "RollingUpdate"
        && let Some(rolling) = spec.get_mut("strategy").and_then(|s| object(s, "rollingUpdate"))
    {
        set_default(rolling, "maxUnavailable", "25%");
        set_default(rolling, "maxSurge", "25%");
    }
    if let Some(map) = spec.as_object_mut() {
        set_default(map, "replicas", 1);
        set_default(map, "revisionHistoryLimit", 10);
        set_default(map, "progressDeadlineSeconds", 600);
    }
    if let Some(map) = deployment.as_object_mut() {
        set_default(map, "status", Map::new());
    }
}

/// Annotations count as part of the desired state: a change to them is a new generation.
fn prepare_update(new: &mut Value, old: &Value) {
    carry_over(new, old, "status");
    if new.pointer("/metadata/annotations") != old.pointer("/metadata/annotations") {
        generation::bump(new, old);
    }
}

fn cells(deployment: &Value, now_seconds: i64) -> RowCells {
    let status = |field: &str| integer(deployment, &format!("status.{field}"));
    let cells = vec![
        json!(format!("{}/{}", status("readyReplicas"), integer(deployment, "spec.replicas"))),
        json!(status("updatedReplicas")),
        json!(status("availableReplicas")),
        age(deployment, now_seconds),
        of_containers(deployment, "name"),
        of_containers(deployment, "image"),
        selector(deployment.pointer("/spec/selector")),
    ];
    RowCells { cells }
}
