//! Rules of persistent volume claims, and of the claim templates inside other kinds.

mod columns;
mod update;
mod validation;

use serde_json::{Value, json};

use super::check::Errors;
use super::generation;
use super::json::{carry_over, has, object, part, sections, set_default, set_if_zero, text};
use super::pod::normalize_list;
use crate::catalog::Rules;
use crate::field::Path;
use crate::quantity::Quantity;
use crate::{meta, names};
use columns::{COLUMNS, cells};
use update::{validate_status, validate_update};

pub(super) use columns::short_modes;
pub(super) use validation::{VOLUME_MODES, access_modes, basic, positive, spec_errors};

/// How storage classes were named before there was a field.
pub(super) const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

/// The rules of the row.
pub static RULES: Rules = Rules {
    defaults,
    prepare_create: |claim| {
        generation::none(claim);
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
        set_if_zero(status, "phase", "Pending");
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
