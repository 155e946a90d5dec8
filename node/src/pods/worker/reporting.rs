//! The worker's part about the pod's status: what changed is gathered for a moment, what others wait for is not.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::PodStatus;
use tokio::time::Instant;

use super::{Message, Stage, Worker};
use crate::{
    checkpoint::Key,
    link::Link,
    pods::{
        backoff::Backoff,
        packed::Resting,
        record::State,
        report::{Written, write_status},
        status::{Facts, PASSING, anything, is_urgent, patch, status},
    },
    static_pods::is_static,
};

/// How long changes nobody waits for are gathered: a pod that starts at once is one write, not three.
const GATHER: Duration = Duration::from_millis(100);

/// The state of the pod's status writes. At most one is under way.
pub struct Write {
    /// What is being written.
    under_way: Option<Box<PodStatus>>,
    /// Not before this time, while changes are gathered or after a failure.
    not_before: Option<Instant>,
    retry: Backoff,
    failed: bool,
    /// What the server has is not known: a write has failed, which may have come through all the same, or others have
    /// written.
    uncertain: bool,
    /// The server is away, and is waited for.
    awaits_server: bool,
    /// How often the server had come back when its word was last compared with the worker's.
    returns: u64,
    /// What the checkpoint was given last, while that is not what the server has.
    kept: Option<Box<PodStatus>>,
    /// The final deletion has been asked for.
    deletion_sent: bool,
}

impl Write {
    /// Nothing is under way.
    pub(super) fn new(link: &Link, uncertain: bool) -> Write {
        Write {
            under_way: None,
            not_before: None,
            retry: Backoff::of_setup(),
            failed: false,
            uncertain,
            awaits_server: false,
            returns: link.returns(),
            kept: None,
            deletion_sent: false,
        }
    }

    /// Something is being written.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }
}

impl Worker {
    /// Writes the status if it has changed; says when to look again.
    pub(super) fn report(&mut self, now: Instant) -> Option<Instant> {
        if self.write.under_way.is_some() || matches!(self.stage, Stage::Done) {
            return None;
        }
        // A pod found over is left as it is.
        let silent = self.stage == Stage::Over
            && self.reported.phase.as_deref().is_some_and(|phase| phase != "Pending" && phase != "Running");
        let after = if silent { (*self.reported).clone() } else { self.status() };
        if !self.write.uncertain && (silent || !differs(&self.reported, &after)) {
            self.write.not_before = None;
            self.finish_deletion();
            return None;
        }
        if !self.shared.link.is_up() {
            self.keep(&after);
            self.await_server();
            return None;
        }
        let waited_for = !self.write.failed
            && (is_urgent(&self.reported, &after) && self.has_run() || self.stage == Stage::Deleting);
        let not_before = *self.write.not_before.get_or_insert(now + GATHER);
        if not_before > now && !waited_for {
            return Some(not_before);
        }
        self.keep(&after);
        let body = match self.write.uncertain {
            true => patch(&self.live.uid, &anything(), &after),
            false => patch(&self.live.uid, &self.reported, &after),
        };
        self.write.under_way = Some(Box::new(after));
        self.write.not_before = None;
        let writing = write_status(Arc::clone(&self.shared), Arc::clone(&self.live), body);
        self.tasks.push(writing.map(Message::Reported).boxed());
        None
    }

    /// Leaves the newest status for a life of the node that begins without the server. Static pods begin by their files.
    fn keep(&mut self, status: &PodStatus) {
        let is_known = self.write.kept.as_deref().is_some_and(|kept| !differs(kept, status));
        if !is_known && !is_static(&self.pod) {
            self.shared.checkpoint.keep(Key::status(&self.live.uid), status, None);
            self.write.kept = Some(Box::new(status.clone()));
        }
    }

    /// Writes nothing until the server is back; then the newest only.
    fn await_server(&mut self) {
        if !std::mem::replace(&mut self.write.awaits_server, true) {
            let link = Arc::clone(&self.shared.link);
            self.tasks.push(async move { link.up().await }.map(|()| Message::ServerBack).boxed());
        }
    }

    pub(super) fn take_server_back(&mut self) {
        self.write.awaits_server = false;
        self.write.failed = false;
        self.write.retry.reset();
        self.write.not_before = None;
        // What was missing because nobody could be asked is asked for now.
        self.setup.reset();
        if matches!(self.stage, Stage::Preparing(_)) {
            self.stage = Stage::Preparing(None);
        }
        for record in &mut self.records {
            if matches!(&record.state, State::Waiting { reason, .. } if reason == "CreateContainerConfigError") {
                record.not_before = None;
            }
        }
    }

    /// The server has said what it has. If that is its first word since it was away, and not what the worker told it,
    /// others have written, who took the node for dead: it is told again.
    pub(super) fn compare(&mut self) {
        let returns = self.shared.link.returns();
        if std::mem::replace(&mut self.write.returns, returns) != returns {
            let theirs = self.pod.status.clone().unwrap_or_default();
            self.write.uncertain |= differs(&theirs, &self.reported);
        }
    }

    /// Gathers no longer: what comes next takes time, and who looks meanwhile should see what the pod waits for.
    pub(super) fn report_at_once(&mut self) {
        if !self.write.failed {
            self.write.not_before = Some(Instant::now());
        }
    }

    fn status(&self) -> PodStatus {
        let address = self.prepared.as_ref().map(|prepared| prepared.address);
        let facts = Facts {
            pod: &self.pod,
            records: &self.records,
            pod_ip: address,
            host_ip: self.shared.address,
            started: self.started,
            has_context: self.prepared.is_some(),
            still_running: matches!(self.stage, Stage::Ending(_)) && self.is_occupied(),
            outcome: self.outcome,
            evicted: self.evicted.clone(),
            restarting_all: self.restarting_all,
            resizing: &self.resizing,
            whole: self.whole.as_deref(),
            now: Timestamp::now(),
        };
        status(&facts, &self.reported)
    }

    fn finish_deletion(&mut self) {
        if self.stage == Stage::Deleting && !self.write.deletion_sent {
            self.write.deletion_sent = true;
            self.delete();
        }
    }

    pub(super) fn take_reported(&mut self, written: Written) {
        let Some(after) = self.write.under_way.take() else { return };
        self.write.failed = false;
        match written {
            Written::Done | Written::Gone => {
                self.write.retry.reset();
                self.write.uncertain = false;
                self.write.kept = None;
                self.reported = Resting::of(*after);
            }
            Written::Failed(error) => {
                tracing::debug!(
                    pod = self.live.name,
                    namespace = self.live.namespace,
                    error,
                    "status not written; trying again"
                );
                (self.write.failed, self.write.uncertain) = (true, true);
                self.write.not_before = Some(Instant::now() + self.write.retry.next(Instant::now()));
            }
        }
    }
}

/// Whether the node's part of the status differs. Fields that others write are none of ours.
fn differs(before: &PodStatus, after: &PodStatus) -> bool {
    let ours = |status: &PodStatus| {
        (
            status.phase.clone(),
            status.reason.clone(),
            status.message.clone(),
            status.pod_ip.clone(),
            status.host_ip.clone(),
            status.start_time.as_ref().map(|time| time.0.as_second()),
            // Who waits for a condition asks whether it is about the present spec.
            status.observed_generation,
            (status.resources.clone(), status.allocated_resources.clone()),
        )
    };
    let conditions = |status: &PodStatus| {
        let mut list: Vec<_> = status.conditions.clone().unwrap_or_default();
        let is_ours = |kind: &str| after.conditions.iter().flatten().any(|ours| ours.type_ == kind);
        list.retain(|condition| is_ours(&condition.type_) || PASSING.contains(&&*condition.type_));
        list.sort_by(|a, b| a.type_.cmp(&b.type_));
        list.into_iter().map(|c| (c.type_, c.status, c.reason, c.message)).collect::<Vec<_>>()
    };
    ours(before) != ours(after)
        || conditions(before) != conditions(after)
        || before.container_statuses != after.container_statuses
        || before.init_container_statuses != after.init_container_statuses
        || before.ephemeral_container_statuses != after.ephemeral_container_statuses
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_nodes_own_part_counts() {
        let status = |conditions: serde_json::Value, phase: &str| -> PodStatus {
            serde_json::from_value(json!({"phase": phase, "conditions": conditions})).unwrap()
        };
        let ready = |value: &str, time: &str| json!({"type": "Ready", "status": value, "lastTransitionTime": time});
        let ours = status(json!([ready("True", "2026-01-01T00:00:00Z")]), "Running");
        let with_gate =
            status(json!([{"type": "x/y", "status": "True"}, ready("True", "2025-01-01T00:00:00Z")]), "Running");
        assert!(!differs(&with_gate, &ours));
        assert!(differs(&status(json!([ready("False", "2026-01-01T00:00:00Z")]), "Running"), &ours));
        assert!(differs(&status(json!([]), "Running"), &ours));
        assert!(differs(&status(json!([ready("True", "2026-01-01T00:00:00Z")]), "Pending"), &ours));
    }
}
