//! What an engine counts.

use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

/// Counters of one engine, over all its pods.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    pub(crate) containers_running: Gauge<i64, AtomicI64>,
    pub(crate) instances: Counter<u64, AtomicU64>,
    pub(crate) traps: Counter<u64, AtomicU64>,
    pub(crate) out_of_memory: Counter<u64, AtomicU64>,
    pub(crate) host_panics: Counter<u64, AtomicU64>,
    pub(crate) http_requests: Counter<u64, AtomicU64>,
    pub(crate) http_rejected: Counter<u64, AtomicU64>,
    pub(crate) http_in_flight: Gauge<i64, AtomicI64>,
}

impl Metrics {
    /// Registers the counters in `registry` under names that begin with `sandbox_`.
    pub fn register(&self, registry: &mut Registry) {
        let sandbox = registry.sub_registry_with_prefix("sandbox");
        sandbox.register("containers_running", "Containers running", self.containers_running.clone());
        sandbox.register("instances", "Program instances started", self.instances.clone());
        sandbox.register("traps", "Programs and requests that ended in a trap", self.traps.clone());
        sandbox.register("out_of_memory", "Containers ended by their memory limit", self.out_of_memory.clone());
        sandbox.register("host_panics", "Containers ended by a fault in host code", self.host_panics.clone());
        sandbox.register("http_requests", "HTTP requests given to guests", self.http_requests.clone());
        sandbox.register("http_rejected", "HTTP requests answered 503", self.http_rejected.clone());
        sandbox.register("http_in_flight", "HTTP requests being served by guests", self.http_in_flight.clone());
    }
}
