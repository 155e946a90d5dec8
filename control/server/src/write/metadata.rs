//! (waits for the api crate's own)
use coracle_api::Resource;
use coracle_api::field::{FieldError, Path};
use coracle_api::meta;
use serde_json::Value;

pub(super) fn validate_metadata(_resource: &Resource, object: &Value) -> Vec<FieldError> {
    if meta::name(object).is_empty() {
        return vec![FieldError::required(&Path::root("metadata").child("name"), "name or generateName is required")];
    }
    Vec::new()
}

pub(super) fn validate_metadata_update(_resource: &Resource, _new: &Value, _old: &Value) -> Vec<FieldError> {
    Vec::new()
}
