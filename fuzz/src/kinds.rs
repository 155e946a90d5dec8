//! What a write does to an object of a built-in kind: defaults, strategy, validation, columns.
//!
//! Promises: nothing panics, whatever the object; defaulting again changes nothing; what is stored decodes to itself; an
//! update that changes nothing changes nothing, and an object that is valid may stay as it is.

use coracle_api::catalog::Resource;
use coracle_api::decode::{FieldValidation, decode};
use coracle_api::metadata::{validate_metadata, validate_metadata_update};
use serde_json::Value;

use super::documents::{object, of_document, resource, show, without_nulls, written};
use super::supply::Supply;

const NOW: i64 = 1_800_000_000;

/// Checks one input: an object and a change of it on two lines, or decisions.
pub fn check(data: &[u8]) {
    if let Some(documents) = written(data) {
        let [old, new] = documents.as_slice() else { return };
        let Some(resource) = of_document(old) else { return };
        return one(&resource, old, new);
    }
    let mut supply = Supply::new(data);
    let resource = resource(&mut supply);
    let old = object(&mut supply, &resource);
    let new = object(&mut supply, &resource);
    one(&resource, &old, &new);
}

fn one(resource: &Resource, old: &Value, new: &Value) {
    show(&format!("a {}", resource.kind), old);
    show("its change", new);
    let (Some(old), Some(new)) = (written_as(resource, old), written_as(resource, new)) else { return };
    let errors = resource.create_errors(&old);
    let _ = (validate_metadata(resource, &old), validate_metadata_update(&new, &old));
    let _ = (resource.create_warnings(&old), resource.cells(&old, NOW), resource.row_conditions(&old));
    for label in resource.selectable() {
        let _ = resource.select(label, &old);
    }
    change(resource, &old, new);
    if errors.is_empty() {
        let mut same = old.clone();
        resource.prepare_update(&mut same, &old);
        assert_eq!(same, old, "an update that changes nothing changes something");
        // A node may be made with a status (addresses that come twice) that an update may not have, as upstream.
        let mut errors = resource.update_errors(&same, &old);
        errors.retain(|error| !error.path.as_str().starts_with("status."));
        assert!(errors.is_empty(), "what is valid may not stay: {errors:?}");
    }
}

/// The object as a create would store it.
fn written_as(resource: &Resource, object: &Value) -> Option<Value> {
    let (mut object, _) = decode(resource, object.clone(), FieldValidation::Ignore).ok()?;
    resource.defaults(&mut object);
    let mut again = object.clone();
    resource.defaults(&mut again);
    assert_eq!(object, again, "defaulting again changes something");
    resource.prepare_create(&mut object);
    let (decoded, _) = decode(resource, object.clone(), FieldValidation::Ignore).expect("what is stored decodes");
    // Some kinds store a `null` that Go's structs write: to decode it is to drop it.
    assert_eq!(without_nulls(object.clone()), without_nulls(decoded), "decoding changes what is stored");
    Some(object)
}

fn change(resource: &Resource, old: &Value, mut new: Value) {
    let mut status = new.clone();
    resource.prepare_status(&mut status, old);
    let _ = resource.status_errors(&status, old);
    resource.prepare_update(&mut new, old);
    let _ = (resource.update_errors(&new, old), resource.change_warnings(&new, old), resource.cells(&new, NOW));
}
