//! Asks nodes what they and their pods use (`/stats/summary`, of which only CPU and memory), at most every now and then.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use http::Request;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Deserialize;
use tower::ServiceExt;

use crate::http::read_bytes;
use crate::nodes::NodeTransports;

/// What a node is asked for.
const PATH: &str = "/stats/summary?only_cpu_and_memory=true";

/// How long an answer is good for: nodes measure every few seconds.
const FRESH: Duration = Duration::from_secs(2);

/// How long a node has to answer, as metrics-server gives it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of an answer: half a kilobyte for each of a hundred thousand containers.
const MAX_BYTES: usize = 64 << 20;

/// What a node has said.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Summary {
    pub(super) node: Measured,
    pub(super) pods: Vec<PodStats>,
    /// Places of the pods in `pods`, by namespace and name.
    #[serde(skip)]
    places: HashMap<(String, String), usize>,
}

/// A pod of a summary.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PodStats {
    pod_ref: PodRef,
    pub(super) containers: Vec<Measured>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PodRef {
    name: String,
    namespace: String,
}

/// The node, or a container.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Measured {
    pub(super) name: String,
    pub(super) cpu: Cpu,
    pub(super) memory: Memory,
}

/// `cpu`
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Cpu {
    pub(super) time: Option<Timestamp>,
    /// Absent until the node has looked twice.
    pub(super) usage_nano_cores: Option<u64>,
}

/// `memory`
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Memory {
    pub(super) working_set_bytes: Option<u64>,
}

impl Summary {
    fn parse(bytes: &[u8]) -> serde_json::Result<Self> {
        let mut summary: Self = serde_json::from_slice(bytes)?;
        let places = summary.pods.iter().enumerate();
        summary.places = places.map(|(i, p)| ((p.pod_ref.namespace.clone(), p.pod_ref.name.clone()), i)).collect();
        Ok(summary)
    }

    /// The pod of this name.
    pub(super) fn pod(&self, namespace: &str, name: &str) -> Option<&PodStats> {
        self.places.get(&(namespace.to_string(), name.to_string())).and_then(|place| self.pods.get(*place))
    }
}

/// The last answer of one node. Who asks meanwhile waits for the same one.
type Slot = Arc<tokio::sync::Mutex<Option<(Instant, Arc<Summary>)>>>;

/// The last answers of the nodes.
#[derive(Default)]
pub(crate) struct Cache {
    slots: Mutex<HashMap<String, Slot>>,
}

impl Cache {
    /// What the node says. None while it can't be reached or doesn't make sense; the log says why.
    pub(super) async fn summary(&self, nodes: &NodeTransports, name: &str) -> Option<Arc<Summary>> {
        let Some(router) = nodes.router(name) else {
            self.slots.lock().remove(name);
            return None;
        };
        let slot = self.slots.lock().entry(name.to_string()).or_default().clone();
        let mut last = slot.lock().await;
        if let Some((at, summary)) = last.as_ref()
            && at.elapsed() < FRESH
        {
            return Some(summary.clone());
        }
        match tokio::time::timeout(PATIENCE, ask(router)).await {
            Ok(Ok(summary)) => {
                let summary = Arc::new(summary);
                *last = Some((Instant::now(), summary.clone()));
                Some(summary)
            }
            Ok(Err(why)) => {
                tracing::warn!(node = name, why, "a node doesn't tell what its pods use");
                None
            }
            Err(_) => {
                tracing::warn!(node = name, "a node doesn't tell in time what its pods use");
                None
            }
        }
    }
}

async fn ask(router: Router) -> Result<Summary, String> {
    let request = Request::get(PATH).body(Body::empty()).map_err(|error| error.to_string())?;
    let answer = router.oneshot(request).await.map_err(|error| error.to_string())?;
    if !answer.status().is_success() {
        return Err(format!("it answers {}", answer.status()));
    }
    let bytes = read_bytes(answer.into_body(), MAX_BYTES).await.map_err(|error| error.message)?;
    Summary::parse(&bytes).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_found_by_name_and_what_is_unknown_is_skipped() {
        let text = br#"{"node":{"nodeName":"n","cpu":{"time":"2026-01-01T00:00:00Z","usageNanoCores":5}},
            "pods":[{"podRef":{"name":"a","namespace":"x","uid":"1"},"containers":[{"name":"c","memory":{"workingSetBytes":7}}]}]}"#;
        let summary = Summary::parse(text).unwrap();
        assert_eq!(summary.node.cpu.usage_nano_cores, Some(5));
        let pod = summary.pod("x", "a").unwrap();
        assert_eq!((pod.containers[0].name.as_str(), pod.containers[0].memory.working_set_bytes), ("c", Some(7)));
        assert!(summary.pod("y", "a").is_none());
    }

    #[tokio::test]
    async fn an_answer_is_good_for_a_moment_and_gone_with_its_node() {
        let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counter = asked.clone();
        let router = Router::new().route(
            "/stats/summary",
            axum::routing::get(move || async move {
                counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                "{}"
            }),
        );
        let (nodes, cache) = (NodeTransports::default(), Cache::default());
        nodes.register("n", router);
        for _ in 0..3 {
            assert!(cache.summary(&nodes, "n").await.is_some());
        }
        assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 1);
        nodes.unregister("n");
        assert!(cache.summary(&nodes, "n").await.is_none());
    }
}
