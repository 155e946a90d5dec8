//! The sandbox: WebAssembly programs run inside this process, each shut into what its host gives it. A pod whose host asks
//! for it has a process of its own, with more walls ([`PodContext::isolated`]).
//!
//! A [`PodContext`] is what a group of containers shares (an address, a name, a view of the network, a
//! memory budget); a [`Container`] is one [`Program`] running in it. This crate knows wasmtime and WASI and
//! nothing of who asks for the programs: no orchestrator, no image format, no object model.
//!
//! Invariant: a guest gets no file, variable, socket, name or handle that [`ContainerConfig`] and
//! [`PodConfig`] do not hand it.
//!
//! Invariant: nothing a guest does ends, blocks or grows this process without bound; see [`limits`].

#![deny(unsafe_code)]

mod cache;
mod command;
mod config_store;
mod container;
mod cpu;
mod descriptors;
mod engine;
mod exit;
mod files;
mod heap;
mod holding;
mod imports;
mod isolated;
mod keyvalue;
pub mod limits;
mod memory;
mod metrics;
mod network;
mod outgoing;
mod output;
mod pod;
mod preopen;
mod program;
mod sandbox;
mod server;
mod sockets;
mod stdin;
mod stopping;
#[cfg(test)]
mod test_support;
mod vetting;

pub use cache::CacheError;
pub use container::{Bucket, Container, ContainerConfig, Exec, ExecError, Preopen, StartError, Usage};
pub use engine::{Engine, EngineConfig, EngineError};
pub use exit::{Exit, ExitReason, Signal};
pub use heap::trim_heap;
pub use isolated::{Isolation, IsolationError, run_child};
pub use metrics::Metrics;
pub use network::{Network, NetworkError};
pub use output::{Output, Stream};
pub use pod::{PodConfig, PodContext, PodLimits};
pub use program::{CompileError, Program, ProgramKind};
pub use server::InstanceReuse;
pub use stdin::{StdinClosed, StdinPipe};
