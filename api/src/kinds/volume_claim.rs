//! Rules of persistent volume claims, and of the claim templates inside other kinds.

use serde_json::{Value, json};

use super::check::{Errors, NOT_NEGATIVE, same};
use super::json::{carry_over, entries, has, object, part, sections, set_default, text, texts};
use super::pod::normalize_list;
use super::table::{AGE, age, column, or_unset, wide};
use crate::catalog::{Column, RowCells, Rules};
use crate::field::{FieldError, Path};
use crate::quantity::Quantity;
use crate::{meta, names};

/// How a volume can be mounted.
const ACCESS_MODES: &[&str] = &["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
const SHORT_MODES: [(&str, &str); 4] =
    [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];
/// Whether a volume is mounted or given as a device.
pub(super) const VOLUME_MODES: &[&str] = &["Block", "Filesystem"];
const FROZEN: &str =
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
/// How storage classes were named before there was a field.
pub(super) const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

/// The rules of the row.
pub static RULES: Rules = Rules {
    defaults,
    prepare_create: |claim| {
        super::generation::none(claim);
        claim["status"] = json!({ "phase": "Pending" });
        normalize_sources(claim);
    },
    prepare_update: |new, old| {
        carry_over(new, old, "status");
        normalize_sources(new);
    },
    validate: |claim| {
        let mut errors = Errors::default();
        spec_errors(&mut errors, &part(claim, "spec"), &Path::root("spec"));
        errors.0
    },
    validate_update,
    validate_status,
    warnings: |claim| {
        if meta::annotations(claim).contains_key(CLASS_ANNOTATION) {
            vec![format!(
                "metadata.annotations[{CLASS_ANNOTATION}]: deprecated since v1.8; use \"storageClassName\" attribute \
                 instead"
            )]
        } else {
            Vec::new()
        }
    },
    name_errors: names::subdomain_name,
    columns: COLUMNS,
    cells,
    ..Rules::GENERIC
};

const COLUMNS: &[Column] = &[
    column("Status", "phase represents the current phase of PersistentVolumeClaim."),
    column("Volume", "volumeName is the binding reference to the PersistentVolume backing this claim."),
    column("Capacity", "capacity represents the actual resources of the underlying volume."),
    column(
        "Access Modes",
        "accessModes contains the actual access modes the volume backing the PVC has. More info: \
             https://kubernetes.io/docs/concepts/storage/persistent-volumes#access-modes-1",
    ),
    column("StorageClass", "StorageClass of the pvc"),
    column("VolumeAttributesClass", "VolumeAttributesClass of the pvc"),
    AGE,
    wide(
        "VolumeMode",
        "volumeMode defines what type of volume is required by the claim. Value of Filesystem is implied when \
             not included in claim spec.",
    ),
];

/// `RWO,ROX`, each mode once, in the order of their power.
pub(super) fn short_modes(modes: &[&str]) -> String {
    let present = SHORT_MODES.iter().filter(|(mode, _)| modes.contains(mode));
    present.map(|(_, short)| *short).collect::<Vec<_>>().join(",")
}

/// The class that an object names in its field or, from older days, in its annotation.
pub(super) fn class_of(object: &Value) -> String {
    match meta::annotations(object).get(CLASS_ANNOTATION) {
        Some(class) => (*class).to_string(),
        None => text(object, "spec.storageClassName").to_string(),
    }
}

/// A claim of its own and one in a template get the same.
pub(super) fn defaults(claim: &mut Value) {
    sections(claim, &["spec", "resources"]);
    if let Some(spec) = claim.get_mut("spec") {
        spec_defaults(spec);
    }
    if let Some(status) = object(claim, "status") {
        super::json::set_if_zero(status, "phase", "Pending");
    }
    if let Some(capacity) = claim.get_mut("status").and_then(|s| s.get_mut("capacity")) {
        normalize_list(capacity);
    }
}

/// The spec of a claim, of its template in a pod's volume too.
pub(super) fn spec_defaults(spec: &mut Value) {
    for list in ["requests", "limits"] {
        spec.get_mut("resources").and_then(|r| r.get_mut(list)).into_iter().for_each(normalize_list);
    }
    if let Some(map) = spec.as_object_mut() {
        set_default(map, "volumeMode", "Filesystem");
    }
}

/// `dataSource` and `dataSourceRef` name the same source, unless it is in another namespace (KEP-1495).
fn normalize_sources(claim: &mut Value) {
    let Some(spec) = claim.get_mut("spec").filter(|s| s.is_object()) else { return };
    match (has(spec, "dataSource"), has(spec, "dataSourceRef")) {
        (true, false) => spec["dataSourceRef"] = spec["dataSource"].clone(),
        (false, true) if text(spec, "dataSourceRef.namespace").is_empty() => {
            spec["dataSource"] = spec["dataSourceRef"].clone();
        }
        _ => {}
    }
}

/// All errors in the spec of a claim.
pub(super) fn spec_errors(errors: &mut Errors, spec: &Value, path: &Path) {
    let modes = texts(spec, "accessModes");
    if modes.is_empty() {
        errors.required(&path.child("accessModes"), "at least 1 access mode is required");
    }
    errors.selector(path, spec, "selector");
    access_modes(errors, &modes, &path.child("accessModes"));
    let storage_path = path.child("resources").key("storage");
    match spec.pointer("/resources/requests/storage") {
        None => errors.required(&storage_path, ""),
        Some(amount) => positive(errors, amount, &storage_path),
    }
    for field in ["storageClassName", "volumeAttributesClassName"] {
        let name = text(spec, field);
        if !name.is_empty() {
            errors.named(&path.child(field), name, names::dns1123_subdomain);
        }
    }
    errors.choice_if_set(path, spec, "volumeMode", VOLUME_MODES);
    for field in ["dataSource", "dataSourceRef"] {
        if has(spec, field) {
            source(errors, &part(spec, field), &path.child(field));
        }
    }
    let (one, other) = (part(spec, "dataSource"), part(spec, "dataSourceRef"));
    if !one.is_null() && !other.is_null() && !same(&one, &other) {
        errors.invalid(path, &path.child("dataSource").to_string(), "must match dataSourceRef");
    }
}

/// Modes that exist; a volume for one pod is for nobody else.
pub(super) fn access_modes(errors: &mut Errors, modes: &[&str], path: &Path) {
    for mode in modes.iter().filter(|mode| !ACCESS_MODES.contains(mode)) {
        errors.not_supported(path, mode, ACCESS_MODES);
    }
    let single = |mode: &&str| *mode == "ReadWriteOncePod";
    if modes.iter().any(single) && !modes.iter().all(single) {
        errors.forbidden(path, "may not use ReadWriteOncePod with other access modes");
    }
}

/// An amount of storage that is more than nothing.
pub(super) fn positive(errors: &mut Errors, amount: &Value, path: &Path) {
    match Quantity::from_value(amount) {
        Some(quantity) if quantity.is_negative() => {
            errors.invalid(path, amount, NOT_NEGATIVE);
            errors.invalid(path, amount, "must be greater than zero");
        }
        Some(quantity) if quantity.is_zero() => errors.invalid(path, amount, "must be greater than zero"),
        _ => {}
    }
}

fn source(errors: &mut Errors, source: &Value, path: &Path) {
    errors.filled(path, source, "name");
    errors.filled(path, source, "kind");
    let (group, kind) = (text(source, "apiGroup"), text(source, "kind"));
    if group.is_empty() && kind != "PersistentVolumeClaim" {
        errors.invalid(path, &kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
    }
    if !group.is_empty() {
        errors.named(&path.child("apiGroup"), group, names::dns1123_subdomain);
    }
}

fn validate_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("spec");
    let (mut spec, before) = (part(new, "spec"), part(old, "spec"));
    // What binds a claim to its volume, and what a bound claim may grow by.
    if text(&before, "volumeName").is_empty() {
        carry_over(&mut spec, &before, "volumeName");
    }
    let bound = text(old, "status.phase") == "Bound";
    if bound {
        if let Some(resources) = spec.get_mut("resources") {
            carry_over(resources, &part(&before, "resources"), "requests");
        }
        carry_over(&mut spec, &before, "volumeAttributesClassName");
    }
    if !has(&before, "storageClassName") && meta::annotations(old).contains_key(CLASS_ANNOTATION) {
        carry_over(&mut spec, &before, "storageClassName");
    }
    if !has(&before, "dataSourceRef") {
        carry_over(&mut spec, &before, "dataSourceRef");
    }
    if !same(&spec, &before) {
        errors.forbidden(&path, FROZEN);
    }
    let storage = |value: &Value, path: &str| value.pointer(path).and_then(Quantity::from_value);
    let wanted = storage(new, "/spec/resources/requests/storage");
    let had = storage(old, "/spec/resources/requests/storage");
    let capacity = storage(old, "/status/capacity/storage");
    if bound && wanted < had && wanted <= capacity {
        let path = path.child("resources").child("requests").child("storage");
        errors.forbidden(&path, "field can not be less than status.capacity");
    }
    let class = |claim: &Value| text(claim, "spec.volumeAttributesClassName").to_string();
    if !class(old).is_empty() && class(new).is_empty() && bound {
        errors.forbidden(&path.child("volumeAttributesClassName"), "update from non-nil value to nil is forbidden");
    }
    errors.0
}

fn validate_status(new: &Value, _: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("status");
    if text(new, "status.resizeStatus").is_empty() {
        let capacity = path.child("capacity");
        entries(new, "status.capacity").for_each(|(name, amount)| {
            if Quantity::from_value(amount).is_some_and(Quantity::is_negative) {
                errors.invalid(&capacity.key(name), amount, NOT_NEGATIVE);
            }
        });
    }
    errors.0
}

fn cells(claim: &Value, now_seconds: i64) -> RowCells {
    let phase = if meta::is_deleting(claim) { "Terminating" } else { text(claim, "status.phase") };
    let bound = !text(claim, "spec.volumeName").is_empty();
    let capacity = claim.pointer("/status/capacity/storage").and_then(Value::as_str).unwrap_or("0");
    let modes = short_modes(&texts(claim, "status.accessModes"));
    let cells = vec![
        json!(phase),
        json!(text(claim, "spec.volumeName")),
        json!(if bound { capacity } else { "" }),
        json!(if bound { modes } else { String::new() }),
        json!(class_of(claim)),
        or_unset(text(claim, "spec.volumeAttributesClassName")),
        age(claim, now_seconds),
        or_unset(text(claim, "spec.volumeMode")),
    ];
    RowCells { cells }
}
