//! A pod's status, made from what its worker knows: a pure function.

use std::net::IpAddr;

use coracle_api::pod::qos_class;
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{
        ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
        HostIP, Pod, PodCondition, PodIP, PodStatus,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use serde_json::{Value, json};

use super::{
    plan::Outcome,
    record::{Ended, Record, Role, State},
    worker::Resize,
};
use crate::admission::{DISRUPTION, PREEMPTING};

/// Conditions of ours that are there only while they are true.
pub const PASSING: [&str; 2] = ["PodResizePending", "PodResizeInProgress"];

/// What a status is made from.
pub struct Facts<'a> {
    /// The pod as the API server has it.
    pub pod: &'a Pod,
    /// Its containers.
    pub records: &'a [Record],
    /// Its address, once it has one.
    pub pod_ip: Option<IpAddr>,
    /// The node's address.
    pub host_ip: IpAddr,
    /// When this node first saw it.
    pub started: Timestamp,
    /// Whether its context is there.
    pub has_context: bool,
    /// It ends, but something of it still runs: its phase is not the last one yet.
    pub still_running: bool,
    /// How it ended, if it has.
    pub outcome: Option<Outcome>,
    /// Why the node ended it, if it did: reason and message.
    pub evicted: Option<(&'static str, String)>,
    /// A resize that is not done.
    pub resize: Option<&'a Resize>,
    /// The time of conditions that change now.
    pub now: Timestamp,
}

/// The status of the pod. Conditions keep the time they changed at, which is what `before` has.
pub fn status(facts: &Facts<'_>, before: &PodStatus) -> PodStatus {
    let phase = phase(facts);
    let statuses = |list: &str| {
        let wanted = |record: &&Record| record.list() == list;
        // Exactly as long as it must be: every pod keeps its last status, and each of these takes 700 bytes.
        let mut list = Vec::with_capacity(facts.records.iter().filter(wanted).count());
        list.extend(facts.records.iter().filter(wanted).map(container_status));
        (!list.is_empty()).then_some(list)
    };
    let pod_ip = facts.pod_ip.map(|ip| ip.to_string()).or_else(|| before.pod_ip.clone());
    PodStatus {
        phase: Some(phase.to_owned()),
        conditions: Some(conditions(facts, phase, before)),
        container_statuses: statuses("containers"),
        init_container_statuses: statuses("initContainers"),
        ephemeral_container_statuses: statuses("ephemeralContainers"),
        host_ip: Some(facts.host_ip.to_string()),
        host_ips: Some(vec![HostIP { ip: facts.host_ip.to_string() }]),
        pod_ips: pod_ip.clone().map(|ip| vec![PodIP { ip }]),
        pod_ip,
        start_time: Some(Time(facts.started)),
        qos_class: Some(qos_class(facts.pod).as_str().to_owned()),
        observed_generation: facts.pod.metadata.generation,
        reason: facts.evicted.as_ref().map(|(reason, _)| (*reason).to_owned()),
        message: facts.evicted.as_ref().map(|(_, message)| message.clone()),
        ..PodStatus::default()
    }
}

/// Why a pod fails whose own time is over; every other reason of the node's is a disruption.
pub const DEADLINE_EXCEEDED: &str = "DeadlineExceeded";

/// The condition of a pod that the node ends for the node's sake.
fn disruption(facts: &Facts<'_>, before: &PodStatus) -> Option<PodCondition> {
    let (reason, message) = facts.evicted.as_ref().filter(|(reason, _)| *reason != DEADLINE_EXCEEDED)?;
    let message = if *reason == PREEMPTING { DISRUPTION } else { message };
    let verdict = Verdict::because("TerminationByKubelet", message);
    Some(verdict.condition("DisruptionTarget", facts, before))
}

/// Kubelet's `getPhase`.
fn phase(facts: &Facts<'_>) -> &'static str {
    let over = !facts.still_running;
    if over && facts.evicted.is_some() {
        return "Failed";
    }
    match facts.outcome.filter(|_| over) {
        Some(Outcome::Succeeded) => return "Succeeded",
        Some(Outcome::Failed) => return "Failed",
        None => {}
    }
    let apps = || facts.records.iter().filter(|record| record.role == Role::App);
    let never_ran = |record: &Record| matches!(record.state, State::Waiting { .. }) && record.last.is_none();
    if !is_initialized(facts.records) && !apps().any(Record::is_running) && apps().all(never_ran) {
        return "Pending";
    }
    if apps().any(never_ran) && !apps().any(Record::is_running) { "Pending" } else { "Running" }
}

fn is_initialized(records: &[Record]) -> bool {
    records.iter().filter(|record| record.initializes()).all(Record::is_initialized)
}

fn conditions(facts: &Facts<'_>, phase: &str, before: &PodStatus) -> Vec<PodCondition> {
    let mut all = conditions_of_all(facts, phase, before);
    all.extend(disruption(facts, before));
    all
}

/// The conditions that every pod has.
fn conditions_of_all(facts: &Facts<'_>, phase: &str, before: &PodStatus) -> Vec<PodCondition> {
    let over = match phase {
        "Succeeded" => Some("PodCompleted"),
        "Failed" => Some("PodFailed"),
        _ => None,
    };
    let names = |wanted: &dyn Fn(&&Record) -> bool| -> Vec<&str> {
        facts.records.iter().filter(wanted).map(|record| &*record.name).collect()
    };
    let incomplete = names(&|record| record.initializes() && !record.is_initialized());
    let unready = names(&|record| record.counts_for_readiness() && !record.ready);
    let initialized = match over {
        _ if incomplete.is_empty() => Verdict::yes((phase == "Succeeded").then_some("PodCompleted")),
        Some("PodCompleted") => Verdict::yes(Some("PodCompleted")),
        _ => Verdict::no(
            "ContainersNotInitialized",
            format!("containers with incomplete status: [{}]", incomplete.join(" ")),
        ),
    };
    let containers_ready = match over {
        Some(reason) => Verdict::no(reason, String::new()),
        None if unready.is_empty() => Verdict::yes(None),
        None => Verdict::no("ContainersNotReady", format!("containers with unready status: [{}]", unready.join(" "))),
    };
    let ready = match gates_missing(facts.pod) {
        Some(message) if containers_ready.is_true() => Verdict::no("ReadinessGatesNotReady", message),
        _ => containers_ready.clone(),
    };
    let context = if facts.has_context { Verdict::yes(None) } else { Verdict::no("", String::new()) };
    let wanted = [
        ("PodReadyToStartContainers", context),
        ("Initialized", initialized),
        ("Ready", ready),
        ("ContainersReady", containers_ready),
        ("PodScheduled", Verdict::yes(None)),
    ];
    let passing = facts.resize.map(|resize| match resize {
        Resize::Pending { reason, message } => ("PodResizePending", Verdict::because(reason, message)),
        Resize::InProgress { message } => ("PodResizeInProgress", Verdict::because("Error", message)),
    });
    wanted.into_iter().chain(passing).map(|(kind, verdict)| verdict.condition(kind, facts, before)).collect()
}

/// The message about readiness gates that aren't open; None if all are.
fn gates_missing(pod: &Pod) -> Option<String> {
    let given = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let gates = pod.spec.iter().flat_map(|spec| spec.readiness_gates.iter().flatten());
    let messages: Vec<String> = gates
        .filter_map(|gate| {
            let kind = &gate.condition_type;
            let condition = given.into_iter().flatten().find(|condition| condition.type_ == *kind);
            match condition {
                Some(condition) if condition.status == "True" => None,
                Some(condition) => {
                    Some(format!("the status of pod readiness gate {kind:?} is not \"True\", but {}", condition.status))
                }
                None => Some(format!("corresponding condition of pod readiness gate {kind:?} does not exist.")),
            }
        })
        .collect();
    (!messages.is_empty()).then(|| messages.join(", "))
}

#[derive(Clone)]
struct Verdict {
    status: &'static str,
    reason: Option<String>,
    message: Option<String>,
}

impl Verdict {
    fn yes(reason: Option<&str>) -> Verdict {
        Verdict { status: "True", reason: reason.map(str::to_owned), message: None }
    }

    /// True, which is no good news.
    fn because(reason: &str, message: &str) -> Verdict {
        Verdict { status: "True", reason: Some(reason.to_owned()), message: Some(message.to_owned()) }
    }

    fn no(reason: &str, message: String) -> Verdict {
        let some = |text: String| (!text.is_empty()).then_some(text);
        Verdict { status: "False", reason: some(reason.to_owned()), message: some(message) }
    }

    fn is_true(&self) -> bool {
        self.status == "True"
    }

    fn condition(self, kind: &str, facts: &Facts<'_>, before: &PodStatus) -> PodCondition {
        let old = before.conditions.iter().flatten().find(|condition| condition.type_ == kind);
        let since = old.filter(|old| old.status == self.status).and_then(|old| old.last_transition_time.clone());
        PodCondition {
            type_: kind.to_owned(),
            status: self.status.to_owned(),
            reason: self.reason,
            message: self.message,
            last_transition_time: Some(since.unwrap_or(Time(facts.now))),
            last_probe_time: None,
            observed_generation: facts.pod.metadata.generation,
        }
    }
}

fn container_status(record: &Record) -> ContainerStatus {
    let (state, id) = match &record.state {
        State::Waiting { reason, message } => {
            let waiting = ContainerStateWaiting { reason: Some(reason.clone()), message: message.clone() };
            let id = record.last.as_ref().and_then(|last| last.id.clone());
            (ContainerState { waiting: Some(waiting), ..ContainerState::default() }, id)
        }
        State::Running { since, id } => {
            let running = ContainerStateRunning { started_at: Some(Time(*since)) };
            (ContainerState { running: Some(running), ..ContainerState::default() }, Some(id.clone()))
        }
        State::Ended(ended) => (terminated(ended), ended.id.clone()),
    };
    let succeeded = matches!(&record.state, State::Ended(ended) if ended.code == 0);
    ContainerStatus {
        name: record.name.clone(),
        image: record.image.clone(),
        image_id: record.image_id.clone(),
        container_id: id.map(|id| format!("wasmtime://{id}")),
        ready: record.ready || (record.role == Role::Init && succeeded),
        started: (record.role != Role::Ephemeral).then_some(record.started),
        restart_count: record.restarts,
        state: Some(state),
        allocated_resources: record.allocated.as_ref().and_then(|it| it.requests.clone()),
        // Empty too: it says that they can be changed.
        resources: (record.role != Role::Ephemeral && !matches!(record.state, State::Waiting { .. }))
            .then(|| record.allocated.as_deref().cloned().unwrap_or_default()),
        last_state: Some(record.last.as_ref().map(terminated).unwrap_or_default()),
        ..ContainerStatus::default()
    }
}

fn terminated(ended: &Ended) -> ContainerState {
    let terminated = ContainerStateTerminated {
        exit_code: ended.code,
        reason: Some(ended.reason.clone()),
        message: ended.message.clone(),
        started_at: ended.started.map(Time),
        finished_at: ended.finished.map(Time),
        container_id: ended.id.as_ref().map(|id| format!("wasmtime://{id}")),
        signal: None,
    };
    ContainerState { terminated: Some(terminated), ..ContainerState::default() }
}

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

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
