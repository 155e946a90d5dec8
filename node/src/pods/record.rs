//! What the worker knows of one container: its state, its past, its waiting times.

use coracle_api::pod::is_sidecar;
use coracle_wasi_host::{Exit, ExitReason};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container as Spec, EphemeralContainer, PodSpec, ResourceRequirements};
use tokio::time::Instant;

use super::{
    backoff::Backoff,
    restart::{RestartPolicy, RestartRules},
};

/// What a container is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Runs to its end before the next one.
    Init,
    /// Runs beside the pod's containers, and is started before them (an init container that restarts always).
    Sidecar,
    /// One of the pod's containers.
    App,
    /// Joined a running pod, to look into it (`kubectl debug`); runs once and decides nothing.
    Ephemeral,
}

/// The state of a container, as `status.containerStatuses[*].state` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Not running: not yet, or not again yet. Reason and message say why.
    Waiting {
        /// `ContainerCreating`, `PodInitializing`, `CrashLoopBackOff`, `ErrImagePull` …
        reason: String,
        /// More about it.
        message: Option<String>,
    },
    /// Running.
    Running {
        /// Since when.
        since: Timestamp,
        /// The run's ID.
        id: String,
    },
    /// Over. If it is to be started again that happens from here.
    Ended(Ended),
}

/// The end of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The exit code.
    pub code: i32,
    /// `Completed`, `Error`, `OOMKilled` …
    pub reason: String,
    /// The termination message.
    pub message: Option<String>,
    /// When the run began; absent if it could not be started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// The run's ID.
    pub id: Option<String>,
}

impl Ended {
    /// The end of a run that went as `exit` says.
    pub fn of(exit: &Exit, message: Option<String>, started: Timestamp, id: String) -> Ended {
        let reason = match exit.reason {
            ExitReason::OutOfMemory => "OOMKilled",
            _ if exit.code == 0 => "Completed",
            _ => "Error",
        };
        let finished = Some(Timestamp::now());
        Ended { code: exit.code, reason: reason.to_owned(), message, started: Some(started), finished, id: Some(id) }
    }

    /// The end of a run that could not begin (containerd's `StartError`).
    pub fn not_started(message: String, id: String) -> Ended {
        let finished = Some(Timestamp::now());
        Ended {
            code: 128,
            reason: "StartError".to_owned(),
            message: Some(message),
            started: None,
            finished,
            id: Some(id),
        }
    }

    /// The end of a run that nobody saw: the node went down while the container ran.
    pub fn unknown(started: Option<Timestamp>, id: Option<String>) -> Ended {
        Ended {
            code: 137,
            reason: "ContainerStatusUnknown".to_owned(),
            message: Some(
                "The container could not be located when the node was started. It was running before".to_owned(),
            ),
            started,
            finished: Some(Timestamp::now()),
            id,
        }
    }
}

/// One container of the pod.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// When it is started again.
    pub policy: RestartPolicy,
    /// Exit codes after which it is started again whatever its policy says.
    rules: RestartRules,
    /// What it has been given, unless that is nothing: the spec may already ask for something else (KEP-1287).
    pub allocated: Option<Box<ResourceRequirements>>,
    /// Its place in `initContainers`, `containers` or `ephemeralContainers`.
    pub index: usize,
    /// Its part of the spec, if the spec has it in another form.
    ephemeral: Option<Box<Spec>>,
    /// Its state.
    pub state: State,
    /// The end of the run before the present state.
    pub last: Option<Ended>,
    /// How often it has been started again.
    pub restarts: i32,
    /// The image as it was resolved.
    pub image: String,
    /// The image's repo digest, once there was a run.
    pub image_id: String,
    /// Whether the startup probe has succeeded, or there is none and it runs.
    pub started: bool,
    /// Whether it is ready for work.
    pub ready: bool,
    /// Not to be started before this time.
    pub not_before: Option<Instant>,
    /// Being started right now.
    pub starting: bool,
    /// Delays of restarts.
    pub crash: Backoff,
    /// Delays of pulls.
    pub pull: Backoff,
    /// The image that the last attempt failed for, if it was that of a volume.
    pub volume_image: Option<Box<str>>,
}

impl Record {
    fn new(spec: &Spec, role: Role, index: usize, pod_policy: RestartPolicy) -> Record {
        let policy = match (role, spec.restart_policy.as_deref()) {
            (Role::Sidecar, _) => RestartPolicy::Always,
            (Role::Ephemeral, _) => RestartPolicy::Never,
            (_, Some(own)) => RestartPolicy::read(Some(own)),
            // A pod that always restarts tries its init containers again until they succeed, not for ever.
            (Role::Init, None) if pod_policy == RestartPolicy::Always => RestartPolicy::OnFailure,
            (_, None) => pod_policy,
        };
        Record {
            name: spec.name.clone(),
            role,
            policy,
            rules: RestartRules::of(spec),
            allocated: spec.resources.clone().filter(|it| *it != ResourceRequirements::default()).map(Box::new),
            index,
            ephemeral: None,
            state: State::Waiting { reason: "ContainerCreating".to_owned(), message: None },
            last: None,
            restarts: 0,
            image: spec.image.clone().unwrap_or_default(),
            image_id: String::new(),
            started: false,
            ready: false,
            not_before: None,
            starting: false,
            crash: Backoff::of_restarts(),
            pull: Backoff::of_pulls(),
            volume_image: None,
        }
    }

    /// The records of a pod that has not run yet: init containers in order, then containers.
    pub fn all(spec: &PodSpec) -> Vec<Record> {
        let policy = RestartPolicy::read(spec.restart_policy.as_deref());
        let role = |container: &Spec| if is_sidecar(container) { Role::Sidecar } else { Role::Init };
        let init = spec.init_containers.iter().flatten().enumerate();
        let init = init.map(|(index, container)| Record::new(container, role(container), index, policy));
        let app = spec.containers.iter().enumerate();
        let mut records: Vec<Record> =
            init.chain(app.map(|(index, container)| Record::new(container, Role::App, index, policy))).collect();
        records.extend(Record::ephemeral(spec, 0));
        records.shrink_to_fit();
        if records.first().is_some_and(Record::initializes) {
            for record in records.iter_mut().filter(|record| record.role != Role::Ephemeral) {
                record.state = State::Waiting { reason: "PodInitializing".to_owned(), message: None };
            }
        }
        records
    }

    /// The records of the ephemeral containers from the `first` on: they are only ever added.
    pub fn ephemeral(spec: &PodSpec, first: usize) -> Vec<Record> {
        let added = spec.ephemeral_containers.iter().flatten().enumerate().skip(first);
        let record = |(index, container)| {
            let container = as_container(container)?;
            let record = Record::new(&container, Role::Ephemeral, index, RestartPolicy::Never);
            Some(Record { ephemeral: Some(Box::new(container)), ..record })
        };
        added.filter_map(record).collect()
    }

    /// The container's part of the pod's spec.
    pub fn spec<'a>(&'a self, pod: &'a PodSpec) -> Option<&'a Spec> {
        match self.role {
            Role::App => pod.containers.get(self.index),
            Role::Ephemeral => self.ephemeral.as_deref(),
            Role::Init | Role::Sidecar => pod.init_containers.as_ref()?.get(self.index),
        }
    }

    /// The list of the pod's spec it stands in.
    pub fn list(&self) -> &'static str {
        match self.role {
            Role::App => "containers",
            Role::Ephemeral => "ephemeralContainers",
            Role::Init | Role::Sidecar => "initContainers",
        }
    }

    /// Whether it must be done, or have started, before the pod's containers.
    pub fn initializes(&self) -> bool {
        matches!(self.role, Role::Init | Role::Sidecar)
    }

    /// Whether the pod's readiness is also its own.
    pub fn counts_for_readiness(&self) -> bool {
        matches!(self.role, Role::App | Role::Sidecar)
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    /// Whether it has ended and is not to be started again.
    pub fn is_over(&self) -> bool {
        matches!(&self.state, State::Ended(ended) if !self.restarts_after(ended.code))
    }

    /// Whether it is started again after this exit code.
    pub fn restarts_after(&self, code: i32) -> bool {
        self.rules.restart(code) || self.policy.restarts(code)
    }

    /// Whether it has done what an init container is there for.
    pub fn is_initialized(&self) -> bool {
        match self.role {
            Role::Sidecar => self.is_running() && self.started,
            _ => matches!(&self.state, State::Ended(ended) if ended.code == 0),
        }
    }

    /// The number of the next run: what its log file is called.
    pub fn next_run(&self) -> i32 {
        let had_a_run = self.last.is_some() || matches!(self.state, State::Ended(_));
        if had_a_run { self.restarts + 1 } else { self.restarts }
    }

    /// Takes in that a run has begun.
    pub fn begin(&mut self, id: String, since: Timestamp) {
        self.restarts = self.next_run();
        if let State::Ended(ended) = &self.state {
            self.last = Some(ended.clone());
        }
        self.state = State::Running { since, id };
        self.not_before = None;
        (self.started, self.ready) = (false, false);
    }

    /// Takes in that the run is over.
    pub fn end(&mut self, ended: Ended) {
        if !self.is_running() {
            // A run that could not begin counts like one that ended at once.
            self.restarts = self.next_run();
            if let State::Ended(before) = &self.state {
                self.last = Some(before.clone());
            }
        }
        self.state = State::Ended(ended);
        (self.started, self.ready) = (false, false);
    }

    /// Waits for the time of its next start.
    pub fn wait(&mut self, reason: &str, message: Option<String>, until: Instant) {
        if let State::Ended(ended) = &self.state {
            self.last = Some(ended.clone());
        }
        self.state = State::Waiting { reason: reason.to_owned(), message };
        self.not_before = Some(until);
    }
}

/// An ephemeral container as the container that it is, but for the one it targets: all share one pod context anyway.
fn as_container(ephemeral: &EphemeralContainer) -> Option<Spec> {
    serde_json::to_value(ephemeral).and_then(serde_json::from_value).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn records(spec: serde_json::Value) -> Vec<Record> {
        Record::all(&serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn policies_follow_role_pod_and_container() {
        let all = records(json!({
            "restartPolicy": "Always",
            "initContainers": [{"name": "i"}, {"name": "s", "restartPolicy": "Always"}],
            "containers": [{"name": "a"}, {"name": "b", "restartPolicy": "Never"}],
        }));
        let policies: Vec<_> = all.iter().map(|record| (record.role, record.policy)).collect();
        assert_eq!(
            policies,
            [
                (Role::Init, RestartPolicy::OnFailure),
                (Role::Sidecar, RestartPolicy::Always),
                (Role::App, RestartPolicy::Always),
                (Role::App, RestartPolicy::Never),
            ]
        );
        assert!(matches!(&all[2].state, State::Waiting { reason, .. } if reason == "PodInitializing"));
    }

    #[test]
    fn runs_are_counted_and_the_last_end_is_kept() {
        let mut record = records(json!({"containers": [{"name": "a"}]})).remove(0);
        assert_eq!(record.next_run(), 0);
        record.begin("1".into(), Timestamp::now());
        assert_eq!((record.restarts, record.last.is_none()), (0, true));
        record.end(Ended::of(&crate::pods::testing::exit(3), None, Timestamp::now(), "1".into()));
        assert!(!record.is_over());
        record.wait("CrashLoopBackOff", None, Instant::now());
        assert_eq!((record.restarts, record.last.as_ref().map(|last| last.code)), (0, Some(3)));
        record.begin("2".into(), Timestamp::now());
        assert_eq!(record.restarts, 1);
        record.end(Ended::of(&crate::pods::testing::exit(0), None, Timestamp::now(), "2".into()));
        record.begin("3".into(), Timestamp::now());
        assert_eq!((record.restarts, record.last.as_ref().map(|last| last.code)), (2, Some(0)));
    }

    #[test]
    fn a_run_that_cannot_begin_counts_too() {
        let mut record = records(json!({"containers": [{"name": "a"}]})).remove(0);
        record.end(Ended::not_started("port in use".into(), "1".into()));
        assert_eq!((record.restarts, record.next_run()), (0, 1));
        record.wait("CrashLoopBackOff", None, Instant::now());
        record.end(Ended::not_started("port in use".into(), "2".into()));
        assert_eq!((record.restarts, record.next_run()), (1, 2));
    }

    #[test]
    fn exits_have_kubernetes_reasons() {
        let reason = |exit: Exit| Ended::of(&exit, None, Timestamp::now(), String::new()).reason;
        assert_eq!(reason(crate::pods::testing::exit(0)), "Completed");
        assert_eq!(reason(crate::pods::testing::exit(2)), "Error");
        assert_eq!(reason(crate::pods::testing::out_of_memory()), "OOMKilled");
        assert_eq!(reason(crate::pods::testing::trap("unreachable")), "Error");
    }
}
