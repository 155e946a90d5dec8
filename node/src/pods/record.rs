//! What the worker knows of one container: its state, its past, its waiting times.

mod of_spec;
mod state;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container as Spec, PodSpec, ResourceRequirements};
use tokio::time::Instant;

use super::{
    allocation::some,
    backoff::Backoff,
    restart::{RestartPolicy, RestartRules},
};

pub use state::{Ended, State};

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
    /// What it has been let have, unless that is nothing: the spec may already ask for something else (KEP-1287).
    pub allocated: Option<Box<ResourceRequirements>>,
    /// What its present run has, while that is not yet what it has been let have.
    pub behind: Option<Box<ResourceRequirements>>,
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
    /// Whether it has had a run since the pod's containers began, or all of them began again.
    pub begun: bool,
    /// Delays of restarts.
    pub crash: Backoff,
    /// Delays of pulls.
    pub pull: Backoff,
    /// The image that the last attempt failed for, if it was that of a volume.
    pub volume_image: Option<Box<str>>,
}

impl Record {
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

    /// Whether all containers of the pod begin again after this exit code of it (KEP-5532).
    pub fn restarts_all_after(&self, code: i32) -> bool {
        self.rules.restart_all(code)
    }

    /// Whether there is an exit code of it after which all containers of the pod begin again.
    pub fn may_restart_all(&self) -> bool {
        self.rules.may_restart_all()
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

    /// What it has: its run's, or what the next one will have.
    pub fn actual(&self) -> Option<&ResourceRequirements> {
        self.behind.as_deref().or(self.allocated.as_deref())
    }

    /// It is let have what `spec` asks for. A run that is there has what it had until it is given the new.
    pub fn allocate(&mut self, wanted: Option<&ResourceRequirements>) {
        let before = std::mem::replace(&mut self.allocated, some(wanted)).unwrap_or_default();
        if self.is_running() || self.starting {
            self.behind.get_or_insert(before);
        }
    }

    /// Takes in that a run has begun.
    pub fn begin(&mut self, id: String, since: Timestamp) {
        self.restarts = self.next_run();
        if let State::Ended(ended) = &self.state {
            self.last = Some(ended.clone());
        }
        self.state = State::Running { since, id };
        self.not_before = None;
        self.begun = true;
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
        self.begun = true;
        self.behind = None;
        (self.started, self.ready) = (false, false);
    }

    /// Is to run once more, whatever its policy says about how it ended.
    pub fn run_again(&mut self, waiting: &str) {
        self.begun = false;
        if let State::Ended(ended) = &self.state {
            self.last = Some(ended.clone());
            self.state = State::Waiting { reason: waiting.to_owned(), message: None };
        }
    }

    /// Waits for the time of its next start.
    pub fn wait(&mut self, reason: &str, message: Option<String>, until: Instant) {
        if let State::Ended(ended) = &self.state {
            self.last = Some(ended.clone());
        }
        self.state = State::Waiting { reason: reason.to_owned(), message };
        self.behind = None;
        self.not_before = Some(until);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn records(spec: serde_json::Value) -> Vec<Record> {
        Record::all(&serde_json::from_value(spec).unwrap())
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
}
