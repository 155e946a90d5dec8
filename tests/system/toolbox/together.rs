//! Pods whose containers share a fate: they begin again together, have one CPU budget, live in the node's network.

use serde_json::Value;

use super::{cluster, ended, pod, ready, shows};
use crate::harness::eventually;
use crate::harness::guests::{LOOP, TOOLBOX, image, push};

/// When a container ends in the way that its rule names, all begin again (KEP-5532): init containers first, without the
/// hooks of an end, in the same context; the condition says so while they end.
#[test]
fn the_end_of_one_container_makes_all_begin_again() {
    let cluster = cluster();
    let mounts = "volumeMounts: [{ name: d, mountPath: /d }]";
    let script = |text: &str| format!("{{ image: {TOOLBOX}, command: [sh, -c, '{text}'], {mounts}");
    let first_fails = "echo run >> /d/log; cat /d/again && sleep 1000 || touch /d/again; exit 1";
    let spec = format!(
        "volumes: [{{ name: d, emptyDir: {{}} }}]\ninitContainers:\n- {}, name: init }}",
        script("echo init >> /d/log")
    );
    let more =
        format!("{mounts}\nlifecycle: {{ preStop: {{ exec: {{ command: [sh, -c, 'echo hook >> /d/log'] }} }} }}");
    let rule = "{ action: RestartAllContainers, exitCodes: { operator: In, values: [1] } }";
    let trigger =
        format!("  - {}, name: trigger, restartPolicy: Never, restartPolicyRules: [{rule}] }}\n", script(first_fails));
    cluster.apply(&(pod("box", "[sleep, '1000']", &more, &spec) + &trigger));
    let condition = ".status.conditions[?(@.type==\"AllContainersRestarting\")]";
    shows(&cluster, "box", &format!("{condition}.status"), "True");
    let address = cluster.kubectl("get pod box -o jsonpath={.status.podIP}").ok();
    shows(&cluster, "box", &format!("{condition}.status"), "False");
    ready(&cluster, "box");
    let counts = "{.status.initContainerStatuses[*].restartCount} {.status.containerStatuses[*].restartCount}";
    assert_eq!(cluster.kubectl(&format!("get pod box -o jsonpath={}", counts.replace(' ', ","))).ok(), "1,1 1");
    assert_eq!(cluster.kubectl("get pod box -o jsonpath={.status.podIP}").ok(), address);
    eventually("the second run of the trigger", || {
        let log = cluster.kubectl("exec box -c main -- cat /d/log").ok();
        if log == "init\nrun\ninit\nrun\n" { Ok(()) } else { Err(log) }
    });
}

/// The CPU limit of a pod holds for its containers together.
#[test]
fn a_pods_cpu_limit_is_shared_by_its_containers() {
    let cluster = cluster();
    push(&cluster, "loop", LOOP);
    let one = |name: &str| format!("  - {{ name: {name}, image: {} }}\n", image("loop"));
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{ name: busy }}\nspec:\n  terminationGracePeriodSeconds: 1\n  resources: \
         {{ limits: {{ cpu: 200m, memory: 64Mi }} }}\n  containers:\n{}{}",
        one("a"),
        one("b")
    ));
    ready(&cluster, "busy");
    let rates = eventually("the rates of both", || {
        let summary = cluster.kubectl("get --raw /api/v1/nodes/node/proxy/stats/summary").ok();
        let summary: Value = serde_json::from_str(&summary).unwrap();
        let containers = summary["pods"][0]["containers"].as_array().cloned().unwrap_or_default();
        let rates = containers.iter().filter_map(|it| it["cpu"]["usageNanoCores"].as_u64()).filter(|rate| *rate > 0);
        let rates: Vec<u64> = rates.collect();
        if rates.len() == 2 { Ok(rates) } else { Err(summary.to_string()) }
    });
    let together = rates.iter().sum::<u64>() / 1_000_000;
    assert!(together < 250, "two containers of a pod with 200m use {together}m: {rates:?}");
}

/// A pod of the node's network has the node's address and name.
#[test]
fn a_pod_of_the_nodes_network_has_its_address_and_name() {
    let cluster = cluster();
    cluster.apply(&pod("box", "[cat, /etc/hostname]", "", "hostNetwork: true"));
    ended(&cluster, "box");
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(cluster.kubectl("logs box").ok(), name);
    let addresses = cluster.kubectl("get pod box -o jsonpath={.status.podIP},{.status.hostIP}").ok();
    let (of_pod, of_node) = addresses.split_once(',').unwrap();
    assert_eq!(of_pod, of_node);
}
