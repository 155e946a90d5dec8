//! A cluster per test, kubectl, and waiting with a deadline.

pub mod artifacts;
pub mod boxes;
mod cluster;
mod daemon;
pub mod guests;
mod http;
mod kubectl;
pub mod layered;
mod process;
mod registry;
mod transcript;
mod webhook;

use std::time::{Duration, Instant};

pub use cluster::{Cluster, Options, coracle, signal};
pub use daemon::Daemon;
pub use http::{answering, get, request};
pub use process::{Finished, run, sample};
pub use registry::DockerRegistry;
pub use transcript::{Transcript, normalise};
pub use webhook::Webhook;

/// Long enough for anything on a busy machine of two cores; reached only when something is broken.
pub const DEADLINE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// Waits until `check` gives something, and fails with its last complaint when the deadline passes.
pub fn eventually<T>(what: &str, check: impl FnMut() -> Result<T, String>) -> T {
    eventually_within(DEADLINE, what, check)
}

/// The same with a deadline of one's own.
pub fn eventually_within<T>(deadline: Duration, what: &str, mut check: impl FnMut() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match check() {
            Ok(value) => return value,
            Err(complaint) if begun.elapsed() > deadline => {
                panic!("{what}: not within {} s: {complaint}", deadline.as_secs())
            }
            Err(_) => std::thread::sleep(POLL),
        }
    }
}

/// Says loudly that a test was skipped; where everything is required, fails instead.
pub fn skip(why: &str) {
    assert!(std::env::var_os("CORACLE_REQUIRE_ALL").is_none(), "required here, but it can't run: {why}");
    eprintln!("SKIPPED: {why}");
}
