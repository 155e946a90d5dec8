//! Everything about OCI artifacts that hold Wasm: references, packaging, pull and push, a content-addressed
//! image store, and a registry to serve them from.
//!
//! It speaks the OCI distribution and image specifications and does not know that Kubernetes exists. No byte
//! from a network or an archive is believed: sizes are bounded twice (announced and counted), digests are
//! checked when a blob is written and when it is read, and archive paths can't leave their directory.
//!
//! Invariant: nothing here runs Wasm or depends on an engine; `wasmparser` only looks.

#![forbid(unsafe_code)]

mod auth;
mod blobs;
mod compat;
mod config;
mod digest;
mod error;
mod fetch;
mod files;
mod format;
mod hosts;
mod image;
mod limits;
mod manifest;
mod media_type;
mod names;
mod plan;
mod progress;
mod pull;
mod push;
mod reference;
mod registries;
mod registry;
mod remote;
mod scoped;
mod store;
#[cfg(test)]
mod testing;
mod token;
mod unpack;
mod wasm;

pub use auth::Auth;
pub use error::{PullError, StoreError};
pub use fetch::{FetchError, pull_to_file};
pub use files::Files;
pub use format::Format;
pub use hosts::HostsError;
pub use image::{Image, ImageConfig, Layer, Module};
pub use limits::Limits;
pub use progress::Progress;
pub use pull::PullOptions;
pub use push::{PushError, PushOptions, Pushed, push};
pub use reference::{Reference, ReferenceError};
pub use registries::Registries;
pub use registry::Registry;
pub use store::ImageStore;
pub use wasm::{WasmError, WasmInfo, WasmKind, assemble, inspect_wasm};
