//! What the store says about itself to Prometheus. Names follow etcd's and kube-apiserver's where they have one.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::memory::Memory;
use crate::ring::Ring;
use crate::vault::Vault;

/// Counters and histograms, shared by all parts of the store.
#[derive(Clone)]
pub(crate) struct Metrics {
    pub(crate) commit_seconds: Histogram,
    pub(crate) fsync_seconds: Histogram,
    pub(crate) batch_txns: Histogram,
    pub(crate) rejected: Counter,
    pub(crate) unavailable: Counter,
    pub(crate) events: Counter,
    pub(crate) log_bytes: Counter,
    pub(crate) snapshots: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        // 50 µs to 1.6 s: from a fast fsync to a disk that is in trouble.
        let latencies = || exponential_buckets(50e-6, 2.0, 16);
        Self {
            commit_seconds: Histogram::new(latencies()),
            fsync_seconds: Histogram::new(latencies()),
            batch_txns: Histogram::new(exponential_buckets(1.0, 2.0, 10)),
            rejected: Counter::default(),
            unavailable: Counter::default(),
            events: Counter::default(),
            log_bytes: Counter::default(),
            snapshots: Counter::default(),
        }
    }
}

impl Metrics {
    /// Registers everything under `store_`.
    pub(crate) fn register(&self, registry: &mut Registry, memory: Arc<Memory>, ring: Arc<Ring>, vault: Arc<Vault>) {
        let store = registry.sub_registry_with_prefix("store");
        let seconds = Unit::Seconds;
        store.register_with_unit(
            "commit_duration",
            "Time from a transaction's arrival to its durable commit",
            seconds.clone(),
            self.commit_seconds.clone(),
        );
        store.register_with_unit(
            "log_append_duration",
            "Time of one log append with its fsync",
            seconds,
            self.fsync_seconds.clone(),
        );
        store.register("batch_transactions", "Transactions in one raft entry", self.batch_txns.clone());
        store.register("rejected", "Transactions whose precondition did not hold", self.rejected.clone());
        store.register(
            "unavailable",
            "Transactions refused because the store takes no writes",
            self.unavailable.clone(),
        );
        store.register("events", "Changes of objects", self.events.clone());
        store.register_with_unit("log_appended", "Bytes appended to the log", Unit::Bytes, self.log_bytes.clone());
        store.register("snapshots", "Snapshots made, each followed by a purge of the log", self.snapshots.clone());
        store.register_collector(Box::new(Gauges { memory, ring, vault }));
    }
}

/// Values that are read when they are asked for.
struct Gauges {
    memory: Arc<Memory>,
    ring: Arc<Ring>,
    vault: Arc<Vault>,
}

impl std::fmt::Debug for Gauges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gauges")
    }
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let state = self.memory.state();
        let depth = self.ring.depth();
        let single = [
            ("revision", "The newest revision", state.revision),
            ("history_events", "Events kept for watches", depth.events as u64),
            ("history_bytes", "Bytes of the events kept for watches", depth.bytes as u64),
            ("history_compacted_revision", "The oldest revision a watch can start from", depth.compacted),
            ("watchers", "Watches in progress", depth.watchers),
            ("stale_objects", "Objects that are still to be encrypted as configured", self.vault.stale_rows() as u64),
            (
                "stale_log",
                "1 while the log has entries that are still to be encrypted as configured",
                self.vault.log_is_stale().into(),
            ),
        ];
        for (name, help, value) in single {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let kind = ConstGauge::new(0_u64).metric_type();
        let mut objects = encoder.encode_descriptor("objects", "Stored objects by resource", None, kind)?;
        for (resource, count) in state.counts() {
            ConstGauge::new(count as u64).encode(objects.encode_family(&[("resource", &**resource)])?)?;
        }
        Ok(())
    }
}
