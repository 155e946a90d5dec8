//! Probes: asks containers how they are, and decides by thresholds what that means.

mod counter;
mod dial;
mod grpc;
mod http;
mod plain;
mod runner;
mod spec;
mod words;

pub use http::{Prober, Urgency};
pub use runner::{ProbeReport, ProbeRunner};
pub use spec::{Action, Probe, ProbeKind, command};
