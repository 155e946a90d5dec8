//! Rules about pods that more than one component must agree on: what a pod asks for, how it is classed, where it
//! may go, when it counts as ready, and what its environment expands to.
//!
//! Everything takes the typed [`Pod`](k8s_openapi::api::core::v1::Pod) and returns values; nothing here changes a pod.

mod expand;
mod field_ref;
mod host_ports;
mod qos;
mod resources;
mod state;
mod taints;
mod template_hash;

pub use expand::expand;
pub(crate) use field_ref::subscript;
pub use field_ref::{FieldRefError, field_value, resource_value};
pub use host_ports::{ANY_ADDRESS, HostPort, host_ports, ports_on_host};
pub use qos::{QosClass, qos_class};
pub use resources::{ResourceList, container_requests, limits, limits_in_force, read_list, requests, reserved};
pub(crate) use resources::{aggregate_limits, aggregate_requests, is_pod_level};
pub use state::{
    MIRROR_ANNOTATION, condition, is_active, is_available, is_deleting, is_ready, is_sidecar, is_terminal, phase,
    ready_since,
};
pub use taints::{tolerates, untolerated};
pub use template_hash::template_hash;

#[cfg(test)]
mod tests;
