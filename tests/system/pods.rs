//! The lives of pods: restarts, probes, init containers, configuration that comes late.

use crate::harness::guests::{self, pod, push};
use crate::harness::{Cluster, eventually};

/// Waits until a jsonpath of an object says what it should.
fn expect(cluster: &Cluster, object: &str, path: &str, expected: &str) {
    eventually(&format!("{path} of {object}"), || {
        let found = cluster.kubectl(&format!("get {object} -o jsonpath={path}")).ok();
        if found == expected { Ok(()) } else { Err(format!("{found:?} instead of {expected:?}")) }
    });
}

#[test]
fn failures_are_counted_and_retried_ever_more_slowly() {
    let cluster = Cluster::start();
    push(&cluster, "failing", guests::FAILING);
    cluster.apply(&pod("failing", "OnFailure", ""));
    let paths = "{.status.phase}{\" \"}{.status.containerStatuses[0].restartCount}{\" \"}{.status.containerStatuses[0].state.waiting.reason}";
    expect(&cluster, "pod/failing", &format!("'{paths}'"), "Running 1 CrashLoopBackOff");
    let message = "{.status.containerStatuses[0].state.waiting.message}";
    let message = cluster.kubectl(&format!("get pod failing -o jsonpath={message}")).ok();
    assert!(message.starts_with("back-off 10s restarting failed container=main pod=failing_default("), "{message}");
    let last = "{.status.containerStatuses[0].lastState.terminated.exitCode}";
    assert_eq!(cluster.kubectl(&format!("get pod failing -o jsonpath={last}")).ok(), "3");
}

#[test]
fn success_ends_a_pod_that_restarts_only_on_failure() {
    let cluster = Cluster::start();
    push(&cluster, "quick", guests::QUICK);
    cluster.apply(&pod("quick", "OnFailure", ""));
    expect(&cluster, "pod/quick", "{.status.phase}", "Succeeded");
    assert!(cluster.kubectl("get pod quick").ok().contains("Completed"));
    let ready = "'{.status.conditions[?(@.type==\"Ready\")].reason}'";
    assert_eq!(cluster.kubectl(&format!("get pod quick -o jsonpath={ready}")).ok(), "PodCompleted");
}

#[test]
fn a_job_gives_up_after_its_backoff_limit() {
    let cluster = Cluster::start();
    push(&cluster, "failing", guests::FAILING);
    cluster.apply(&format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: failing}}\nspec:\n  backoffLimit: 0\n  template: {{spec: \
         {{restartPolicy: Never, containers: [{{name: main, image: '{}'}}]}}}}\n",
        guests::image("failing")
    ));
    let failed = "'{.status.conditions[?(@.type==\"Failed\")].reason}'";
    expect(&cluster, "job/failing", failed, "BackoffLimitExceeded");
    expect(&cluster, "job/failing", "{.status.failed}", "1");
    assert!(cluster.kubectl("get job failing").ok().contains("Failed"));
    let events = cluster.kubectl("events --for job/failing").ok();
    assert!(events.contains("Job has reached the specified backoff limit"), "{events}");
}

#[test]
fn a_container_that_is_not_alive_is_restarted() {
    let cluster = Cluster::start();
    push(&cluster, "ticker", guests::TICKER);
    let probe = "    livenessProbe: {httpGet: {port: 9}, periodSeconds: 1, failureThreshold: 2}\n";
    cluster.apply(&pod("ticker", "Always", probe));
    eventually("a restart", || {
        let count = cluster.kubectl("get pod ticker -o jsonpath={.status.containerStatuses[0].restartCount}").ok();
        if count.parse::<u32>().is_ok_and(|count| count >= 1) { Ok(()) } else { Err(count) }
    });
    let events = eventually("the events", || {
        let events = cluster.kubectl("events --for pod/ticker").ok();
        if events.contains("Unhealthy") && events.contains("Killing") { Ok(events) } else { Err(events) }
    });
    assert!(
        events.contains("Liveness probe failed: Get \"http://") && events.contains("connection refused"),
        "{events}"
    );
    assert!(events.contains("Container main failed liveness probe, will be restarted"), "{events}");
    let code = "{.status.containerStatuses[0].lastState.terminated.exitCode}";
    expect(&cluster, "pod/ticker", code, "137");
}

#[test]
fn a_pod_whose_probe_fails_gets_no_requests() {
    let cluster = Cluster::start();
    push(&cluster, "ticker", guests::TICKER);
    let probe = "    readinessProbe: {tcpSocket: {port: 9}, periodSeconds: 1}\n";
    cluster.apply(&pod("ticker", "Always", probe));
    cluster.kubectl("expose pod ticker --port=80 --selector=app=ticker").ok();
    cluster.kubectl("label pod ticker app=ticker").ok();
    let slice = "get endpointslices -l kubernetes.io/service-name=ticker -o";
    eventually("an endpoint that is not ready", || {
        let found =
            cluster.kubectl(&format!("{slice} jsonpath={{.items[0].endpoints[0].conditions.ready}}")).result()?;
        if found == "false" { Ok(()) } else { Err(found) }
    });
    eventually("the event", || {
        let events = cluster.kubectl("events --for pod/ticker").ok();
        if events.contains("Readiness probe failed: dial tcp") { Ok(()) } else { Err(events) }
    });
    expect(&cluster, "pod/ticker", "{.status.phase}/{.status.containerStatuses[0].ready}", "Running/false");
}

/// A pod with two init containers; `first` is the guest of the first.
fn with_init(first: &str) -> String {
    let init = format!(
        "  initContainers:\n  - {{name: first, image: '{}'}}\n  - {{name: second, image: '{}'}}\n",
        guests::image(first),
        guests::image("quick")
    );
    pod("ticker", "Always", &init)
}

#[test]
fn init_containers_run_one_after_the_other() {
    let cluster = Cluster::start();
    push(&cluster, "ticker", guests::TICKER);
    push(&cluster, "quick", guests::QUICK);
    cluster.apply(&with_init("quick"));
    cluster.kubectl("wait --for=condition=Ready pod/ticker --timeout=60s").ok();
    let reasons = "{.status.initContainerStatuses[*].state.terminated.reason}";
    expect(&cluster, "pod/ticker", reasons, "Completed Completed");
    let time = |path: &str| cluster.kubectl(&format!("get pod ticker -o jsonpath={{.status.{path}}}")).ok();
    let times = [
        time("initContainerStatuses[0].state.terminated.finishedAt"),
        time("initContainerStatuses[1].state.terminated.startedAt"),
        time("initContainerStatuses[1].state.terminated.finishedAt"),
        time("containerStatuses[0].state.running.startedAt"),
    ];
    assert!(times.is_sorted() && times[0].starts_with("20"), "{times:?}");
}

#[test]
fn what_an_init_container_holds_up_waits() {
    let cluster = Cluster::start();
    push(&cluster, "ticker", guests::TICKER);
    push(&cluster, "quick", guests::QUICK);
    cluster.apply(&with_init("ticker"));
    expect(&cluster, "pod/ticker", "{.status.initContainerStatuses[*].started}", "true false");
    assert!(cluster.kubectl("get pod ticker").ok().contains("Init:0/2"));
    let waiting = "{.status.phase}/{.status.containerStatuses[0].state.waiting.reason}";
    expect(&cluster, "pod/ticker", waiting, "Pending/PodInitializing");
}

#[test]
fn a_missing_config_map_is_awaited() {
    let cluster = Cluster::start();
    push(&cluster, "ticker", guests::TICKER);
    let env = "    env: [{name: A, valueFrom: {configMapKeyRef: {name: late, key: a}}}]\n";
    cluster.apply(&pod("ticker", "Always", env));
    let waiting =
        "'{.status.containerStatuses[0].state.waiting.reason}: {.status.containerStatuses[0].state.waiting.message}'";
    expect(&cluster, "pod/ticker", waiting, "CreateContainerConfigError: configmap \"late\" not found");
    cluster.kubectl("create configmap late --from-literal=b=1").ok();
    let message = "couldn't find key a in ConfigMap default/late";
    expect(&cluster, "pod/ticker", waiting, &format!("CreateContainerConfigError: {message}"));
    cluster.kubectl("patch configmap late -p {\"data\":{\"a\":\"1\"}}").ok();
    cluster.kubectl("wait --for=condition=Ready pod/ticker --timeout=60s").ok();
    assert_eq!(cluster.kubectl("get pod ticker -o jsonpath={.status.containerStatuses[0].restartCount}").ok(), "0");
}
