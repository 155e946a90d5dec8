//! Resizes of running pods (KEP-1287).

use super::{cluster, pod, ready, shows};
use crate::harness::{Cluster, get};

fn resize(cluster: &Cluster, name: &str, patch: &str) {
    cluster.kubectl(&format!("patch pod {name} --subresource resize -p {patch}")).ok();
}

#[test]
fn a_running_container_is_resized() {
    let cluster = cluster();
    let resources = "resources: { requests: { cpu: 100m, memory: 64Mi }, limits: { cpu: 200m, memory: 64Mi } }";
    cluster.apply(&pod("web", "[serve, '8080']", resources, ""));
    ready(&cluster, "web");
    let id = cluster.kubectl("get pod web -o jsonpath={.status.containerStatuses[0].containerID}").ok();
    let patch =
        r#"{"spec":{"containers":[{"name":"main","resources":{"requests":{"cpu":"300m"},"limits":{"cpu":"400m"}}}]}}"#;
    resize(&cluster, "web", patch);
    shows(&cluster, "web", ".status.containerStatuses[0].resources.limits.cpu", "400m");
    shows(&cluster, "web", ".status.containerStatuses[0].allocatedResources.cpu", "300m");
    shows(&cluster, "web", ".status.containerStatuses[0].containerID", &id);
    let patch = r#"{"spec":{"containers":[{"name":"main","resources":{"requests":{"cpu":"100000"},"limits":{"cpu":"200000"}}}]}}"#;
    resize(&cluster, "web", patch);
    shows(&cluster, "web", ".status.conditions[?(@.type==\"PodResizePending\")].reason", "Infeasible");
    let ip = cluster.kubectl("get pod web -o jsonpath={.status.podIP}").ok();
    assert_eq!(get(&format!("http://{ip}:8080/hostname")).unwrap(), "web");
}

#[test]
fn a_resize_waits_until_another_pod_makes_room() {
    let cluster = cluster();
    let node = cluster.kubectl("get nodes -o jsonpath={.items[0].status.allocatable.cpu}").ok();
    let millis = node.strip_suffix('m').map_or_else(|| node.parse::<u32>().unwrap() * 1000, |it| it.parse().unwrap());
    let with_cpu = |name: &str, millis: u32| {
        let manifest = pod(name, "[sleep, '1000']", &format!("resources: {{ requests: {{ cpu: {millis}m }} }}"), "");
        cluster.apply(&manifest);
        ready(&cluster, name);
    };
    with_cpu("first", millis / 2);
    with_cpu("second", 100);
    let (path, wanted) = (".status.containerStatuses[0]", millis - 150);
    let id = cluster.kubectl(&format!("get pod second -o jsonpath={{{path}.containerID}}")).ok();
    let patch = |millis: u32| {
        format!(r#"{{"spec":{{"containers":[{{"name":"main","resources":{{"requests":{{"cpu":"{millis}m"}}}}}}]}}}}"#)
    };
    resize(&cluster, "second", &patch(wanted));
    let pending = ".status.conditions[?(@.type==\"PodResizePending\")]";
    shows(&cluster, "second", &format!("{pending}.reason"), "Deferred");
    let message = cluster.kubectl(&format!("get pod second -o jsonpath={{{pending}.message}}")).ok();
    let told = format!("Node didn't have enough resource: cpu, requested: {wanted}, used: ");
    assert!(message.starts_with(&told) && message.ends_with(&format!(", capacity: {millis}")), "{message}");
    shows(&cluster, "second", &format!("{path}.allocatedResources.cpu"), "100m");
    let events = cluster.kubectl("get events --field-selector reason=ResizeDeferred").ok();
    assert!(events.contains("Pod resize Deferred: {"), "{events}");

    // Less is never put off, and a pod that takes less makes room too, though not enough of it.
    resize(&cluster, "first", &patch(millis / 2 - 1));
    shows(&cluster, "first", &format!("{path}.allocatedResources.cpu"), &format!("{}m", millis / 2 - 1));
    shows(&cluster, "second", &format!("{pending}.reason"), "Deferred");

    cluster.kubectl("delete pod first").ok();
    shows(&cluster, "second", &format!("{path}.allocatedResources.cpu"), &format!("{wanted}m"));
    shows(&cluster, "second", &format!("{pending}.reason"), "");
    shows(&cluster, "second", &format!("{path}.containerID"), &id);
}
