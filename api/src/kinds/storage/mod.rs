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
