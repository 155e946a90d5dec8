//! Images on this node: pulled as the policy says, compiled once, kept compiled.

mod access;
mod credentials;
mod gc;
mod manager;
mod programs;
mod task;
mod turns;

pub use access::Access;
pub use credentials::Keyring;
pub use gc::{ImageGcPolicy, PolicyError};
pub use manager::{ImageFailure, ImageManager, ImageRequest, PulledImage, ReadyImage};
pub use programs::{KeyError, Programs, load_key};
pub use task::run_image_gc;
