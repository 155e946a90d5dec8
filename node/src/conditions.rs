//! The conditions of the Node object, in kubelet's words, and the events that tell of their changes.

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{NodeCondition, NodeStatus},
    apimachinery::pkg::apis::meta::v1::Time,
};

use crate::{
    events::{EventRecorder, Subject},
    eviction::Condition,
    health::Health,
};

/// One pressure condition: reason and message while it is true, and while it is not; the events.
struct Words {
    is: [&'static str; 2],
    is_not: [&'static str; 2],
    events: [&'static str; 2],
}

fn words(condition: Condition) -> Words {
    match condition {
        Condition::Memory => Words {
            is: ["KubeletHasInsufficientMemory", "kubelet has insufficient memory available"],
            is_not: ["KubeletHasSufficientMemory", "kubelet has sufficient memory available"],
            events: ["NodeHasInsufficientMemory", "NodeHasSufficientMemory"],
        },
        Condition::Disk => Words {
            is: ["KubeletHasDiskPressure", "kubelet has disk pressure"],
            is_not: ["KubeletHasNoDiskPressure", "kubelet has no disk pressure"],
            events: ["NodeHasDiskPressure", "NodeHasNoDiskPressure"],
        },
        Condition::Processes => Words {
            is: ["KubeletHasInsufficientPID", "kubelet has insufficient PID available"],
            is_not: ["KubeletHasSufficientPID", "kubelet has sufficient PID available"],
            events: ["NodeHasInsufficientPID", "NodeHasSufficientPID"],
        },
    }
}

/// The four conditions; `before` gives the times of those that haven't changed.
pub fn conditions(before: &NodeStatus, health: &Health) -> Vec<NodeCondition> {
    let now = Time(Timestamp::now());
    let condition = |kind: &str, is: bool, [reason, message]: [&str; 2]| {
        let status = if is { "True" } else { "False" };
        let old = find(before, kind).filter(|old| old.status == status);
        NodeCondition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message.to_owned()),
            last_heartbeat_time: Some(now.clone()),
            last_transition_time: old.and_then(|old| old.last_transition_time.clone()).or(Some(now.clone())),
        }
    };
    let pressures = health.conditions();
    let mut all: Vec<NodeCondition> = Condition::ALL
        .into_iter()
        .map(|kind| {
            let is = pressures[kind.index()];
            condition(kind.name(), is, if is { words(kind).is } else { words(kind).is_not })
        })
        .collect();
    all.push(match health.is_shutting_down() {
        true => condition("Ready", false, ["KubeletNotReady", "node is shutting down"]),
        false => condition("Ready", true, ["KubeletReady", "kubelet is posting ready status"]),
    });
    all
}

fn find<'a>(status: &'a NodeStatus, kind: &str) -> Option<&'a NodeCondition> {
    status.conditions.iter().flatten().find(|condition| condition.type_ == kind)
}

/// Tells of conditions that have changed, those among them that are new.
pub fn tell_changes(events: &EventRecorder, subject: &Subject, before: &NodeStatus, after: &NodeStatus) {
    for reason in changes(before, after) {
        let name = subject.name.as_deref().unwrap_or_default();
        events.normal(subject, reason, format!("Node {name} status is now: {reason}"));
    }
}

/// The events for the step from one status to the next.
fn changes(before: &NodeStatus, after: &NodeStatus) -> Vec<&'static str> {
    let event = |kind: &str, [is, is_not]: [&'static str; 2]| {
        let now = find(after, kind)?;
        let changed = find(before, kind).is_none_or(|old| old.status != now.status);
        changed.then_some(if now.status == "True" { is } else { is_not })
    };
    let pressures = Condition::ALL.into_iter().filter_map(|kind| event(kind.name(), words(kind).events));
    pressures.chain(event("Ready", ["NodeReady", "NodeNotReady"])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(before: &NodeStatus, health: &Health) -> NodeStatus {
        NodeStatus { conditions: Some(conditions(before, health)), ..NodeStatus::default() }
    }

    #[test]
    fn changes_of_conditions_are_told_by_name() {
        let (none, health) = (NodeStatus::default(), Health::default());
        let well = status(&none, &health);
        assert_eq!(
            changes(&none, &well),
            ["NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID", "NodeReady"]
        );
        assert!(changes(&well, &status(&well, &health)).is_empty());
        health.set_conditions([true, false, false]);
        health.shut_down();
        let ill = status(&well, &health);
        assert_eq!(changes(&well, &ill), ["NodeHasInsufficientMemory", "NodeNotReady"]);
        let now = |kind: &str| find(&ill, kind).unwrap();
        assert_eq!(now("MemoryPressure").reason.as_deref(), Some("KubeletHasInsufficientMemory"));
        assert_eq!(now("Ready").message.as_deref(), Some("node is shutting down"));
        assert_eq!(now("DiskPressure").last_transition_time, find(&well, "DiskPressure").unwrap().last_transition_time);
    }
}
