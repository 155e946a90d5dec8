//! The API as its clients see it: the router as a service, over a real store in a temporary directory.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails should fail loudly")]

mod abusing;
mod admitting;
mod aggregating;
mod applying;
mod auditing;
mod authorizing;
mod claims;
mod converting;
mod creating;
mod crontabs;
mod customizing;
mod defining;
mod deleting;
mod discovering;
mod fairness;
mod impersonating;
mod inside;
mod issuing;
mod listing;
mod logs;
mod newcomers;
mod nodes;
mod paging;
mod pod_security;
mod pod_security_audit;
mod policies;
mod protobuf;
mod quotas;
mod remote;
mod reviewing;
mod selecting;
mod services;
mod shapes;
mod stolen;
mod streaming;
mod subresources;
mod support;
mod tenants;
mod tls;
mod tokens;
mod updating;
mod usage;
mod watching;
mod webhooks;
