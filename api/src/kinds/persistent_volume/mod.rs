//! Rules of persistent volumes.

mod columns;
mod update;
mod validation;

use serde_json::{Value, json};

use super::json::{carry_over, list, object, part, sections, set_default, set_if_zero, text};
use super::pod::{normalize_list, volume_sources};
use super::{generation, volume_claim, warnings};
use crate::catalog::Rules;
use crate::{meta, names};
use columns::{COLUMNS, cells};
use update::validate_update;
use validation::validate;

pub(super) use validation::sources;

/// How mount options were given before there was a field.
const MOUNT_OPTIONS: &str = "volume.beta.kubernetes.io/mount-options";

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
