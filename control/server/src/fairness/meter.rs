//! What is counted about flows, under kube-apiserver's names (`k8s.io/apiserver/pkg/util/flowcontrol/metrics`).

use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::seat::Refusal;

/// Seconds in a queue (`requestDurationSecondsBuckets`).
const SECONDS: [f64; 12] = [0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];

type Count = Counter<u64, AtomicU64>;
type Number = Gauge<i64, AtomicI64>;

/// The metrics of all flows.
#[derive(Clone)]
pub(super) struct Metrics {
    rejected: Family<Rejected, Count>,
    dispatched: Family<Flow, Count>,
    in_queue: Family<Flow, Number>,
    executing: Family<Flow, Number>,
    waited: Family<Waited, Histogram, fn() -> Histogram>,
    nominal: Family<OfLevel, Number>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Flow {
    priority_level: String,
    flow_schema: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Rejected {
    priority_level: String,
    flow_schema: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Waited {
    priority_level: String,
    flow_schema: String,
    execute: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfLevel {
    priority_level: String,
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

impl Metrics {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let metrics = Self {
            rejected: Family::default(),
            dispatched: Family::default(),
            in_queue: Family::default(),
            executing: Family::default(),
            waited: Family::new_with_constructor(seconds),
            nominal: Family::default(),
        };
        let registry = registry.sub_registry_with_prefix("apiserver_flowcontrol");
        let m = &metrics;
        registry.register("rejected_requests", "Requests refused, by level, schema and reason", m.rejected.clone());
        registry.register("dispatched_requests", "Requests that were let through", m.dispatched.clone());
        registry.register("current_inqueue_requests", "Requests that wait in queues", m.in_queue.clone());
        registry.register("current_executing_requests", "Requests that have seats", m.executing.clone());
        registry.register("request_wait_duration_seconds", "Time in a queue", m.waited.clone());
        registry.register("nominal_limit_seats", "Seats that a level has by its shares", m.nominal.clone());
        metrics
    }

    /// The number of a level's seats; `None` when there is no such level any longer.
    pub(super) fn nominal(&self, level: &str, seats: Option<u32>) {
        let level = OfLevel { priority_level: level.into() };
        match seats {
            Some(seats) => drop(self.nominal.get_or_create(&level).set(i64::from(seats))),
            None => drop(self.nominal.remove(&level)),
        }
    }

    /// What is counted about the flows of a schema.
    pub(super) fn of(&self, level: &str, schema: &str) -> Meter {
        let flow = Flow { priority_level: level.into(), flow_schema: schema.into() };
        let waited = Waited { priority_level: level.into(), flow_schema: schema.into(), execute: "true" };
        Meter {
            dispatched: self.dispatched.get_or_create_owned(&flow),
            in_queue: self.in_queue.get_or_create_owned(&flow),
            executing: self.executing.get_or_create_owned(&flow),
            waited: self.waited.get_or_create_owned(&waited),
            all: self.clone(),
            flow,
        }
    }

    /// A schema is gone, and what was counted with it.
    pub(super) fn forget(&self, meter: &Meter) {
        let flow = &meter.flow;
        self.dispatched.remove(flow);
        self.in_queue.remove(flow);
        self.executing.remove(flow);
        for execute in ["true", "false"] {
            self.waited.remove(&flow.waited(execute));
        }
        for reason in Refusal::ALL {
            self.rejected.remove(&flow.rejected(reason));
        }
    }
}

impl Flow {
    fn waited(&self, execute: &'static str) -> Waited {
        let Self { priority_level, flow_schema } = self.clone();
        Waited { priority_level, flow_schema, execute }
    }

    fn rejected(&self, reason: Refusal) -> Rejected {
        let Self { priority_level, flow_schema } = self.clone();
        Rejected { priority_level, flow_schema, reason: reason.as_str() }
    }
}

/// What is counted about the flows of one schema: found once, as every request has a use for it.
pub(super) struct Meter {
    pub(super) in_queue: Number,
    pub(super) executing: Number,
    dispatched: Count,
    waited: Histogram,
    flow: Flow,
    all: Metrics,
}

impl Meter {
    /// A request begins, after so long in its queue; those that never queue have none.
    pub(super) fn begins(&self, waited: Option<Duration>) {
        self.dispatched.inc();
        self.executing.inc();
        if let Some(waited) = waited {
            self.waited.observe(waited.as_secs_f64());
        }
    }

    /// A request is refused, or has left before its turn.
    pub(super) fn refused(&self, reason: Refusal, waited: Duration) {
        self.all.rejected.get_or_create(&self.flow.rejected(reason)).inc();
        self.all.waited.get_or_create(&self.flow.waited("false")).observe(waited.as_secs_f64());
    }

    /// Whether both count the same flows.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.flow == other.flow
    }
}
