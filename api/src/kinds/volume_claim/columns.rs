//! How persistent volume claims are listed.

use serde_json::{Value, json};

use super::class_of;
use crate::catalog::{Column, RowCells};
use crate::kinds::json::{text, texts};
use crate::kinds::table::{AGE, age, column, or_unset, wide};
use crate::meta;

const SHORT_MODES: [(&str, &str); 4] =
    [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];

pub(super) const COLUMNS: &[Column] = &[
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
pub(in crate::kinds) fn short_modes(modes: &[&str]) -> String {
    let present = SHORT_MODES.iter().filter(|(mode, _)| modes.contains(mode));
    present.map(|(_, short)| *short).collect::<Vec<_>>().join(",")
}

pub(super) fn cells(claim: &Value, now_seconds: i64) -> RowCells {
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
