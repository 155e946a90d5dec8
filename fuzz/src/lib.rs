//! What the fuzz targets promise: one module and one function `check` for each, called with whatever the fuzzer makes up.
//! A promise that does not hold is a panic.
//!
//! They are functions of a library so that the seeds, and every input that was a finding once, can be checked by
//! `cargo test` without a fuzzer (`tests/seeds.rs`).

pub mod apply;
pub mod body;
pub mod cel;
pub mod definition;
mod documents;
pub mod kinds;
pub mod patch;
pub mod protobuf;
pub mod quantity;
mod schemas;
pub mod selector;
mod supply;
pub mod token;
