//! `coracle sandbox`: the process of one pod of the RuntimeClass `wasm-isolated`. A node starts it; nobody else can use it.

use std::process::ExitCode;

/// The verb's name, for the node's command line.
pub const VERB: &str = "sandbox";

/// What the command line says about the process.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The pod, for whoever looks at the machine's processes.
    _pod: String,
}

/// Runs the pod. It must be called while the process has one thread, so not from a runtime.
pub fn run() -> ExitCode {
    coracle_wasi_host::run_child()
}
