//! The process of a pod ends, or the node does.

use std::time::{Duration, Instant};

use coracle_wasi_host::limits::ISOLATED_STOP_MARGIN;

use super::{cluster, gone, pid_of, pod, process_of, ready, shows};
use crate::harness::{Cluster, eventually, signal};

/// What the cluster and a busy machine may take besides.
const SLACK: Duration = Duration::from_secs(15);

const RESTARTS: &str = ".status.containerStatuses[*].restartCount";

/// A pod of two containers that are to run for ever, and have a volume.
fn two(name: &str) -> String {
    let more = "volumeMounts: [{ name: d, mountPath: /d }]";
    let second = format!("- name: second\n  image: {}\n  command: [sleep, '1000']\n", crate::harness::guests::TOOLBOX);
    let manifest = pod(
        name,
        "[sh, -c, 'echo again >> /d/runs; cat /d/runs; sleep 1000']",
        more,
        "volumes: [{ name: d, emptyDir: {} }]",
    );
    let second: String = second.lines().map(|line| format!("  {line}\n")).collect();
    manifest.replace("restartPolicy: Never", "restartPolicy: Always") + &second
}

#[test]
fn all_containers_of_a_lost_process_start_again_and_no_others() {
    let cluster = cluster();
    cluster.apply(&two("lost"));
    cluster.apply(&two("neighbour"));
    cluster.apply(&two("inside").replace("  runtimeClassName: wasm-isolated\n", ""));
    for name in ["lost", "neighbour", "inside"] {
        ready(&cluster, name);
    }
    let address = cluster.kubectl("get pod lost -o jsonpath={.status.podIP}").ok();
    let (first, neighbour) = (pid_of(&cluster, "lost"), pid_of(&cluster, "neighbour"));
    signal(first, "KILL");
    shows(&cluster, "lost", RESTARTS, "1 1");
    let last = ".status.containerStatuses[*].lastState.terminated.exitCode}/{.status.containerStatuses[*].lastState.terminated.reason";
    shows(&cluster, "lost", last, "137 137/Error Error");
    ready(&cluster, "lost");
    assert_ne!(pid_of(&cluster, "lost"), first, "a new process");
    // Address and volumes are as they were.
    assert_eq!(cluster.kubectl("get pod lost -o jsonpath={.status.podIP}").ok(), address);
    eventually("the second run", || match cluster.kubectl("logs lost -c main").result()? {
        said if said == "again\nagain\n" => Ok(()),
        said => Err(said),
    });
    let events = cluster
        .kubectl("get events --field-selector reason=SandboxChanged -o jsonpath={.items[*].involvedObject.name}")
        .ok();
    assert!(events.split(' ').all(|name| name == "lost") && !events.is_empty(), "{events}");
    for name in ["neighbour", "inside"] {
        shows(&cluster, name, RESTARTS, "0 0");
    }
    assert_eq!(pid_of(&cluster, "neighbour"), neighbour);
}

#[test]
fn processes_end_with_the_node_however_that_ends() {
    let mut cluster = cluster();
    let stop = |cluster: &mut Cluster| {
        cluster.stop();
    };
    for (round, end) in [Cluster::kill as fn(&mut Cluster), stop].into_iter().enumerate() {
        let name = format!("round{round}");
        cluster.apply(&pod(&name, "[sleep, '1000']", "", "").replace("restartPolicy: Never", "restartPolicy: Always"));
        ready(&cluster, &name);
        let dir = process_of(&cluster, &name).unwrap();
        end(&mut cluster);
        eventually("the process is gone", || if dir.exists() { Err("it lives".to_owned()) } else { Ok(()) });
        cluster.boot();
        ready(&cluster, &name);
    }
}

#[test]
fn a_stopped_process_is_killed_when_its_pod_is_deleted() {
    let cluster = cluster();
    cluster.apply(&pod("stuck", "[sleep, '1000']", "", ""));
    cluster.apply(&pod("neighbour", "[sleep, '1000']", "", ""));
    ready(&cluster, "stuck");
    ready(&cluster, "neighbour");
    let (dir, neighbour) = (process_of(&cluster, "stuck").unwrap(), pid_of(&cluster, "neighbour"));
    signal(pid_of(&cluster, "stuck"), "STOP");
    let begun = Instant::now();
    // It hears no order; its second of grace goes by, and then the margin.
    cluster.kubectl("delete pod stuck --timeout=60s").ok();
    gone(&cluster, "stuck");
    // The directory of a zombie would still be there.
    eventually("nothing is left of it", || if dir.exists() { Err(dir.display().to_string()) } else { Ok(()) });
    let took = begun.elapsed();
    let most = Duration::from_secs(1) + ISOLATED_STOP_MARGIN + SLACK;
    assert!(took < most, "it was there for {took:?}");
    assert_eq!(pid_of(&cluster, "neighbour"), neighbour);
}
