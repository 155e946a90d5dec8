//! What the end of a container means to those beside it: nothing.

use serde_json::json;

use super::{condition, directory, restarting, shows, with_directory};
use crate::conformance_node::site::{Site, container, pod};
use crate::harness::eventually;
use crate::harness::guests::{GROW, TRAP, image, push};

/// One container is killed for its memory and one traps, again and again; the third runs on, with the pod's address and
/// its files.
#[test]
fn a_container_that_falls_over_takes_nobody_with_it() {
    let site = Site::new();
    push(site.cluster(), "grow", GROW);
    push(site.cluster(), "trap", TRAP);
    let mut crew = with_directory(pod("crew", &["sh", "-c", "write /d/file kept; sleep 600"], &json!({})));
    crew["spec"]["containers"].as_array_mut().unwrap().extend([
        json!({"name": "grow", "image": image("grow"), "resources": {"limits": {"memory": "16Mi"}}}),
        json!({"name": "trap", "image": image("trap")}),
    ]);
    site.apply(&restarting(crew));
    let main =
        "{.status.podIP}/{.status.containerStatuses[0].containerID}/{.status.containerStatuses[0].state.running}";
    let before = eventually("a container that runs", || match site.field("crew", main) {
        found if found.contains("startedAt") => Ok(found),
        found => Err(found),
    });
    let restarts = "{.status.containerStatuses[*].restartCount}";
    eventually("restarts of the others", || {
        let counts = site.field("crew", restarts);
        let others = counts.split(' ').skip(1).filter(|count| *count != "0").count();
        if others == 2 { Ok(()) } else { Err(counts) }
    });
    for (index, wanted) in [(1, "137/OOMKilled"), (2, "134/Error")] {
        let last = format!(".status.containerStatuses[{index}].lastState.terminated");
        shows(&site, "crew", &format!("{{{last}.exitCode}}/{{{last}.reason}}"), wanted);
    }
    assert!(site.field("crew", restarts).starts_with("0 "));
    assert_eq!(site.field("crew", main), before);
    assert_eq!(site.kubectl("exec crew -c main -- cat /d/file").ok(), "kept");
}

/// A sidecar that falls over while the containers run makes the pod unready, but not uninitialized.
#[test]
fn a_pod_stays_initialized_when_a_sidecar_falls_over() {
    let site = Site::new();
    let mut crew = with_directory(pod("crew", &["sleep", "600"], &json!({})));
    let script = "touch /d/good; cat /d/bad && exit 1; sleep 600";
    let probe = json!({"exec": {"command": ["cat", "/d/good"]}, "initialDelaySeconds": 1, "periodSeconds": 1, "failureThreshold": 1});
    let more = json!({"restartPolicy": "Always", "livenessProbe": probe, "volumeMounts": directory()});
    crew["spec"]["initContainers"] = json!([container("side", &["sh", "-c", script], &more)]);
    site.apply(&restarting(crew));
    shows(&site, "crew", &condition("Ready"), "True||");
    site.kubectl("exec crew -c main -- sh -c 'touch /d/bad; rm /d/good'").ok();
    shows(&site, "crew", "{.status.initContainerStatuses[0].state.waiting.reason}", "CrashLoopBackOff");
    let unready = "False|ContainersNotReady|containers with unready status: [side]";
    assert_eq!(site.field("crew", &condition("Ready")), unready);
    assert_eq!(site.field("crew", &condition("Initialized")), "True||");
    assert_eq!(site.field("crew", "{.status.containerStatuses[0].restartCount}"), "0");
}
