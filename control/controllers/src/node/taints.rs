//! The taints that follow from a node's state, and how long a pod bears them.

use super::health::status;
use coracle_api::pod::tolerates;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod, Taint};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
/// Condition, the status that is bad, and the taint.
const BY_CONDITION: [(&str, &str, &str); 4] = [
    ("MemoryPressure", "True", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "True", "node.kubernetes.io/disk-pressure"),
    ("PIDPressure", "True", "node.kubernetes.io/pid-pressure"),
    ("NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"),
];

/// The taints the node should have; None if it has them. `evict` allows taints that drive pods away to be added.
pub fn wanted(node: &Node, evict: bool, now: Timestamp) -> Option<Vec<Taint>> {
    let spec = node.spec.clone().unwrap_or_default();
    let current = spec.taints.clone().unwrap_or_default();
    let mut due: Vec<(&str, &str)> = Vec::new();
    let silence = match status(node, "Ready") {
        "True" => None,
        "False" => Some(NOT_READY),
        _ => Some(UNREACHABLE),
    };
    due.extend(silence.map(|key| (key, "NoSchedule")));
    due.extend(silence.filter(|_| evict).map(|key| (key, "NoExecute")));
    for (condition, bad, key) in BY_CONDITION {
        if status(node, condition) == bad {
            due.push((key, "NoSchedule"));
        }
    }
    if spec.unschedulable == Some(true) {
        due.push((UNSCHEDULABLE, "NoSchedule"));
    }
    let mut taints: Vec<Taint> = current
        .iter()
        .filter(|taint| !is_ours(taint) || due.contains(&(taint.key.as_str(), taint.effect.as_str())))
        .cloned()
        .collect();
    for (key, effect) in due {
        if !taints.iter().any(|taint| taint.key == key && taint.effect == effect) {
            taints.push(Taint {
                key: key.to_owned(),
                effect: effect.to_owned(),
                value: None,
                time_added: Some(Time(now)),
            });
        }
    }
    (taints != current).then_some(taints)
}

/// Whether the taint comes and goes with the node's state; all others are their user's.
fn is_ours(taint: &Taint) -> bool {
    let known = [NOT_READY, UNREACHABLE, UNSCHEDULABLE].into_iter().chain(BY_CONDITION.map(|(_, _, key)| key));
    known.into_iter().any(|key| taint.key == key)
}

/// When a pod must leave a node with these taints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stay {
    /// It may stay.
    ForEver,
    /// Until then.
    Until(Timestamp),
}

/// How long `pod` bears the NoExecute taints of its node. A pod that does not tolerate one leaves
/// `default_seconds` after the taint came.
pub fn stay(pod: &Pod, taints: &[Taint], default_seconds: i64, now: Timestamp) -> Stay {
    let tolerations = pod.spec.as_ref().and_then(|s| s.tolerations.as_deref()).unwrap_or_default();
    let mut leave: Option<Timestamp> = None;
    for taint in taints.iter().filter(|taint| taint.effect == "NoExecute") {
        let matching: Vec<_> = tolerations.iter().filter(|toleration| tolerates(toleration, taint)).collect();
        let seconds = match matching.is_empty() {
            true => Some(default_seconds),
            // Of several tolerations the shortest counts; one without seconds sets no limit.
            false => matching.iter().filter_map(|toleration| toleration.toleration_seconds).min(),
        };
        if let Some(seconds) = seconds {
            let since = taint.time_added.as_ref().map_or(now, |t| t.0);
            let until = since.checked_add(jiff::SignedDuration::from_secs(seconds.max(0))).unwrap_or(Timestamp::MAX);
            leave = Some(leave.map_or(until, |earlier| earlier.min(until)));
        }
    }
    leave.map_or(Stay::ForEver, Stay::Until)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(ready: &str, taints: serde_json::Value) -> Node {
        serde_json::from_value(json!({
            "metadata": {"name": "n"}, "spec": {"taints": taints},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        }))
        .unwrap()
    }

    fn keys(taints: &[Taint]) -> Vec<(&str, &str)> {
        taints.iter().map(|t| (t.key.as_str(), t.effect.as_str())).collect()
    }

    #[test]
    fn taints_follow_readiness_and_leave_others_alone() {
        let mine = json!([{"key": "dedicated", "effect": "NoSchedule"}]);
        let lost = wanted(&node("Unknown", mine.clone()), true, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(keys(&lost), [("dedicated", "NoSchedule"), (UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")]);
        let not_ready = wanted(&node("False", json!(lost)), false, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(keys(&not_ready), [("dedicated", "NoSchedule"), (NOT_READY, "NoSchedule")]);
        let back = wanted(&node("True", json!(lost)), true, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(keys(&back), [("dedicated", "NoSchedule")]);
        assert!(wanted(&node("True", mine), true, Timestamp::UNIX_EPOCH).is_none());
    }

    #[test]
    fn tolerations_say_how_long() {
        let taints: Vec<Taint> = serde_json::from_value(json!([
            {"key": UNREACHABLE, "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z"},
            {"key": UNREACHABLE, "effect": "NoSchedule"}]))
        .unwrap();
        let pod = |tolerations| -> Pod {
            serde_json::from_value(json!({"spec": {"containers": [], "tolerations": tolerations}})).unwrap()
        };
        let stay_with = |tolerations| stay(&pod(tolerations), &taints, 0, Timestamp::UNIX_EPOCH);
        let at = |text: &str| Stay::Until(text.parse().unwrap());
        assert_eq!(stay_with(json!([])), at("2026-01-01T00:00:00Z"));
        let timed = json!({"key": UNREACHABLE, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
        assert_eq!(stay_with(json!([timed])), at("2026-01-01T00:05:00Z"));
        assert_eq!(stay_with(json!([{"operator": "Exists"}])), Stay::ForEver);
        assert_eq!(stay(&pod(json!([])), &[], 0, Timestamp::UNIX_EPOCH), Stay::ForEver);
    }
}
