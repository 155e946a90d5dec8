//! The controllers: each makes one kind's world match what its objects ask for.
//!
//! All are Kubernetes clients that share one watch per resource.
//!
//! Invariant: a controller keeps nothing that it could not read again from the API server; killed at any point, it
//! goes on where the objects say it was.
#![forbid(unsafe_code)]

mod account_tokens;
mod certificates;
mod cluster;
mod config;
mod deployment;
mod discovery;
mod endpoints;
mod event_ttl;
mod framework;
mod gc;
mod job;
mod namespace;
mod node;
mod pod_control;
mod pod_gc;
mod policy_types;
mod quota;
mod ranking;
mod replica_set;
mod role_aggregation;
mod run;
mod service_account;
mod slim_pod;

pub use account_tokens::{SignToken, TokenSigner};
pub use certificates::{Sign, Signer};
pub use config::{ControllersConfig, ControllersError};
pub use run::run;
