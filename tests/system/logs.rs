//! `kubectl logs` in all its forms.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use crate::harness::guests::{self, pod, push};
use crate::harness::{Cluster, boxes, eventually};

/// A cluster in which the ticker has said something.
fn ticking() -> Cluster {
    let cluster = Cluster::start();
    push(&cluster, "ticker", guests::TICKER);
    cluster.apply(&pod("ticker", "Always", ""));
    eventually("some ticks", || {
        let logs = cluster.kubectl("logs ticker").result()?;
        if logs.lines().count() > 5 { Ok(()) } else { Err(logs) }
    });
    cluster
}

/// Follows a log; `words` are the pod's name, and more.
fn follow(cluster: &Cluster, words: &str) -> Child {
    let mut command = cluster.kubectl_command();
    command.args(["logs", "-f"]).args(words.split(' ')).stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn of_a_program_that_ended() {
    let cluster = Cluster::with_sample("batch");
    cluster.kubectl("wait --for=condition=Complete job/batch --timeout=60s").ok();
    let pod = cluster.kubectl("get pods -l job-name=batch -o name").ok().lines().next().unwrap().to_string();
    let line = "78498 primes up to 1000000\n";
    assert_eq!(cluster.kubectl(&format!("logs -f {pod}")).ok(), line);
    assert_eq!(cluster.kubectl(&format!("logs --tail=0 {pod}")).ok(), "");
    assert_eq!(cluster.kubectl(&format!("logs --since=1h {pod}")).ok(), line);
    let stamped = cluster.kubectl(&format!("logs --timestamps {pod}")).ok();
    assert!(stamped.starts_with("20") && stamped.ends_with(line), "{stamped}");
    let error = cluster.kubectl(&format!("logs --previous {pod}")).failed();
    assert!(error.contains("previous terminated container \"batch\" in pod"), "{error}");
    let error = cluster.kubectl(&format!("logs {pod} -c other")).failed();
    assert!(error.contains("container other is not valid for pod"), "{error}");
}

#[test]
fn of_a_running_program_in_part() {
    let cluster = ticking();
    assert_eq!(cluster.kubectl("logs ticker --tail=3").ok(), "tick\n".repeat(3));
    assert_eq!(cluster.kubectl("logs ticker --limit-bytes=7").ok(), "tick\nti");
    let all = cluster.kubectl("logs ticker --timestamps").ok();
    let times: Vec<&str> = all.lines().filter_map(|line| line.strip_suffix(" tick")).collect();
    assert!(times.len() > 5 && times.is_sorted(), "{all}");
    // kubectl sends whole seconds.
    let last = times[times.len() - 1];
    let since = cluster.kubectl(&format!("logs ticker --timestamps --since-time={last}")).ok();
    let first = since.lines().next().unwrap();
    assert!(first.len() > 19 && first[..19] >= last[..19], "{first} is before {last}");
    // An hour ago there was nothing yet, so everything is younger.
    assert!(cluster.kubectl("logs ticker --since=1h --timestamps").ok().starts_with(&all));
    let error = cluster.kubectl("logs ticker --since=1h --since-time=2020-01-01T00:00:00Z").failed();
    assert!(error.contains("at most one of"), "{error}");
}

#[test]
fn followed_until_the_pod_goes() {
    let cluster = ticking();
    let mut child = follow(&cluster, "--tail=1 ticker");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..10 {
        assert_eq!(lines.next().unwrap().unwrap(), "tick");
    }
    cluster.kubectl("delete pod ticker --timeout=30s").ok();
    assert!(lines.all(|line| line.unwrap() == "tick"));
    assert!(child.wait().unwrap().success());
}

#[test]
fn of_the_run_before_the_restart() {
    let cluster = Cluster::start();
    push(&cluster, "failing", guests::FAILING);
    cluster.apply(&pod("failing", "Always", ""));
    eventually("a restart", || {
        let count = cluster.kubectl("get pod failing -o jsonpath={.status.containerStatuses[0].restartCount}").ok();
        if count.parse::<u32>().is_ok_and(|count| count >= 1) { Ok(()) } else { Err(count) }
    });
    assert_eq!(cluster.kubectl("logs failing --previous").ok(), "failing\n");
}

#[test]
fn of_a_container_that_has_not_started() {
    let cluster = Cluster::start();
    cluster.apply(&pod("unknown", "Never", ""));
    eventually("the reason", || {
        let error = cluster.kubectl("logs unknown").failed();
        let said =
            error.contains("container \"main\" in pod \"unknown\" is waiting to start: ") && error.contains("pull");
        if said { Ok(()) } else { Err(error) }
    });
}

/// Whoever follows sees the runs that come after, and the end when there will be no more.
#[test]
fn followed_over_restarts() {
    let cluster = boxes::cluster();
    let probes = "startupProbe: { exec: { command: [cat, /d/healthy] }, periodSeconds: 1, failureThreshold: 60 }
livenessProbe: { exec: { command: [cat, /d/healthy] }, periodSeconds: 1, failureThreshold: 1 }
volumeMounts: [{ name: d, mountPath: /d }]";
    let script = "[sh, -c, 'cat /d/last && exit 0; touch /d/healthy; tick waiting 50']";
    let manifest = boxes::pod("again", script, probes, "volumes: [{ name: d, emptyDir: {} }]");
    cluster.apply(&manifest.replace("restartPolicy: Never", "restartPolicy: OnFailure"));
    boxes::ready(&cluster, "again");
    let mut child = follow(&cluster, "again");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let said = ["cat: /d/last: No such file or directory (os error 44)", "waiting"];
    assert_eq!([lines.next().unwrap(), lines.next().unwrap()], said);
    cluster.kubectl("exec again -- sh -c 'echo bye > /d/last; rm /d/healthy'").ok();
    let rest: Vec<String> = lines.skip_while(|line| line == "waiting").collect();
    assert_eq!(rest, ["bye"]);
    assert!(child.wait().unwrap().success());
    assert_eq!(cluster.kubectl("logs again").ok(), "bye\n", "the run before is another log");
}
