//! What the node counts, in kubelet's names where it has them.

use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// Bounds of the start latency in seconds: the budget is 10 ms, a slow pull takes minutes.
const START_SECONDS: [f64; 12] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0];

/// The node's metrics. Clones count on the same ones.
#[derive(Clone)]
pub struct Metrics {
    /// Pods that have a worker.
    pub pods: Gauge,
    /// Containers that run.
    pub running_containers: Gauge,
    /// Containers started.
    pub started_containers: Counter,
    /// Containers that could not be started.
    pub failed_starts: Counter,
    /// Status writes.
    pub status_writes: Counter,
    /// Workers that had to be started again after a fault.
    pub worker_faults: Counter,
    /// From the worker's first sight of a pod to its first running container.
    pub start_seconds: Histogram,
    /// Mirrors of static pods, as of the last time somebody asked.
    pub mirror_pods: Gauge,
    /// Pods ended because the node was short of something, by signal.
    evictions: Family<[(&'static str, String); 1], Counter>,
    /// Pods ended for a critical one, by the resource that it lacked.
    preemptions: Family<[(&'static str, &'static str); 1], Counter>,
    /// Pods not taken, by reason.
    refusals: Family<[(&'static str, &'static str); 1], Counter>,
    registry: Arc<Mutex<Registry>>,
}

impl Metrics {
    /// Metrics, all zero.
    pub fn new() -> Metrics {
        let mut registry = Registry::default();
        let metrics = (Gauge::default(), Gauge::default(), Counter::default(), Counter::default());
        let (pods, running_containers, started_containers, failed_starts) = metrics;
        let (status_writes, worker_faults) = (Counter::default(), Counter::default());
        let start_seconds = Histogram::new(START_SECONDS);
        registry.register("kubelet_running_pods", "Pods that have a worker", pods.clone());
        registry.register("kubelet_running_containers", "Containers that run", running_containers.clone());
        registry.register("kubelet_started_containers", "Containers started", started_containers.clone());
        registry.register(
            "kubelet_started_containers_errors",
            "Containers that could not be started",
            failed_starts.clone(),
        );
        registry.register("coracle_node_status_writes", "Pod status writes", status_writes.clone());
        registry.register(
            "coracle_node_worker_faults",
            "Pod workers started again after a fault",
            worker_faults.clone(),
        );
        registry.register(
            "kubelet_pod_start_duration_seconds",
            "From first sight of a pod to its first running container",
            start_seconds.clone(),
        );
        let mirror_pods = Gauge::default();
        registry.register("kubelet_mirror_pods", "Mirrors of static pods in the API", mirror_pods.clone());
        let (evictions, preemptions, refusals) = (Family::default(), Family::default(), Family::default());
        registry.register(
            "kubelet_evictions",
            "Pods ended because the node was short of something, by eviction signal",
            Family::clone(&evictions),
        );
        registry.register(
            "kubelet_preemptions",
            "Pods ended for a critical one, by the resource that it lacked",
            Family::clone(&preemptions),
        );
        registry.register("kubelet_admission_rejections", "Pods that the node did not take", Family::clone(&refusals));
        let registry = Arc::new(Mutex::new(registry));
        Metrics {
            pods,
            running_containers,
            started_containers,
            failed_starts,
            status_writes,
            worker_faults,
            start_seconds,
            mirror_pods,
            evictions,
            preemptions,
            refusals,
            registry,
        }
    }

    /// A pod was ended: the node was short of this. Signals are few.
    pub fn evicted(&self, signal: &str) {
        self.evictions.get_or_create(&[("eviction_signal", signal.to_owned())]).inc();
    }

    /// A pod was ended for a critical one, which lacked this resource.
    pub fn preempted(&self, resource: &'static str) {
        self.preemptions.get_or_create(&[("preemption_signal", resource)]).inc();
    }

    /// A pod was not taken for this reason.
    pub fn refused(&self, reason: &'static str) {
        self.refusals.get_or_create(&[("reason", reason)]).inc();
    }

    /// All of them in the OpenMetrics text format.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry.lock())?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_shown_under_kubelets_names() {
        let metrics = Metrics::new();
        metrics.started_containers.inc();
        let text = metrics.text().unwrap();
        assert!(text.contains("kubelet_started_containers_total 1") && text.ends_with("# EOF\n"), "{text}");
    }
}
