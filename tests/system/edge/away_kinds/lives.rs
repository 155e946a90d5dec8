//! The node's process starts again, and again, without its server.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::super::{EdgeNode, field, ready};
use super::manifests::{container, counting, isolated, pod, with_sidecar};
use super::{Site, apply, restarts, told};
use crate::harness::boxes;
use crate::harness::{Cluster, eventually, signal};
use crate::isolated::number_of;

/// The pods with an init container, which says how often it has run.
const INITIALIZED: [&str; 3] = ["init", "init-isolated", "static-edge"];

/// A static pod with an init container.
fn write_static(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    let containers = [container("main", "cat /d/first; sleep 1000")];
    let pod = pod(
        "static",
        &json!({ "initContainers": [container("first", "echo one >> /d/first")], "containers": containers }),
    );
    fs::write(dir.join("static.json"), pod.to_string()).unwrap();
}

fn make_all(cluster: &Cluster, site: &Site) {
    apply(cluster, &with_sidecar("init"));
    apply(cluster, &isolated(with_sidecar("init-isolated")));
    apply(cluster, &counting("killed", &json!({ "runtimeClassName": "wasm-isolated" })));
    apply(cluster, &counting("job", &json!({ "restartPolicy": "OnFailure" })));
    apply(cluster, &counting("once", &json!({ "restartPolicy": "Never" })));
    for name in ["init", "init-isolated", "killed", "job", "once"] {
        ready(cluster, name);
    }
    eventually("a mirror", || cluster.kubectl("get pod static-edge").result());
    ready(cluster, "static-edge");
    // This one has a past before the server goes.
    signal(number_of(&site.process("killed", None)), "KILL");
    told(cluster, "killed", ".containerStatuses[0].restartCount", "1");
    ready(cluster, "killed");
}

/// All pods run in the `life`th life of the node after the first: each container once more, init containers too.
fn all_run(site: &Site, life: usize) {
    let (ones, agains) = ("one\n".repeat(life + 1), |runs: usize| "again\n".repeat(runs));
    for name in INITIALIZED {
        site.prints(name, "main", life, &ones);
        assert_eq!(fs::read_to_string(site.file(name, "first")).unwrap(), ones, "{name}");
        assert!(site.printed(name, "main", life + 1).is_err(), "{name} runs once more than it should");
    }
    for name in ["init", "init-isolated"] {
        site.prints(name, "side", life, "up\n");
    }
    site.prints("job", "main", life, &agains(life + 1));
    site.prints("killed", "main", life + 1, &agains(life + 2));
    for name in ["init-isolated", "killed"] {
        site.process(name, None);
    }
    assert!(site.printed("once", "main", 1).is_err(), "what never restarts does not");
}

/// After SIGKILL, and after SIGTERM, with no server to ask: all pods that restart run again, by one run of each init container a
/// life, and their counts go on; what never restarts has failed. The server is told when it is back.
#[test]
fn pods_of_all_kinds_come_back_without_the_server() {
    let mut cluster = boxes::cluster();
    let mut node = EdgeNode::unstarted(&cluster, "edge");
    let manifests = cluster.scratch().join("static");
    write_static(&manifests);
    node.flags = vec!["--pod-manifest-path".to_owned(), manifests.display().to_string()];
    node.boot();
    let mut site = Site { node };
    make_all(&cluster, &site);
    all_run(&site, 0);
    let address = field(&cluster, "pod init-isolated", ".status.podIP");

    cluster.kill();
    site.node.kill();
    site.node.boot();
    all_run(&site, 1);
    site.node.stop();
    site.node.boot();
    all_run(&site, 2);

    cluster.boot();
    for (name, wanted) in [("init", "2"), ("init-isolated", "2"), ("static-edge", "2"), ("killed", "3"), ("job", "2")] {
        told(&cluster, name, ".phase .containerStatuses[0].restartCount", &format!("Running/{wanted}"));
    }
    for name in INITIALIZED {
        assert_eq!(restarts(&cluster, name, "initContainerStatuses", "first"), "2", "{name}");
    }
    for name in ["init", "init-isolated"] {
        assert_eq!(restarts(&cluster, name, "initContainerStatuses", "side"), "2", "{name}");
    }
    let ended = ".containerStatuses[0].state.terminated.exitCode .containerStatuses[0].state.terminated.reason";
    told(&cluster, "once", &format!(".phase {ended}"), "Failed/137/ContainerStatusUnknown");
    assert_eq!(ready(&cluster, "init-isolated"), address);
    // The node learns anew who may ask it.
    let log = eventually("the node lets kubectl in", || cluster.kubectl("logs killed --previous").result());
    assert_eq!(log, "again\n".repeat(3));
    // The server's return starts nothing again.
    all_run(&site, 2);

    // With the server there, all is as without it.
    site.node.stop();
    site.node.boot();
    all_run(&site, 3);
    told(&cluster, "static-edge", ".phase .containerStatuses[0].restartCount", "Running/3");
}
