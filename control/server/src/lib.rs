//! The API server: the Kubernetes API over the store, generic over the resource catalogue.
//!
//! A [`Server`] is an axum `Router` and little else. Outside clients reach it by HTTPS ([`Server::serve`]), the
//! components of the same process by calling it ([`Server::client`]). What a kind means is in `coracle-api`; what is
//! durable is in `coracle-store`; this crate is the way between them.
//!
//! Invariant: no kind's rules live here. What knows a kind by name is admission, allocation and subresources, each
//! in a module named after what it does.
#![forbid(unsafe_code)]

mod aggregate;
mod allocate;
mod audit;
mod authz;
mod bootstrap;
mod client;
mod config;
mod convert;
mod custom;
mod dispatch;
mod docs;
mod fairness;
mod http;
mod hub;
mod identity;
mod lift;
mod metrics;
mod nodes;
mod options;
mod outbound;
mod pace;
pub mod pki;
mod read;
mod ready;
mod review;
mod served;
mod server;
mod subresource;
mod tls;
mod usage;
mod value;
mod write;

pub use aggregate::FrontProxy;
pub use audit::{AuditConfig, Level, LogConfig, Policy, PolicyError, Stage};
pub use config::{Limits, ServerConfig, Version};
pub use identity::token::{AccountSecret, AccountTokens, KeyError};
pub use identity::{AuthenticationConfig, AuthenticationError, OidcFlags, User};
pub use lift::lift;
pub use nodes::NodeTransports;
pub use ready::Check;
pub use server::{Server, StartError};
pub use tls::ServeError;
pub use write::{PodSecurityConfig, PodSecurityError};
