//! Guests that mean harm, a file for each class of attack of THREAT_MODEL.md. Every test waits for a condition or an
//! end with a deadline; none is about speed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "a test that fails says so by panicking, and a measurement by printing"
)]

mod bodies_p3;
mod bounds;
mod clients;
mod files;
mod handlers;
mod handlers_p3;
mod handles;
mod handles_p3;
mod leavers;
mod lookups_p3;
mod loops;
mod memory;
mod modules;
mod panics;
mod places;
mod script;
mod sockets;
mod sockets_p3;
mod special_files;
mod streams_http2;
#[allow(dead_code, reason = "shared with the other tests of the sandbox")]
#[path = "../sandbox/support.rs"]
mod support;
mod time;
mod time_p3;

use std::time::Duration;

use coracle_wasi_host::{Container, Exit};

/// Far beyond what anything here takes; what reaches it hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// Waits for a container's end.
async fn end(container: &Container) -> Exit {
    tokio::time::timeout(DEADLINE, container.wait()).await.expect("the container ends")
}

/// Ends a container that would not end by itself.
async fn kill(container: &Container) -> Exit {
    tokio::time::timeout(DEADLINE, container.stop(Duration::ZERO)).await.expect("the container can be stopped")
}
