//! Whether a node is heard of, and what its conditions become when it is not.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, NodeCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::time::{Duration, Instant};

/// The conditions that a node's agent vouches for.
const VOUCHED: [&str; 4] = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/// When a node was heard of last, by our own clock: clocks of other machines may be wrong, their changes are not.
#[derive(Debug)]
pub struct Heartbeat {
    sign: Option<Timestamp>,
    heard: Instant,
}

impl Heartbeat {
    /// A node seen for the first time at `now`.
    pub fn new(sign: Option<Timestamp>, now: Instant) -> Heartbeat {
        Heartbeat { sign, heard: now }
    }

    /// Takes in the newest sign of life; how long the node has been silent.
    pub fn silence(&mut self, sign: Option<Timestamp>, now: Instant) -> Duration {
        if sign != self.sign {
            *self = Heartbeat::new(sign, now);
        }
        now.duration_since(self.heard)
    }
}

/// The status of a node's condition; `Unknown` if it has none such.
pub fn status<'a>(node: &'a Node, kind: &str) -> &'a str {
    let conditions = node.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    conditions.iter().find(|c| c.type_ == kind).map_or("Unknown", |c| &c.status)
}

/// The conditions of a node that has fallen silent; None if they say so already.
pub fn silent_conditions(node: &Node, now: Timestamp) -> Option<Vec<NodeCondition>> {
    let mut conditions = node.status.as_ref().and_then(|s| s.conditions.clone()).unwrap_or_default();
    let mut changed = false;
    for kind in VOUCHED {
        match conditions.iter_mut().find(|c| c.type_ == kind) {
            Some(condition) if condition.status == "Unknown" => {}
            Some(condition) => {
                condition.status = "Unknown".to_owned();
                condition.reason = Some("NodeStatusUnknown".to_owned());
                condition.message = Some("Kubelet stopped posting node status.".to_owned());
                condition.last_transition_time = Some(Time(now));
                changed = true;
            }
            None => {
                conditions.push(NodeCondition {
                    type_: kind.to_owned(),
                    status: "Unknown".to_owned(),
                    reason: Some("NodeStatusNeverUpdated".to_owned()),
                    message: Some("Kubelet never posted node status.".to_owned()),
                    last_heartbeat_time: node.metadata.creation_timestamp.clone(),
                    last_transition_time: Some(Time(now)),
                });
                changed = true;
            }
        }
    }
    changed.then_some(conditions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_measured_from_the_last_change() {
        let begin = Instant::now();
        let sign = |second| Timestamp::from_second(second).ok();
        let mut heartbeat = Heartbeat::new(sign(1000), begin);
        let after = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(heartbeat.silence(sign(1000), after(30)), Duration::from_secs(30));
        assert_eq!(heartbeat.silence(sign(5), after(31)), Duration::ZERO, "a clock set back is a sign of life too");
        assert_eq!(heartbeat.silence(sign(5), after(72)), Duration::from_secs(41));
    }

    #[test]
    fn a_silent_node_knows_nothing_of_itself() {
        let node: Node = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "n"},
            "status": {"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]},
        }))
        .unwrap();
        assert_eq!((status(&node, "Ready"), status(&node, "DiskPressure")), ("True", "Unknown"));
        let silent = silent_conditions(&node, Timestamp::UNIX_EPOCH).unwrap();
        assert!(silent.iter().all(|c| c.status == "Unknown"));
        assert_eq!(silent[0].message.as_deref(), Some("Kubelet stopped posting node status."));
        assert_eq!(silent[1].message.as_deref(), Some("Kubelet never posted node status."));
        let mut node = node;
        node.status.as_mut().unwrap().conditions = Some(silent);
        assert!(silent_conditions(&node, Timestamp::UNIX_EPOCH).is_none());
    }
}
