//! The worker's part about resizes (KEP-1287): limits of running containers follow the pod's spec, without a restart
//! unless the container asks for one.

use std::time::Duration;

use coracle_api::{pod::requests, quantity::Quantity};
use k8s_openapi::api::core::v1::{Container, ResourceRequirements};
use tokio::time::Instant;

use super::Worker;
use crate::pods::resources::{differs, limits, memory_limit};

/// How long a resize rests that can't be done yet.
const RETRY: Duration = Duration::from_secs(5);
/// What can be changed.
const RESOURCES: [&str; 2] = ["cpu", "memory"];

/// A resize that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resize {
    /// It was not begun (`PodResizePending`).
    Pending {
        /// `Infeasible`
        reason: &'static str,
        /// Why.
        message: String,
    },
    /// It was begun and hangs (`PodResizeInProgress` with the reason `Error`).
    InProgress {
        /// Why.
        message: String,
    },
}

impl Worker {
    /// Brings what the containers have to what the pod asks for.
    pub(super) fn resize(&mut self) {
        let changed = self.changed();
        if changed.is_empty() {
            self.resize = None;
            return;
        }
        if let Some(message) = self.infeasible() {
            return self.hold_up(Resize::Pending { reason: "Infeasible", message }, "ResizeInfeasible");
        }
        let tight = changed.iter().find_map(|index| self.too_tight(*index));
        if let Some(message) = tight {
            return self.hold_up(Resize::InProgress { message }, "ResizeError");
        }
        changed.into_iter().for_each(|index| self.give(index));
        if let (Some(prepared), Some(spec)) = (&self.prepared, &self.pod.spec) {
            prepared.context.set_memory_limit(memory_limit(&self.pod, spec));
        }
        self.resize = None;
        self.shared.events.normal(&self.subject, "ResizeCompleted", "Pod resize completed");
    }

    /// When a resize that hangs is to be tried again.
    pub(super) fn retry_resize(&mut self, now: Instant) -> Option<Instant> {
        let retry = match &self.resize {
            Some((Resize::InProgress { .. }, since)) => *since + RETRY,
            _ => return None,
        };
        if retry > now {
            return Some(retry);
        }
        self.resize();
        self.resize.as_ref().map(|(_, since)| *since + RETRY)
    }

    fn hold_up(&mut self, resize: Resize, reason: &'static str) {
        let is_new = self.resize.as_ref().is_none_or(|(before, _)| *before != resize);
        if is_new {
            let (Resize::Pending { message, .. } | Resize::InProgress { message }) = &resize;
            self.shared.events.warning(&self.subject, reason, message.clone());
        }
        self.resize = Some((resize, Instant::now()));
    }

    /// Containers that are to have something else than they have.
    fn changed(&self) -> Vec<usize> {
        let differ = |index: &usize| {
            let record = &self.records[*index];
            let wanted = self.spec_of(*index).and_then(|spec| spec.resources.as_ref());
            let differ = |resource| differs(resource, wanted, record.allocated.as_deref());
            // Nearly always they are the very same, and amounts need not be read for that.
            let same = wanted == record.allocated.as_deref();
            record.counts_for_readiness() && !same && RESOURCES.into_iter().any(differ)
        };
        (0..self.records.len()).filter(differ).collect()
    }

    /// What the pod asks for and no node of this size could give.
    fn infeasible(&self) -> Option<String> {
        let wanted = requests(&self.pod);
        RESOURCES.into_iter().find_map(|resource| {
            let (wanted, capacity) = (wanted.get(resource)?, self.shared.allocatable.get(resource)?);
            let number = |amount: &Quantity| if resource == "cpu" { amount.milli_value() } else { amount.value() };
            let (requested, capacity) = (number(wanted), number(capacity));
            (requested > capacity).then(|| {
                format!("Node didn't have enough capacity: {resource}, requested: {requested}, capacity: {capacity}")
            })
        })
    }

    /// Memory can't be taken away that is in use.
    fn too_tight(&self, index: usize) -> Option<String> {
        let wanted = limits(self.spec_of(index)?.resources.as_ref()).memory_bytes?;
        let used = self.runs[index].as_ref()?.handle.usage().memory_bytes;
        let restarts = self.spec_of(index).is_some_and(|spec| restarts(spec, self.records[index].allocated.as_deref()));
        (used > wanted && !restarts).then(|| {
            let name = &self.records[index].name;
            format!("attempting to set memory limit ({wanted}) of container {name} below current usage ({used})")
        })
    }

    /// Gives a container what it is to have.
    fn give(&mut self, index: usize) {
        let Some(spec) = self.spec_of(index).cloned() else { return };
        let restart = restarts(&spec, self.records[index].allocated.as_deref());
        let wanted = spec.resources.clone().filter(|it| *it != ResourceRequirements::default());
        self.records[index].allocated = wanted.map(Box::new);
        let Some(run) = self.runs[index].as_mut() else { return };
        if restart {
            run.redefined = true;
            let message = format!("Container {} resize requires restart", spec.name);
            return self.stop_container(index, &message, None);
        }
        let limits = limits(spec.resources.as_ref());
        run.handle.set_limits(limits.memory_bytes, limits.cpu_millis);
    }
}

/// Whether the container wants to be started again for what has changed.
fn restarts(spec: &Container, before: Option<&ResourceRequirements>) -> bool {
    let policies = spec.resize_policy.iter().flatten().filter(|policy| policy.restart_policy == "RestartContainer");
    policies.into_iter().any(|policy| differs(&policy.resource_name, spec.resources.as_ref(), before))
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
        assert!(!restarts(&spec("2", "1024Mi"), before.as_ref()));
        assert!(restarts(&spec("1", "2Gi"), before.as_ref()));
        assert!(restarts(&spec("1", "2Gi"), None));
    }
}
