//! The worker's part about resizes (KEP-1287): what the spec asks for is first let have (allocated), if the node has it to
//! give, and then given to the running containers, without a restart unless they ask for one.

use std::time::Duration;

use coracle_api::pod::{QosClass, condition, qos_class};
use futures::FutureExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod, ResourceRequirements};
use tokio::time::Instant;

use super::{Message, Stage, Worker, resize_notes::note};
use crate::{
    admission::{infeasible, judge_growth},
    eviction::priority,
    pods::{
        allocation::{as_allocated, some},
        resources::{differs, limits, pod_limits},
        roster::{Asked, Claim, Verdict, asked},
    },
};

/// How long a resize rests that hangs.
const RETRY: Duration = Duration::from_secs(5);
/// What can be changed.
const RESOURCES: [&str; 2] = ["cpu", "memory"];

/// What of a resize is not done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resizing {
    /// The pod has not been let have what it asks for (`PodResizePending`).
    pub pending: Option<Pending>,
    /// Containers don't have yet what they have been let have (`PodResizeInProgress`).
    pub progress: Option<Progress>,
}

/// Why a pod has not been let have what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// `Infeasible`, `Deferred`
    pub reason: &'static str,
    /// More about it.
    pub message: String,
    /// Of which generation of the pod it was said.
    generation: Option<i64>,
}

/// A resize that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Why it hangs, if it does.
    pub error: Option<String>,
    tried: Instant,
}

impl Worker {
    /// Brings what the containers have to what the pod asks for.
    pub(super) fn resize(&mut self) {
        if matches!(self.stage, Stage::Preparing(_) | Stage::Running) {
            self.ask_for_resources();
            self.give_resources();
        }
    }

    /// Looks after a resize that is under way; says when to look again.
    pub(super) fn go_on_resizing(&mut self, now: Instant) -> Option<Instant> {
        let hangs =
            |worker: &Worker| worker.resizing.progress.as_ref().filter(|it| it.error.is_some()).map(|it| it.tried);
        self.resizing.progress.as_ref()?;
        if hangs(self).is_none_or(|tried| tried + RETRY <= now) {
            self.give_resources();
        }
        hangs(self).map(|tried| tried + RETRY)
    }

    /// A pod that ends wants no more.
    pub(super) fn end_resizing(&mut self) {
        if self.resizing.pending.is_some() {
            self.shared.roster.withdraw(&self.live.uid);
        }
        self.resizing = Resizing::default();
    }

    /// Asks the node for what the spec asks for.
    fn ask_for_resources(&mut self) {
        if !self.asks_for_others() {
            if self.resizing.pending.take().is_some() {
                self.shared.roster.withdraw(&self.live.uid);
            }
            return;
        }
        let wanted = asked(&self.pod);
        if let Some(message) = infeasible(&wanted, &self.shared.allocatable) {
            self.shared.roster.withdraw(&self.live.uid);
            return self.put_off("Infeasible", "ResizeInfeasible", message);
        }
        match self.shared.roster.claim(&self.live.uid, self.claim(wanted), judge_growth(&self.shared)) {
            Verdict::Granted => self.take_granted(),
            Verdict::StillWaits => {}
            Verdict::Waits { message, news } => {
                self.tasks.push(news.map(|news| Message::Resizable(news.is_ok())).boxed());
                self.put_off("Deferred", "ResizeDeferred", message);
            }
        }
    }

    /// The pod's claim. Its place is that of its condition, which outlives the node's process.
    fn claim(&self, wanted: Asked) -> Claim {
        let waits = condition(&self.pod, "PodResizePending").filter(|it| it.reason.as_deref() == Some("Deferred"));
        let since = waits.and_then(|it| it.last_transition_time.as_ref());
        Claim {
            wanted,
            priority: priority(&self.pod),
            guaranteed: qos_class(&self.pod) == QosClass::Guaranteed,
            since: since.map_or_else(Timestamp::now, |time| time.0),
        }
    }

    fn put_off(&mut self, reason: &'static str, event: &'static str, message: String) {
        let generation = self.pod.metadata.generation;
        let pending = Some(Pending { reason, message, generation });
        if self.resizing.pending != pending {
            let message = pending.as_ref().map(|it| &*it.message);
            let told = note(&format!("Pod resize {reason}"), &self.pod, message);
            self.shared.events.warning(&self.subject, event, told);
            self.resizing.pending = pending;
        }
    }

    /// The node lets the pod have what it asks for.
    fn take_granted(&mut self) {
        for index in 0..self.records.len() {
            if self.is_changed(index) {
                let wanted = self.spec_of(index).and_then(|spec| spec.resources.clone());
                self.records[index].allocate(wanted.as_ref());
            }
        }
        self.whole = some(self.pod.spec.as_ref().and_then(|spec| spec.resources.as_ref()));
        self.resizing = Resizing { pending: None, progress: Some(Progress { error: None, tried: Instant::now() }) };
        self.shared.events.normal(&self.subject, "ResizeStarted", note("Pod resize started", &self.pod, None));
    }

    /// Gives running containers what they have been let have.
    fn give_resources(&mut self) {
        let behind: Vec<usize> = (0..self.records.len()).filter(|index| self.is_behind(*index)).collect();
        if let Some(message) = behind.iter().find_map(|index| self.too_tight(*index)) {
            return self.hang(message);
        }
        behind.into_iter().for_each(|index| self.give(index));
        if self.resizing.progress.is_none() {
            return;
        }
        self.limit_pod();
        if self.records.iter().all(|record| record.behind.is_none()) {
            self.resizing.progress = None;
            self.shared.events.normal(&self.subject, "ResizeCompleted", note("Pod resize completed", &self.pod, None));
        }
    }

    /// The limits of the pod as a whole are those of what it has been let have.
    pub(super) fn limit_pod(&self) {
        let Some(prepared) = &self.prepared else { return };
        let limits = |pod: &Pod| pod.spec.as_ref().map(|spec| pod_limits(pod, spec)).unwrap_or_default();
        prepared.context.set_limits(match &self.resizing.pending {
            Some(_) => limits(&as_allocated(&self.pod, self.whole.as_deref(), &self.records)),
            None => limits(&self.pod),
        });
    }

    fn hang(&mut self, message: String) {
        let known = self.resizing.progress.as_ref().and_then(|progress| progress.error.as_ref());
        if known != Some(&message) {
            let told = note("Pod resize error", &self.pod, Some(&message));
            self.shared.events.warning(&self.subject, "ResizeError", told);
        }
        self.resizing.progress = Some(Progress { error: Some(message), tried: Instant::now() });
    }

    /// Whether the pod asks for something else than it has been let have.
    fn asks_for_others(&self) -> bool {
        let whole = self.pod.spec.as_ref().and_then(|spec| spec.resources.as_ref());
        let differ = |resource| differs(resource, whole, self.whole.as_deref());
        (0..self.records.len()).any(|index| self.is_changed(index)) || RESOURCES.into_iter().any(differ)
    }

    fn is_changed(&self, index: usize) -> bool {
        let record = &self.records[index];
        let wanted = self.spec_of(index).and_then(|spec| spec.resources.as_ref());
        let differ = |resource| differs(resource, wanted, record.allocated.as_deref());
        // Nearly always they are the very same, and amounts need not be read for that.
        let same = wanted == record.allocated.as_deref();
        record.counts_for_readiness() && !same && RESOURCES.into_iter().any(differ)
    }

    /// Whether a run is there that doesn't have what its container has been let have.
    fn is_behind(&self, index: usize) -> bool {
        self.records[index].behind.is_some() && self.runs[index].as_ref().is_some_and(|run| !run.stopping)
    }

    /// Memory can't be taken away that is in use.
    fn too_tight(&self, index: usize) -> Option<String> {
        let record = &self.records[index];
        let wanted = limits(record.allocated.as_deref()).memory_bytes?;
        let used = self.runs[index].as_ref()?.handle.usage().memory_bytes;
        let restarts = self
            .spec_of(index)
            .is_some_and(|spec| restarts(spec, record.allocated.as_deref(), record.behind.as_deref()));
        (used > wanted && !restarts).then(|| {
            let name = &record.name;
            format!("attempting to set memory limit ({wanted}) of container {name} below current usage ({used})")
        })
    }

    /// Gives a container what it has been let have.
    fn give(&mut self, index: usize) {
        let Some(spec) = self.spec_of(index) else { return };
        let record = &self.records[index];
        let (restart, name) =
            (restarts(spec, record.allocated.as_deref(), record.behind.as_deref()), spec.name.clone());
        let limits = limits(record.allocated.as_deref());
        let Some(run) = self.runs[index].as_mut() else { return };
        if restart {
            run.redefined = true;
            let message = format!("Container {name} resize requires restart");
            return self.stop_container(index, &message, None);
        }
        run.handle.set_limits(limits.memory_bytes, limits.cpu_millis);
        run.handle.set_cpu_shares(limits.cpu_shares);
        self.records[index].behind = None;
    }
}

/// Whether the container wants to be started again for what has changed.
fn restarts(spec: &Container, now: Option<&ResourceRequirements>, before: Option<&ResourceRequirements>) -> bool {
    let policies = spec.resize_policy.iter().flatten().filter(|policy| policy.restart_policy == "RestartContainer");
    policies.into_iter().any(|policy| differs(&policy.resource_name, now, before))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_container_may_want_a_restart_for_one_resource_and_not_for_another() {
        let spec = |cpu: &str, memory: &str| -> Container {
            let policy = json!([{"resourceName": "memory", "restartPolicy": "RestartContainer"},
                {"resourceName": "cpu", "restartPolicy": "NotRequired"}]);
            let resources = json!({"limits": {"cpu": cpu, "memory": memory}});
            serde_json::from_value(json!({"name": "c", "resources": resources, "resizePolicy": policy})).unwrap()
        };
        let before = spec("1", "1Gi").resources;
        let wants =
            |spec: Container, before: Option<&ResourceRequirements>| restarts(&spec, spec.resources.as_ref(), before);
        assert!(!wants(spec("2", "1024Mi"), before.as_ref()));
        assert!(wants(spec("1", "2Gi"), before.as_ref()));
        assert!(wants(spec("1", "2Gi"), None));
    }
}
