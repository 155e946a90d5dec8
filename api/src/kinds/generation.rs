//! `metadata.generation` of kinds that count more, or less, than their `spec` as the desired state.

use serde_json::{Value, json};

use crate::meta;

/// The kind has none: its `spec` is not something a controller catches up with.
pub(super) fn none(object: &mut Value) {
    meta::metadata_mut(object).remove("generation");
}

/// One more than the old object's. Naming the old one makes this safe to do twice.
pub(super) fn bump(new: &mut Value, old: &Value) {
    let next = meta::generation(old) + 1;
    meta::metadata_mut(new).insert("generation".into(), json!(next));
}

/// The first one, for kinds without a status, where generic code sets none.
pub(super) fn start(object: &mut Value) {
    meta::metadata_mut(object).insert("generation".into(), json!(1));
}

/// One more if one of these top-level fields differs.
pub(super) fn bump_if_changed(new: &mut Value, old: &Value, fields: &[&str]) {
    if fields.iter().any(|field| new.get(field) != old.get(field)) {
        bump(new, old);
    }
}
