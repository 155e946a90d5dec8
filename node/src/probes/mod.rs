//! Probes: asks containers how they are, and decides by thresholds what that means.

mod counter;
mod http;
mod runner;
mod spec;

pub use http::Prober;
pub use runner::{ProbeReport, ProbeRunner};
pub use spec::{Probe, ProbeKind};
