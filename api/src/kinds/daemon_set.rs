//! Rules of daemon sets.

use serde_json::{Map, Value, json};

use super::check::{Errors, same};
use super::json::{carry_over, has, integer, object, part, sections, set_default, set_if_zero, text};
use super::table::{AGE, CONTAINERS, IMAGES, age, column, map, number, of_containers, selector, wide};
use super::{amount, pod, warnings, workload};
use crate::catalog::{Column, RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::{meta, names};

/// Counts the versions of the template, for clients of the days before revisions.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// The rules of the row.
pub static RULES: Rules = Rules {
    defaults,
    prepare_create: |set| {
        set["status"] = json!({
            "currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0,
        });
        count_templates(set, 1);
    },
    prepare_update: |new, old| {
        carry_over(new, old, "status");
        let before = template_generation(old);
        let changed = !same(&part(new, "spec.template"), &part(old, "spec.template"));
        count_templates(new, if changed { before + 1 } else { before });
    },
    validate,
    validate_update: workload::selector_stays,
    validate_status,
    warnings: warnings::of_template,
    name_errors: names::subdomain_name,
    columns: COLUMNS,
    cells,
    ..Rules::GENERIC
};

const COLUMNS: &[Column] = &[
    number(
        "Desired",
        "The total number of nodes that should be running the daemon pod (including nodes correctly running the \
         daemon pod). More info: https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/",
    ),
    number(
        "Current",
        "The number of nodes that are running at least 1 daemon pod and are supposed to run the daemon pod. More \
         info: https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/",
    ),
    number(
        "Ready",
        "numberReady is the number of nodes that should be running the daemon pod and have one or more of the \
         daemon pod running with a Ready Condition.",
    ),
    number("Up-to-date", "The total number of nodes that are running updated daemon pod"),
    number(
        "Available",
        "The number of nodes that should be running the daemon pod and have one or more of the daemon pod running \
         and available (ready for at least spec.minReadySeconds)",
    ),
    column(
        "Node Selector",
        "NodeSelector is a selector which must be true for the pod to fit on a node. Selector which must match \
             a node's labels for the pod to be scheduled on that node. More info: \
             https://kubernetes.io/docs/concepts/configuration/assign-pod-node/",
    ),
    AGE,
    CONTAINERS,
    IMAGES,
    wide(
        "Selector",
        "A label query over pods that are managed by the daemon set. Must match in order to be controlled. It must \
         match the pod template's labels. More info: \
         https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors",
    ),
];

fn template_generation(set: &Value) -> i64 {
    meta::annotations(set).get(TEMPLATE_GENERATION).and_then(|text| text.parse().ok()).unwrap_or(1)
}

fn count_templates(set: &mut Value, generation: i64) {
    meta::metadata_mut(set);
    if let Some(annotations) = set.get_mut("metadata").and_then(|m| object(m, "annotations")) {
        annotations.insert(TEMPLATE_GENERATION.into(), json!(generation.to_string()));
    }
}

fn defaults(set: &mut Value) {
    sections(set, &["spec", "template", "spec"]);
    let Some(spec) = set.get_mut("spec").filter(|s| s.is_object()) else { return };
    spec.get_mut("template").into_iter().for_each(pod::template_defaults);
    if let Some(strategy) = object(spec, "updateStrategy") {
        set_if_zero(strategy, "type", "RollingUpdate");
    }
    if text(spec, "updateStrategy.type") == "RollingUpdate"
        && let Some(rolling) = spec.get_mut("updateStrategy").and_then(|s| object(s, "rollingUpdate"))
    {
        set_default(rolling, "maxUnavailable", 1);
        set_default(rolling, "maxSurge", 0);
    }
    if let Some(map) = spec.as_object_mut() {
        set_default(map, "revisionHistoryLimit", 10);
    }
    if let Some(map) = set.as_object_mut() {
        set_default(map, "status", Map::new());
    }
}

fn cells(set: &Value, now_seconds: i64) -> RowCells {
    let status = |field: &str| json!(integer(set, &format!("status.{field}")));
    let cells = vec![
        status("desiredNumberScheduled"),
        status("currentNumberScheduled"),
        status("numberReady"),
        status("updatedNumberScheduled"),
        status("numberAvailable"),
        json!(map(set.pointer("/spec/template/spec/nodeSelector"))),
        age(set, now_seconds),
        of_containers(set, "name"),
        of_containers(set, "image"),
        selector(set.pointer("/spec/selector")),
    ];
    RowCells { cells }
}

fn validate(set: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, spec) = (Path::root("spec"), part(set, "spec"));
    workload::selector_and_template(&mut errors, &spec, &path, "daemonset", "DaemonSet");
    errors.count(&path, &spec, "minReadySeconds");
    strategy(&mut errors, &spec, &path.child("updateStrategy"));
    errors.count(&path, &spec, "revisionHistoryLimit");
    errors.0
}

fn strategy(errors: &mut Errors, spec: &Value, path: &Path) {
    match text(spec, "updateStrategy.type") {
        "OnDelete" => {}
        "RollingUpdate" if !has(spec, "updateStrategy.rollingUpdate") => {
            errors.required(&path.child("rollingUpdate"), "");
        }
        "RollingUpdate" => rolling_update(errors, &part(spec, "updateStrategy.rollingUpdate"), path),
        other => errors.not_supported(path, other, &["RollingUpdate", "OnDelete"]),
    }
}

/// Either old pods go first or new ones come first.
fn rolling_update(errors: &mut Errors, rolling: &Value, path: &Path) {
    let path = path.child("rollingUpdate");
    let (unavailable, surge) = (part(rolling, "maxUnavailable"), part(rolling, "maxSurge"));
    for check in [amount::validate, amount::at_most_all] {
        check(errors, &unavailable, &path.child("maxUnavailable"));
        check(errors, &surge, &path.child("maxSurge"));
    }
    let is_set = |value: &Value| amount::number(value).is_some_and(|n| n != 0);
    match (is_set(&unavailable), is_set(&surge)) {
        (true, true) => {
            errors.invalid(&path.child("maxSurge"), &surge, "may not be set when maxUnavailable is non-zero");
        }
        (false, false) => errors.required(&path.child("maxUnavailable"), "cannot be 0 when maxSurge is 0"),
        _ => {}
    }
}

fn validate_status(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, status) = (Path::root("status"), part(new, "status"));
    for field in [
        "currentNumberScheduled",
        "numberMisscheduled",
        "desiredNumberScheduled",
        "numberReady",
        "observedGeneration",
        "updatedNumberScheduled",
        "numberAvailable",
        "numberUnavailable",
    ] {
        errors.count(&path, &status, field);
    }
    workload::collisions(&mut errors, new, old);
    errors.0
}
