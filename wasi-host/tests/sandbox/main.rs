//! The sandbox from outside: programs in WebAssembly text, run by the public interface of the crate.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod cache;
mod commands;
mod config_and_buckets;
mod exec;
mod files;
mod http;
mod kinds;
mod p3;
mod reuse;
mod sockets;
mod support;
mod terminals;
