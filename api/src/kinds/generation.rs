//! `metadata.generation` of kinds that count more than their `spec` as the desired state.

use serde_json::{Value, json};

use crate::meta;

/// One more than the old object's. Naming the old one makes this safe to do twice.
pub(super) fn bump(new: &mut Value, old: &Value) {
    let next = meta::generation(old) + 1;
    meta::metadata_mut(new).insert("generation".into(), json!(next));
}
