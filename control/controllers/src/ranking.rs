//! Which pods go first when there are too many.

use coracle_api::pod;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;
use std::sync::Arc;

/// Lower goes first; an annotation of pods.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// Sorts `pods` so that those to be deleted first come first, as Kubernetes does: unassigned, pending, not ready,
/// cheap, crowded (many of `related` on the same node), ready for a short time, often restarted, young.
pub fn sort_for_deletion(pods: &mut [Arc<Pod>], related: &[Arc<Pod>], now: Timestamp) {
    let mut crowd: HashMap<&str, usize> = HashMap::new();
    for node in related.iter().filter(|p| pod::is_active(p)).filter_map(|p| node_of(p)) {
        *crowd.entry(node).or_default() += 1;
    }
    let mut ranked: Vec<(Rank, Arc<Pod>)> = pods
        .iter()
        .map(|pod| (Rank::of(pod, node_of(pod).and_then(|n| crowd.get(n)).copied().unwrap_or(0), now), pod.clone()))
        .collect();
    ranked.sort_by(|(a, _), (b, _)| a.compare(b));
    for (slot, (_, pod)) in pods.iter_mut().zip(ranked) {
        *slot = pod;
    }
}

fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref().filter(|name| !name.is_empty())
}

#[derive(Debug)]
struct Rank {
    assigned: bool,
    phase: u8,
    ready: bool,
    cost: i64,
    crowd: Reverse<usize>,
    /// Doublings of seconds since it became ready; equal ones are a toss-up, so that a scale-down does not always hit
    /// the youngest (KEP-2185).
    ready_for: u32,
    restarts: Reverse<i32>,
    age: u32,
    uid: String,
}

impl Rank {
    fn of(pod: &Pod, crowd: usize, now: Timestamp) -> Rank {
        let phase = match pod::phase(pod) {
            "Pending" => 0,
            "Unknown" => 1,
            _ => 2,
        };
        let statuses = pod.status.iter().filter_map(|s| s.container_statuses.as_ref()).flatten();
        let annotation = pod.metadata.annotations.as_ref().and_then(|a| a.get(DELETION_COST));
        Rank {
            assigned: node_of(pod).is_some(),
            phase,
            ready: pod::is_ready(pod),
            cost: annotation.and_then(|cost| cost.parse().ok()).unwrap_or(0),
            crowd: Reverse(crowd),
            ready_for: doublings(pod::ready_since(pod), now),
            restarts: Reverse(statuses.map(|s| s.restart_count).max().unwrap_or(0)),
            age: doublings(pod.metadata.creation_timestamp.as_ref().map(|t| t.0), now),
            uid: pod.metadata.uid.clone().unwrap_or_default(),
        }
    }

    fn compare(&self, other: &Rank) -> Ordering {
        self.assigned
            .cmp(&other.assigned)
            .then(self.phase.cmp(&other.phase))
            .then(self.ready.cmp(&other.ready))
            .then(self.cost.cmp(&other.cost))
            .then(self.crowd.cmp(&other.crowd))
            .then(self.ready_for.cmp(&other.ready_for))
            .then(self.restarts.cmp(&other.restarts))
            .then(self.age.cmp(&other.age))
            .then_with(|| self.uid.cmp(&other.uid))
    }
}

/// The binary logarithm of the seconds since then; 0 for less than a second or never.
fn doublings(since: Option<Timestamp>, now: Timestamp) -> u32 {
    let seconds = since.map_or(0, |since| now.duration_since(since).as_secs());
    u64::try_from(seconds).ok().and_then(u64::checked_ilog2).map_or(0, |log| log + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, edit: serde_json::Value) -> Arc<Pod> {
        let mut value = serde_json::json!({
            "metadata": {"name": name, "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"nodeName": "n1", "containers": []},
            "status": {"phase": "Running", "conditions": [
                {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
        });
        merge(&mut value, edit);
        Arc::new(serde_json::from_value(value).unwrap())
    }

    fn merge(into: &mut serde_json::Value, from: serde_json::Value) {
        match (into, from) {
            (serde_json::Value::Object(into), serde_json::Value::Object(from)) => {
                from.into_iter().for_each(|(k, v)| merge(into.entry(k).or_insert(serde_json::Value::Null), v));
            }
            (into, from) => *into = from,
        }
    }

    #[test]
    fn the_least_useful_go_first() {
        let unready = serde_json::json!([{"type": "Ready", "status": "False"}]);
        let young = serde_json::json!([
            {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T11:59:00Z"}]);
        let cost = serde_json::json!({"metadata": {"annotations": {(DELETION_COST): "10"}}});
        let mut pods = vec![
            pod("dear", cost),
            pod("settled", serde_json::json!({})),
            pod("young", serde_json::json!({"status": {"conditions": young}})),
            pod(
                "restarted",
                serde_json::json!({"status": {"containerStatuses": [
                {"name": "c", "image": "", "imageID": "", "ready": true, "restartCount": 3}]}}),
            ),
            pod("unready", serde_json::json!({"status": {"conditions": unready}})),
            pod("pending", serde_json::json!({"status": {"phase": "Pending", "conditions": []}})),
            pod("unassigned", serde_json::json!({"spec": {"nodeName": null}, "status": {"phase": "Pending"}})),
        ];
        let now = "2026-01-01T12:00:00Z".parse().unwrap();
        let related = pods.clone();
        sort_for_deletion(&mut pods, &related, now);
        let names: Vec<&str> = pods.iter().map(|p| p.metadata.name.as_deref().unwrap()).collect();
        assert_eq!(names, ["unassigned", "pending", "unready", "young", "restarted", "settled", "dear"]);
    }

    #[test]
    fn a_crowded_node_gives_first() {
        let elsewhere = serde_json::json!({"spec": {"nodeName": "n2"}});
        let mut pods = vec![pod("lonely", elsewhere), pod("b", serde_json::json!({})), pod("c", serde_json::json!({}))];
        let related = pods.clone();
        sort_for_deletion(&mut pods, &related, "2026-01-01T12:00:00Z".parse().unwrap());
        assert_eq!(pods[2].metadata.name.as_deref(), Some("lonely"));
    }
}
