//! `[sig-cli] Kubectl client`: the specs whose pods run.

use serde_json::{Value, json};

use super::site::{Site, container, pod};
use crate::harness::eventually;

/// A ReplicationController of pods that run one tool.
fn controller(name: &str, labels: &Value, replicas: u32, command: &[&str], port: u16) -> Value {
    let more = json!({"ports": [{"containerPort": port}]});
    json!({
        "apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas, "selector": labels,
            "template": {
                "metadata": {"labels": labels},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [container("main", command, &more)]},
            },
        },
    })
}

/// Waits until so many pods of the label run, and gives their names.
fn running(site: &Site, label: &str, count: usize) -> Vec<String> {
    eventually(&format!("{count} running"), || {
        let path = "{range .items[?(@.status.phase==\"Running\")]}{.metadata.name} {end}";
        let left = site.kubectl(&format!("get pods -l {label} -o name")).ok();
        let found = site.kubectl(&format!("get pods -l {label} '-o=jsonpath={path}'")).ok();
        let names: Vec<String> = found.split_whitespace().map(str::to_owned).collect();
        if names.len() == count && left.lines().count() == count { Ok(names) } else { Err(left) }
    })
}

/// Fails unless every line of `wanted` stands in what is told, its parts in this order.
fn tells(told: &str, wanted: &[&[&str]]) {
    for parts in wanted {
        let has = |line: &str| {
            let mut rest = line;
            parts.iter().all(|part| match rest.find(part) {
                Some(at) => {
                    rest = &rest[at + part.len()..];
                    true
                }
                None => false,
            })
        };
        assert!(told.lines().any(has), "{parts:?} is not in:\n{told}");
    }
}

/// `[sig-cli] Kubectl client Update Demo should create and stop a replication controller [Conformance]`
#[test]
fn replication_controllers_are_created_and_stopped() {
    let site = Site::new();
    site.apply(&controller("demo", &json!({"name": "demo"}), 2, &["serve", "8080"], 8080));
    for name in running(&site, "name=demo", 2) {
        assert_eq!(site.kubectl(&format!("exec {name} -- get 127.0.0.1:8080/hostname")).ok(), name);
    }
    site.kubectl("delete rc demo --grace-period=0 --force").ok();
    assert!(running(&site, "name=demo", 0).is_empty());
}

/// `[sig-cli] Kubectl client Update Demo should scale a replication controller [Conformance]`
#[test]
fn replication_controllers_are_scaled() {
    let site = Site::new();
    site.apply(&controller("demo", &json!({"name": "demo"}), 2, &["serve", "8080"], 8080));
    running(&site, "name=demo", 2);
    site.kubectl("scale rc demo --replicas=1 --timeout=60s").ok();
    running(&site, "name=demo", 1);
    site.kubectl("scale rc demo --replicas=2 --timeout=60s").ok();
    running(&site, "name=demo", 2);
}

/// `[sig-cli] Kubectl client Kubectl expose should create services for rc [Conformance]`
#[test]
fn replication_controllers_are_exposed() {
    let site = Site::new();
    let labels = json!({"app": "primary"});
    site.apply(&controller("primary", &labels, 1, &["serve", "6379"], 6379));
    running(&site, "app=primary", 1);
    let leads = |name: &str, port: u16| {
        eventually(name, || {
            let ports = site.kubectl(&format!("get endpoints {name} -o jsonpath={{.subsets[*].ports[*].port}}")).ok();
            if ports == "6379" { Ok(()) } else { Err(ports) }
        });
        let ports = "jsonpath={.spec.ports[*].port}/{.spec.ports[*].targetPort}";
        assert_eq!(site.kubectl(&format!("get service {name} -o {ports}")).ok(), format!("{port}/6379"));
    };
    site.kubectl("expose rc primary --name=rm2 --port=1234 --target-port=6379").ok();
    leads("rm2", 1234);
    site.kubectl("expose service rm2 --name=rm3 --port=2345 --target-port=6379").ok();
    leads("rm3", 2345);
    // And a pod reaches it by both.
    for place in ["rm2:1234", "rm3:2345"] {
        let name = format!("asks-{}", &place[..3]);
        let answer = site.output(&pod(&name, &["get", &format!("{place}/hostname")], &json!({})));
        assert!(answer.starts_with("primary-"), "{answer}");
    }
}

/// `[sig-cli] Kubectl client Kubectl label should update the label on a resource [Conformance]`
#[test]
fn labels_are_updated() {
    let site = Site::new();
    site.apply(&pod("pause", &["sleep", "600"], &json!({})));
    site.phase("pause", "Running");
    let shown = || site.kubectl("get pod pause -L testing-label").ok().contains("testing-label-value");
    site.kubectl("label pods pause testing-label=testing-label-value").ok();
    assert!(shown());
    site.kubectl("label pods pause testing-label-").ok();
    assert!(!shown());
}

/// `[sig-cli] Kubectl client Kubectl describe should check if kubectl describe prints relevant information for rc and
/// pods [Conformance]`
#[test]
fn everything_is_described() {
    let site = Site::new();
    let labels = json!({"app": "demo", "role": "primary"});
    site.apply(&controller("primary", &labels, 1, &["serve", "6379"], 6379));
    site.kubectl("expose rc primary --port=6379").ok();
    let name = running(&site, "app=demo", 1).remove(0);
    let (image, namespace) = (crate::harness::guests::TOOLBOX, site.namespace.as_str());
    tells(
        &site.kubectl(&format!("describe pod {name}")).ok(),
        &[
            &["Name:", "primary-"],
            &["Namespace:", namespace],
            &["Node:", "node/"],
            &["Labels:", "app=demo"],
            &["role=primary"],
            &["Annotations:"],
            &["Status:", "Running"],
            &["IP:"],
            &["Controlled By:", "ReplicationController/primary"],
            &["Image:", image],
            &["State:", "Running"],
            &["QoS Class:", "BestEffort"],
        ],
    );
    eventually("a status that counts", || {
        let told = site.kubectl("describe rc primary").ok();
        if told.contains("1 current / 1 desired") && told.contains("1 Running") { Ok(()) } else { Err(told) }
    });
    tells(
        &site.kubectl("describe rc primary").ok(),
        &[
            &["Name:", "primary"],
            &["Namespace:", namespace],
            &["Selector:", "app=demo,role=primary"],
            &["Labels:", "app=demo"],
            &["role=primary"],
            &["Annotations:"],
            &["Replicas:", "1 current", "1 desired"],
            &["Pods Status:", "1 Running", "0 Waiting", "0 Succeeded", "0 Failed"],
            &["Pod Template:"],
            &["Image:", image],
            &["Events:"],
            &["SuccessfulCreate", "Created pod: primary-"],
        ],
    );
    tells(
        &site.kubectl("describe service primary").ok(),
        &[
            &["Name:", "primary"],
            &["Namespace:", namespace],
            &["Labels:", "app=demo"],
            &["role=primary"],
            &["Annotations:"],
            &["Selector:", "app=demo", "role=primary"],
            &["Type:", "ClusterIP"],
            &["IP:"],
            &["Port:", "<unset>", "6379/TCP"],
            &["Endpoints:", ":6379"],
            &["Session Affinity:", "None"],
        ],
    );
    tells(
        &site.kubectl("describe node node").ok(),
        &[
            &["Name:", "node"],
            &["Labels:"],
            &["Annotations:"],
            &["CreationTimestamp:"],
            &["Conditions:"],
            &["Type", "Status", "LastHeartbeatTime", "LastTransitionTime", "Reason", "Message"],
            &["Addresses:"],
            &["Capacity:"],
            &["Kernel Version:"],
            &["OS Image:"],
            &["Container Runtime Version:"],
            &["Kubelet Version:"],
            &["Pods:"],
        ],
    );
    tells(
        &site.kubectl(&format!("describe namespace {namespace}")).ok(),
        &[&["Name:", namespace], &["Labels:"], &["Annotations:"], &["Status:", "Active"]],
    );
}
