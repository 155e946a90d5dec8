//! The API as its clients see it: the router as a service, over a real store in a temporary directory.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails should fail loudly")]

mod abusing;
mod admitting;
mod aggregating;
mod applying;
mod auditing;
mod authorizing;
mod bodies;
mod converting;
mod creating;
mod crontabs;
mod customizing;
mod defining;
mod deleting;
mod discovering;
mod floods;
mod impersonating;
mod inside;
mod listing;
mod logs;
mod nodes;
mod paging;
mod paths;
mod pod_security;
mod pod_security_audit;
mod policies;
mod protobuf;
mod reaching;
mod remote;
mod reviewing;
mod selecting;
mod services;
mod shapes;
mod slow;
mod streaming;
mod subresources;
mod support;
mod tenants;
mod tls;
mod unread;
mod updating;
mod usage;
mod watching;
mod webhooks;
mod wire;
