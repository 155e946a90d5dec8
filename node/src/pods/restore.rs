//! A pod found at the node's start: its records as its status left them. No sandbox survives the node, so what ran
//! is over now, and the pod's context is made anew, as when a pause container dies.

use coracle_api::pod::is_terminal;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};

use super::{
    allocation::found_of,
    record::{Ended, Record, Role, State},
    status::is_restarting_all,
    worker::run_all_again,
};

/// The records of `pod` with the past that its status tells.
pub fn restore(pod: &Pod) -> Vec<Record> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let mut records = Record::all(spec);
    let Some(status) = &pod.status else { return records };
    for record in &mut records {
        let list = match record.role {
            Role::App => &status.container_statuses,
            Role::Ephemeral => &status.ephemeral_container_statuses,
            Role::Init | Role::Sidecar => &status.init_container_statuses,
        };
        let known = list.iter().flatten().find(|known| known.name == record.name);
        if let Some(known) = known {
            take_in(record, known, is_terminal(pod));
        }
    }
    if is_restarting_all(status) && !is_terminal(pod) {
        run_all_again(&mut records);
    }
    records
}

fn take_in(record: &mut Record, known: &ContainerStatus, terminal: bool) {
    record.restarts = known.restart_count;
    record.image_id.clone_from(&known.image_id);
    if !known.image.is_empty() {
        record.image.clone_from(&known.image);
    }
    record.allocated = found_of(known, record.allocated.as_deref());
    record.last = known.last_state.as_ref().and_then(|last| last.terminated.as_ref()).map(ended);
    let state = known.state.clone().unwrap_or_default();
    let over = match (state.terminated, state.running) {
        (Some(terminated), _) => ended(&terminated),
        (None, Some(running)) => Ended::unknown(running.started_at.map(|time| time.0), known.container_id.clone()),
        (None, None) => return,
    };
    if !record.initializes() || terminal {
        record.state = State::Ended(over);
    } else {
        // The context is new, so initialization starts from the beginning.
        record.last = Some(over);
    }
}

fn ended(terminated: &ContainerStateTerminated) -> Ended {
    Ended {
        code: terminated.exit_code,
        reason: terminated.reason.clone().unwrap_or_default(),
        message: terminated.message.clone(),
        started: terminated.started_at.as_ref().map(|time| time.0),
        finished: terminated.finished_at.as_ref().map(|time| time.0),
        id: terminated.container_id.as_deref().map(|id| id.trim_start_matches("wasmtime://").to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio::time::Instant;

    use super::{super::plan::*, *};

    fn found(policy: &str, phase: &str, state: Value) -> Vec<Record> {
        let pod = json!({
            "spec": {"restartPolicy": policy, "initContainers": [{"name": "i"}], "containers": [{"name": "a"}]},
            "status": {
                "phase": phase,
                "initContainerStatuses": [{"name": "i", "image": "x", "imageID": "", "ready": true, "restartCount": 0,
                    "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}],
                "containerStatuses": [{"name": "a", "image": "x", "imageID": "y", "ready": true, "restartCount": 2, "state": state}],
            },
        });
        restore(&serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn what_ran_is_started_again_after_its_init_containers_and_counted() {
        let mut all = found("Always", "Running", json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}}));
        assert_eq!(plan(&all, Instant::now()).start, [0]);
        assert_eq!(all[0].next_run(), 1);
        all[0].begin("id".into(), jiff::Timestamp::now());
        all[0].end(Ended::of(&crate::pods::testing::exit(0), None, jiff::Timestamp::now(), "id".into()));
        assert_eq!(plan(&all, Instant::now()).start, [1]);
        all[1].begin("id".into(), jiff::Timestamp::now());
        let last = all[1].last.as_ref().map(|last| (last.code, &*last.reason));
        assert_eq!((all[1].restarts, last), (3, Some((137, "ContainerStatusUnknown"))));
    }

    #[test]
    fn neither_sidecars_nor_containers_start_before_the_init_containers_are_done_again() {
        let ran = |name: &str, state: Value| {
            let image = "x";
            json!({"name": name, "image": image, "imageID": "", "ready": true, "restartCount": 0, "state": state})
        };
        let running = json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}});
        let done = json!({"terminated": {"exitCode": 0, "reason": "Completed"}});
        let pod = json!({
            "spec": {"initContainers": [{"name": "i"}, {"name": "s", "restartPolicy": "Always"}], "containers": [{"name": "a"}]},
            "status": {
                "phase": "Running",
                "initContainerStatuses": [ran("i", done), ran("s", running.clone())],
                "containerStatuses": [ran("a", running)],
            },
        });
        let mut all = restore(&serde_json::from_value(pod).unwrap());
        assert_eq!(plan(&all, Instant::now()).start, [0]);
        all[0].begin("id".into(), jiff::Timestamp::now());
        assert_eq!(plan(&all, Instant::now()).start, [0; 0]);
    }

    #[test]
    fn a_pod_that_never_restarts_has_failed_when_its_container_was_lost() {
        let all = found("Never", "Running", json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}}));
        assert_eq!(plan(&all, Instant::now()).outcome, Some(Outcome::Failed));
    }

    #[test]
    fn containers_that_were_all_to_begin_again_do() {
        let ended = |name: &str, code: i32| {
            json!({"name": name, "image": "x", "imageID": "y", "ready": false, "restartCount": 0,
                "state": {"terminated": {"exitCode": code, "reason": "Error"}}})
        };
        let pod = json!({
            "spec": {"restartPolicy": "Never", "containers": [
                {"name": "a"},
                {"name": "b", "restartPolicyRules": [
                    {"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [88]}}]}]},
            "status": {
                "phase": "Running",
                "conditions": [{"type": "AllContainersRestarting", "status": "True"}],
                "containerStatuses": [ended("a", 0), ended("b", 88)],
            },
        });
        let all = restore(&serde_json::from_value(pod).unwrap());
        assert_eq!(plan(&all, Instant::now()).start, [0, 1]);
        assert_eq!([&all[0], &all[1]].map(Record::next_run), [1, 1]);
    }

    #[test]
    fn what_was_over_stays_over() {
        for policy in ["Never", "OnFailure"] {
            let all = found(policy, "Succeeded", json!({"terminated": {"exitCode": 0, "reason": "Completed"}}));
            assert_eq!(plan(&all, Instant::now()), Plan { outcome: Some(Outcome::Succeeded), ..Plan::default() });
        }
    }

    #[test]
    fn a_container_that_waited_is_tried_at_once() {
        let all = found("Always", "Running", json!({"waiting": {"reason": "CrashLoopBackOff"}}));
        assert_eq!((all[1].restarts, all[1].next_run()), (2, 2));
    }
}
