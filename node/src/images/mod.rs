//! Images on this node: pulled as the policy says, compiled once, kept compiled.

mod credentials;
mod gc;
mod manager;
mod programs;

pub use credentials::Keyring;
pub use gc::{CollectError, Collector, PERIOD as GC_PERIOD};
pub use manager::{ImageFailure, ImageManager, ImageRequest, ReadyImage};
pub use programs::{KeyError, Programs, load_key};
