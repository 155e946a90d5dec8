//! Pods whose sandboxes live in a process of their own, behind more walls than a sandbox has.
//!
//! The embedder says how that process is started ([`Isolation`]); it must be a program that calls [`run_child`] first of
//! all. The child is this very crate: a pod context and its containers, with an engine of their own. What the embedder has
//! of them (its [`PodContext`](crate::PodContext), its [`Container`](crate::Container)s) speaks to the child over a socket.
//!
//! Invariant: a child opens nothing by a path and executes nothing. Directories, listeners and pipes are given to it open,
//! programs compiled and sealed with a key that is the child's alone.
//!
//! Invariant: whatever a child says or leaves unsaid, the parent's memory, tasks and descriptors for it are bounded, and
//! killing it frees them.

mod channel;
mod child;
mod control_group;
mod directories;
mod entry;
mod frames;
mod launch;
mod link;
mod memory_file;
mod message;
mod pod;
mod process;
mod pumps;
mod remote;
mod starting;

pub use child::run_child;
pub use launch::{Isolation, IsolationError};
pub(crate) use pod::IsolatedPod;
pub(crate) use remote::Remote;
