//! The worker of one pod: a small task that sleeps until something happens to its pod, does the next step, and
//! reports. Everything that takes time (pulls, starts, stops, probes, writes) is a future it holds beside itself.

mod beginning;
mod containers;
mod ending;
mod hooks;
mod last_words;
mod message;
mod probing;
mod reporting;
mod resize_notes;
mod resizing;
mod restarting;
mod stage;

use std::{sync::Arc, time::Duration};

use coracle_wasi_host::Container as Handle;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ObjectReference, Pod, PodStatus, ResourceRequirements};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use self::{
    beginning::deadline,
    message::Message,
    stage::{Ending, Stage},
};
use super::{
    backoff::Backoff,
    context::{PrepareError, Prepared, prepare},
    kept_pod::PodAtHand,
    live::{EndRequest, LivePod},
    packed::Resting,
    plan::{Outcome, plan},
    record::Record,
    status::DEADLINE_EXCEEDED,
};
use crate::{events::Subject, logs::LogSink, shared::Shared};

pub use message::Desired;
pub use resizing::Resizing;
pub use restarting::{may_restart_all, run_all_again};

/// A run of a container that is under way.
struct Run {
    number: i32,
    handle: Handle,
    sink: Arc<LogSink>,
    /// It takes connections, or runs, as the sandbox sees it.
    listening: bool,
    /// The readiness probe's verdict; None if there is no such probe.
    probed_ready: Option<bool>,
    /// It has been told to stop.
    stopping: bool,
    /// It is stopped because its image was changed, and is to run again whatever its policy.
    redefined: bool,
}

/// The worker; see the module.
pub struct Worker {
    shared: Arc<Shared>,
    pod: PodAtHand,
    live: Arc<LivePod>,
    subject: Subject,
    stage: Stage,
    records: Vec<Record>,
    runs: Vec<Option<Run>>,
    prepared: Option<Arc<Prepared>>,
    /// A context is being made.
    preparing: bool,
    setup: Backoff,
    outcome: Option<Outcome>,
    evicted: Option<(&'static str, String)>,
    /// What the pod as a whole has been let have, unless that is nothing.
    whole: Option<Box<ResourceRequirements>>,
    /// One container has ended in such a way that all are to begin again.
    restarting_all: bool,
    resizing: Resizing,
    started: Timestamp,
    /// When this worker first saw the pod, until its first container runs.
    seen: Option<Instant>,
    deadline: Option<Instant>,
    /// When the grace period of an ending pod is over.
    end_by: Instant,
    /// Cancels what takes long when the pod ends.
    cancel: CancellationToken,
    reported: Resting<PodStatus>,
    write: reporting::Write,
    tasks: FuturesUnordered<BoxFuture<'static, Message>>,
}

/// How long containers have when the node itself stops; `coracle up` promises to be gone in 2 s.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(800);
/// How long the worker waits for them before it leaves them to the end of the process.
const SHUTDOWN_WAIT: Duration = Duration::from_millis(1200);

/// A worker that goes on before this time keeps at hand what it works with.
const SOON: Duration = Duration::from_secs(1);

impl Worker {
    /// Works until the pod is gone from the API and from the node, or until `shutdown`: then containers are stopped
    /// and everything else is left for the node's next life.
    pub async fn run(mut self: Box<Self>, mut mailbox: watch::Receiver<Desired>, shutdown: CancellationToken) {
        self.take_desired(mailbox.borrow_and_update().clone());
        let live = Arc::clone(&self.live);
        loop {
            let wake = self.step();
            if self.stage == Stage::Done {
                return;
            }
            self.rest(wake);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                changed = mailbox.changed() => match changed {
                    Ok(()) => self.take_desired(mailbox.borrow_and_update().clone()),
                    Err(_) => break,
                },
                request = live.end_requested(), if self.evicted.is_none() => self.end_on_request(request),
                Some(message) = self.tasks.next(), if !self.tasks.is_empty() => self.take(message),
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
        }
        // Boxed: this future has room for it all its life and needs it once.
        Box::pin(self.shut_down()).await;
    }

    /// The node ends the pod: it is short of something, or about to stop.
    fn end_on_request(&mut self, request: EndRequest) {
        self.evicted = Some((request.reason, request.message));
        if matches!(self.stage, Stage::Preparing(_) | Stage::Running) {
            self.end(Ending::Evicted);
            let grace = request.grace.map(|grace| Instant::now() + grace);
            self.end_by = grace.map_or(self.end_by, |by| by.min(self.end_by));
        }
    }

    /// Takes in what the node wants of the pod.
    fn take_desired(&mut self, desired: Desired) {
        match desired {
            Desired::Gone => self.end(Ending::Removed),
            Desired::Exist(pod) => {
                let before = self.pod.replace(pod);
                self.compare();
                self.deadline = deadline(&self.pod, self.started);
                if self.pod.metadata.deletion_timestamp.is_some() {
                    self.end(Ending::Deleted);
                } else {
                    self.take_ephemeral();
                    if self.stage == Stage::Running {
                        self.restart_redefined(&before);
                    }
                    self.resize();
                }
            }
        }
    }

    /// Does what is to be done now; says when to look again by itself.
    fn step(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let wake = match self.stage {
            Stage::Preparing(retry) => self.step_preparing(retry, now),
            Stage::Running => self.step_running(now),
            Stage::Ending(_) | Stage::Over | Stage::Deleting | Stage::Done => None,
        };
        // The stage may have changed just now: what follows is done at once.
        if let Stage::Ending(why) = self.stage {
            self.advance_ending(why);
        }
        if self.stage == Stage::Over && self.pod.metadata.deletion_timestamp.is_some() {
            self.stage = Stage::Deleting;
        }
        [wake, self.report(Instant::now())].into_iter().flatten().min()
    }

    /// Puts away what it worked with, unless it goes on in a moment: most pods do nothing most of the time.
    fn rest(&mut self, wake: Option<Instant>) {
        let soon = wake.is_some_and(|wake| wake < Instant::now() + SOON);
        let busy = soon || self.preparing || self.write.is_under_way();
        if !busy && !self.records.iter().any(|record| record.starting) {
            self.pod.put_away();
            self.reported.rest();
        }
    }

    fn step_preparing(&mut self, retry: Option<Instant>, now: Instant) -> Option<Instant> {
        if self.preparing {
            return None;
        }
        if retry.is_some_and(|retry| retry > now) {
            return retry;
        }
        self.preparing = true;
        let (shared, pod, live) = (Arc::clone(&self.shared), Arc::clone(&self.pod), Arc::clone(&self.live));
        let work = self.cancel.clone().run_until_cancelled_owned(prepare(shared, pod, live));
        self.tasks.push(work.map(Message::Prepared).boxed());
        None
    }

    fn step_running(&mut self, now: Instant) -> Option<Instant> {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            let message = "Pod was active on the node longer than the specified deadline";
            self.shared.events.normal(&self.subject, DEADLINE_EXCEEDED, message);
            self.evicted = Some((DEADLINE_EXCEEDED, message.to_owned()));
            self.end(Ending::Evicted);
            return None;
        }
        if self.is_restarting_all() {
            return self.deadline;
        }
        let plan = plan(&self.records, now);
        if plan.outcome.is_some() {
            self.outcome = plan.outcome;
            self.end(Ending::Finished);
            return None;
        }
        // One at a time, in order, as kubelet does: a container may count on what was started before it.
        if let Some(index) = plan.start.first().filter(|_| !self.records.iter().any(|record| record.starting)) {
            self.start(*index);
        }
        let resize = self.go_on_resizing(now);
        [plan.wake, self.deadline, resize].into_iter().flatten().min()
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Prepared(result) => self.take_prepared(result),
            Message::Started(index, Ok(started)) => self.take_started(index, started),
            Message::Started(index, Err(failure)) => self.take_failure(index, &failure),
            Message::Listening(index, run) => self.take_listening(index, run),
            Message::Exited(index, run, exit, message) => self.take_exit(index, run, &exit, message),
            Message::Probed(index, run, runner, report) => self.take_probe(index, run, *runner, report),
            Message::Draining(index, run, left) => self.take_draining(index, run, left),
            Message::Stopped | Message::Resizable(false) => {}
            Message::Resizable(true) => self.resize(),
            Message::Reported(written) => self.take_reported(written),
            Message::ServerBack => self.take_server_back(),
            Message::Deleted(written) => self.take_deleted(written),
        }
    }

    fn take_prepared(&mut self, result: Option<Result<Prepared, PrepareError>>) {
        self.preparing = false;
        let (Stage::Preparing(_), Some(result)) = (self.stage, result) else { return };
        match result {
            Ok(prepared) => {
                self.setup.reset();
                self.prepared = Some(Arc::new(prepared));
                self.limit_pod();
                self.stage = Stage::Running;
            }
            Err(error) => {
                self.shared.events.warning(&self.subject, error.reason(), error.to_string());
                self.stage = Stage::Preparing(Some(Instant::now() + self.setup.next(Instant::now())));
            }
        }
    }

    /// The subject of events about one container.
    fn container_subject(&self, index: usize) -> Subject {
        let record = &self.records[index];
        subject(&self.pod, Some(format!("spec.{}{{{}}}", record.list(), record.name)))
    }
}

/// What events about a pod (or a field of it) are about.
pub fn subject(pod: &Pod, field_path: Option<String>) -> Subject {
    Arc::new(ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        name: pod.metadata.name.clone(),
        namespace: pod.metadata.namespace.clone(),
        uid: pod.metadata.uid.clone(),
        resource_version: pod.metadata.resource_version.clone(),
        field_path,
    })
}
