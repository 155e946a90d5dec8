//! Jobs in all states, without a cluster.

use super::*;
use serde_json::{Value, json};

fn job(spec: Value, status: Value) -> Job {
    let mut value = json!({
        "metadata": {"name": "j", "namespace": "d", "uid": "u"},
        "spec": {"parallelism": 2, "completions": 3, "backoffLimit": 1, "template": {"spec": {"containers": []}}},
        "status": status,
    });
    for (key, field) in spec.as_object().unwrap() {
        value["spec"][key] = field.clone();
    }
    serde_json::from_value(value).unwrap()
}

fn pod(uid: &str, phase: &str, index: Option<i32>) -> Arc<Pod> {
    let annotations = index.map(|index| json!({(super::super::INDEX_KEY): index.to_string()}));
    Arc::new(
        serde_json::from_value(json!({
            "metadata": {"name": uid, "uid": uid, "annotations": annotations,
                "finalizers": [super::super::TRACKING_FINALIZER]},
            "status": {"phase": phase},
        }))
        .unwrap(),
    )
}

fn deleting(pod: &Pod) -> Arc<Pod> {
    let mut pod = pod.clone();
    pod.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::UNIX_EPOCH));
    Arc::new(pod)
}

fn look(job: &Job, pods: &[Arc<Pod>]) -> Outcome {
    outcome(job, pods, |pod| pod.metadata.finalizers.is_some())
}

fn reason(job: &Job, pods: &[Arc<Pod>]) -> Option<&'static str> {
    ending(job, &look(job, pods), Timestamp::UNIX_EPOCH).map(|ending| ending.reason)
}

#[test]
fn each_pod_counts_once() {
    let job = job(json!({}), json!({"succeeded": 1, "uncountedTerminatedPods": {"failed": ["b"]}}));
    let pods = [pod("a", "Succeeded", None), pod("b", "Failed", None), pod("c", "Running", None)];
    let seen = look(&job, &pods);
    assert_eq!((seen.succeeded, seen.failed), (2, 1));
    assert_eq!((seen.new_succeeded.len(), seen.new_failed.len(), seen.active.len()), (1, 0, 1));
    let mut counted = (*pods[0]).clone();
    counted.metadata.finalizers = None;
    assert_eq!(look(&job, &[Arc::new(counted)]).succeeded, 1, "without the finalizer it was counted before");
}

#[test]
fn as_many_as_are_still_needed() {
    let fresh = job(json!({}), json!({}));
    assert_eq!(wanted_active(&fresh, &look(&fresh, &[])), 2);
    let nearly = job(json!({}), json!({"succeeded": 2}));
    assert_eq!(wanted_active(&nearly, &look(&nearly, &[])), 1);
    let suspended = job(json!({"suspend": true}), json!({}));
    assert_eq!(wanted_active(&suspended, &look(&suspended, &[])), 0);
    let queue = job(json!({"completions": null}), json!({"succeeded": 1}));
    assert_eq!(
        wanted_active(&queue, &look(&queue, &[pod("a", "Running", None)])),
        1,
        "the others may end, none starts"
    );
}

#[test]
fn completions_failures_and_deadlines_end_a_job() {
    let done = job(json!({}), json!({"succeeded": 3}));
    assert_eq!(reason(&done, &[]), Some(COMPLETIONS_REACHED));
    let failing = job(json!({}), json!({"failed": 1}));
    assert_eq!(reason(&failing, &[]), None);
    assert_eq!(reason(&failing, &[pod("a", "Failed", None)]), Some(BACKOFF_LIMIT_EXCEEDED));
    let slow = job(json!({"activeDeadlineSeconds": 10}), json!({"startTime": "1969-12-31T23:59:00Z"}));
    assert_eq!(reason(&slow, &[]), Some(DEADLINE_EXCEEDED));
    assert_eq!(deadline_left(&slow, "1969-12-31T23:59:04Z".parse().unwrap()), Some(Duration::from_secs(6)));
    let queue = job(json!({"completions": null}), json!({"succeeded": 1}));
    assert_eq!(reason(&queue, &[pod("a", "Running", None)]), None);
    assert_eq!(reason(&queue, &[]), Some(COMPLETIONS_REACHED));
}

#[test]
fn an_announced_ending_stands() {
    let conditions = json!([{"type": "FailureTarget", "status": "True", "reason": "DeadlineExceeded", "message": "m"}]);
    let job = job(json!({}), json!({"succeeded": 3, "conditions": conditions}));
    assert_eq!(reason(&job, &[]), Some(DEADLINE_EXCEEDED));
}

#[test]
fn indexes_are_filled_from_below_and_counted_once() {
    let indexed = json!({"completionMode": "Indexed", "completions": 4, "parallelism": 4});
    let job = job(indexed, json!({"completedIndexes": "0"}));
    let pods = [pod("a", "Succeeded", Some(0)), pod("b", "Running", Some(2)), pod("c", "Succeeded", Some(3))];
    let seen = look(&job, &pods);
    assert_eq!((seen.completed.to_string().as_str(), seen.succeeded), ("0,3", 2));
    assert_eq!(free_indexes(&job, &seen, 4), [1]);
    let gone = [deleting(&pod("b", "Running", Some(2)))];
    assert_eq!(free_indexes(&job, &look(&job, &gone), 4), [1, 2, 3], "one being deleted is replaced at once");
}

#[test]
fn replacement_can_wait_for_the_end() {
    let patient = job(json!({"podReplacementPolicy": "Failed"}), json!({}));
    let gone = [deleting(&pod("a", "Running", None))];
    let seen = look(&patient, &gone);
    assert_eq!((seen.failed, seen.terminating.len()), (0, 1));
    let hasty = job(json!({}), json!({}));
    assert_eq!(look(&hasty, &gone).failed, 1);
}

fn per_index_job(status: Value) -> Job {
    let rules = json!({"rules": [{"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [42]}},
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]});
    let spec = json!({"completionMode": "Indexed", "completions": 3, "parallelism": 3, "backoffLimit": i32::MAX,
        "backoffLimitPerIndex": 1, "maxFailedIndexes": 1, "podFailurePolicy": rules, "podReplacementPolicy": "Failed"});
    job(spec, status)
}

fn failed(uid: &str, index: i32, code: i32, before: &[(&str, i32)]) -> Arc<Pod> {
    let mut pod = (*pod(uid, "Failed", Some(index))).clone();
    let annotations = pod.metadata.annotations.get_or_insert_default();
    annotations.extend(before.iter().map(|(key, count)| ((*key).to_owned(), count.to_string())));
    pod.status.as_mut().unwrap().container_statuses = serde_json::from_value(json!([
        {"name": "c", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": code, "finishedAt": "1970-01-01T00:00:00Z"}}}]))
    .unwrap();
    Arc::new(pod)
}

#[test]
fn an_index_is_tried_again_as_often_as_it_may_and_its_last_failed_pod_waits_for_the_next() {
    use crate::job::per_index::{FAILURE_COUNT, IGNORED_FAILURE_COUNT};
    let job = per_index_job(json!({}));
    let first = failed("a", 0, 1, &[(FAILURE_COUNT, 0)]);
    let seen = look(&job, std::slice::from_ref(&first));
    let per_index = seen.per_index.as_ref().unwrap();
    assert!(per_index.failed.is_empty() && seen.keeps(&first));
    assert_eq!(super::super::tracking::note(&job, &seen).uncounted_terminated_pods, None, "it is not counted yet");
    let at = |second| Timestamp::from_second(second).unwrap();
    assert_eq!(per_index.due(&job, vec![0, 1, 2], at(4)), (vec![1, 2], Some(Duration::from_secs(6))));
    assert_eq!(per_index.due(&job, vec![0], at(10)), (vec![0], None));
    let next = per_index.counts(&job, 0).annotations();
    assert_eq!((next[FAILURE_COUNT].as_str(), next.get(IGNORED_FAILURE_COUNT)), ("1", None));
    let mut replaced = (*pod("b", "Running", Some(0))).clone();
    replaced.metadata.annotations.get_or_insert_default().extend(next);
    let seen = look(&job, &[first.clone(), Arc::new(replaced)]);
    assert!(!seen.keeps(&first), "its replacement carries the count");
    assert_eq!(free_indexes(&job, &seen, 9), [1, 2]);
}

#[test]
fn failed_indexes_are_told_and_end_the_job() {
    use crate::job::per_index::{FAILURE_COUNT, IGNORED_FAILURE_COUNT};
    let job = per_index_job(json!({}));
    let (exhausted, by_rule) = (failed("a", 1, 1, &[(FAILURE_COUNT, 1)]), failed("b", 2, 42, &[(FAILURE_COUNT, 0)]));
    let seen = look(&job, &[exhausted.clone(), by_rule]);
    assert_eq!(super::super::tracking::note(&job, &seen).failed_indexes.as_deref(), Some("1,2"));
    assert!(!seen.keeps(&exhausted));
    let why = ending(&job, &seen, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(
        (why.reason, why.message.as_str()),
        (MAX_FAILED_INDEXES_EXCEEDED, "Job has exceeded the specified maximal number of failed indexes",)
    );
    let rest = per_index_job(json!({"completedIndexes": "0,2", "succeeded": 2}));
    assert_eq!(reason(&rest, std::slice::from_ref(&exhausted)), Some(FAILED_INDEXES));
    let mut disrupted = (*failed("c", 0, 1, &[(FAILURE_COUNT, 1), (IGNORED_FAILURE_COUNT, 2)])).clone();
    disrupted.status.as_mut().unwrap().conditions =
        serde_json::from_value(json!([{"type": "DisruptionTarget", "status": "True"}])).unwrap();
    let seen = look(&job, &[Arc::new(disrupted)]);
    let next = seen.per_index.as_ref().unwrap().counts(&job, 0).annotations();
    assert_eq!((next[FAILURE_COUNT].as_str(), next[IGNORED_FAILURE_COUNT].as_str()), ("1", "3"), "ignored, not failed");
}
