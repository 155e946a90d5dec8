//! Rules of the kinds of `resource.k8s.io`: devices, and who uses them (KEP-4381).

mod claims;
mod classes;
mod slices;

pub use claims::{RESOURCE_CLAIM, RESOURCE_CLAIM_TEMPLATE};
pub use classes::DEVICE_CLASS;
pub use slices::RESOURCE_SLICE;

use serde_json::Value;

use super::check::Errors;
use super::json::{has, list, part, text};
use crate::field::{FieldError, Path};
use crate::names;

/// Most expressions that choose a device, and configurations for it.
const SELECTORS_LIMIT: usize = 32;
const CONFIGURATIONS_LIMIT: usize = 32;
const DRIVER_LIMIT_BYTES: usize = 63;
const EXPRESSION_LIMIT_BYTES: usize = 10 * 1024;

/// The name of a driver: a lower-case domain.
fn driver_name(errors: &mut Errors, name: &str, path: &Path) {
    if name.is_empty() {
        return errors.required(path, "");
    }
    if name.len() > DRIVER_LIMIT_BYTES {
        errors.0.push(FieldError::too_long(path, DRIVER_LIMIT_BYTES));
    }
    errors.named(path, name, names::dns1123_subdomain);
}

/// CEL expressions over a device; what is in them is for whoever knows CEL.
fn selectors(errors: &mut Errors, holder: &Value, path: &Path) {
    let (path, selectors) = (path.child("selectors"), list(holder, "selectors"));
    if selectors.len() > SELECTORS_LIMIT {
        errors.0.push(FieldError::too_many(&path, selectors.len(), SELECTORS_LIMIT));
    }
    for (index, selector) in selectors.iter().enumerate() {
        let path = path.index(index).child("cel");
        if !has(selector, "cel") {
            errors.required(&path, "");
            continue;
        }
        match text(selector, "cel.expression") {
            "" => errors.required(&path.child("expression"), ""),
            expression if expression.len() > EXPRESSION_LIMIT_BYTES => {
                errors.0.push(FieldError::too_long(&path.child("expression"), EXPRESSION_LIMIT_BYTES));
            }
            _ => {}
        }
    }
}

/// Opaque parameters for drivers.
fn configurations(errors: &mut Errors, holder: &Value, path: &Path) {
    let (path, all) = (path.child("config"), list(holder, "config"));
    if all.len() > CONFIGURATIONS_LIMIT {
        errors.0.push(FieldError::too_many(&path, all.len(), CONFIGURATIONS_LIMIT));
    }
    for (index, configuration) in all.iter().enumerate() {
        let path = path.index(index).child("opaque");
        if !has(configuration, "opaque") {
            errors.required(&path, "");
            continue;
        }
        driver_name(errors, text(configuration, "opaque.driver"), &path.child("driver"));
        match part(configuration, "opaque.parameters") {
            Value::Null => errors.required(&path.child("parameters"), ""),
            Value::Object(_) => {}
            other => errors.invalid(&path.child("parameters"), &other, "error parsing data as JSON object"),
        }
    }
}
