//! The node's view of the network: addresses of pods, Services and their endpoints, names, routes, and the proxy
//! that lets the host itself reach Services and host ports.
//!
//! Invariant: nothing here asks the API server while a guest waits. Names and routes are answered from what the
//! informers have brought.

mod addresses;
mod affinity;
mod endpoints;
mod host_ports;
mod informers;
mod names;
mod pod;
mod proxy;
mod route;
mod table;
mod udp;

pub use addresses::{AddressError, AddressPool};
pub use endpoints::{Protocol, ServiceEntry, port_number, resolve_port};
pub use host_ports::HostPorts;
pub use informers::watch_services;
pub use pod::{Dns, PodNetwork};
pub use proxy::run_proxy;
pub use route::{AnyIpRoutes, RouteError};
pub use table::ServiceTable;
