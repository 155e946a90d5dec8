//! What becomes of a status that has changed: what is written, and whether at once.

use k8s_openapi::api::core::v1::{ContainerStateTerminated, PodCondition, PodStatus};
use serde_json::{Value, json};

use super::{LASTING, PASSING, RESTARTING_ALL};

/// The strategic merge patch that brings `after` about. Conditions of others stay, since they are merged by type;
/// what is no longer there is taken away by name.
pub fn patch(uid: &str, before: &PodStatus, after: &PodStatus) -> Value {
    let mut status = json!(after);
    for (field, old, new) in [("reason", &before.reason, &after.reason), ("message", &before.message, &after.message)] {
        if old.is_some() && new.is_none() {
            status[field] = Value::Null;
        }
    }
    for (field, changed) in
        [("podIPs", before.pod_ips != after.pod_ips), ("hostIPs", before.host_ips != after.host_ips)]
    {
        // Addresses are merged by themselves, so a new one would join the old one.
        let replaced = changed && !matches!(json!(before)[field], Value::Null);
        if let (true, Some(list)) = (replaced, status[field].as_array_mut()) {
            list.insert(0, json!({"$patch": "replace"}));
        }
    }
    if let Some(conditions) = status["conditions"].as_array_mut() {
        for condition in conditions {
            let old = before.conditions.iter().flatten().find(|old| Some(&*old.type_) == condition["type"].as_str());
            for (field, had) in [
                ("reason", old.is_some_and(|old| old.reason.is_some())),
                ("message", old.is_some_and(|old| old.message.is_some())),
            ] {
                if had && condition[field].is_null() {
                    condition[field] = Value::Null;
                }
            }
        }
    }
    let gone = |kind: &&&str| {
        let had = |status: &PodStatus| status.conditions.iter().flatten().any(|condition| condition.type_ == ***kind);
        had(before) && !had(after)
    };
    if let Some(conditions) = status["conditions"].as_array_mut() {
        conditions.extend(PASSING.iter().filter(gone).map(|kind| json!({"type": kind, "$patch": "delete"})));
    }
    json!({"metadata": {"uid": uid}, "status": status})
}

/// A status of which nothing is known: a patch from it to another leaves nothing that a former one may have had.
pub fn anything() -> PodStatus {
    let some = || Some(String::new());
    let condition = |kind: &str| PodCondition {
        type_: kind.to_owned(),
        reason: some(),
        message: some(),
        ..PodCondition::default()
    };
    PodStatus {
        reason: some(),
        message: some(),
        host_ips: Some(Vec::new()),
        pod_ips: Some(Vec::new()),
        conditions: Some(LASTING.iter().chain(&PASSING).chain([&RESTARTING_ALL]).map(|kind| condition(kind)).collect()),
        ..PodStatus::default()
    }
}

/// Whether the change is one that others wait for, and so is not to be held back.
pub fn is_urgent(before: &PodStatus, after: &PodStatus) -> bool {
    let ready = |status: &PodStatus| {
        status
            .conditions
            .iter()
            .flatten()
            .find(|condition| condition.type_ == "Ready")
            .map(|condition| condition.status.clone())
    };
    before.phase != after.phase || ready(before) != ready(after) || has_ended(before, after)
}

/// Whether one of the pod's containers has ended since. The end of an init container is waited for by nobody but the
/// pod itself, which goes on.
fn has_ended(before: &PodStatus, after: &PodStatus) -> bool {
    ends(after).any(|end| !ends(before).any(|known| known == end))
}

/// The last ends of containers, with their names.
fn ends(status: &PodStatus) -> impl Iterator<Item = (&str, &ContainerStateTerminated)> {
    let apps = status.container_statuses.iter().flatten();
    apps.chain(status.ephemeral_container_statuses.iter().flatten()).filter_map(|container| {
        let now = container.state.as_ref().and_then(|state| state.terminated.as_ref());
        let last = || container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
        Some((&*container.name, now.or_else(last)?))
    })
}
