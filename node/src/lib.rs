//! The node agent: runs the pods that are bound to this node and tells the API server how they do.
//!
//! It is a client of any Kubernetes API server: it registers a Node, renews its Lease, watches the pods of its own
//! name, and has one small task for each of them ([`pods`]). Sandboxes come from `coracle-wasi-host`, images from
//! `coracle-oci`; the node joins the two and owns what is between them: addresses, names, Services, files, logs.
//!
//! Invariant: nothing of the control plane is known here but its API; no crate of `control/` is imported.
//!
//! Invariant: a pod's work happens in its own worker, and a fault there ends there.
#![forbid(unsafe_code)]

mod admission;
mod api;
mod checkpoint;
mod command;
mod conditions;
mod config;
mod credentials;
mod ebb;
mod events;
mod eviction;
mod files;
mod go_duration;
mod health;
mod images;
mod lease;
mod link;
mod logs;
mod machine;
mod metrics;
mod network;
mod node;
mod node_error;
mod open_files;
mod pods;
mod probes;
mod registration;
mod reserved;
mod serve;
mod shared;
mod shutdown;
mod static_pods;
mod stats;
mod streaming;
mod volumes;

#[cfg(test)]
mod away_tests;
#[cfg(test)]
mod fake_api;
#[cfg(test)]
mod node_tests;
#[cfg(test)]
mod test_world;

pub use config::{CapacityOverrides, DEFAULT_MAX_PODS, LogLimits, NodeAddresses, NodeConfig};
pub use credentials::{ClientRotation, CredentialError, SignIn, SignedIn};
pub use eviction::{EvictionSettings, GracePeriods, MinimumReclaim, ThresholdError, Thresholds};
pub use go_duration::flag as parse_duration;
pub use images::KeyError;
pub use images::{ImageGcPolicy, PolicyError};
pub use network::RouteError;
pub use node::Node;
pub use node_error::NodeError;
pub use registration::{KUBELET_VERSION, RUNTIME_VERSION};
pub use reserved::{Reserved, ReservedError};
pub use serve::{ServeConfig, ServeError};
pub use shutdown::{GraceError, ShutdownGrace};
