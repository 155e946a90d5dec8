//! How persistent volumes are listed.

use serde_json::{Value, json};

use crate::catalog::{Column, RowCells};
use crate::kinds::json::{text, texts};
use crate::kinds::table::{AGE, age, column, or_unset, wide};
use crate::kinds::volume_claim;
use crate::meta;

pub(super) const COLUMNS: &[Column] = &[
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

pub(super) fn cells(volume: &Value, now_seconds: i64) -> RowCells {
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
