//! The worker of one pod: a small task that sleeps until something happens to its pod, does the next step, and
//! reports. Everything that takes time (pulls, starts, stops, probes, writes) is a future it holds beside itself.

mod containers;
mod ending;
mod hooks;
mod reporting;
mod resize_notes;
mod resizing;

use std::{sync::Arc, time::Duration};

use coracle_api::pod::is_terminal;
use coracle_wasi_host::{Container as Handle, Exit};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ObjectReference, Pod, PodStatus, ResourceRequirements};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    allocation::found_whole,
    backoff::Backoff,
    context::{PrepareError, Prepared, prepare},
    live::{EndRequest, LivePod},
    plan::{Outcome, plan},
    record::Record,
    report::Written,
    restore::restore,
    start::{StartFailure, Started},
    status::DEADLINE_EXCEEDED,
};
use crate::{
    events::Subject,
    logs::LogSink,
    probes::{ProbeReport, ProbeRunner},
    shared::Shared,
};

pub use resizing::Resizing;

/// What the node wants of a pod: the mailbox holds only the latest.
#[derive(Debug, Clone)]
pub enum Desired {
    /// To be as this object says.
    Exist(Arc<Pod>),
    /// The API server has it no more.
    Gone,
}

/// Where a pod is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Bound to this node; the context is being made, or will be tried again at the time given.
    Preparing(Option<Instant>),
    /// The context is there; containers are started and started again as the plan says.
    Running,
    /// Containers are being stopped and none is started; see [`Ending`] for what follows.
    Ending(Ending),
    /// It has run to its end. Nothing of it is left but its status, its logs and its name.
    Over,
    /// Its containers are stopped and its status is final; the API server is asked to delete it.
    Deleting,
    /// Nothing is left to do.
    Done,
}

/// Why a pod ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Its containers have ended by themselves; sidecars follow.
    Finished,
    /// The node ended it: its time was over.
    Evicted,
    /// Somebody deleted it.
    Deleted,
    /// It is no longer in the API.
    Removed,
}

/// What happened to the pod.
enum Message {
    Prepared(Option<Result<Prepared, PrepareError>>),
    Started(usize, Result<Started, StartFailure>),
    Listening(usize, i32),
    Exited(usize, i32, Exit, Option<String>),
    Probed(usize, i32, Box<ProbeRunner>, ProbeReport),
    Stopped,
    /// A resize that waited may be asked for again, or another one took its place.
    Resizable(bool),
    Reported(Written),
    Deleted(Written),
}

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
    pod: Arc<Pod>,
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
    resizing: Resizing,
    started: Timestamp,
    /// When this worker first saw the pod, until its first container runs.
    seen: Option<Instant>,
    deadline: Option<Instant>,
    /// When the grace period of an ending pod is over.
    end_by: Instant,
    /// Cancels what takes long when the pod ends.
    cancel: CancellationToken,
    reported: PodStatus,
    write: reporting::Write,
    tasks: FuturesUnordered<BoxFuture<'static, Message>>,
}

/// How long containers have when the node itself stops; `coracle up` promises to be gone in 2 s.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(800);
/// How long the worker waits for them before it leaves them to the end of the process.
const SHUTDOWN_WAIT: Duration = Duration::from_millis(1200);

impl Worker {
    /// The worker of a pod. What its status tells of an earlier life of the node is taken up.
    ///
    /// It is boxed: a future keeps room for every place a value is moved through, and there are ten thousand workers.
    pub fn new(shared: Arc<Shared>, pod: Arc<Pod>, live: Arc<LivePod>) -> Box<Worker> {
        let records = restore(&pod);
        let status = pod.status.clone().unwrap_or_default();
        let over = is_terminal(&pod);
        let started = status.start_time.as_ref().map_or_else(Timestamp::now, |time| time.0);
        for record in &records {
            if record.next_run() > 0 || record.last.is_some() {
                live.set_past_run(&record.name, record.next_run() - 1);
            }
        }
        let outcome =
            over.then(|| if status.phase.as_deref() == Some("Failed") { Outcome::Failed } else { Outcome::Succeeded });
        Box::new(Worker {
            deadline: deadline(&pod, started),
            subject: subject(&pod, None),
            stage: if over { Stage::Over } else { Stage::Preparing(None) },
            runs: records.iter().map(|_| None).collect(),
            records,
            prepared: None,
            preparing: false,
            setup: Backoff::of_setup(),
            outcome,
            evicted: None,
            whole: found_whole(&pod),
            resizing: Resizing::default(),
            started,
            seen: Some(Instant::now()),
            end_by: Instant::now(),
            cancel: CancellationToken::new(),
            reported: status,
            write: reporting::Write::default(),
            tasks: FuturesUnordered::new(),
            shared,
            pod,
            live,
        })
    }

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
                let before = std::mem::replace(&mut self.pod, pod);
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
            Message::Stopped | Message::Resizable(false) => {}
            Message::Resizable(true) => self.resize(),
            Message::Reported(written) => self.take_reported(written),
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
                self.limit_memory();
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

/// When the pod's time is over (`activeDeadlineSeconds` counts from `status.startTime`).
fn deadline(pod: &Pod, started: Timestamp) -> Option<Instant> {
    let seconds = pod.spec.as_ref()?.active_deadline_seconds?;
    let seconds = Duration::from_secs(u64::try_from(seconds).ok()?);
    let elapsed = Duration::try_from(Timestamp::now().duration_since(started)).unwrap_or(Duration::ZERO);
    Instant::now().checked_add(seconds.saturating_sub(elapsed))
}
