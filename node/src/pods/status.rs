//! A pod's status, made from what its worker knows: a pure function.

mod change;
mod conditions;
mod containers;

use std::net::IpAddr;

use coracle_api::pod::qos_class;
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{HostIP, Pod, PodIP, PodStatus, ResourceRequirements},
    apimachinery::pkg::apis::meta::v1::Time,
};

use self::{conditions::conditions, containers::container_status};
use super::{
    plan::Outcome,
    record::{Record, Role, State},
    worker::Resizing,
};

pub use change::{anything, is_urgent, patch};
pub use conditions::{DEADLINE_EXCEEDED, LASTING, PASSING, RESTARTING_ALL, is_restarting_all};

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
    /// All containers are about to begin again.
    pub restarting_all: bool,
    /// What of a resize is not done.
    pub resizing: &'a Resizing,
    /// What the pod as a whole has been let have.
    pub whole: Option<&'a ResourceRequirements>,
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
        list.extend(facts.records.iter().filter(wanted).map(|record| container_status(record, facts.pod)));
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
        resources: facts.whole.cloned(),
        allocated_resources: facts.whole.and_then(|whole| whole.requests.clone()),
        ..PodStatus::default()
    }
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

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
