//! Rules of persistent volumes.

use serde_json::{Map, Value, json};

use super::check::{Errors, same};
use super::json::{carry_over, has, list, object, part, sections, set_default, set_if_zero, text, texts};
use super::pod::volume_sources::{self, Owner};
use super::pod::{node_selector, normalize_list, shown};
use super::table::{AGE, age, column, or_unset, wide};
use super::{generation, volume_claim, warnings};
use crate::catalog::{Column, RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::{meta, names};

/// The fields of the spec that say where the volume comes from, in the order in which Kubernetes looks for them.
const SOURCES: &[&str] = &[
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "flocker",
    "nfs",
    "rbd",
    "quobyte",
    "cephfs",
    "iscsi",
    "cinder",
    "fc",
    "flexVolume",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "scaleIO",
    "local",
    "storageos",
    "csi",
];
/// How mount options were given before there was a field.
const MOUNT_OPTIONS: &str = "volume.beta.kubernetes.io/mount-options";
/// Labels of nodes that got new names when they left beta.
const RENAMED_LABELS: [(&str, &str); 5] = [
    ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    ("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"),
    ("beta.kubernetes.io/os", "kubernetes.io/os"),
    ("beta.kubernetes.io/arch", "kubernetes.io/arch"),
    ("beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type"),
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
    sources(&mut errors, &spec, meta::name(volume), &path);
    let is_root = |host: &str| host.starts_with('/') && host.split('/').all(|part| matches!(part, "" | "." | ".."));
    if is_root(text(&spec, "hostPath.path")) && text(&spec, "persistentVolumeReclaimPolicy") == "Recycle" {
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

/// Where the volume comes from: one source, complete.
pub(super) fn sources(errors: &mut Errors, spec: &Value, name: &str, path: &Path) {
    volume_sources::only_one(errors, spec, SOURCES, path, |errors, source, value| {
        volume_sources::check(errors, source, value, path, Owner::Persistent(name));
        if source == "local" && !has(spec, "nodeAffinity") {
            errors.required(&path.child("nodeAffinity"), "Local volume requires node affinity");
        }
    });
}

fn capacity(errors: &mut Errors, spec: &Value, path: &Path) {
    let amounts = part(spec, "capacity").as_object().cloned().unwrap_or_default();
    if amounts.is_empty() {
        errors.required(path, "");
    }
    if !amounts.contains_key("storage") || amounts.len() > 1 {
        errors.0.push(FieldError::not_supported(path, &json!(amounts), &["storage"]));
    }
    for (name, amount) in &amounts {
        volume_claim::basic(errors, amount, &path.key(name));
        volume_claim::positive(errors, amount, &path.key(name));
    }
}

fn node_affinity(errors: &mut Errors, spec: &Value, path: &Path) {
    if !has(spec, "nodeAffinity") {
        return;
    }
    let path = path.child("nodeAffinity").child("required");
    match spec.pointer("/nodeAffinity/required").filter(|required| !required.is_null()) {
        Some(required) => node_selector(errors, required, &path),
        None => errors.required(&path, "must specify required node constraints"),
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
    let (spec, before) = (part(new, "spec"), part(old, "spec"));
    let origin = |spec: &Value| -> Value {
        let set = SOURCES.iter().filter(|source| has(spec, source));
        set.map(|source| ((*source).to_string(), spec[*source].clone())).collect::<Map<_, _>>().into()
    };
    let mut source = origin(&spec);
    // The secret for growing came later than the rest.
    if has(&source, "csi") && has(&before, "csi") && !has(&before, "csi.controllerExpandSecretRef") {
        source["csi"].as_object_mut().map(|csi| csi.remove("controllerExpandSecretRef"));
    }
    let mut differences = Vec::new();
    super::pod::compare("spec", &source, &origin(&before), &mut differences);
    if !differences.is_empty() {
        let path = Path::root("spec").child("persistentvolumesource");
        let detail = format!("spec.persistentvolumesource is immutable after creation\n{}\n", shown(&differences));
        errors.forbidden(&path, &detail);
    }
    errors.fixed(&Path::empty(), &spec, &before, &["volumeMode"]);
    let (affinity, had) = (part(&spec, "nodeAffinity"), part(&before, "nodeAffinity"));
    if has(&before, "nodeAffinity") && !same(&affinity, &had) && !only_renamed(&affinity, &had) {
        let detail = "field is immutable, except for updating from beta label to GA";
        errors.invalid(&Path::root("nodeAffinity"), &affinity, detail);
    }
    if has(&before, "volumeAttributesClassName") && !has(&spec, "volumeAttributesClassName") {
        let path = Path::root("spec").child("volumeAttributesClassName");
        errors.forbidden(&path, "update from non-nil value to nil is forbidden");
    }
    errors.0
}

/// Whether nothing changed but names of labels, from those in beta to those that are stable.
fn only_renamed(new: &Value, old: &Value) -> bool {
    let mut renamed = old.clone();
    let terms = |affinity: &Value| list(affinity, "required.nodeSelectorTerms").to_vec();
    for (index, term) in terms(old).iter().enumerate() {
        for (at, requirement) in list(term, "matchExpressions").iter().enumerate() {
            let pointer = format!("/required/nodeSelectorTerms/{index}/matchExpressions/{at}/key");
            let key = new.pointer(&pointer).and_then(Value::as_str).unwrap_or_default();
            if RENAMED_LABELS.contains(&(text(requirement, "key"), key))
                && let Some(place) = renamed.pointer_mut(&pointer)
            {
                *place = json!(key);
            }
        }
    }
    same(new, &renamed)
}

fn warnings(volume: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let annotations = meta::annotations(volume);
    if annotations.contains_key(volume_claim::CLASS_ANNOTATION) {
        found.push(format!(
            "metadata.annotations[{}]: deprecated since v1.8; use \"storageClassName\" attribute instead",
            volume_claim::CLASS_ANNOTATION
        ));
    }
    if annotations.contains_key(MOUNT_OPTIONS) {
        found.push(format!(
            "metadata.annotations[{MOUNT_OPTIONS}]: deprecated since v1.31; use \"mountOptions\" attribute instead"
        ));
    }
    if text(volume, "spec.persistentVolumeReclaimPolicy") == "Recycle" {
        found.push(
            "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended \
             approach is to use dynamic provisioning."
                .into(),
        );
    }
    let terms = list(volume, "spec.nodeAffinity.required.nodeSelectorTerms");
    for (index, term) in terms.iter().enumerate() {
        let path = format!("spec.nodeAffinity.required.nodeSelectorTerms[{index}]");
        found.extend(warnings::of_node_selector_term(term, &path));
    }
    found.extend(volume_sources::warnings(&part(volume, "spec"), "spec"));
    found.extend(volume_claim::storage_warnings(&part(volume, "spec.capacity"), "spec.capacity"));
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
