//! Statuses of pods in all their states.

use serde_json::{Value, json};

use super::*;
use crate::pods::record::Ended;

fn pod(spec: Value) -> Pod {
    serde_json::from_value(json!({"metadata": {"name": "p", "uid": "u", "generation": 3}, "spec": spec})).unwrap()
}

static NOTHING: Resizing = Resizing { pending: None, progress: None };

fn facts<'a>(pod: &'a Pod, records: &'a [Record]) -> Facts<'a> {
    Facts {
        pod,
        records,
        pod_ip: Some("127.64.0.2".parse().unwrap()),
        host_ip: "127.0.0.1".parse().unwrap(),
        started: "2026-01-01T00:00:00Z".parse().unwrap(),
        has_context: true,
        still_running: false,
        outcome: super::super::plan::plan(records, tokio::time::Instant::now()).outcome,
        evicted: None,
        restarting_all: false,
        resizing: &NOTHING,
        whole: None,
        now: "2026-01-01T00:00:05Z".parse().unwrap(),
    }
}

fn condition(status: &PodStatus, kind: &str) -> (String, Option<String>, Option<String>) {
    let found = status.conditions.iter().flatten().find(|condition| condition.type_ == kind).unwrap();
    (found.status.clone(), found.reason.clone(), found.message.clone())
}

fn run(record: &mut Record, ready: bool) {
    record.begin("id".into(), Timestamp::now());
    (record.started, record.ready) = (true, ready);
}

fn exit(record: &mut Record, code: i32) {
    record.end(Ended::of(&crate::pods::testing::exit(code), None, Timestamp::now(), "id".into()));
}

#[test]
fn a_pod_goes_from_pending_to_ready() {
    let pod = pod(json!({"initContainers": [{"name": "i"}], "containers": [{"name": "a"}, {"name": "b"}]}));
    let mut all = Record::all(pod.spec.as_ref().unwrap());
    let first = status(&facts(&pod, &all), &PodStatus::default());
    assert_eq!(first.phase.as_deref(), Some("Pending"));
    assert_eq!(condition(&first, "Initialized").2.unwrap(), "containers with incomplete status: [i]");
    assert_eq!(condition(&first, "Ready").2.unwrap(), "containers with unready status: [a b]");
    run(&mut all[0], false);
    exit(&mut all[0], 0);
    run(&mut all[1], true);
    run(&mut all[2], false);
    let second = status(&facts(&pod, &all), &first);
    assert_eq!(second.phase.as_deref(), Some("Running"));
    assert_eq!(
        condition(&second, "Ready"),
        ("False".into(), Some("ContainersNotReady".into()), Some("containers with unready status: [b]".into()))
    );
    assert!(!is_urgent(&second, &second) && is_urgent(&first, &second));
    all[2].ready = true;
    let third = status(&facts(&pod, &all), &second);
    assert_eq!(condition(&third, "Ready"), ("True".into(), None, None));
    let init = &third.init_container_statuses.as_ref().unwrap()[0];
    assert!(init.ready && init.container_id.as_deref() == Some("wasmtime://id"));
    assert_eq!(third.observed_generation, Some(3));
}

#[test]
fn a_pod_whose_containers_run_is_initialized_whatever_its_sidecars_do() {
    let pod = pod(json!({"initContainers": [{"name": "s", "restartPolicy": "Always"}], "containers": [{"name": "a"}]}));
    let mut all = Record::all(pod.spec.as_ref().unwrap());
    run(&mut all[0], true);
    run(&mut all[1], true);
    exit(&mut all[0], 1);
    let fallen = status(&facts(&pod, &all), &PodStatus::default());
    assert_eq!(condition(&fallen, "Initialized"), ("True".into(), None, None));
    assert_eq!(condition(&fallen, "Ready").2.unwrap(), "containers with unready status: [s]");
}

#[test]
fn conditions_keep_the_time_of_their_last_change() {
    let pod = pod(json!({"containers": [{"name": "a"}]}));
    let mut all = Record::all(pod.spec.as_ref().unwrap());
    let first = status(&facts(&pod, &all), &PodStatus::default());
    run(&mut all[0], true);
    let mut later = facts(&pod, &all);
    later.now = "2026-01-01T01:00:00Z".parse().unwrap();
    let second = status(&later, &first);
    let time = |kind: &str| {
        let found = second.conditions.iter().flatten().find(|condition| condition.type_ == kind).unwrap();
        found.last_transition_time.as_ref().unwrap().0.to_string()
    };
    assert_eq!((&*time("PodScheduled"), &*time("Ready")), ("2026-01-01T00:00:05Z", "2026-01-01T01:00:00Z"));
}

#[test]
fn the_end_of_a_pod_has_its_phase_and_reasons() {
    for (code, phase, reason) in [(0, "Succeeded", "PodCompleted"), (1, "Failed", "PodFailed")] {
        let pod = pod(json!({"restartPolicy": "Never", "containers": [{"name": "a"}]}));
        let mut all = Record::all(pod.spec.as_ref().unwrap());
        run(&mut all[0], true);
        exit(&mut all[0], code);
        let end = status(&facts(&pod, &all), &PodStatus::default());
        assert_eq!(end.phase.as_deref(), Some(phase));
        assert_eq!(condition(&end, "Ready"), ("False".into(), Some(reason.into()), None));
    }
}

#[test]
fn a_crash_loop_is_running_and_shows_its_last_end() {
    let pod = pod(json!({"containers": [{"name": "a"}]}));
    let mut all = Record::all(pod.spec.as_ref().unwrap());
    run(&mut all[0], true);
    exit(&mut all[0], 3);
    all[0].wait("CrashLoopBackOff", Some("back-off 10s".into()), tokio::time::Instant::now());
    let looping = status(&facts(&pod, &all), &PodStatus::default());
    assert_eq!(looping.phase.as_deref(), Some("Running"));
    let container = &looping.container_statuses.unwrap()[0];
    assert_eq!(container.last_state.as_ref().unwrap().terminated.as_ref().unwrap().exit_code, 3);
    assert_eq!(container.state.as_ref().unwrap().waiting.as_ref().unwrap().reason.as_deref(), Some("CrashLoopBackOff"));
}

#[test]
fn readiness_gates_hold_ready_back() {
    let mut pod = pod(json!({"readinessGates": [{"conditionType": "x/y"}], "containers": [{"name": "a"}]}));
    let mut all = Record::all(pod.spec.as_ref().unwrap());
    run(&mut all[0], true);
    let closed = status(&facts(&pod, &all), &PodStatus::default());
    assert_eq!(condition(&closed, "Ready").1.as_deref(), Some("ReadinessGatesNotReady"));
    assert_eq!(condition(&closed, "ContainersReady").0, "True");
    pod.status = Some(serde_json::from_value(json!({"conditions": [{"type": "x/y", "status": "True"}]})).unwrap());
    assert_eq!(condition(&status(&facts(&pod, &all), &closed), "Ready").0, "True");
}

#[test]
fn a_patch_takes_away_what_is_gone() {
    let pod = pod(json!({"containers": [{"name": "a"}]}));
    let mut all = Record::all(pod.spec.as_ref().unwrap());
    let mut before = status(&facts(&pod, &all), &PodStatus::default());
    before.reason = Some("Old".into());
    before.pod_ips = Some(vec![PodIP { ip: "127.64.0.9".into() }]);
    run(&mut all[0], true);
    let after = status(&facts(&pod, &all), &before);
    let patch = patch("u", &before, &after);
    assert_eq!(patch["metadata"]["uid"], "u");
    assert!(patch["status"].as_object().unwrap().contains_key("reason") && patch["status"]["reason"].is_null());
    assert_eq!(patch["status"]["podIPs"], json!([{"$patch": "replace"}, {"ip": "127.64.0.2"}]));
    assert_eq!(patch["status"]["hostIPs"], json!([{"ip": "127.0.0.1"}]));
    let conditions = patch["status"]["conditions"].as_array().unwrap();
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready").unwrap();
    assert!(ready.as_object().unwrap().contains_key("message") && ready["message"].is_null());
}

#[test]
fn a_pod_its_node_ends_says_so_and_fails_once_nothing_of_it_runs() {
    let pod = pod(json!({"containers": [{"name": "a"}]}));
    let mut all = Record::all(pod.spec.as_ref().unwrap());
    run(&mut all[0], true);
    let message = "The node was low on resource: memory.".to_owned();
    let ended = |all: &[Record], reason, still_running| {
        let facts = Facts { evicted: Some((reason, message.clone())), still_running, ..facts(&pod, all) };
        status(&facts, &PodStatus::default())
    };
    let ending = ended(&all, "Evicted", true);
    assert_eq!((ending.phase.as_deref(), ending.reason.as_deref()), (Some("Running"), Some("Evicted")));
    let disruption = ("True".to_owned(), Some("TerminationByKubelet".to_owned()), Some(message.clone()));
    assert_eq!(condition(&ending, "DisruptionTarget"), disruption);
    exit(&mut all[0], 137);
    let over = ended(&all, "Evicted", false);
    assert_eq!((over.phase.as_deref(), over.message.as_deref()), (Some("Failed"), Some(&*message)));
    let preempted = condition(&ended(&all, "Preempting", false), "DisruptionTarget");
    assert_eq!(preempted.2.as_deref(), Some("Pod was preempted by Kubelet to accommodate a critical pod."));
    let late = ended(&all, DEADLINE_EXCEEDED, false);
    assert_eq!(late.phase.as_deref(), Some("Failed"));
    assert!(late.conditions.iter().flatten().all(|condition| condition.type_ != "DisruptionTarget"));
}

#[test]
fn a_pod_whose_sidecars_still_run_is_not_over() {
    let pod = pod(json!({"restartPolicy": "Never", "containers": [{"name": "a"}],
        "initContainers": [{"name": "s", "restartPolicy": "Always"}]}));
    let mut all = Record::all(pod.spec.as_ref().unwrap());
    run(&mut all[0], true);
    run(&mut all[1], true);
    exit(&mut all[1], 0);
    let phase = |still_running| {
        let facts = Facts { still_running, ..facts(&pod, &all) };
        status(&facts, &PodStatus::default()).phase.unwrap()
    };
    assert_eq!((&*phase(true), &*phase(false)), ("Running", "Succeeded"));
}

#[test]
fn the_end_of_a_container_is_urgent_and_its_start_again_is_not() {
    let pod = pod(json!({"containers": [{"name": "a"}, {"name": "b"}]}));
    let mut all = Record::all(pod.spec.as_ref().unwrap());
    run(&mut all[0], true);
    run(&mut all[1], false);
    let of = |all: &[Record]| status(&facts(&pod, all), &PodStatus::default());
    let before = of(&all);
    exit(&mut all[1], 1);
    let ended = of(&all);
    assert!(is_urgent(&before, &ended));
    assert!(!is_urgent(&ended, &ended));
    run(&mut all[1], false);
    let again = of(&all);
    assert!(!is_urgent(&ended, &again));
    exit(&mut all[1], 2);
    all[1].wait("CrashLoopBackOff", None, tokio::time::Instant::now());
    assert!(is_urgent(&again, &of(&all)), "though it only waits now");
}

#[test]
fn every_container_shows_its_mounts() {
    let mounts = json!([{"name": "d", "mountPath": "/d"}, {"name": "d", "mountPath": "/r", "readOnly": true},
        {"name": "d", "mountPath": "/e", "readOnly": true, "recursiveReadOnly": "IfPossible"},
        {"name": "d", "mountPath": "/w", "readOnly": false}]);
    let container = |name: &str| json!({"name": name, "volumeMounts": mounts});
    let pod = pod(json!({"initContainers": [container("i")], "containers": [container("a"), {"name": "b"}],
        "ephemeralContainers": [container("e")]}));
    let all = Record::all(pod.spec.as_ref().unwrap());
    let status = status(&facts(&pod, &all), &PodStatus::default());
    let shown = json!([{"name": "d", "mountPath": "/d"},
        {"name": "d", "mountPath": "/r", "readOnly": true, "recursiveReadOnly": "Disabled"},
        {"name": "d", "mountPath": "/e", "readOnly": true, "recursiveReadOnly": "Enabled"},
        {"name": "d", "mountPath": "/w"}]);
    for list in [&status.init_container_statuses, &status.container_statuses, &status.ephemeral_container_statuses] {
        assert_eq!(json!(list.as_ref().unwrap()[0].volume_mounts), shown);
    }
    assert_eq!(status.container_statuses.unwrap()[1].volume_mounts, None);
}

#[test]
fn a_status_that_was_written_and_read_again_is_the_same() {
    let pod = pod(json!({"containers": [{"name": "a"}, {"name": "b"}]}));
    let mut all = Record::all(pod.spec.as_ref().unwrap());
    run(&mut all[0], true);
    exit(&mut all[0], 1);
    run(&mut all[1], true);
    let told = status(&facts(&pod, &all), &PodStatus::default());
    let read: PodStatus = serde_json::from_value(json!(told)).unwrap();
    assert_eq!(read.container_statuses, told.container_statuses);
}

#[test]
fn a_patch_from_anything_takes_away_whatever_there_was() {
    let pod = pod(json!({"containers": [{"name": "a"}]}));
    let all = Record::all(pod.spec.as_ref().unwrap());
    let patch = patch("u", &anything(), &status(&facts(&pod, &all), &PodStatus::default()));
    let status = &patch["status"];
    assert!(status.as_object().unwrap().contains_key("reason") && status["reason"].is_null());
    assert_eq!(status["podIPs"], json!([{"$patch": "replace"}, {"ip": "127.64.0.2"}]));
    let conditions = status["conditions"].as_array().unwrap();
    assert!(conditions.contains(&json!({"type": "PodResizePending", "$patch": "delete"})));
    let is_plain = |it: &&Value| it["type"] == "PodScheduled" && it.as_object().unwrap().contains_key("message");
    assert!(conditions.iter().find(is_plain).unwrap()["message"].is_null());
}

#[test]
fn a_pod_that_may_begin_again_as_a_whole_says_whether_it_does() {
    let rule = json!({"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [88]}});
    let pod = pod(json!({"restartPolicy": "Never", "containers": [{"name": "a", "restartPolicyRules": [rule]}]}));
    let mut all = Record::all(pod.spec.as_ref().unwrap());
    let shown = |all: &[Record], restarting_all| {
        let facts = Facts { restarting_all, ..facts(&pod, all) };
        condition(&status(&facts, &PodStatus::default()), RESTARTING_ALL)
    };
    assert_eq!(shown(&all, false), ("False".into(), None, None));
    exit(&mut all[0], 88);
    let (reason, message) = ("RestartAllContainersStarted", "container exited with restart policy rule");
    assert_eq!(shown(&all, true), ("True".into(), Some(reason.into()), Some(message.into())));
    exit(&mut all[0], 1);
    assert_eq!(shown(&all, false), ("False".into(), Some("PodFailed".into()), None));
}
