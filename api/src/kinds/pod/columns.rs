//! `kubectl get pods`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::catalog::{Column, RowCells};
use crate::duration;
use crate::kinds::json::{boolean, has, integer, list, text};
use crate::kinds::table::{AGE, NONE, age, column, or_none, wide};

/// The columns, as Kubernetes describes them.
pub(super) const COLUMNS: &[Column] = &[
    column("Ready", "The aggregate readiness state of this pod for accepting traffic."),
    column("Status", "The aggregate status of the containers in this pod."),
    column(
        "Restarts",
        "The number of times the containers in this pod have been restarted and when the last container in this pod \
         has restarted.",
    ),
    AGE,
    wide("IP", "podIP address allocated to the pod. Routable at least within the cluster. Empty if not yet allocated."),
    wide(
        "Node",
        "NodeName indicates in which node this pod is scheduled. If empty, this pod is a candidate for scheduling by \
         the scheduler defined in schedulerName. Once this field is set, the kubelet for this node becomes responsible \
         for the lifecycle of this pod. This field should not be used to express a desire for the pod to be scheduled \
         on a specific node. https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#nodename",
    ),
    wide(
        "Nominated Node",
        "nominatedNodeName is set only when this pod preempts other pods on the node, but it cannot be scheduled right \
         away as preemption victims receive their graceful termination periods. This field does not guarantee that the \
         pod will be scheduled on this node. Scheduler may decide to place the pod elsewhere if other nodes become \
         available sooner. Scheduler may also decide to give the resources on this node to a higher priority pod that \
         is created after preemption. As a result, this field may be different than PodSpec.nodeName when the pod is \
         scheduled.",
    ),
    wide(
        "Readiness Gates",
        "If specified, all readiness gates will be evaluated for pod readiness. A pod is ready when all its containers \
         are ready AND all conditions specified in the readiness gates have status equal to \"True\" More info: \
         https://git.k8s.io/enhancements/keps/sig-network/580-pod-readiness-gates",
    ),
];

/// What the statuses of the containers add up to.
struct Summary {
    reason: String,
    ready: usize,
    total: usize,
    restarts: Restarts,
}

#[derive(Clone, Copy, Default)]
struct Restarts {
    count: i64,
    /// Unix seconds of the last end of a container.
    last: Option<i64>,
}

impl Restarts {
    fn add(&mut self, status: &Value) {
        self.count += integer(status, "restartCount");
        let ended = duration::unix_seconds(text(status, "lastState.terminated.finishedAt"));
        self.last = self.last.max(ended);
    }

    fn cell(self, now_seconds: i64) -> String {
        match self.last {
            Some(last) if self.count != 0 => {
                format!("{} ({} ago)", self.count, duration::human(now_seconds - last))
            }
            _ => self.count.to_string(),
        }
    }
}

/// Whether the pod is over, for clients that show only what runs.
pub(super) fn row_conditions(pod: &Value) -> Vec<Value> {
    let (reason, message) = match text(pod, "status.phase") {
        "Succeeded" => ("Succeeded", "The pod has completed successfully."),
        "Failed" => ("Failed", "The pod failed."),
        _ => return Vec::new(),
    };
    vec![json!({ "type": "Completed", "status": "True", "reason": reason, "message": message })]
}

/// One row.
pub(super) fn cells(pod: &Value, now_seconds: i64) -> RowCells {
    let summary = summarize(pod);
    let address = list(pod, "status.podIPs").first().map(|ip| text(ip, "ip")).unwrap_or_default();
    let cells = vec![
        json!(format!("{}/{}", summary.ready, summary.total)),
        json!(summary.reason),
        json!(summary.restarts.cell(now_seconds)),
        age(pod, now_seconds),
        or_none(address),
        or_none(text(pod, "spec.nodeName")),
        or_none(text(pod, "status.nominatedNodeName")),
        json!(readiness_gates(pod)),
    ];
    RowCells { cells }
}

fn summarize(pod: &Value) -> Summary {
    let phase = text(pod, "status.phase");
    let reason = text(pod, "status.reason");
    let mut reason = if reason.is_empty() { phase } else { reason }.to_string();
    let gated = |c: &Value| text(c, "type") == "PodScheduled" && text(c, "reason") == "SchedulingGated";
    if list(pod, "status.conditions").iter().any(gated) {
        reason = "SchedulingGated".to_string();
    }
    let sidecars = list(pod, "spec.initContainers").iter().filter(|c| is_sidecar(c)).count();
    let total = list(pod, "spec.containers").len() + sidecars;
    let mut summary = Summary { reason, ready: 0, total, restarts: Restarts::default() };

    let sidecar_restarts = initialization(pod, &mut summary);
    let initializing = summary.reason.starts_with("Init:");
    if !initializing || condition_is_true(pod, "Initialized") {
        summary.restarts = sidecar_restarts;
        running(pod, &mut summary);
    }
    if has(pod, "metadata.deletionTimestamp") {
        if text(pod, "status.reason") == "NodeLost" {
            summary.reason = "Unknown".to_string();
        } else if !matches!(phase, "Succeeded" | "Failed") {
            summary.reason = "Terminating".to_string();
        }
    }
    summary
}

fn is_sidecar(container: &Value) -> bool {
    text(container, "restartPolicy") == "Always"
}

/// Walks the init containers up to the one that is not through, and returns the restarts of sidecars alone.
fn initialization(pod: &Value, summary: &mut Summary) -> Restarts {
    let init_containers = list(pod, "spec.initContainers");
    let sidecars = init_containers.iter().filter(|container| is_sidecar(container));
    let sidecars: BTreeSet<&str> = sidecars.map(|container| text(container, "name")).collect();
    let mut sidecar_restarts = Restarts::default();
    for (index, status) in list(pod, "status.initContainerStatuses").iter().enumerate() {
        summary.restarts.add(status);
        let sidecar = sidecars.contains(text(status, "name"));
        if sidecar {
            sidecar_restarts.add(status);
        }
        let waiting = text(status, "state.waiting.reason");
        if has(status, "state.terminated") && integer(status, "state.terminated.exitCode") == 0 {
            continue;
        }
        if sidecar && boolean(status, "started") {
            summary.ready += usize::from(boolean(status, "ready"));
            continue;
        }
        summary.reason = if has(status, "state.terminated") {
            format!("Init:{}", terminated_reason(status))
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            format!("Init:{waiting}")
        } else {
            format!("Init:{index}/{}", init_containers.len())
        };
        break;
    }
    sidecar_restarts
}

/// Walks the containers backwards, so that the first one with something to say has the last word.
fn running(pod: &Value, summary: &mut Summary) {
    let mut has_running = false;
    for status in list(pod, "status.containerStatuses").iter().rev() {
        summary.restarts.add(status);
        let waiting = text(status, "state.waiting.reason");
        if !waiting.is_empty() {
            summary.reason = waiting.to_string();
        } else if has(status, "state.terminated") {
            summary.reason = terminated_reason(status);
        } else if boolean(status, "ready") && has(status, "state.running") {
            has_running = true;
            summary.ready += 1;
        }
    }
    // A container that completed is no news while another one runs.
    if summary.reason == "Completed" && has_running {
        summary.reason = if condition_is_true(pod, "Ready") { "Running" } else { "NotReady" }.to_string();
    }
}

fn terminated_reason(status: &Value) -> String {
    let reason = text(status, "state.terminated.reason");
    let signal = integer(status, "state.terminated.signal");
    if !reason.is_empty() {
        reason.to_string()
    } else if signal != 0 {
        format!("Signal:{signal}")
    } else {
        format!("ExitCode:{}", integer(status, "state.terminated.exitCode"))
    }
}

fn condition_is_true(pod: &Value, kind: &str) -> bool {
    list(pod, "status.conditions").iter().any(|c| text(c, "type") == kind && text(c, "status") == "True")
}

fn readiness_gates(pod: &Value) -> String {
    let gates = list(pod, "spec.readinessGates");
    if gates.is_empty() {
        return NONE.to_string();
    }
    let met = list(pod, "status.conditions").iter().filter(|condition| text(condition, "status") == "True");
    let met: BTreeSet<&str> = met.map(|condition| text(condition, "type")).collect();
    let met = gates.iter().filter(|gate| met.contains(text(gate, "conditionType"))).count();
    format!("{met}/{}", gates.len())
}
