//! Why nothing runs.

use std::{net::SocketAddr, path::PathBuf};

use crate::limits;

/// Why a container could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// cannot listen on the pod's address
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address of the pod and the port of the container.
        address: SocketAddr,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// cannot open a directory for the guest
    #[error("cannot open {path} for the guest's {guest_path}: {message}", path = path.display())]
    Preopen {
        /// The directory on the host.
        path: PathBuf,
        /// Where the guest would have found it.
        guest_path: String,
        /// What went wrong.
        message: String,
    },
    /// the process of its pod can't run it, or there is none
    #[error("the pod's process: {0}")]
    Isolated(String),
}

/// Why a container's program can't be run beside it.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// the program has nothing that could be run with arguments
    #[error(
        "the container has no command to run: its program is an HTTP component (wasi:http) that does not export wasi:cli/run"
    )]
    NoCommand,
    /// the container is over
    #[error("the container is not running")]
    Ended,
    /// too many run already
    #[error("{} commands run in this container already; at most so many may", limits::EXECS_PER_CONTAINER)]
    TooMany,
    /// it can't be started
    #[error(transparent)]
    Start(#[from] StartError),
}
