//! The worker's part about containers while the pod runs: starts, ends, probes, readiness.

use std::{path::PathBuf, sync::Arc};

use coracle_wasi_host::{Exit, ExitReason};
use futures::FutureExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod};
use tokio::time::Instant;

use super::{Message, Run, Stage, Worker};
use crate::{
    go_duration,
    logs::LogSink,
    pods::{
        record::{Ended, Record, Role, State},
        start::{Attempt, StartFailure, Started},
    },
    probes::{Probe, ProbeKind, ProbeReport, ProbeRunner},
};

/// The longest termination message of one container (kubelet's `MaxContainerTerminationMessageLength`).
const TERMINATION_MESSAGE_BYTES: usize = 4096;
/// How long `ErrImagePull` is shown before it becomes `ImagePullBackOff`: the node's next look at the pod.
const PULL_ERROR_SHOWN: std::time::Duration = std::time::Duration::from_secs(2);

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
        if !self.shared.images.is_at_hand(image, policy) {
            self.report_at_once();
        }
        let record = &mut self.records[index];
        let container = Container { resources: record.allocated.as_deref().cloned(), ..container };
        record.starting = true;
        let attempt = Attempt {
            shared: Arc::clone(&self.shared),
            pod: Arc::clone(&self.pod),
            live: Arc::clone(&self.live),
            prepared,
            container,
            run: record.next_run(),
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
        let image = self
            .pod
            .spec
            .as_ref()
            .and_then(|spec| record.spec(spec))
            .and_then(|spec| spec.image.clone())
            .unwrap_or_default();
        let message =
            format!("Back-off pulling image {image:?}: ErrImagePull: {}", message.as_deref().unwrap_or_default());
        self.shared.events.normal(&subject, "BackOff", format!("Back-off pulling image {image:?}"));
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
        let is_pull = matches!(failure, StartFailure::Image(failure) if failure.is_pull());
        let told = if is_pull { reason.to_owned() } else { message.clone() };
        self.shared.events.warning(&subject, "Failed", format!("Error: {told}"));
        if let StartFailure::Run { id, .. } = failure {
            let id = id.clone();
            return self.take_end(index, Ended::not_started(message, id), false);
        }
        let now = Instant::now();
        let until = if is_pull { now + PULL_ERROR_SHOWN } else { now + self.setup.next(now) };
        let record = &mut self.records[index];
        self.live.set_waiting(&record.name, if is_pull { "image can't be pulled" } else { reason });
        record.wait(reason, Some(message), until);
    }

    pub(super) fn take_started(&mut self, index: usize, started: Started) {
        let record = &mut self.records[index];
        record.starting = false;
        record.pull.reset();
        record.begin(started.id.clone(), Timestamp::now());
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
        self.tasks.push(end.map(move |(exit, message)| Message::Exited(index, number, exit, message)).boxed());
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

    /// The container counts as started: the probes that wait for that begin.
    fn set_started(&mut self, index: usize) {
        self.records[index].started = true;
        let has_readiness = self.probe(index, ProbeKind::Readiness);
        self.probe(index, ProbeKind::Liveness);
        if let Some(run) = &mut self.runs[index] {
            run.probed_ready = has_readiness.then_some(false);
        }
        self.refresh_ready(index);
    }

    /// Begins a probe, if the container has one of this kind.
    fn probe(&mut self, index: usize, kind: ProbeKind) -> bool {
        let (Some(spec), Some(prepared), Some(run)) = (self.spec_of(index), &self.prepared, &self.runs[index]) else {
            return false;
        };
        let wire = match kind {
            ProbeKind::Startup => &spec.startup_probe,
            ProbeKind::Readiness => &spec.readiness_probe,
            ProbeKind::Liveness => &spec.liveness_probe,
        };
        // An init container that runs to its end is not probed, nor is one that only looks into the pod.
        let Some(wire) = wire.as_ref().filter(|_| self.records[index].counts_for_readiness()) else { return false };
        let probe = Probe::read(kind, wire, spec, prepared.address);
        let runner = ProbeRunner::new(probe, Some(run.handle.clone()));
        let number = run.number;
        self.ask(index, number, runner);
        true
    }

    fn ask(&mut self, index: usize, number: i32, runner: ProbeRunner) {
        let asking = runner.run(Arc::clone(&self.shared.prober));
        let told = asking.map(move |(runner, report)| Message::Probed(index, number, Box::new(runner), report));
        self.tasks.push(told.boxed());
    }

    pub(super) fn take_probe(&mut self, index: usize, number: i32, runner: ProbeRunner, report: ProbeReport) {
        let current = self.runs[index].as_ref().is_some_and(|run| run.number == number && !run.stopping);
        if !current {
            return;
        }
        if let Some(failure) = &report.failure {
            self.shared.events.warning(&self.container_subject(index), "Unhealthy", failure);
        }
        match (report.kind, report.verdict) {
            (ProbeKind::Startup, Some(true)) => return self.set_started(index),
            (ProbeKind::Startup | ProbeKind::Liveness, Some(false)) => {
                let word = report.kind.word().to_lowercase();
                let message = format!("Container {} failed {word} probe, will be restarted", self.records[index].name);
                return self.stop_container(index, &message, runner.probe.grace);
            }
            (ProbeKind::Readiness, Some(ready)) => {
                if let Some(run) = &mut self.runs[index] {
                    run.probed_ready = Some(ready);
                }
                self.refresh_ready(index);
            }
            _ => {}
        }
        self.ask(index, number, runner);
    }

    pub(super) fn take_listening(&mut self, index: usize, number: i32) {
        if let Some(run) = self.runs[index].as_mut().filter(|run| run.number == number) {
            run.listening = *run.handle.ready().borrow();
            self.refresh_ready(index);
        }
    }

    /// Ready: it runs, has started, takes connections, and its probe, if it has one, says so.
    fn refresh_ready(&mut self, index: usize) {
        let record = &mut self.records[index];
        let run = self.runs[index].as_ref();
        let ready = run.is_some_and(|run| run.listening && run.probed_ready.unwrap_or(true));
        record.ready = ready && record.started && record.counts_for_readiness();
    }

    pub(super) fn take_exit(&mut self, index: usize, number: i32, exit: &Exit, message: Option<String>) {
        let Some(run) = self.runs[index].take_if(|run| run.number == number) else { return };
        self.shared.metrics.running_containers.dec();
        self.live.set_ended(&self.records[index].name);
        if exit.reason == ExitReason::HostPanic {
            let why = exit.message.as_deref().unwrap_or_default();
            self.shared.events.warning(&self.container_subject(index), "Failed", format!("Error: {why}"));
        }
        let State::Running { since, id } = self.records[index].state.clone() else { return };
        self.take_end(index, Ended::of(exit, message, since, id), run.redefined);
    }

    /// A run is over: the container starts again at once, later, or never.
    pub(super) fn take_end(&mut self, index: usize, ended: Ended, redefined: bool) {
        let (code, now) = (ended.code, Instant::now());
        let subject = self.container_subject(index);
        let record = &mut self.records[index];
        record.end(ended);
        if self.stage != Stage::Running {
            return;
        }
        if redefined {
            return record.wait("ContainerCreating", None, now);
        }
        if !record.restarts_after(code) {
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
        let known = self.records.iter().filter(|record| record.role == Role::Ephemeral).count();
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

/// Waits for the end of a run; its log is complete then, and its last words are read.
async fn wait(
    handle: coracle_wasi_host::Container,
    sink: Arc<LogSink>,
    file: Option<PathBuf>,
    policy: Option<String>,
) -> (Exit, Option<String>) {
    let exit = handle.wait().await;
    let of = exit.clone();
    let message = tokio::task::spawn_blocking(move || {
        sink.close();
        last_words(&of, &sink, file, policy.as_deref())
    });
    let message = message.await.unwrap_or_else(|_| exit.message.clone());
    (exit, message)
}

/// The termination message: what the program left in its file; what it printed last, if its policy says so and it
/// failed; otherwise what the sandbox says, such as a trap's backtrace.
fn last_words(exit: &Exit, sink: &LogSink, file: Option<PathBuf>, policy: Option<&str>) -> Option<String> {
    let left = file.and_then(|file| read_bounded(&file)).filter(|text| !text.is_empty());
    let printed = || {
        let wanted = policy == Some("FallbackToLogsOnError") && exit.reason != ExitReason::Completed;
        wanted.then(|| sink.last_output()).filter(|text| !text.is_empty())
    };
    let mut message = left.or_else(printed).or_else(|| exit.message.clone())?;
    if message.len() > TERMINATION_MESSAGE_BYTES {
        message.truncate(message.floor_char_boundary(TERMINATION_MESSAGE_BYTES));
    }
    Some(message)
}

fn read_bounded(path: &std::path::Path) -> Option<String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(TERMINATION_MESSAGE_BYTES as u64).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use coracle_wasi_host::Stream;

    use super::*;
    use crate::{config::LogLimits, logs::LogWriter};

    #[test]
    fn last_words_come_from_the_file_then_the_log_then_the_sandbox() {
        let dir = tempfile::tempdir().unwrap();
        let sink = LogSink::new(dir.path().join("0.log"), LogLimits::default(), LogWriter::start().unwrap());
        sink.output().write(Stream::Stderr, b"printed\n");
        sink.close();
        let file = dir.path().join("message");
        std::fs::write(&file, b"").unwrap();
        let trap = crate::pods::testing::trap("unreachable");
        let words = |exit: &Exit, policy| last_words(exit, &sink, Some(file.clone()), policy);
        assert_eq!(words(&trap, None).as_deref(), Some("unreachable"));
        assert_eq!(words(&trap, Some("FallbackToLogsOnError")).as_deref(), Some("printed\n"));
        assert_eq!(words(&crate::pods::testing::exit(0), Some("FallbackToLogsOnError")), None);
        std::fs::write(&file, "x".repeat(5000)).unwrap();
        assert_eq!(words(&trap, Some("FallbackToLogsOnError")).map(|text| text.len()), Some(4096));
    }
}
