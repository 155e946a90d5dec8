//! What to do next with a pod's containers: a pure function of their records and the time.

use tokio::time::Instant;

use super::record::{Record, Role, State};

/// What is to be done now, and when to look again.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Containers to start, in this order.
    pub start: Vec<usize>,
    /// When the next one that waits is due.
    pub wake: Option<Instant>,
    /// The pod is over; only its sidecars may be left.
    pub outcome: Option<Outcome>,
}

/// How a pod that is over ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All containers ended with code 0.
    Succeeded,
    /// One ended with another code and is not started again.
    Failed,
}

/// Init containers one after the other, each when the one before it has succeeded (or, a sidecar, has started);
/// then all containers; whatever has ended again, if its policy says so and its waiting time is over.
pub fn plan(records: &[Record], now: Instant) -> Plan {
    let mut plan = Plan::default();
    let mut initialized = true;
    for (index, record) in records.iter().enumerate() {
        if !record.initializes() {
            // One that was added to look into the pod may do so from the beginning.
            if initialized || record.role == Role::Ephemeral {
                plan.consider(index, record, now);
            }
            continue;
        }
        if record.role == Role::Init && record.is_over() && !record.is_initialized() {
            plan.outcome = Some(Outcome::Failed);
            return Plan { start: Vec::new(), wake: None, ..plan };
        }
        // A sidecar is kept running also while later ones initialize; an init container that is done stays so.
        if initialized && (record.role == Role::Sidecar || !record.is_initialized()) {
            plan.consider(index, record, now);
        }
        // Once containers have begun, a sidecar that has fallen over doesn't hold them up again.
        let lets_on = record.is_initialized() || (record.role == Role::Sidecar && apps_have_begun(records));
        initialized = initialized && lets_on;
    }
    plan.outcome = outcome(records);
    if plan.outcome.is_some() {
        plan.start.clear();
    }
    plan
}

impl Plan {
    fn consider(&mut self, index: usize, record: &Record, now: Instant) {
        if record.starting || record.is_running() || record.is_over() {
            return;
        }
        match record.not_before.filter(|time| *time > now) {
            Some(time) => self.wake = Some(self.wake.map_or(time, |wake| wake.min(time))),
            None => self.start.push(index),
        }
    }
}

fn apps_have_begun(records: &[Record]) -> bool {
    records.iter().any(|record| record.role == Role::App && record.begun)
}

fn outcome(records: &[Record]) -> Option<Outcome> {
    let mut outcome = Outcome::Succeeded;
    for record in records.iter().filter(|record| record.role == Role::App) {
        match &record.state {
            State::Ended(ended) if !record.restarts_after(ended.code) => {
                if ended.code != 0 {
                    outcome = Outcome::Failed;
                }
            }
            _ => return None,
        }
    }
    Some(outcome)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use serde_json::json;

    use super::{super::record::Ended, *};

    fn records(spec: serde_json::Value) -> Vec<Record> {
        Record::all(&serde_json::from_value(spec).unwrap())
    }

    fn run(record: &mut Record) {
        record.begin("id".into(), Timestamp::now());
        record.started = true;
    }

    fn exit(record: &mut Record, code: i32) {
        if !record.is_running() {
            run(record);
        }
        record.end(Ended::of(&crate::pods::testing::exit(code), None, Timestamp::now(), "id".into()));
    }

    fn starts(records: &[Record]) -> Vec<usize> {
        plan(records, Instant::now()).start
    }

    #[test]
    fn init_containers_come_one_by_one_and_then_all_containers() {
        let mut all = records(
            json!({"initContainers": [{"name": "i"}, {"name": "j"}], "containers": [{"name": "a"}, {"name": "b"}]}),
        );
        assert_eq!(starts(&all), [0]);
        run(&mut all[0]);
        assert_eq!(starts(&all), [0; 0]);
        exit(&mut all[0], 1);
        assert_eq!(starts(&all), [0], "tried again");
        exit(&mut all[0], 0);
        assert_eq!(starts(&all), [1]);
        exit(&mut all[1], 0);
        assert_eq!(starts(&all), [2, 3]);
    }

    #[test]
    fn a_sidecar_has_to_start_and_is_kept_running() {
        let mut all = records(json!({"restartPolicy": "Never",
            "initContainers": [{"name": "s", "restartPolicy": "Always"}, {"name": "i"}], "containers": [{"name": "a"}]}));
        all[0].begin("id".into(), Timestamp::now());
        assert_eq!(starts(&all), [0; 0]);
        all[0].started = true;
        assert_eq!(starts(&all), [1]);
        exit(&mut all[1], 0);
        assert_eq!(starts(&all), [2]);
        run(&mut all[2]);
        exit(&mut all[0], 0);
        assert_eq!(starts(&all), [0]);
        exit(&mut all[2], 0);
        let done = plan(&all, Instant::now());
        assert_eq!((done.outcome, done.start.len()), (Some(Outcome::Succeeded), 0));
    }

    #[test]
    fn a_sidecar_that_fell_over_holds_nothing_up_unless_all_begin_again() {
        let mut all = records(json!({"initContainers": [{"name": "i"}, {"name": "s", "restartPolicy": "Always"}],
            "containers": [{"name": "a"}]}));
        exit(&mut all[0], 0);
        run(&mut all[1]);
        exit(&mut all[2], 1);
        exit(&mut all[1], 1);
        assert_eq!(starts(&all), [1, 2], "each by itself");
        all.iter_mut().for_each(|record| record.run_again("PodInitializing"));
        assert_eq!(starts(&all), [0], "in order, as in the beginning");
        run(&mut all[0]);
        assert_eq!(starts(&all), [0; 0], "an init container is waited for whatever ran before");
        exit(&mut all[0], 0);
        assert_eq!(starts(&all), [1]);
        run(&mut all[1]);
        assert_eq!(starts(&all), [2]);
    }

    #[test]
    fn a_failed_init_container_fails_a_pod_that_never_restarts() {
        let mut all = records(
            json!({"restartPolicy": "Never", "initContainers": [{"name": "i"}], "containers": [{"name": "a"}]}),
        );
        exit(&mut all[0], 1);
        assert_eq!(plan(&all, Instant::now()), Plan { outcome: Some(Outcome::Failed), ..Plan::default() });
    }

    #[test]
    fn the_restart_policy_decides_about_the_end() {
        for (policy, code, outcome) in [
            ("Always", 0, None),
            ("Always", 1, None),
            ("OnFailure", 1, None),
            ("OnFailure", 0, Some(Outcome::Succeeded)),
            ("Never", 0, Some(Outcome::Succeeded)),
            ("Never", 1, Some(Outcome::Failed)),
        ] {
            let mut all = records(json!({"restartPolicy": policy, "containers": [{"name": "a"}]}));
            exit(&mut all[0], code);
            let plan = plan(&all, Instant::now());
            assert_eq!(plan.outcome, outcome, "{policy} {code}");
            assert_eq!(plan.start.is_empty(), outcome.is_some(), "{policy} {code}");
        }
    }

    #[test]
    fn an_ephemeral_container_runs_once_and_decides_nothing() {
        let mut all =
            records(json!({"restartPolicy": "Never", "initContainers": [{"name": "i"}], "containers": [{"name": "a"}],
            "ephemeralContainers": [{"name": "debug", "targetContainerName": "a"}]}));
        assert_eq!(
            (all[2].role, all[2].spec(&Default::default()).map(|spec| &*spec.name)),
            (Role::Ephemeral, Some("debug"))
        );
        assert_eq!(starts(&all), [0, 2], "it need not wait for others");
        exit(&mut all[2], 1);
        assert_eq!(starts(&all), [0], "and is not started again");
        exit(&mut all[0], 0);
        exit(&mut all[1], 0);
        assert_eq!(plan(&all, Instant::now()).outcome, Some(Outcome::Succeeded));
    }

    #[test]
    fn one_container_waits_while_another_runs() {
        let mut all = records(json!({"containers": [{"name": "a"}, {"name": "b"}]}));
        let now = Instant::now();
        let later = now + Duration::from_secs(10);
        exit(&mut all[0], 1);
        all[0].wait("CrashLoopBackOff", None, later);
        all[1].starting = true;
        assert_eq!(plan(&all, now), Plan { start: vec![], wake: Some(later), outcome: None });
        assert_eq!(plan(&all, later).start, [0]);
    }
}
