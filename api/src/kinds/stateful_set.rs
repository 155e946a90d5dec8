//! Rules of stateful sets.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::check::{Errors, same};
use super::json::{carry_over, has, integer, items, list, object, part, sections, set_default, set_if_zero, text};
use super::table::{AGE, CONTAINERS, IMAGES, age, column, of_containers};
use super::{amount, pod, volume_claim, warnings, workload};
use crate::catalog::{RowCells, Rules, ScalePaths};
use crate::field::{FieldError, Path};
use crate::names;

/// The rules of the row.
pub static RULES: Rules = Rules {
    defaults,
    prepare_create: |set| set["status"] = json!({ "availableReplicas": 0, "replicas": 0 }),
    prepare_update: |new, old| carry_over(new, old, "status"),
    validate,
    validate_new,
    validate_update,
    validate_status,
    warnings: |set| {
        let mut found = warnings::of_template(set);
        if integer(set, "spec.revisionHistoryLimit") < 0 {
            found.push(
                "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is \
                 recommended"
                    .into(),
            );
        }
        found
    },
    // Its pods are called `NAME-ORDINAL`, which must be a host name.
    name_errors: names::label_name,
    columns: &[column("Ready", "Number of the pod with ready state"), AGE, CONTAINERS, IMAGES],
    cells: |set, now_seconds| RowCells {
        cells: vec![
            json!(format!("{}/{}", integer(set, "status.readyReplicas"), integer(set, "spec.replicas"))),
            age(set, now_seconds),
            of_containers(set, "name"),
            of_containers(set, "image"),
        ],
    },
    scale: Some(ScalePaths {
        spec_replicas: "spec.replicas",
        status_replicas: "status.replicas",
        selector: "spec.selector",
    }),
    ..Rules::GENERIC
};

/// What can change in a stateful set that exists.
const MUTABLE: &[&str] = &[
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];
const FROZEN: &str = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
     'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are \
     forbidden";

fn defaults(set: &mut Value) {
    sections(set, &["spec", "template", "spec"]);
    let Some(spec) = set.get_mut("spec").filter(|s| s.is_object()) else { return };
    spec.get_mut("template").into_iter().for_each(pod::template_defaults);
    items(spec, "volumeClaimTemplates").for_each(|claim| {
        volume_claim::defaults(claim);
        if let Some(map) = claim.as_object_mut() {
            map.insert("apiVersion".into(), json!("v1"));
            map.insert("kind".into(), json!("PersistentVolumeClaim"));
        }
    });
    if let Some(strategy) = object(spec, "updateStrategy") {
        set_if_zero(strategy, "type", "RollingUpdate");
    }
    if text(spec, "updateStrategy.type") == "RollingUpdate"
        && let Some(rolling) = spec.get_mut("updateStrategy").and_then(|s| object(s, "rollingUpdate"))
    {
        set_default(rolling, "partition", 0);
        set_default(rolling, "maxUnavailable", 1);
    }
    if let Some(policy) = object(spec, "persistentVolumeClaimRetentionPolicy") {
        set_if_zero(policy, "whenDeleted", "Retain");
        set_if_zero(policy, "whenScaled", "Retain");
    }
    if let Some(map) = spec.as_object_mut() {
        set_if_zero(map, "podManagementPolicy", "OrderedReady");
        set_default(map, "replicas", 1);
        set_default(map, "revisionHistoryLimit", 10);
    }
    if let Some(map) = set.as_object_mut() {
        set_default(map, "status", Map::new());
    }
}

fn validate(set: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, spec) = (Path::root("spec"), part(set, "spec"));
    match text(&spec, "podManagementPolicy") {
        "" => errors.required(&path.child("podManagementPolicy"), ""),
        "OrderedReady" | "Parallel" => {}
        other => {
            errors.invalid(&path.child("podManagementPolicy"), &other, "must be 'OrderedReady' or 'Parallel'");
        }
    }
    strategy(&mut errors, &spec, &path.child("updateStrategy"));
    let retention = part(&spec, "persistentVolumeClaimRetentionPolicy");
    for field in ["whenDeleted", "whenScaled"] {
        let path = path.child("persistentVolumeClaimRetentionPolicy");
        errors.choice_if_set(&path, &retention, field, &["Retain", "Delete"]);
    }
    errors.count(&path, &spec, "replicas");
    errors.count(&path, &spec, "minReadySeconds");
    errors.count(&path.child("ordinals"), &part(&spec, "ordinals"), "start");
    if has(&spec, "selector") {
        workload::selector_and_template(&mut errors, &with_claims(&spec), &path, "statefulset", "StatefulSet");
    } else {
        errors.required(&path.child("selector"), "");
    }
    errors.0
}

/// The spec with the volumes that each pod will have: a claim template stands for a volume of its name, also in the
/// place of one that the pod template has.
fn with_claims(spec: &Value) -> Value {
    let claims = list(spec, "volumeClaimTemplates");
    let (mut spec, mut volumes) = (spec.clone(), list(spec, "template.spec.volumes").to_vec());
    // The first of a name counts.
    let named = volumes.iter().enumerate().rev();
    let mut places: BTreeMap<String, usize> = named.map(|(at, volume)| (text(volume, "name").into(), at)).collect();
    for name in claims.iter().map(|claim| text(claim, "metadata.name")) {
        let volume = json!({ "name": name, "persistentVolumeClaim": { "claimName": name } });
        match places.get(name).and_then(|at| volumes.get_mut(*at)) {
            Some(found) => *found = volume,
            None => {
                places.insert(name.to_string(), volumes.len());
                volumes.push(volume);
            }
        }
    }
    if let Some(pod) = spec.pointer_mut("/template/spec").filter(|_| !claims.is_empty()).and_then(Value::as_object_mut)
    {
        pod.insert("volumes".into(), volumes.into());
    }
    spec
}

/// What earlier releases took without a look: the name that becomes the pods' subdomain, and the claims.
fn validate_new(set: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, service) = (Path::root("spec"), text(set, "spec.serviceName"));
    if !service.is_empty() {
        errors.named(&path.child("serviceName"), service, names::dns1123_label);
    }
    for (index, claim) in list(set, "spec.volumeClaimTemplates").iter().enumerate() {
        let path = path.child("volumeClaimTemplates").index(index).child("spec");
        volume_claim::spec_errors(&mut errors, &part(claim, "spec"), &path);
    }
    errors.0
}

fn strategy(errors: &mut Errors, spec: &Value, path: &Path) {
    let strategy = part(spec, "updateStrategy");
    let (rolling, rolling_path) = (part(&strategy, "rollingUpdate"), path.child("rollingUpdate"));
    match text(&strategy, "type") {
        "" => errors.required(path, ""),
        "OnDelete" if !rolling.is_null() => {
            errors.invalid(&rolling_path, &rolling, "only allowed for updateStrategy 'RollingUpdate'");
        }
        "OnDelete" => {}
        "RollingUpdate" => {
            errors.count(&rolling_path, &rolling, "partition");
            let (unavailable, path) = (part(&rolling, "maxUnavailable"), rolling_path.child("maxUnavailable"));
            amount::validate(errors, &unavailable, &path);
            if amount::number(&unavailable) == Some(0) {
                errors.invalid(&path, &unavailable, "cannot be 0");
            }
            amount::at_most_all(errors, &unavailable, &path);
        }
        _ => errors.invalid(path, &strategy, "must be 'RollingUpdate' or 'OnDelete'"),
    }
}

fn validate_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let mut spec = part(new, "spec");
    MUTABLE.iter().for_each(|field| carry_over(&mut spec, &part(old, "spec"), field));
    if !same(&spec, &part(old, "spec")) {
        errors.forbidden(&Path::root("spec"), FROZEN);
    }
    errors.0
}

fn validate_status(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, status) = (Path::root("status"), part(new, "status"));
    let count = |field: &str| integer(&status, field);
    errors.count(&path, &status, "replicas");
    for field in ["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas", "observedGeneration"] {
        errors.count(&path, &status, field);
    }
    workload::collisions(&mut errors, new, old);
    for field in ["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"] {
        if count(field) > count("replicas") {
            errors.invalid(&path.child(field), &count(field), "cannot be greater than status.replicas");
        }
    }
    if count("availableReplicas") > count("readyReplicas") {
        let detail = "cannot be greater than status.readyReplicas";
        errors.invalid(&path.child("availableReplicas"), &count("availableReplicas"), detail);
    }
    errors.0
}
