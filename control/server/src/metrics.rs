//! What the server counts about itself, under kube-apiserver's names, and the bounds on what goes on at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::fairness::{Share, Shares};

/// Counters, histograms and gauges of one server.
#[derive(Clone)]
pub(crate) struct Metrics {
    requests: Family<Request, Counter<u64, AtomicU64>>,
    seconds: Family<Kind, Histogram, fn() -> Histogram>,
    in_flight: Family<RequestKind, Gauge<i64, AtomicI64>>,
    reading: Bounded,
    writing: Bounded,
    long_running: Bounded,
    refused: Counter<u64, AtomicU64>,
    handshake_failures: Counter<u64, AtomicU64>,
    connections: Gauge<i64, AtomicI64>,
    sent_away: Counter<u64, AtomicU64>,
    stalled: Counter<u64, AtomicU64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    verb: &'static str,
    resource: String,
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    verb: &'static str,
    resource: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestKind {
    request_kind: &'static str,
}

fn latencies() -> Histogram {
    // 100 µs to 3.3 s: from a read out of memory to a request that waited for its timeout.
    Histogram::new(exponential_buckets(100e-6, 2.0, 16))
}

/// A number of things that go on at a time.
#[derive(Clone, Default)]
struct Bounded {
    now: Gauge<i64, AtomicI64>,
    shares: Shares,
}

/// One of them, over when the last clone is dropped: whatever still works for a request has one.
#[derive(Clone)]
pub(crate) struct Held {
    _counted: Arc<Counted>,
}

struct Counted {
    now: Gauge<i64, AtomicI64>,
    _share: Option<Share>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.now.dec();
    }
}

impl Bounded {
    /// One more, unless there are `limit` already, or as many of a user as he may have.
    fn hold(&self, limit: usize, user: Option<(&str, usize)>) -> Option<Held> {
        let share = match user {
            Some((user, own)) => Some(self.shares.hold(user, own)?),
            None => None,
        };
        let before = self.now.inc();
        let held = Held { _counted: Arc::new(Counted { now: self.now.clone(), _share: share }) };
        // Counted before it is judged, so that many at once cannot all slip under the limit.
        usize::try_from(before).is_ok_and(|before| before < limit).then_some(held)
    }
}

/// An open connection.
pub(crate) struct Open(Gauge<i64, AtomicI64>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let in_flight: Family<RequestKind, Gauge<i64, AtomicI64>> = Family::default();
        let bounded = |request_kind| Bounded {
            now: in_flight.get_or_create_owned(&RequestKind { request_kind }),
            shares: Shares::default(),
        };
        let (reading, writing) = (bounded("readOnly"), bounded("mutating"));
        Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(latencies),
            in_flight,
            reading,
            writing,
            long_running: Bounded::default(),
            refused: Counter::default(),
            handshake_failures: Counter::default(),
            connections: Gauge::default(),
            sent_away: Counter::default(),
            stalled: Counter::default(),
        }
    }
}

impl Metrics {
    /// Metrics in a registry.
    pub(crate) fn registered(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let m = &metrics;
        registry.register("apiserver_request", "Requests by verb, resource and answer", m.requests.clone());
        registry.register("apiserver_request_duration_seconds", "Time to the head of the answer", m.seconds.clone());
        registry.register("apiserver_current_inflight_requests", "Requests in progress", m.in_flight.clone());
        registry.register(
            "apiserver_longrunning_requests",
            "Watches and followed logs in progress",
            m.long_running.now.clone(),
        );
        registry.register(
            "apiserver_rejected_requests",
            "Requests refused because of too many others",
            m.refused.clone(),
        );
        registry.register("apiserver_tls_handshake_errors", "TLS handshakes that failed", m.handshake_failures.clone());
        registry.register("apiserver_connections", "Open connections", m.connections.clone());
        registry.register(
            "apiserver_connections_sent_away",
            "Connections that made room for others",
            m.sent_away.clone(),
        );
        registry.register("apiserver_stalled_answers", "Answers that nobody took", m.stalled.clone());
        metrics
    }

    /// A request was answered.
    pub(crate) fn answered(&self, verb: &'static str, resource: &str, code: u16, took: Duration) {
        self.requests.get_or_create(&Request { verb, resource: resource.into(), code }).inc();
        self.seconds.get_or_create(&Kind { verb, resource: resource.into() }).observe(took.as_secs_f64());
    }

    /// A TLS handshake failed.
    pub(crate) fn handshake_failed(&self) {
        self.handshake_failures.inc();
    }

    /// A connection was accepted.
    pub(crate) fn connected(&self) -> Open {
        self.connections.inc();
        Open(self.connections.clone())
    }

    /// A connection had to make room.
    pub(crate) fn sent_away(&self) {
        self.sent_away.inc();
    }

    /// An answer ended because nobody took it.
    pub(crate) fn stalled(&self) {
        self.stalled.inc();
    }

    /// Room for one more request; `None` when there are `limit` already that do the same: write, or read.
    pub(crate) fn request(&self, writes: bool, limit: usize) -> Option<Held> {
        self.counted(if writes { self.writing.hold(limit, None) } else { self.reading.hold(limit, None) })
    }

    /// Room for one more watch or followed log, among all and among those of a user, who has a limit of his own.
    pub(crate) fn long_running(&self, limit: usize, user: Option<(&str, usize)>) -> Option<Held> {
        self.counted(self.long_running.hold(limit, user))
    }

    fn counted(&self, held: Option<Held>) -> Option<Held> {
        if held.is_none() {
            self.refused.inc();
        }
        held
    }
}

/// A registry together with what is in it.
pub(crate) type SharedRegistry = Arc<Registry>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_again_when_something_ends() {
        let metrics = Metrics::default();
        let one = metrics.request(true, 1).unwrap();
        assert!(metrics.request(true, 1).is_none() && metrics.request(false, 1).is_some());
        let other_half = one.clone();
        drop(one);
        assert!(metrics.request(true, 1).is_none(), "something still works for it");
        drop(other_half);
        assert!(metrics.request(true, 1).is_some());
    }

    #[test]
    fn nobody_takes_all_that_lasts() {
        let metrics = Metrics::default();
        let hold = |user| metrics.long_running(3, Some((user, 2)));
        let jane: Vec<Held> = (0..2).map(|_| hold("jane").unwrap()).collect();
        assert!(hold("jane").is_none());
        let joe = hold("joe").unwrap();
        assert!(hold("joe").is_none(), "there are three");
        drop((jane, joe));
        assert!(hold("jane").is_some());
    }
}
