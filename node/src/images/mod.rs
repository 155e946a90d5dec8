//! Images on this node: pulled as the policy says, compiled once, kept compiled.

mod credentials;
mod manager;
mod programs;

pub use credentials::Keyring;
pub use manager::{ImageFailure, ImageManager, ImageRequest, ReadyImage};
pub use programs::{KeyError, Programs, load_key};
