//! Rules of persistent volumes.

use serde_json::{Map, Value, json};

use super::check::{Errors, same};
use super::json::{carry_over, entries, has, object, part, sections, set_default, set_if_zero, text, texts};
use super::pod::{node_selector, normalize_list, volume_sources};
use super::table::{AGE, age, column, or_unset, wide};
use super::{generation, volume_claim};
use crate::catalog::{Column, RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::{meta, names};

/// The fields of the spec that are not where the volume comes from.
const COMMON: &[&str] = &[
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
    "volumeMode",
];

/// The rules of the row.
pub static RULES: Rules = Rules {
    defaults,
    prepare_create: |volume| {
        generation::none(volume);
        let since = part(volume, "metadata.creationTimestamp");
        volume["status"] = json!({ "phase": "Pending" });
        if !since.is_null() {
            volume["status"]["lastPhaseTransitionTime"] = since;
        }
    },
    prepare_update: |new, old| carry_over(new, old, "status"),
    validate,
    validate_update,
    warnings,
    name_errors: names::subdomain_name,
    columns: COLUMNS,
    cells,
    ..Rules::GENERIC
};

const COLUMNS: &[Column] = &[
    column(
        "Capacity",
        "capacity is the description of the persistent volume's resources and capacity. More info: \
             https://kubernetes.io/docs/concepts/storage/persistent-volumes#capacity",
    ),
    column(
        "Access Modes",
        "accessModes contains all ways the volume can be mounted. More info: \
             https://kubernetes.io/docs/concepts/storage/persistent-volumes#access-modes",
    ),
    column(
        "Reclaim Policy",
        "persistentVolumeReclaimPolicy defines what happens to a persistent volume when released from its \
             claim. Valid options are Retain (default for manually created PersistentVolumes), Delete (default for \
             dynamically provisioned PersistentVolumes), and Recycle (deprecated). Recycle must be supported by the \
             volume plugin underlying this PersistentVolume. More info: \
             https://kubernetes.io/docs/concepts/storage/persistent-volumes#reclaiming",
    ),
    column(
        "Status",
        "phase indicates if a volume is available, bound to a claim, or released by a claim. More info: \
             https://kubernetes.io/docs/concepts/storage/persistent-volumes#phase",
    ),
    column(
        "Claim",
        "claimRef is part of a bi-directional binding between PersistentVolume and PersistentVolumeClaim. \
             Expected to be non-nil when bound. claim.VolumeName is the authoritative bind between PV and PVC. More \
             info: https://kubernetes.io/docs/concepts/storage/persistent-volumes#binding",
    ),
    column("StorageClass", "StorageClass of the pv"),
    column("VolumeAttributesClass", "VolumeAttributesClass of the pv"),
    column(
        "Reason",
        "reason is a brief CamelCase string that describes any failure and is meant for machine parsing and \
             tidy display in the CLI.",
    ),
    AGE,
    wide(
        "VolumeMode",
        "volumeMode defines if a volume is intended to be used with a formatted filesystem or to remain in raw \
             block state. Value of Filesystem is implied when not included in spec.",
    ),
];

fn defaults(volume: &mut Value) {
    sections(volume, &["spec"]);
    if let Some(spec) = volume.get_mut("spec").filter(|s| s.is_object()) {
        spec.get_mut("capacity").into_iter().for_each(normalize_list);
        volume_sources::defaults(spec);
        if let Some(map) = spec.as_object_mut() {
            set_if_zero(map, "persistentVolumeReclaimPolicy", "Retain");
            set_default(map, "volumeMode", "Filesystem");
        }
    }
    if let Some(status) = object(volume, "status") {
        set_if_zero(status, "phase", "Pending");
    }
}

/// The fields that say where the volume comes from.
fn sources(spec: &Value) -> Vec<String> {
    let fields = spec
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, value)| !COMMON.contains(&name.as_str()) && !value.is_null());
    fields.map(|(name, _)| name.clone()).collect()
}

fn validate(volume: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (path, spec) = (Path::root("spec"), part(volume, "spec"));
    let modes = texts(&spec, "accessModes");
    if modes.is_empty() {
        errors.required(&path.child("accessModes"), "");
    }
    volume_claim::access_modes(&mut errors, &modes, &path.child("accessModes"));
    capacity(&mut errors, &spec, &path.child("capacity"));
    let policies = ["Delete", "Recycle", "Retain"];
    errors.choice_if_set(&path, &spec, "persistentVolumeReclaimPolicy", &policies);
    node_affinity(&mut errors, &spec, &path);
    let sources = sources(&spec);
    match sources.as_slice() {
        [] => errors.required(&path, "must specify a volume type"),
        [_] => {}
        [_, more @ ..] => {
            more.iter().for_each(|s| errors.forbidden(&path.child(s), "may not specify more than 1 volume type"));
        }
    }
    volume_sources::validate(&mut errors, &spec, &path);
    if has(&spec, "csi") && text(&spec, "csi.volumeHandle").is_empty() {
        errors.required(&path.child("csi").child("volumeHandle"), "");
    }
    if text(&spec, "hostPath.path") == "/" && text(&spec, "persistentVolumeReclaimPolicy") == "Recycle" {
        let detail = "may not be 'recycle' for a hostPath mount of '/'";
        errors.forbidden(&path.child("persistentVolumeReclaimPolicy"), detail);
    }
    let class = text(&spec, "storageClassName");
    if !class.is_empty() {
        errors.named(&path.child("storageClassName"), class, names::dns1123_subdomain);
    }
    errors.choice_if_set(&path, &spec, "volumeMode", volume_claim::VOLUME_MODES);
    attributes_class(&mut errors, &spec, &path);
    errors.0
}

fn capacity(errors: &mut Errors, spec: &Value, path: &Path) {
    let amounts = spec.get("capacity").and_then(Value::as_object).filter(|c| !c.is_empty());
    let Some(amounts) = amounts else { return errors.required(path, "") };
    if !amounts.contains_key("storage") || amounts.len() > 1 {
        let error = FieldError::not_supported(path, &json!(amounts), &["storage"]);
        errors.0.push(error);
    }
    entries(spec, "capacity").for_each(|(name, amount)| volume_claim::positive(errors, amount, &path.key(name)));
}

fn node_affinity(errors: &mut Errors, spec: &Value, path: &Path) {
    let affinity = path.child("nodeAffinity");
    match spec.pointer("/nodeAffinity/required") {
        Some(required) if !required.is_null() => node_selector(errors, required, &affinity.child("required")),
        _ if has(spec, "nodeAffinity") => {
            errors.required(&affinity.child("required"), "must specify required node constraints");
        }
        _ if has(spec, "local") => {
            let path = Path::root("metadata").child("annotations");
            errors.required(&path, "Local volume requires node affinity");
        }
        _ => {}
    }
}

fn attributes_class(errors: &mut Errors, spec: &Value, path: &Path) {
    if !has(spec, "volumeAttributesClassName") {
        return;
    }
    let class = path.child("volumeAttributesClassName");
    match text(spec, "volumeAttributesClassName") {
        "" => errors.required(&class, "an empty string is disallowed"),
        name => errors.named(&class, name, names::dns1123_subdomain),
    }
    if !has(spec, "csi") {
        errors.required(&path.child("csi"), "has to be specified when using volumeAttributesClassName");
    }
}

/// Where a volume comes from stays as it is; its node affinity can be set once.
fn validate_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let origin = |volume: &Value| -> Value {
        let spec = part(volume, "spec");
        sources(&spec).into_iter().map(|source| (source.clone(), spec[&source].clone())).collect::<Map<_, _>>().into()
    };
    let mut differences = Vec::new();
    super::pod::compare("spec", &origin(new), &origin(old), &mut differences);
    if !differences.is_empty() {
        let path = Path::root("spec").child("persistentvolumesource");
        let detail = format!("spec.persistentvolumesource is immutable after creation\n{}\n", differences.join("\n"));
        errors.forbidden(&path, &detail);
    }
    let (spec, before) = (part(new, "spec"), part(old, "spec"));
    errors.fixed(&Path::empty(), &spec, &before, &["volumeMode"]);
    if has(&before, "nodeAffinity") && !same(&part(&spec, "nodeAffinity"), &part(&before, "nodeAffinity")) {
        errors.fixed(&Path::empty(), &spec, &before, &["nodeAffinity"]);
    }
    errors.0
}

fn warnings(volume: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if meta::annotations(volume).contains_key(volume_claim::CLASS_ANNOTATION) {
        found.push(format!(
            "metadata.annotations[{}]: deprecated since v1.8; use \"storageClassName\" attribute instead",
            volume_claim::CLASS_ANNOTATION
        ));
    }
    if text(volume, "spec.persistentVolumeReclaimPolicy") == "Recycle" {
        found.push(
            "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended \
             approach is to use dynamic provisioning."
                .into(),
        );
    }
    found
}

fn cells(volume: &Value, now_seconds: i64) -> RowCells {
    let phase = if meta::is_deleting(volume) { "Terminating" } else { text(volume, "status.phase") };
    let claim = match text(volume, "spec.claimRef.name") {
        "" => String::new(),
        name => format!("{}/{name}", text(volume, "spec.claimRef.namespace")),
    };
    let cells = vec![
        json!(volume.pointer("/spec/capacity/storage").and_then(Value::as_str).unwrap_or("0")),
        json!(volume_claim::short_modes(&texts(volume, "spec.accessModes"))),
        json!(text(volume, "spec.persistentVolumeReclaimPolicy")),
        json!(phase),
        json!(claim),
        json!(volume_claim::class_of(volume)),
        or_unset(text(volume, "spec.volumeAttributesClassName")),
        json!(text(volume, "status.reason")),
        age(volume, now_seconds),
        or_unset(text(volume, "spec.volumeMode")),
    ];
    RowCells { cells }
}
