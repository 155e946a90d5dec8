//! Rules of persistent volume claims, and of the claim templates inside other kinds.

use serde_json::{Value, json};

use super::check::{Errors, same};
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
        normalize_sources(claim, false);
    },
    prepare_update: |new, old| {
        carry_over(new, old, "status");
        normalize_sources(new, has(old, "spec.dataSource"));
    },
    validate: |claim| {
        let mut errors = Errors::default();
        spec_errors(&mut errors, &part(claim, "spec"), &Path::root("spec"));
        errors.0
    },
    validate_update,
    validate_status,
    warnings,
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

/// `dataSource` and `dataSourceRef` name the same source. What the older field can't name is dropped from it, unless it
/// was there; sources in other namespaces (KEP-3294) are still an experiment of Kubernetes'.
fn normalize_sources(claim: &mut Value, had_source: bool) {
    let Some(spec) = claim.get_mut("spec").filter(|s| s.is_object()) else { return };
    let known = [("", "PersistentVolumeClaim"), ("snapshot.storage.k8s.io", "VolumeSnapshot")];
    let source = (text(spec, "dataSource.apiGroup"), text(spec, "dataSource.kind"));
    if has(spec, "dataSource") && !had_source && !known.contains(&source) {
        spec.as_object_mut().map(|fields| fields.remove("dataSource"));
    }
    if let Some(reference) = spec.get_mut("dataSourceRef").and_then(Value::as_object_mut) {
        reference.remove("namespace");
    }
    match (has(spec, "dataSource"), has(spec, "dataSourceRef")) {
        (true, false) => spec["dataSourceRef"] = spec["dataSource"].clone(),
        (false, true) => spec["dataSource"] = spec["dataSourceRef"].clone(),
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
    let class = |errors: &mut Errors, field: &str| match text(spec, field) {
        "" => {}
        name => errors.named(&path.child(field), name, names::dns1123_subdomain),
    };
    class(errors, "storageClassName");
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
    class(errors, "volumeAttributesClassName");
}

/// Modes that exist; a volume for one pod is for nobody else.
pub(super) fn access_modes(errors: &mut Errors, modes: &[&str], path: &Path) {
    for mode in modes.iter().filter(|mode| !ACCESS_MODES.contains(mode)) {
        errors.not_supported(path, mode, ACCESS_MODES);
    }
    let others = |mode: &&str| *mode != "ReadWriteOncePod" && ACCESS_MODES.contains(mode);
    if modes.contains(&"ReadWriteOncePod") && modes.iter().any(others) {
        errors.forbidden(path, "may not use ReadWriteOncePod with other access modes");
    }
}

/// An amount of storage that is more than nothing.
pub(super) fn positive(errors: &mut Errors, amount: &Value, path: &Path) {
    if Quantity::from_value(amount).is_some_and(|quantity| quantity.is_negative() || quantity.is_zero()) {
        errors.invalid(path, amount, "must be greater than zero");
    }
}

/// An amount that is not negative, in other words than usual.
pub(super) fn basic(errors: &mut Errors, amount: &Value, path: &Path) {
    if Quantity::from_value(amount).is_some_and(Quantity::is_negative) {
        errors.invalid(path, amount, "must be a valid resource quantity");
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
    // What binds a claim to its volume can be said once.
    if text(&before, "volumeName").is_empty() {
        carry_over(&mut spec, &before, "volumeName");
    }
    let annotated = |claim: &Value| meta::annotations(claim).get(CLASS_ANNOTATION).map(|class| (*class).to_string());
    let (class, had) = (annotated(new), annotated(old));
    let now = has(&spec, "storageClassName").then(|| text(&spec, "storageClassName").to_string());
    let unnamed = now.is_some() && !has(&before, "storageClassName");
    // From the annotation to the field, which then says the same.
    let moved =
        unnamed && had.is_some() && now == had && class.as_ref().is_none_or(|class| Some(class) == had.as_ref());
    if !moved && class != had {
        let path = Path::root("metadata").child("annotations").child(CLASS_ANNOTATION);
        errors.invalid(&path, &class.unwrap_or_default(), crate::metadata::IMMUTABLE);
    }
    if moved || (unnamed && (had.is_none() || now == had)) {
        carry_over(&mut spec, &before, "storageClassName");
    }
    // A bound claim can grow, and its volume be treated otherwise.
    if text(new, "status.phase") == "Bound" {
        if has(&spec, "resources.requests") {
            carry_over(&mut spec["resources"]["requests"], &part(&before, "resources.requests"), "storage");
        }
        carry_over(&mut spec, &before, "volumeAttributesClassName");
    }
    let mut differences = Vec::new();
    super::pod::compare("spec", &spec, &before, &mut differences);
    if !differences.is_empty() {
        errors.forbidden(&path, &format!("{FROZEN}\n{}\n", super::pod::shown(&differences)));
    }
    let storage = |value: &Value, path: &str| value.pointer(path).and_then(Quantity::from_value).unwrap_or_default();
    let wanted = storage(new, "/spec/resources/requests/storage");
    // Less than was asked for, but more than there is: that is how one recovers from having asked for too much.
    if wanted < storage(old, "/spec/resources/requests/storage") && wanted <= storage(old, "/status/capacity/storage") {
        let path = path.child("resources").child("requests").child("storage");
        errors.forbidden(&path, "field can not be less than status.capacity");
    }
    errors.fixed(&Path::empty(), &part(new, "spec"), &part(old, "spec"), &["volumeMode"]);
    attributes_class(&mut errors, new, old, &path.child("volumeAttributesClassName"));
    errors.0
}

/// A class of attributes that has been applied can be exchanged, not taken away.
fn attributes_class(errors: &mut Errors, new: &Value, old: &Value, path: &Path) {
    const FIELD: &str = "spec.volumeAttributesClassName";
    if part(new, FIELD) == part(old, FIELD) || !has(old, "status.currentVolumeAttributesClassName") {
        return;
    }
    let what = if !has(new, FIELD) {
        "nil"
    } else if text(new, FIELD).is_empty() {
        "empty string"
    } else {
        return;
    };
    let detail = format!("update to {what} is forbidden when status.currentVolumeAttributesClassName is not nil");
    errors.forbidden(path, &detail);
}

const RESIZE_STATUSES: &[&str] = &[
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
];

fn validate_status(new: &Value, _: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let path = Path::root("status");
    if texts(new, "spec.accessModes").is_empty() {
        errors.required(&Path::root("Spec").child("accessModes"), "");
    }
    for (name, amount) in entries(new, "status.capacity") {
        basic(&mut errors, amount, &path.child("capacity").key(name));
    }
    let statuses = path.child("allocatedResourceStatuses");
    for (name, status) in entries(new, "status.allocatedResourceStatuses") {
        resource_key(&mut errors, name, &statuses);
        if !RESIZE_STATUSES.contains(&status.as_str().unwrap_or_default()) {
            errors.not_supported(&statuses, name, RESIZE_STATUSES);
        }
    }
    let allocated = path.child("allocatedResources");
    for (name, amount) in entries(new, "status.allocatedResources") {
        if resource_key(&mut errors, name, &allocated) {
            basic(&mut errors, amount, &allocated.key(name));
        }
    }
    errors.0
}

/// Of what is Kubernetes' own only storage can be allocated.
fn resource_key(errors: &mut Errors, name: &str, path: &Path) -> bool {
    let before = errors.0.len();
    errors.named(path, name, names::qualified_name);
    let native = !name.contains('/') || name.contains("kubernetes.io/");
    if errors.0.len() == before && native && name != "storage" {
        errors.not_supported(path, name, &["storage"]);
    }
    errors.0.len() == before
}

fn warnings(claim: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if meta::annotations(claim).contains_key(CLASS_ANNOTATION) {
        found.push(format!(
            "metadata.annotations[{CLASS_ANNOTATION}]: deprecated since v1.8; use \"storageClassName\" attribute instead"
        ));
    }
    found.extend(spec_warnings(&part(claim, "spec"), "spec"));
    found
}

/// Warnings about the spec of a claim, or of its template.
pub(super) fn spec_warnings(spec: &Value, path: &str) -> Vec<String> {
    let of =
        |list: &str| storage_warnings(&part(spec, &format!("resources.{list}")), &format!("{path}.resources.{list}"));
    let mut found = of("requests");
    found.extend(of("limits"));
    found
}

/// A volume has whole bytes.
pub(super) fn storage_warnings(amounts: &Value, path: &str) -> Vec<String> {
    let Some(amount) = amounts.get("storage") else { return Vec::new() };
    let fractional = Quantity::from_value(amount).is_some_and(|quantity| quantity.milli_value() % 1000 != 0);
    let shown = amount.as_str().map_or_else(|| amount.to_string(), str::to_string);
    let text = format!("{path}[storage]: fractional byte value {shown:?} is invalid, must be an integer");
    if fractional { vec![text] } else { Vec::new() }
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
