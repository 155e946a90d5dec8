//! The API as its clients see it: the router as a service, over a real store in a temporary directory.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails should fail loudly")]

mod abusing;
mod admitting;
mod aggregating;
mod applying;
mod auditing;
mod authorizing;
mod converting;
mod creating;
mod crontabs;
mod customizing;
mod defining;
mod deleting;
mod discovering;
mod impersonating;
mod inside;
mod listing;
mod logs;
mod newcomers;
mod nodes;
mod paging;
mod pod_security;
mod pod_security_audit;
mod policies;
mod protobuf;
mod remote;
mod reviewing;
mod selecting;
mod services;
mod shapes;
mod streaming;
mod subresources;
mod support;
mod tenants;
mod tls;
mod updating;
mod usage;
mod watching;
mod webhooks;
