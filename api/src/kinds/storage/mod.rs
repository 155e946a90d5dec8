//! Rules of the kinds of `storage.k8s.io`.

mod attachment;
mod capacity;
mod classes;
mod drivers;
mod inline_volume;

pub use attachment::VOLUME_ATTACHMENT;
pub use capacity::CSI_STORAGE_CAPACITY;
pub use classes::{STORAGE_CLASS, VOLUME_ATTRIBUTES_CLASS};
pub use drivers::{CSI_DRIVER, CSI_NODE};

use super::check::Errors;
use crate::field::{FieldError, Path};
use crate::names;

const DRIVER_NAME_LIMIT_BYTES: usize = 63;

/// The name of a CSI driver, which becomes part of paths and labels.
fn driver_name(errors: &mut Errors, name: &str, path: &Path) {
    if name.is_empty() {
        return errors.required(path, "");
    }
    if name.len() > DRIVER_NAME_LIMIT_BYTES {
        errors.0.push(FieldError::too_long(path, DRIVER_NAME_LIMIT_BYTES));
    }
    for detail in names::dns1123_subdomain(&name.to_lowercase()) {
        errors.invalid(path, &name, &detail);
    }
}
