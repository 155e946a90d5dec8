//! The worker's part about containers while the pod runs: starts, ends, starts again.

use std::sync::Arc;

use coracle_wasi_host::{Exit, ExitReason};
use futures::FutureExt;
use k8s_openapi::api::core::v1::{Container, Pod};
use tokio::time::Instant;

use super::{Message, Run, Stage, Worker, last_words::wait};
use crate::{
    go_duration,
    pods::{
        record::{Ended, Record, State},
        start::{Attempt, StartFailure, Started},
    },
    probes::ProbeKind,
};

/// How long `ErrImagePull` is shown before it becomes `ImagePullBackOff`: the node's next look at the pod.
const PULL_ERROR_SHOWN: std::time::Duration = std::time::Duration::from_secs(2);
/// How long the first failure to start is shown before it is tried again: until kubelet sees that the container ended.
const START_ERROR_SHOWN: std::time::Duration = std::time::Duration::from_secs(1);

impl Worker {
    pub(super) fn spec_of(&self, index: usize) -> Option<&Container> {
        self.records[index].spec(self.pod.spec.as_ref()?)
    }

    /// Starts a container.
    pub(super) fn start(&mut self, index: usize) {
        if self.show_pull_backoff(index) {
            return;
        }
        let (Some(prepared), Some(container)) = (self.prepared.clone(), self.spec_of(index).cloned()) else { return };
        let (image, policy) = (container.image.as_deref().unwrap_or_default(), container.image_pull_policy.as_deref());
        if !self.shared.images.is_at_hand(image, policy) || !prepared.volumes.images_are_here() {
            self.report_at_once();
        }
        let record = &mut self.records[index];
        let container = Container { resources: record.allocated.as_deref().cloned(), ..container };
        (record.starting, record.behind) = (true, None);
        let attempt = Attempt {
            shared: Arc::clone(&self.shared),
            pod: Arc::clone(&self.pod),
            live: Arc::clone(&self.live),
            prepared,
            container,
            run: record.next_run(),
            ran: Some(record.image_id.clone()).filter(|id| !id.is_empty()),
            subject: self.container_subject(index),
            cancel: self.cancel.clone(),
        };
        self.tasks.push(attempt.run().map(move |result| Message::Started(index, result)).boxed());
    }

    /// A pull that failed a moment ago is shown as backing off from now on; the next attempt comes later.
    fn show_pull_backoff(&mut self, index: usize) -> bool {
        let subject = self.container_subject(index);
        let record = &mut self.records[index];
        let State::Waiting { reason, message } = &record.state else { return false };
        if reason != "ErrImagePull" {
            return false;
        }
        let of_volume = record.volume_image.take().map(String::from);
        let spec = self.pod.spec.as_ref().and_then(|spec| record.spec(spec));
        let own = || spec.and_then(|spec| spec.image.clone()).unwrap_or_default();
        let puller = if of_volume.is_some() { &self.subject } else { &subject };
        let image = of_volume.unwrap_or_else(own);
        let message =
            format!("Back-off pulling image {image:?}: ErrImagePull: {}", message.as_deref().unwrap_or_default());
        self.shared.events.normal(puller, "BackOff", format!("Back-off pulling image {image:?}"));
        self.shared.events.warning(&subject, "Failed", "Error: ImagePullBackOff");
        let until = Instant::now() + record.pull.next(Instant::now()).saturating_sub(PULL_ERROR_SHOWN);
        self.live.set_waiting(&record.name, "trying and failing to pull image");
        record.wait("ImagePullBackOff", Some(message), until);
        true
    }

    pub(super) fn take_failure(&mut self, index: usize, failure: &StartFailure) {
        let subject = self.container_subject(index);
        self.records[index].starting = false;
        if matches!(failure, StartFailure::Cancelled) {
            return;
        }
        self.shared.metrics.failed_starts.inc();
        if let StartFailure::Hook(failed) = failure {
            return self.take_failed_hook(index, failed);
        }
        let (reason, message) = (failure.reason(), failure.to_string());
        let image = failure.image();
        let is_pull = image.is_some_and(|(failure, _)| failure.is_pull());
        let told = if is_pull { reason.to_owned() } else { message.clone() };
        self.shared.events.warning(&subject, "Failed", format!("Error: {told}"));
        if let StartFailure::Run { id, .. } = failure {
            self.take_end(index, Ended::not_started(message.clone(), id.clone()), false);
            return self.wait_after_start(index, reason, message);
        }
        let now = Instant::now();
        let until = if is_pull { now + PULL_ERROR_SHOWN } else { now + self.setup.next(now) };
        let record = &mut self.records[index];
        record.volume_image = image.and_then(|(_, image)| image).map(Box::from);
        self.live.set_waiting(&record.name, if is_pull { "image can't be pulled" } else { reason });
        record.wait(reason, Some(message), until);
    }

    /// What went wrong with a start is what the container waits for until the next one. A start that is delayed says so
    /// by itself.
    pub(super) fn wait_after_start(&mut self, index: usize, reason: &str, message: String) {
        let record = &mut self.records[index];
        let goes_on = self.stage == Stage::Running && !self.restarting_all;
        if goes_on && matches!(record.state, State::Ended(_)) && !record.is_over() {
            record.wait(reason, Some(message), Instant::now() + START_ERROR_SHOWN);
        }
    }

    pub(super) fn take_started(&mut self, index: usize, started: Started) {
        let record = &mut self.records[index];
        record.starting = false;
        record.pull.reset();
        record.begin(started.id.clone(), started.since);
        (record.image, record.image_id) = (started.image.clone(), started.image_id.clone());
        self.setup.reset();
        self.shared.metrics.started_containers.inc();
        self.shared.metrics.running_containers.inc();
        if let Some(seen) = self.seen.take() {
            self.shared.metrics.start_seconds.observe(seen.elapsed().as_secs_f64());
        }
        let number = self.records[index].restarts;
        let mut ready = started.handle.ready();
        let listening = *ready.borrow_and_update();
        if !listening {
            let listens = async move { ready.wait_for(|ready| *ready).await.is_ok() };
            // A container that ends before it listens is told of by its end.
            self.tasks.push(listens.map(move |_| Message::Listening(index, number)).boxed());
        }
        let policy = self.spec_of(index).and_then(|spec| spec.termination_message_policy.clone());
        let end = wait(started.handle.clone(), Arc::clone(&started.sink), started.termination_file, policy);
        let files = started.image_files;
        let over = move |(exit, message)| {
            drop(files);
            Message::Exited(index, number, exit, message)
        };
        self.tasks.push(end.map(over).boxed());
        let run = Run {
            number,
            handle: started.handle,
            sink: started.sink,
            listening,
            probed_ready: None,
            stopping: false,
            redefined: false,
        };
        self.runs[index] = Some(run);
        if self.probe(index, ProbeKind::Startup) {
            return;
        }
        self.set_started(index);
    }

    pub(super) fn take_exit(&mut self, index: usize, number: i32, exit: &Exit, message: Option<String>) {
        let Some(run) = self.runs[index].take_if(|run| run.number == number) else { return };
        self.shared.metrics.running_containers.dec();
        self.live.set_ended(&self.records[index].name);
        self.tell_fault(index, exit);
        let State::Running { since, id } = self.records[index].state.clone() else { return };
        self.take_end(index, Ended::of(exit, message, since, id), run.redefined);
    }

    /// Says that a container has ended by no fault of its own.
    fn tell_fault(&self, index: usize, exit: &Exit) {
        let why = || format!("Error: {}", exit.message.as_deref().unwrap_or_default());
        match exit.reason {
            ExitReason::HostPanic => self.shared.events.warning(&self.container_subject(index), "Failed", why()),
            ExitReason::SandboxLost => {
                let changed = "Pod sandbox changed, it will be killed and re-created.";
                self.shared.events.normal(&self.subject, "SandboxChanged", changed);
                self.shared.events.warning(&self.container_subject(index), "Failed", why());
            }
            _ => {}
        }
    }

    /// A run is over: the container starts again at once, later, or never.
    pub(super) fn take_end(&mut self, index: usize, ended: Ended, redefined: bool) {
        let (code, now) = (ended.code, Instant::now());
        let subject = self.container_subject(index);
        let record = &mut self.records[index];
        record.end(ended);
        if self.stage != Stage::Running {
            return self.live.set_over(&record.name);
        }
        if redefined {
            return record.wait("ContainerCreating", None, now);
        }
        if self.restarting_all {
            return;
        }
        self.restarting_all = record.restarts_all_after(code);
        if !record.restarts_after(code) {
            if !self.restarting_all {
                self.live.set_over(&record.name);
            }
            return;
        }
        let delay = record.crash.next(now);
        if delay.is_zero() {
            return;
        }
        let pod = format!("{}_{}({})", self.live.name, self.live.namespace, self.live.uid);
        let message =
            format!("back-off {} restarting failed container={} pod={pod}", go_duration::show(delay), record.name);
        let told = format!("Back-off restarting failed container {} in pod {pod}", record.name);
        self.shared.events.warning(&subject, "BackOff", told);
        record.wait("CrashLoopBackOff", Some(message), now + delay);
    }

    /// Takes in ephemeral containers that have been added to the pod.
    pub(super) fn take_ephemeral(&mut self) {
        // No two containers of a pod have the same name.
        let known = |name: &str| self.records.iter().any(|record| record.name == name);
        let added = self.pod.spec.as_ref().map(|spec| Record::ephemeral(spec, known)).unwrap_or_default();
        for record in added {
            self.live.add_container(&record.name, &record.image);
            self.records.push(record);
            self.runs.push(None);
        }
    }

    /// Starts containers again whose image has been changed in the pod.
    pub(super) fn restart_redefined(&mut self, before: &Pod) {
        let image = |record: &Record, pod: &Pod| {
            pod.spec.as_ref().and_then(|spec| record.spec(spec)).and_then(|spec| spec.image.clone())
        };
        for index in 0..self.records.len() {
            let (old, new) = (image(&self.records[index], before), image(&self.records[index], &self.pod));
            if old == new {
                continue;
            }
            if let Some(run) = self.runs[index].as_mut() {
                run.redefined = true;
                let message = format!("Container {} definition changed, will be restarted", self.records[index].name);
                self.stop_container(index, &message, None);
            } else if !self.records[index].is_over() {
                self.records[index].pull.reset();
                self.records[index].wait("ContainerCreating", None, Instant::now());
            }
        }
    }
}
