//! Whole-system tests: they start the real binary and talk to it as users do, with kubectl, kube-rs and the Python client.
//!
//! One test binary, because linking wasmtime into many would cost minutes. Every test has a cluster of its own, in a
//! temporary directory, on loopback addresses and free ports, and leaves nothing behind.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::large_futures,
    reason = "a test that fails says so by panicking"
)]

mod addresses;
mod bad_images;
mod bad_input;
mod client;
mod conformance;
mod conformance_node;
mod crash;
mod edge;
mod encryption;
mod harness;
mod hostile;
mod images;
mod isolated;
mod keyvalue;
mod kubectl;
mod lifecycle;
mod lifecycle_node;
mod logs;
mod node_upkeep;
mod operations;
mod operator;
mod pods;
mod python;
mod qa;
mod rollouts;
mod scale;
mod scheduling;
mod services;
mod streams;
mod toolbox;
mod transcripts;
mod volumes;
mod wasi_p3;
mod wasi_suite;
mod workloads;
