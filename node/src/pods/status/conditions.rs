//! The conditions of a pod.

use k8s_openapi::{
    api::core::v1::{Pod, PodCondition, PodStatus},
    apimachinery::pkg::apis::meta::v1::Time,
};

use super::{Facts, Record, Resizing, Role, State};
use crate::{
    admission::{DISRUPTION, PREEMPTING},
    pods::worker::may_restart_all,
};

/// Conditions of ours that every pod has.
pub const LASTING: [&str; 5] = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];
/// The condition of a pod whose containers may all begin again when one of them has ended (KEP-5532).
pub const RESTARTING_ALL: &str = "AllContainersRestarting";
/// Conditions of ours that are there only while they are true.
pub const PASSING: [&str; 2] = ["PodResizePending", "PodResizeInProgress"];

/// Why a pod fails whose own time is over; every other reason of the node's is a disruption.
pub const DEADLINE_EXCEEDED: &str = "DeadlineExceeded";

/// The conditions of the pod. They keep the time they changed at, which is what `before` has.
pub fn conditions(facts: &Facts<'_>, phase: &str, before: &PodStatus) -> Vec<PodCondition> {
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
    // A sidecar that has fallen over does not undo what was done before the containers began.
    let begun = |record: &Record| record.role == Role::App && !matches!(record.state, State::Waiting { .. });
    let is_done = incomplete.is_empty() || facts.records.iter().any(begun);
    let initialized = match over {
        _ if is_done => Verdict::yes((phase == "Succeeded").then_some("PodCompleted")),
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
    let verdicts = [context, initialized, ready, containers_ready, Verdict::yes(None)];
    let all = LASTING.into_iter().zip(verdicts).chain(of_restarts(facts, over)).chain(of_resizes(facts.resizing));
    all.map(|(kind, verdict)| verdict.condition(kind, facts, before)).collect()
}

/// Whether all containers are about to begin again, of a pod that may come to that.
fn of_restarts(facts: &Facts<'_>, over: Option<&'static str>) -> Option<(&'static str, Verdict)> {
    let verdict = match over {
        _ if !may_restart_all(facts.records) => return None,
        Some(reason) => Verdict::no(reason, String::new()),
        None if facts.restarting_all => {
            Verdict::because("RestartAllContainersStarted", "container exited with restart policy rule")
        }
        None => Verdict::no("", String::new()),
    };
    Some((RESTARTING_ALL, verdict))
}

/// Whether a pod's status says that all its containers are about to begin again.
pub fn is_restarting_all(status: &PodStatus) -> bool {
    let is_true = |condition: &PodCondition| condition.type_ == RESTARTING_ALL && condition.status == "True";
    status.conditions.iter().flatten().any(is_true)
}

/// What a resize that is not done is shown by (KEP-1287).
fn of_resizes(resizing: &Resizing) -> impl Iterator<Item = (&'static str, Verdict)> {
    let pending = resizing.pending.as_ref().map(|it| ("PodResizePending", Verdict::because(it.reason, &it.message)));
    let progress = resizing.progress.as_ref().map(|it| {
        let verdict = it.error.as_ref().map_or(Verdict::yes(None), |error| Verdict::because("Error", error));
        ("PodResizeInProgress", verdict)
    });
    pending.into_iter().chain(progress)
}

/// The condition of a pod that the node ends for the node's sake.
fn disruption(facts: &Facts<'_>, before: &PodStatus) -> Option<PodCondition> {
    let (reason, message) = facts.evicted.as_ref().filter(|(reason, _)| *reason != DEADLINE_EXCEEDED)?;
    let message = if *reason == PREEMPTING { DISRUPTION } else { message };
    let verdict = Verdict::because("TerminationByKubelet", message);
    Some(verdict.condition("DisruptionTarget", facts, before))
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
