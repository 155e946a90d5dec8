//! A persistent volume that is no object of its own: what in-tree drivers were migrated to (CSI migration).

use serde_json::Value;

use crate::field::Path;
use crate::kinds::check::Errors;
use crate::kinds::json::{has, text, texts};
use crate::kinds::{persistent_volume, volume_claim};

/// What has no meaning for a volume without an object.
const OUT_OF_PLACE: &str = "may not be specified in the context of inline volumes";

/// All errors in such a spec.
pub(super) fn inline_volume(errors: &mut Errors, spec: &Value, path: &Path) {
    for field in ["claimRef", "capacity"] {
        if has(spec, field) {
            errors.forbidden(&path.child(field), OUT_OF_PLACE);
        }
    }
    if !has(spec, "csi") {
        errors.required(&path.child("csi"), "has to be specified in the context of inline volumes");
    }
    let modes = texts(spec, "accessModes");
    if modes.is_empty() {
        errors.required(&path.child("accessModes"), "");
    }
    volume_claim::access_modes(errors, &modes, &path.child("accessModes"));
    only(errors, spec, path, "persistentVolumeReclaimPolicy", ["Retain", "may only be Retain"]);
    if has(spec, "nodeAffinity") {
        errors.forbidden(&path.child("nodeAffinity"), OUT_OF_PLACE);
    }
    persistent_volume::sources(errors, spec, "", path);
    if !text(spec, "storageClassName").is_empty() {
        errors.forbidden(&path.child("storageClassName"), OUT_OF_PLACE);
    }
    let filesystem = ["Filesystem", "may not specify volumeMode other than Filesystem"];
    only(errors, spec, path, "volumeMode", filesystem);
}

/// A field that may have one value or none.
fn only(errors: &mut Errors, spec: &Value, path: &Path, field: &str, [value, detail]: [&str; 2]) {
    if !matches!(text(spec, field), "") && text(spec, field) != value {
        errors.forbidden(&path.child(field), &format!("{detail} in the context of inline volumes"));
    }
}
