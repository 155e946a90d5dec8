//! Why a node can't start.

use std::{io, path::PathBuf};

use coracle_wasi_host::EngineError;

use crate::{eviction::ThresholdError, images::KeyError, network::RouteError, serve::ServeError};

/// Why a node can't start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// the data directory can't be used
    #[error("the node's directory {path} cannot be used: {source}", path = .path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// the key for compiled programs can't be had
    #[error(transparent)]
    Key(#[from] KeyError),
    /// the engine can't be made
    #[error("the WebAssembly engine cannot be started: {0}")]
    Engine(#[from] EngineError),
    /// pod or Service addresses can't be made this host's
    #[error(transparent)]
    Route(#[from] RouteError),
    /// the node API can't be served
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// the thread that writes logs can't be started
    #[error("the thread that writes logs cannot be started: {0}")]
    Logs(#[source] io::Error),
    /// the client for probes can't be made
    #[error("the HTTP client for probes cannot be made: {0}")]
    Prober(#[source] reqwest::Error),
    /// the thresholds of eviction contradict each other
    #[error(transparent)]
    Thresholds(#[from] ThresholdError),
    /// the node can't be registered
    #[error("the node {name:?} cannot be registered with the API server: {source}")]
    Register {
        /// Its name.
        name: String,
        /// What the API server said.
        #[source]
        source: Box<kube::Error>,
    },
}
