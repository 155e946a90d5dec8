//! Nodes that fall silent: they are marked, tainted, and their pods are moved away.

mod eviction;
mod health;
mod lifecycle;
mod taints;

pub use eviction::EvictionController;
pub use lifecycle::NodeController;
