//! A node whose API server is away: it goes on, it starts again, and tells of it later.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::proxy::Proxy;
use super::{EdgeNode, event_comes, field, ready};
use crate::harness::guests::{self, FAILING, TICKER, TOOLBOX, push, push_toolbox};
use crate::harness::{Cluster, eventually, get, signal};

/// A process that does not run until this is dropped.
struct Stopped(u32);

impl Stopped {
    fn process(pid: u32) -> Self {
        signal(pid, "STOP");
        Self(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        signal(self.0, "CONT");
    }
}

/// A pod bound to the node `edge`; `container` and `spec` are further lines.
fn pod(name: &str, image: &str, container: &str, spec: &str) -> String {
    let indented =
        |text: &str, by: usize| -> String { text.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect() };
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{ name: {name} }}\nspec:\n  nodeSelector: {{ kubernetes.io/hostname: edge }}\n  \
         terminationGracePeriodSeconds: 1\n{}  containers:\n  - name: main\n    image: {image}\n{}",
        indented(spec, 2),
        indented(container, 4)
    )
}

/// A server that answers `/file/PATH` with files and `/hostname` with a variable.
fn server(name: &str, container: &str, spec: &str) -> String {
    let probe = "command: [serve, '8080']\nreadinessProbe: { httpGet: { path: /, port: 8080 }, periodSeconds: 1 }";
    pod(name, TOOLBOX, &format!("{probe}\n{container}"), spec)
}

/// The directory that the node has for a pod.
fn directory(cluster: &Cluster, node: &EdgeNode, name: &str) -> PathBuf {
    let uid = field(cluster, &format!("pod {name}"), ".metadata.uid");
    node.data_dir().join(format!("node/pods/default_{name}_{uid}"))
}

fn restarts(cluster: &Cluster, name: &str) -> i64 {
    let path = ".status.containerStatuses[0].restartCount";
    field(cluster, &format!("pod {name}"), path).parse().unwrap_or_default()
}

fn restarted(cluster: &Cluster, name: &str, least: i64) -> i64 {
    eventually(&format!("{name} has been restarted"), || match restarts(cluster, name) {
        count if count >= least => Ok(count),
        count => Err(format!("{count} times, not {least}")),
    })
}

fn serves(address: &str, path: &str, wanted: &str) {
    eventually(&format!("{path} is served"), || match get(&format!("http://{address}:8080{path}"))? {
        found if found.trim_end() == wanted => Ok(()),
        found => Err(found),
    });
}

#[test]
fn pods_go_on_while_the_server_hangs_and_are_told_of_later() {
    let cluster = Cluster::start();
    push_toolbox(&cluster);
    push(&cluster, "failing", FAILING);
    push(&cluster, "ticker", TICKER);
    let node = EdgeNode::join(&cluster, "edge");
    cluster.apply(&server("web", "", ""));
    cluster.apply(&pod("ticker", &guests::image("ticker"), "", ""));
    // Nobody listens at port 1, so the node ends it some seconds after each of its starts.
    let probe =
        "livenessProbe: { tcpSocket: { port: 1 }, initialDelaySeconds: 10, periodSeconds: 1, failureThreshold: 1 }";
    cluster.apply(&pod("failing", &guests::image("failing"), "", ""));
    let address = ready(&cluster, "web");
    ready(&cluster, "ticker");
    let failed = restarted(&cluster, "failing", 1);
    cluster.apply(&pod("sick", &guests::image("ticker"), probe, ""));
    ready(&cluster, "sick");
    let logs = ["ticker", "failing", "sick"].map(|name| directory(&cluster, &node, name).join("main"));

    let hanging = Stopped::process(cluster.pid());
    let exists = |path: PathBuf| if path.exists() { Ok(()) } else { Err(format!("{} is missing", path.display())) };
    eventually("what failed is started again", || exists(logs[1].join(format!("{}.log", failed + 1))));
    eventually("what a probe found dead is started again", || exists(logs[2].join("1.log")));
    let size = || fs::metadata(logs[0].join("0.log")).map(|file| file.len()).map_err(|error| error.to_string());
    let before = size().unwrap();
    eventually("a log grows", || if size()? > before { Ok(()) } else { Err("it has not".to_owned()) });
    serves(&address, "/hostname", "web");
    drop(hanging);

    restarted(&cluster, "failing", failed + 1);
    restarted(&cluster, "sick", 1);
    cluster.kubectl("wait --for=condition=Ready node/edge --timeout=60s").ok();
    assert_eq!(ready(&cluster, "web"), address);
    assert_eq!([restarts(&cluster, "web"), restarts(&cluster, "ticker")], [0, 0], "the others did not notice");
    event_comes(&cluster, "sick", "Unhealthy");
}

/// What the pod of the next test is made with.
const OBJECTS: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: settings }\ndata: { name: by-config, file: from a map }\n---\n\
     apiVersion: v1\nkind: Secret\nmetadata: { name: hidden }\nstringData: { key: from a secret }\n";

#[test]
fn pods_come_back_without_the_server() {
    let mut cluster = Cluster::start();
    push_toolbox(&cluster);
    let mut node = EdgeNode::join(&cluster, "edge");
    cluster.apply(OBJECTS);
    let container = "imagePullPolicy: Always\nenv:\n- { name: HOSTNAME, valueFrom: { configMapKeyRef: { name: settings, key: name } } }\n\
         volumeMounts:\n- { name: map, mountPath: /map }\n- { name: secret, mountPath: /secret }\n- { name: scratch, mountPath: /scratch }";
    let spec = "volumes:\n- { name: map, configMap: { name: settings } }\n- { name: secret, secret: { secretName: hidden } }\n\
         - { name: scratch, emptyDir: {} }";
    cluster.apply(&server("app", container, spec));
    let address = ready(&cluster, "app");
    let uid = field(&cluster, "pod app", ".metadata.uid");
    let started = field(&cluster, "pod app", ".status.startTime");
    fs::write(directory(&cluster, &node, "app").join("volumes/scratch/note"), "still here").unwrap();

    cluster.kill();
    node.kill();
    assert!(get(&format!("http://{address}:8080/")).is_err());
    let begun = Instant::now();
    node.boot();
    serves(&address, "/hostname", "by-config");
    let took = begun.elapsed();
    eprintln!("the pod served again {took:?} after the start of the node's process");
    assert!(took < Duration::from_secs(20), "{took:?}");
    serves(&address, "/file/map/file", "from a map");
    serves(&address, "/file/secret/key", "from a secret");
    serves(&address, "/file/scratch/note", "still here");
    let token = get(&format!("http://{address}:8080/file/var/run/secrets/kubernetes.io/serviceaccount/token")).unwrap();
    assert_eq!(token.split('.').count(), 3, "{token}");

    cluster.boot();
    restarted(&cluster, "app", 1);
    assert_eq!(ready(&cluster, "app"), address);
    assert_eq!(field(&cluster, "pod app", ".metadata.uid"), uid);
    assert_eq!(field(&cluster, "pod app", ".status.startTime"), started);
    assert_eq!(field(&cluster, "pod app", ".status.phase"), "Running");
    assert_eq!(restarts(&cluster, "app"), 1);
}

#[test]
fn a_pod_that_was_deleted_meanwhile_ends_when_the_node_hears_of_it() {
    let cluster = Cluster::start();
    push_toolbox(&cluster);
    let proxy = Proxy::to(&cluster);
    let mut node = EdgeNode::unstarted(&cluster, "edge");
    node.kubeconfig = proxy.kubeconfig(&cluster);
    node.boot();
    cluster.apply(&server("app", "", ""));
    let address = ready(&cluster, "app");
    proxy.cut();
    cluster.kubectl("delete pod app --wait=false").ok();
    // Longer than the grace period: a node that had heard of it would have ended the pod.
    let begun = Instant::now();
    eventually("the node asks in vain", || match (proxy.refused(), begun.elapsed()) {
        (1.., waited) if waited > Duration::from_secs(3) => Ok(()),
        (asked, waited) => Err(format!("{asked} times in {waited:?}")),
    });
    serves(&address, "/hostname", "app");
    assert_ne!(field(&cluster, "pod app", ".metadata.deletionTimestamp"), "");
    proxy.mend();
    cluster.kubectl("wait --for=delete pod/app --timeout=60s").ok();
    assert!(get(&format!("http://{address}:8080/")).is_err(), "it serves on");
}

#[test]
fn a_server_that_was_killed_finds_its_node_again() {
    let mut cluster = Cluster::start();
    push_toolbox(&cluster);
    let _node = EdgeNode::join(&cluster, "edge");
    cluster.apply(&server("app", "", ""));
    let address = ready(&cluster, "app");
    cluster.kill();
    serves(&address, "/hostname", "app");
    cluster.boot();
    cluster.apply(&server("another", "", ""));
    let another = ready(&cluster, "another");
    serves(&another, "/hostname", "another");
    serves(&address, "/hostname", "app");
    assert_eq!(restarts(&cluster, "app"), 0);
    cluster.kubectl("delete pod app another --timeout=60s").ok();
}
