//! The node goes on while nobody can reach it, and the server hears of it later.

use std::fs;

use serde_json::json;

use super::super::{EdgeNode, event_comes, field, proxy::Proxy, ready};
use super::manifests::{by_exec, by_http, by_tcp, counting, isolated, job, waiting, with_sidecar};
use super::{Site, apply, restarts, told};
use crate::harness::boxes;
use crate::harness::{Cluster, eventually, signal};
use crate::isolated::number_of;

/// The pods that are there all the time, and stay.
const STAYING: [&str; 6] = ["exec", "http", "tcp", "side", "waits", "isolated"];
/// Those of them that a liveness probe finds dead.
const PROBED: [&str; 3] = ["exec", "http", "tcp"];
/// Those that are deleted meanwhile: by an order that the node is to carry out, and from under it.
const DELETED: [(&str, &str); 3] = [("gone", ""), ("gone-isolated", ""), ("forced", "--force --grace-period=0")];

/// What ended, failed, was killed or deleted without the server's knowledge is as it should be on the node at once, and in the
/// API when the node is back: counts, last states, logs of the former run, phases, readiness.
#[test]
fn pods_of_all_kinds_go_on_and_are_told_of_later() {
    let cluster = boxes::cluster();
    let proxy = Proxy::to(&cluster);
    let mut node = EdgeNode::unstarted(&cluster, "edge");
    node.kubeconfig = proxy.kubeconfig(&cluster);
    node.boot();
    let site = Site { node };
    make_all(&cluster);

    proxy.cut();
    let lost = site.process("isolated", None);
    for (name, how) in DELETED {
        cluster.kubectl(&format!("delete pod {name} --wait=false {how}")).ok();
    }
    probes_restart(&site);
    sidecars_and_ends(&site, &lost);
    let job_runs = files_are_found(&site);
    for name in ["exec", "http", "tcp", "isolated"] {
        assert_eq!(restarts(&cluster, name, "containerStatuses", "main"), "0", "{name}: the server knows nothing yet");
    }
    for (name, _) in DELETED {
        assert!(site.dir(name).is_ok(), "{name} is still there");
    }
    assert!(proxy.refused() > 0, "the node asks all the time");

    proxy.mend();
    probes_are_told(&cluster);
    ends_are_told(&cluster, job_runs);
    assert_eq!(fs::read_to_string(site.file("side", "first")).unwrap(), "one\n", "a sidecar's restart is its own");
    STAYING.into_iter().for_each(|name| drop(ready(&cluster, name)));
    deleted_are_gone(&cluster, &site);
}

fn make_all(cluster: &Cluster) {
    for pod in [by_exec(), by_http(), by_tcp(), with_sidecar("side"), waiting(), job()] {
        apply(cluster, &pod);
    }
    apply(cluster, &isolated(counting("isolated", &json!({}))));
    apply(cluster, &with_sidecar("gone"));
    apply(cluster, &isolated(with_sidecar("gone-isolated")));
    apply(cluster, &counting("forced", &json!({})));
    for name in STAYING.into_iter().filter(|name| *name != "waits").chain(DELETED.map(|(name, _)| name)) {
        ready(cluster, name);
    }
    // Both have failed and been started again before the server goes.
    for (name, list) in [("waits", "initContainerStatuses"), ("job", "containerStatuses")] {
        told(cluster, name, &format!(".{list}[0].restartCount"), "1");
    }
}

/// Takes away what the probes ask for.
fn probes_restart(site: &Site) {
    for name in PROBED {
        fs::remove_file(site.file(name, "health")).unwrap();
    }
    for name in PROBED {
        eventually("what a probe found dead is started again", || site.printed(name, "main", 1));
    }
    // The others make theirs when they start; this one's neighbour needs it to listen again.
    fs::write(site.file("tcp", "health"), "ok").unwrap();
}

fn sidecars_and_ends(site: &Site, lost: &std::path::Path) {
    fs::remove_file(site.file("side", "health")).unwrap();
    site.prints("side", "side", 1, "up\n");
    signal(number_of(lost), "KILL");
    site.prints("isolated", "main", 1, "again\nagain\n");
    assert_ne!(site.process("isolated", Some(&lost.to_owned())), lost);
}

/// Gives those that fail what they look for; the run in which the job found it.
fn files_are_found(site: &Site) -> usize {
    for name in ["waits", "job"] {
        fs::write(site.file(name, "go"), "at last\n").unwrap();
    }
    site.prints("waits", "main", 0, "up\n");
    eventually("the job is done", || {
        let found = (1..10).find(|run| site.printed("job", "main", *run).is_ok_and(|text| text.ends_with("done\n")));
        found.ok_or_else(|| "no run has found its file".to_owned())
    })
}

fn probes_are_told(cluster: &Cluster) {
    let of_main = |path: &str| format!(".containerStatuses[?(@.name==\"main\")]{path}");
    let ends = ["restartCount", "lastState.terminated.exitCode", "lastState.terminated.reason"];
    let ends = ends.map(|path| of_main(&format!(".{path}"))).join(" ");
    for name in ["exec", "http", "tcp", "isolated"] {
        told(cluster, name, &ends, "1/137/Error");
    }
    for name in ["exec", "tcp"] {
        assert_eq!(cluster.kubectl(&format!("logs {name} -c main --previous")).ok(), "up\n");
    }
    let served = cluster.kubectl("logs http --previous").ok();
    assert!(served.starts_with("up\nserving on port 8080\nGET /file/d/health\n"), "{served}");
    assert_eq!(cluster.kubectl("logs isolated --previous").ok(), "again\n");
    assert_eq!(cluster.kubectl("logs isolated").ok(), "again\nagain\n");
    for (name, reason) in
        [("exec", "Unhealthy"), ("http", "Unhealthy"), ("tcp", "Unhealthy"), ("isolated", "SandboxChanged")]
    {
        event_comes(cluster, name, reason);
    }
}

fn ends_are_told(cluster: &Cluster, job_runs: usize) {
    let main = ".containerStatuses[0]";
    let ends = ["restartCount", "state.terminated.exitCode", "lastState.terminated.exitCode"];
    let ends = ends.map(|path| format!("{main}.{path}")).join(" ");
    told(cluster, "job", &format!(".phase {ends}"), &format!("Succeeded/{job_runs}/0/1"));
    assert_eq!(cluster.kubectl("logs job").ok(), "trying\nat last\ndone\n");
    let failed = cluster.kubectl("logs job --previous").ok();
    assert!(failed.starts_with("trying\n") && failed.contains("cat: /d/go: "), "{failed}");
    let side = |name: &str| restarts(cluster, "side", "initContainerStatuses", name);
    eventually("the sidecar's restart is told", || if side("side") == "1" { Ok(()) } else { Err(side("side")) });
    assert_eq!(cluster.kubectl("logs side -c side --previous").ok(), "up\n");
    assert_eq!((side("first"), restarts(cluster, "side", "containerStatuses", "main")), ("0".into(), "0".into()));
    let first = ".initContainerStatuses[0].state.terminated.reason .containerStatuses[0].restartCount";
    told(cluster, "waits", &format!(".phase {first}"), "Running/Completed/0");
    assert_eq!(cluster.kubectl("logs waits -c first").ok(), "at last\n");
}

fn deleted_are_gone(cluster: &Cluster, site: &Site) {
    for (name, _) in DELETED {
        eventually(&format!("{name} is stopped"), || match site.dir(name) {
            Ok(dir) => Err(dir.display().to_string()),
            Err(_) => Ok(()),
        });
        assert_eq!(cluster.kubectl(&format!("get pod {name} --ignore-not-found -o name")).ok(), "");
    }
    let left = crate::isolated::process_below(site.node.pid(), "gone-isolated");
    assert_eq!(left.unwrap_err(), "gone-isolated has no process");
    assert_eq!(field(cluster, "node edge", ".status.conditions[?(@.type==\"Ready\")].status"), "True");
}
