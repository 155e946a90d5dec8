//! The garbage collector: objects whose owners are gone go too, and owners wait for them if they are asked to.
//!
//! A graph of all objects is kept from metadata watches of every resource the server has. Before anything is deleted,
//! the absence of its owners is confirmed by the server.

mod controller;
mod graph;
mod monitors;
mod node;
mod process;

pub use controller::GarbageCollector;
pub use monitors::Monitors;
